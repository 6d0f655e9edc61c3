//! Ledger entries as this release writes them. Not files, which would be of another release after the next change.

use models::{
    AmlStatus, Authentication, Check, CheckReason, Claim, Entry, Grave, GraveReason, KycStatus, Monitoring, Notice,
    Notices, Pending, PersonalDigest, Published, Reading, Risk, Time,
};

const NOW: Time = Time::from_millis(1_772_429_276_279);

/// One with everything in it, one of an unknown id, and a grave.
pub(crate) fn encoded() -> Vec<Vec<u8>> {
    let unknown = Entry { since: NOW, pending: Some(Box::new(pending())), ..Entry::default() };
    let grave = Entry { sequence: 9, grave: Some(Grave { at: NOW, reason: GraveReason::Deleted }), ..Entry::default() };
    [full(), unknown, grave].iter().map(Entry::encode).collect()
}

fn full() -> Entry {
    let authentication = Authentication::PATH_TOKEN.with(Authentication::SOURCE_IP);
    let published = Published {
        kyc_status: KycStatus::Approved,
        aml_status: AmlStatus::NotScreened,
        risk: Risk::Unknown,
        monitoring: Monitoring::Unknown,
        retries: 1,
        updated_at: Some(NOW),
        hashes: [7; _],
        fingerprint: 0x1234_5678_9abc_def0_1234_5678_9abc_def0,
        personal: Some(PersonalDigest { key: 1, digest: 2 }),
        reading: Reading { normalizer: 1, policy: 1 },
        notices: Notices { aml: Some(Notice { at: NOW, authentication }), monitoring: None },
    };
    Entry {
        sequence: 3,
        published: Some(published),
        since: NOW,
        pending: Some(Box::new(pending())),
        check: Some(Check { due: NOW, reason: CheckReason::Unconfirmed }),
        ..Entry::default()
    }
}

fn pending() -> Pending {
    let claim = Claim {
        trigger: "approved".to_owned(),
        status: Some(KycStatus::Approved),
        changed_at: Some(NOW),
        attempts: Some(2),
        red_flag: Some(true),
        deleted: false,
    };
    let hint_id = Some("0123456789abcdef0123456789abcdef".to_owned());
    Pending { claims: vec![claim], hint_id, hinted_at: Some(NOW), failures: 3, ..Pending::default() }
}
