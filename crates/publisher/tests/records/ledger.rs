//! The ledger's records, one of each kind and of each word in them: their bytes are what a restart, an upgrade and a
//! rollback read.

use models::hint::Notice;
use models::{
    AmlStatus, Authentication, Check, CheckReason, Claim, Entry, Grave, GraveReason, KycStatus, Memo, Monitoring,
    Notices, PageCursor, Pending, PersonalDigest, Published, Reading, Risk, Standing, SweepMemo, Time, Totals, Walk,
    Walked,
};

/// What the bytes of a ledger record say.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Told {
    Entry(Box<Entry>),
    Memo(Memo),
}

impl Told {
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Told::Entry(entry) => entry.encode(),
            Told::Memo(memo) => memo.encode(),
        }
    }

    /// What such bytes say to this release.
    pub(crate) fn read_alike(&self, bytes: &[u8]) -> Told {
        match self {
            Told::Entry(_) => Told::Entry(Box::new(Entry::decode(bytes).unwrap())),
            Told::Memo(_) => Told::Memo(Memo::decode(bytes).unwrap()),
        }
    }
}

const fn at(seconds: i64) -> Time {
    Time::from_millis(1_772_429_000_000 + seconds * 1000)
}

fn published() -> Published {
    Published {
        kyc_status: KycStatus::Approved,
        aml_status: AmlStatus::RedFlag,
        risk: Risk::High,
        monitoring: Monitoring::Registered,
        retries: 2,
        updated_at: Some(at(1)),
        hashes: [1, 2, 3, 4, 5, 6, 7, 8, u32::MAX],
        fingerprint: u128::MAX - 1,
        personal: Some(PersonalDigest { key: 7, digest: u64::MAX - 2 }),
        reading: Reading { normalizer: 1, policy: 3 },
        notices: Notices {
            aml: Some(Notice { at: at(2), authentication: Authentication::PATH_TOKEN }),
            monitoring: Some(Notice { at: at(3), authentication: Authentication::HMAC }),
        },
    }
}

fn pending() -> Pending {
    let claim = Claim {
        trigger: "approved".to_owned(),
        status: Some(KycStatus::Approved),
        changed_at: Some(at(4)),
        attempts: Some(3),
        red_flag: Some(true),
        deleted: true,
    };
    Pending {
        claims: vec![claim, Claim::default()],
        hint_id: Some("0f".repeat(16)),
        hinted_at: Some(at(5)),
        notices: published().notices,
        claimed_since: Some(at(6)),
        stale_since: Some(at(7)),
        failures: 300,
        unreadable: 9,
        failing_since: Some(at(8)),
        absent_since: Some(at(9)),
    }
}

fn entries() -> Vec<(String, Entry)> {
    let full = Entry {
        sequence: 300,
        published: Some(published()),
        since: at(10),
        pending: Some(Box::new(pending())),
        check: Some(Check { due: at(11), reason: CheckReason::Unconfirmed }),
        grave: None,
    };
    let mut entries = vec![("empty".to_owned(), Entry::default()), ("full".to_owned(), full)];
    let mut with = |name: String, change: &dyn Fn(&mut Entry)| {
        let mut entry = Entry { sequence: 1, published: Some(published()), ..Entry::default() };
        change(&mut entry);
        entries.push((name, entry));
    };
    for reason in CheckReason::ALL {
        let check = Some(Check { due: at(12), reason: *reason });
        with(format!("check_{}", reason.as_str()), &|entry| entry.check = check);
    }
    for (name, reason) in [("deleted", GraveReason::Deleted), ("erased", GraveReason::Erased)] {
        let grave = Some(Grave { at: at(13), reason });
        with(format!("grave_{name}"), &|entry| (entry.published, entry.grave) = (None, grave));
    }
    let mut published = |name: String, change: &dyn Fn(&mut Published)| {
        with(name, &|entry| change(entry.published.as_mut().unwrap()));
    };
    for word in KycStatus::ALL {
        published(format!("kyc_{word}"), &|published| published.kyc_status = *word);
    }
    for word in AmlStatus::ALL {
        published(format!("aml_{word}"), &|published| published.aml_status = *word);
    }
    for word in Risk::ALL {
        published(format!("risk_{word}"), &|published| published.risk = *word);
    }
    for word in Monitoring::ALL {
        published(format!("monitoring_{word}"), &|published| published.monitoring = *word);
    }
    entries
}

fn memos() -> [(&'static str, Memo); 3] {
    let totals = Totals { pages: 3, rows: 300, equal: 290, hinted: 9, unreadable: 1 };
    let walk = Walk {
        started_at: at(14),
        from: Some(at(15)),
        to: at(16),
        cursor: Some(PageCursor { id: "k3f9x1mes3ugzb".to_owned(), created_at: "2026-03-02T05:27:56.279Z".to_owned() }),
        stalled: 2,
        totals,
    };
    let sweep = SweepMemo {
        walk: Some(walk),
        last: Some(Walked { started_at: at(17), ended_at: at(18), complete: true, totals }),
        asked_at: Some(at(19)),
        granted_at: Some(at(20)),
        range: Some((at(21), at(22))),
        completed: Some(at(23)),
    };
    let standing = Standing { first_run: at(24), day: 20_514, spent: 41, hour: at(25), deletions: 7 };
    [
        ("sweep", Memo::Sweep(Box::new(sweep))),
        ("sweep_empty", Memo::Sweep(Box::default())),
        ("standing", Memo::Standing(standing)),
    ]
}

/// All of them, by name.
pub(crate) fn all() -> Vec<(String, Told)> {
    let entries = entries().into_iter().map(|(name, entry)| (format!("entry_{name}"), Told::Entry(Box::new(entry))));
    let memos = memos().into_iter().map(|(name, memo)| (format!("memo_{name}"), Told::Memo(memo)));
    entries.chain(memos).collect()
}

/// A line for each: its name, and its bytes in hex.
pub(crate) fn shown() -> String {
    let lines = all().into_iter().map(|(name, told)| [name, hex::encode(told.encode())].join(" "));
    lines.map(|line| line + "\n").collect()
}

/// Reads such lines.
pub(crate) fn lines(text: &str) -> Vec<(String, Vec<u8>)> {
    let line = |line: &str| {
        let (name, bytes) = line.split_once(' ').unwrap();
        (name.to_owned(), hex::decode(bytes).unwrap())
    };
    text.lines().map(line).collect()
}
