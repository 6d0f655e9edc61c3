//! What a seed means: how large the world is, what goes wrong in it, and every step of its history.
//!
//! Owns the draw. Must not know the reconciler. Path: [`Plan::draw`] reads the seed once; [`crate::run`] plays the steps.

use crate::world::{Life, Shown, Spell, SpellKind, Version};
use models::{Authentication, Claim, Hint, Key, KycStatus, Notice, Notices, Source, Time};
use std::collections::BTreeMap;
use std::time::Duration;

/// A midnight: 2026-02-26T00:00:00Z.
pub(crate) const MIDNIGHT: i64 = 1_772_064_000_000;
/// How long all is well at the end of each round: longer than any pause of the service under the rules of `run.rs`.
pub(crate) const CALM: i64 = 200_000;
/// After a change a look may show the version before it for so long.
pub(crate) const STALE: i64 = 8_000;
/// How long a live submission may look absent, once. Shorter than the pause before an absence is believed.
const FLICKER: i64 = 3_000;

/// One step of the history.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A webhook, or an operator's word, reaches the door.
    Hint(Key, Box<Hint>),
    /// Somebody asks for a full walk.
    Ask(&'static str),
    /// A replica joins.
    Join,
    /// The replica with this number (of those that run) leaves in order.
    Leave(usize),
    /// It dies at its so-manieth poll from now on.
    Crash(usize, u64),
    /// It hears nothing for so many milliseconds; the group gives it up, it goes on.
    Zombie(usize, u64),
    /// Its clock jumps.
    Jump(usize, i64),
    /// The topics take no hints, or take them again.
    Sink(bool),
}

/// How the simulated Kafka misbehaves while a round is not calm.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kafka {
    /// Parts of all commits that end so, in a thousand.
    pub(crate) aborts: u64,
    /// The outcome is not known; half of these are committed.
    pub(crate) lost: u64,
    /// The longest that a commit takes before and after it takes effect, milliseconds.
    pub(crate) latency: u64,
    /// The longest that a replay takes, milliseconds.
    pub(crate) replay: u64,
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) start: Time,
    pub(crate) partitions: usize,
    pub(crate) rounds: i64,
    /// How long things go wrong in each round, milliseconds.
    pub(crate) storm: i64,
    pub(crate) per_second: f64,
    pub(crate) per_day: u64,
    pub(crate) deletions_per_hour: u32,
    /// The slowest look, milliseconds; one in twenty takes ten times as long.
    pub(crate) look: u64,
    /// Looks that end in a 5xx for no reason, in a thousand.
    pub(crate) flaky: u64,
    pub(crate) stale: bool,
    pub(crate) jumps: bool,
    pub(crate) zombies: bool,
    pub(crate) list_lag: i64,
    pub(crate) kafka: Kafka,
    pub(crate) lives: BTreeMap<Key, Life>,
    pub(crate) spells: Vec<Spell>,
    /// What happens when, in milliseconds from the start.
    pub(crate) steps: Vec<(i64, Step)>,
    hints: u64,
}

impl Plan {
    /// All that follows from a seed.
    pub(crate) fn draw(seed: u64) -> Plan {
        let mut rng = fastrand::Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5eed);
        let mut often = |in_hundred: u64| rng.u64(0..100) < in_hundred;
        let (short, capped) = (often(15), often(8));
        let (crashes, zombies, outages, sink) = (often(60), often(35), often(45), often(25));
        let (stale, jumps, kafka, replay) = (often(50), often(20) && !short, often(60), often(40));
        let storm = rng.i64(20_000..80_000);
        let mut plan = Plan {
            seed,
            // A quota, or a cap, that was spent in the storm begins anew with the calm.
            start: Time::from_millis(MIDNIGHT - storm - if short || capped { 0 } else { 40_000_000 }),
            partitions: if capped { 1 } else { rng.usize(1..=4) },
            rounds: if short || capped { 1 } else { rng.i64(1..=2) },
            storm,
            // What a dead replica had reserved is lost for the day: a small quota goes with a low rate.
            per_second: if short { 4.0 } else { [4.0, 8.0, 25.0][rng.usize(0..3)] },
            per_day: if short { rng.u64(220..400) } else { 1_000_000 },
            deletions_per_hour: if capped { 1 } else { 1_000 },
            look: rng.u64(2..300),
            flaky: if outages { rng.u64(0..200) } else { 0 },
            stale,
            jumps,
            zombies,
            list_lag: if rng.bool() { rng.i64(0..4_000) } else { 0 },
            kafka: Kafka {
                aborts: if kafka { rng.u64(0..150) } else { 0 },
                lost: if kafka { rng.u64(0..100) } else { 0 },
                latency: rng.u64(1..250),
                replay: if replay { rng.u64(1..4_000) } else { 1 },
            },
            lives: BTreeMap::new(),
            spells: Vec::new(),
            steps: Vec::new(),
            hints: 0,
        };
        for index in 0..rng.usize(2..8) {
            let project = if rng.u64(0..4) == 0 { "beta" } else { "acme" };
            plan.live(&key(project, &format!("s{index}")), &mut rng);
        }
        plan.forge(&mut rng);
        if outages {
            plan.outages(&mut rng);
        }
        plan.members(crashes, &mut rng);
        if sink {
            for _ in 0..rng.usize(1..4) {
                let at = plan.storm_time(&mut rng);
                plan.steps.push((at, Step::Sink(false)));
                plan.steps.push((at + rng.i64(500..8_000), Step::Sink(true)));
            }
        }
        plan.steps.sort_by_key(|(at, _)| *at);
        plan
    }

    /// When round `round` (from 0) ends its storm.
    pub(crate) const fn calm_at(&self, round: i64) -> i64 {
        round * (self.storm + CALM) + self.storm
    }

    /// Whether all is well.
    pub(crate) fn is_calm(&self, at: i64) -> bool {
        at >= self.rounds * (self.storm + CALM) || at % (self.storm + CALM) >= self.storm
    }

    /// Whether what happens does so at the end of a day, with as little left of it as the seed says.
    pub(crate) const fn is_short(&self) -> bool {
        self.per_day < 1_000_000
    }

    pub(crate) fn time(&self, at: i64) -> Time {
        Time::from_millis(self.start.as_millis() + at)
    }

    fn storm_time(&self, rng: &mut fastrand::Rng) -> i64 {
        rng.i64(0..self.rounds) * (self.storm + CALM) + rng.i64(0..self.storm)
    }

    /// The history of one submission, with its webhooks.
    fn live(&mut self, key: &Key, rng: &mut fastrand::Rng) {
        let mut life = Life { unlisted: rng.u64(0..8) == 0, ..Life::default() };
        let changes = rng.usize(1..10);
        let mut times: Vec<i64> = (0..changes).map(|_| self.storm_time(rng)).collect();
        times.sort_unstable();
        times.dedup();
        life.created_at = self.time(times[0]);
        for at in times {
            let version = next_version(life.versions.last(), at, self.time(at), rng);
            let silent = version.shown == Shown::Gone && rng.bool();
            life.versions.push(version);
            if !silent {
                self.tell(key, &life, rng);
            }
        }
        if !self.jumps && self.deletions_per_hour > 1 && rng.u64(0..6) == 0 {
            let from = self.storm_time(rng);
            life.flicker = Some((from, from + rng.i64(200..FLICKER)));
        }
        if rng.u64(0..20) == 0 {
            let mut hint = self.hint(self.storm, Source::Operator, Authentication::NONE);
            hint.erase = true;
            let at = self.storm_time(rng);
            self.steps.push((at, Step::Hint(key.clone(), Box::new(hint))));
        }
        if rng.u64(0..10) == 0 {
            let from = self.storm_time(rng);
            self.spells.push(Spell {
                project: key.project().to_owned(),
                key: Some(key.clone()),
                from,
                to: (from + rng.i64(1_000..20_000)).min(self.calm_after(from)),
                kind: SpellKind::Garbage,
            });
        }
        self.lives.insert(key.clone(), life);
    }

    fn calm_after(&self, at: i64) -> i64 {
        self.calm_at(at / (self.storm + CALM))
    }

    fn hint(&mut self, at: i64, source: Source, authentication: Authentication) -> Hint {
        self.hints += 1;
        Hint {
            id: format!("h{}", self.hints),
            source,
            received_at: self.time(at),
            authentication,
            claim: Claim::default(),
            notices: Notices::default(),
            body_digest: String::new(),
            row: None,
            erase: false,
            traceparent: None,
        }
    }

    /// The webhooks of the newest version: perhaps none, perhaps several, late and out of order.
    fn tell(&mut self, key: &Key, life: &Life, rng: &mut fastrand::Rng) {
        let Some(version) = life.versions.last() else { return };
        let gone = version.shown != Shown::Live;
        let send = |plan: &mut Plan, rng: &mut fastrand::Rng, claim: Claim, notices: Notices| {
            let copies = [0, 1, 1, 1, 1, 1, 2, 3][rng.usize(0..8)];
            for _ in 0..copies {
                let late = if rng.u64(0..8) == 0 { 30_000 } else { 1_500 };
                let at = (version.from + rng.i64(0..late)).min(plan.calm_after(version.from) + 1_000);
                let mut hint = plan.hint(at, Source::Webhook, Authentication::PATH_TOKEN);
                hint.claim = claim.clone();
                let stamp = |notice: Option<Notice>| notice.map(|notice| Notice { at: hint.received_at, ..notice });
                hint.notices = Notices { aml: stamp(notices.aml), monitoring: stamp(notices.monitoring) };
                plan.steps.push((at, Step::Hint(key.clone(), Box::new(hint))));
            }
        };
        let claim = Claim {
            trigger: if gone { "delete".to_owned() } else { version.status.as_str().to_owned() },
            status: (!gone).then_some(version.status),
            changed_at: (rng.bool() && !gone).then_some(version.updated_at),
            attempts: None,
            red_flag: None,
            deleted: gone,
        };
        send(self, rng, claim, Notices::default());
        if version.status != KycStatus::Approved || gone {
            return;
        }
        let notice = Some(Notice { at: Time::MIN, authentication: Authentication::PATH_TOKEN });
        if version.flagged || rng.bool() {
            let claim = Claim { trigger: "aml".to_owned(), red_flag: Some(version.flagged), ..Claim::default() };
            send(self, rng, claim, Notices { aml: notice, monitoring: None });
        }
        if rng.u64(0..3) == 0 {
            let claim = Claim { trigger: "aml_monitor".to_owned(), ..Claim::default() };
            send(self, rng, claim, Notices { aml: None, monitoring: notice });
        }
    }

    /// Webhooks of nobody: claims that are not true, about submissions that are and others that are not.
    fn forge(&mut self, rng: &mut fastrand::Rng) {
        let mut keys: Vec<Key> = self.lives.keys().cloned().collect();
        keys.extend([key("acme", "x0"), key("acme", "x1")]);
        for _ in 0..rng.usize(0..12) {
            let at = self.storm_time(rng);
            let mut hint = self.hint(at, Source::Webhook, Authentication::NONE);
            let status = KycStatus::ALL[rng.usize(0..4)];
            hint.claim = Claim { trigger: status.as_str().to_owned(), status: Some(status), ..Claim::default() };
            if rng.u64(0..4) == 0 {
                let notice = Some(Notice { at: hint.received_at, authentication: Authentication::NONE });
                hint.notices = Notices { aml: notice, monitoring: notice };
                hint.claim = Claim { trigger: "aml".to_owned(), red_flag: Some(false), ..Claim::default() };
            }
            let of = keys[rng.usize(0..keys.len())].clone();
            self.steps.push((at, Step::Hint(of, Box::new(hint))));
        }
        if rng.u64(0..4) == 0 {
            let at = self.storm_time(rng);
            self.steps.push((at, Step::Ask("acme")));
        }
    }

    /// Spells in which a project does not answer as it should.
    fn outages(&mut self, rng: &mut fastrand::Rng) {
        for _ in 0..rng.usize(1..4) {
            let from = self.storm_time(rng);
            let kind = match rng.u64(0..7) {
                0..3 => SpellKind::Down,
                3 | 4 => SpellKind::Throttled((rng.bool()).then(|| Duration::from_secs(rng.u64(1..10)))),
                5 => SpellKind::Denied,
                _ => SpellKind::Slow,
            };
            let to = (from + rng.i64(500..25_000)).min(self.calm_after(from));
            let project = if rng.u64(0..4) == 0 { "beta" } else { "acme" };
            self.spells.push(Spell { project: project.to_owned(), key: None, from, to, kind });
        }
    }

    /// Who joins, leaves, dies and sleeps.
    fn members(&mut self, crashes: bool, rng: &mut fastrand::Rng) {
        for _ in 0..rng.usize(1..3) {
            self.steps.push((0, Step::Join));
        }
        for _ in 0..rng.usize(0..4) {
            let at = self.storm_time(rng);
            let step = if rng.bool() { Step::Join } else { Step::Leave(rng.usize(0..4)) };
            self.steps.push((at, step));
        }
        if crashes {
            for _ in 0..rng.usize(1..6) {
                let at = self.storm_time(rng);
                self.steps.push((at, Step::Crash(rng.usize(0..4), rng.u64(0..60))));
                self.steps.push((at + rng.i64(1..5_000), Step::Join));
            }
        }
        if self.zombies {
            for _ in 0..rng.usize(1..4) {
                let at = self.storm_time(rng);
                self.steps.push((at, Step::Zombie(rng.usize(0..4), rng.u64(200..15_000))));
            }
            let at = self.storm_time(rng);
            self.steps.push((at, Step::Join));
        }
        if self.jumps {
            for _ in 0..rng.usize(1..4) {
                let at = self.storm_time(rng);
                let far = if rng.u64(0..4) == 0 { 30_000 } else { 3_000 };
                self.steps.push((at, Step::Jump(rng.usize(0..4), rng.i64(-far..far))));
            }
        }
    }
}

/// What a submission becomes next.
fn next_version(last: Option<&Version>, at: i64, updated_at: Time, rng: &mut fastrand::Rng) -> Version {
    let fresh = Version {
        from: at,
        shown: Shown::Live,
        status: KycStatus::Incomplete,
        retries: 0,
        reason: None,
        flagged: false,
        updated_at,
    };
    let Some(last) = last else {
        let status = [KycStatus::Incomplete, KycStatus::Pending, KycStatus::Approved][rng.usize(0..3)];
        return Version { status, ..fresh };
    };
    let next = Version { from: at, updated_at, ..last.clone() };
    if last.shown != Shown::Live {
        return Version { status: KycStatus::Approved, ..fresh };
    }
    if rng.u64(0..8) == 0 {
        let shown = if rng.bool() { Shown::Gone } else { Shown::Deleted };
        return Version { shown, flagged: false, ..next };
    }
    match last.status {
        KycStatus::Incomplete if rng.bool() => Version { retries: last.retries + 1, ..next },
        KycStatus::Incomplete => Version { status: KycStatus::Pending, ..next },
        KycStatus::Approved if rng.u64(0..3) == 0 => Version { flagged: !last.flagged, ..next },
        KycStatus::Approved => Version { status: KycStatus::Rejected, flagged: false, reason: Some("glare"), ..next },
        KycStatus::Rejected if rng.bool() => {
            let reason = if last.reason == Some("glare") { "expired" } else { "glare" };
            Version { reason: Some(reason), ..next }
        }
        _ => {
            let status = if rng.bool() { KycStatus::Approved } else { KycStatus::Rejected };
            Version { status, reason: None, flagged: false, ..next }
        }
    }
}

/// A key of the simulation; its parts are plain words.
pub(crate) fn key(project: &str, submission: &str) -> Key {
    Key::parse(&format!("{project}/{submission}")).unwrap()
}
