//! Lives: what happens to a submission, step by step.
//!
//! Owns the plots, their chances and the planning of a life. A life is planned whole from a seed before it starts, so
//! the same seed gives the same life however slow the machine is. Pure: chance is an argument. What a change does to
//! a state is `change`'s.

use crate::change::Change;
use crate::state::Risk;
use crate::view::Traits;
use crate::webhooks::Trigger;
use serde::{Deserialize, Serialize};

/// Milliseconds between two steps, drawn evenly.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pace {
    /// At least.
    pub min_ms: u64,
    /// At most.
    pub max_ms: u64,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace { min_ms: 20, max_ms: 400 }
    }
}

macro_rules! plots {
    ($($(#[$doc:meta])* $plot:ident $field:ident = $weight:literal),+ $(,)?) => {
        /// The kinds of life.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Plot { $($(#[$doc])* $plot),+ }

        impl Plot {
            /// All of them.
            pub const ALL: &'static [Plot] = &[$(Plot::$plot),+];
        }

        /// How often each plot is picked: weights, not percentages. 0 leaves a plot out.
        #[derive(Clone, Copy, Debug, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Mix { $($(#[$doc])* pub $field: u32),+ }

        impl Default for Mix {
            fn default() -> Mix { Mix { $($field: $weight),+ } }
        }

        impl Mix {
            /// Only one plot.
            pub fn only(plot: Plot) -> Mix {
                let mut mix = Mix { $($field: 0),+ };
                match plot { $(Plot::$plot => mix.$field = 1),+ }
                mix
            }

            fn weight(&self, plot: Plot) -> u32 {
                match plot { $(Plot::$plot => self.$field),+ }
            }
        }
    };
}

plots! {
    /// Retried or not, then approved or rejected by the system.
    Straight straight = 20,
    /// A person decides; the `submit` webhook may never come.
    Pending pending = 12,
    /// Too many retries.
    TooManyRetries too_many_retries = 4,
    /// A decision is reversed, at times twice.
    Reversal reversal = 10,
    /// Approved, then screened without a match.
    AmlClean aml_clean = 10,
    /// Approved, then flagged; at times the level changes later.
    AmlFlag aml_flag = 10,
    /// Screened and registered for monitoring.
    AmlMonitor aml_monitor = 5,
    /// Further data injected, or not accepted.
    Injection injection = 5,
    /// Face authentications that say nothing about the identity check.
    FaceAuth face_auth = 5,
    /// Left after the selfie; rejected by timeout.
    Timeout timeout = 5,
    /// Deleted, with a webhook.
    Deleted deleted = 5,
    /// Deleted through the API without a word.
    SilentlyDeleted silently_deleted = 2,
    /// Left after the ID step: incomplete for ever.
    Abandoned abandoned = 4,
    /// Rejected, then the reasons change.
    ReasonsChange reasons_change = 3,
    /// Approved, then the name is corrected.
    Renamed renamed = 3,
}

/// One step: wait, change the world, say so or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Milliseconds after the step before.
    pub after_ms: u64,
    /// What becomes true.
    pub change: Change,
    /// The webhook that tells of it, and which of its shapes.
    pub tell: Option<(Trigger, u8)>,
}

/// A whole life, planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Life {
    /// Which kind.
    pub plot: Plot,
    /// What the submission is made with.
    pub traits: Traits,
    /// Its steps; the first one is [`Change::Create`].
    pub steps: Vec<Step>,
}

impl Life {
    /// Picks a plot by the weights of `mix` (the first plot if all are 0) and plays it out.
    pub fn plan(rng: &mut fastrand::Rng, mix: &Mix, pace: Pace) -> Life {
        let total: u32 = Plot::ALL.iter().map(|plot| mix.weight(*plot)).sum();
        let mut drawn = rng.u32(..total.max(1));
        let mut plot = Plot::Straight;
        for &candidate in Plot::ALL {
            let weight = mix.weight(candidate);
            if drawn < weight {
                plot = candidate;
                break;
            }
            drawn -= weight;
        }
        let traits = Traits {
            user: rng.u8(..8) != 0,
            custom_fields: rng.u8(..4) != 0,
            token: rng.u8(..3) != 0,
            knowledge_based: rng.u8(..7) == 0,
            aml: matches!(plot, Plot::AmlClean | Plot::AmlFlag | Plot::AmlMonitor),
        };
        let mut plan = Plan { rng, pace, steps: Vec::new() };
        plan.play(plot);
        Life { plot, traits, steps: plan.steps }
    }
}

const RETRY_CODES: [&str; 5] =
    ["glare_detected", "face_compare_underscore", "mrz_protocol_fail", "document_expired", "recaptured_document"];
const FAIL_CODES: [&str; 3] = ["distanceChecks_ipGeo", "blackliskCountries", "ipRisk_failCategory"];
const REJECTIONS: [&[&str]; 5] = [
    &["id_image_badImage"],
    &["duplicate_user", "duplicated_face"],
    &["expired_id"],
    &["id_info_dataMismatch"],
    &["other"],
];

struct Plan<'a> {
    rng: &'a mut fastrand::Rng,
    pace: Pace,
    steps: Vec<Step>,
}

impl Plan<'_> {
    fn play(&mut self, plot: Plot) {
        self.tell(Change::Create, Trigger::Created);
        let most = if plot == Plot::TooManyRetries { 0 } else { 2 };
        for _ in 0..self.rng.u8(..=most) {
            self.retry();
        }
        match plot {
            Plot::Straight => self.decide(None, false),
            Plot::Pending => self.by_hand(None),
            Plot::TooManyRetries => self.fail_three_times(),
            Plot::Reversal => self.reverse(),
            Plot::AmlClean => self.screen(&[Risk::NotScreened]),
            Plot::AmlFlag => self.flag(),
            Plot::AmlMonitor => self.monitor(),
            Plot::Injection => self.inject(),
            Plot::FaceAuth => self.face(),
            Plot::Timeout => self.tell(Change::Reject { codes: &["timeout"], by_hand: false }, Trigger::Rejected),
            Plot::Deleted => self.delete(true),
            Plot::SilentlyDeleted => self.delete(false),
            Plot::Abandoned => {}
            Plot::ReasonsChange => self.change_reasons(),
            Plot::Renamed => {
                self.approve();
                self.tell(Change::Rename, Trigger::Updated);
            }
        }
    }

    fn step(&mut self, change: Change, trigger: Option<Trigger>) {
        let (min, max) = (self.pace.min_ms, self.pace.max_ms.max(self.pace.min_ms));
        let after_ms = self.rng.u64(min..=max);
        let tell = trigger.map(|trigger| (trigger, self.rng.u8(..trigger.shapes())));
        self.steps.push(Step { after_ms, change, tell });
    }

    fn tell(&mut self, change: Change, trigger: Trigger) {
        self.step(change, Some(trigger));
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.rng.usize(..from.len())]
    }

    fn retry(&mut self) {
        let code = self.pick(&RETRY_CODES);
        self.tell(Change::Retry(code), Trigger::Retry);
    }

    fn approve(&mut self) {
        if self.rng.u8(..4) == 0 {
            self.by_hand(Some(true));
        } else {
            self.decide(Some(true), false);
        }
    }

    fn decide(&mut self, approved: Option<bool>, by_hand: bool) {
        if approved.unwrap_or_else(|| self.rng.u8(..3) != 0) {
            self.tell(Change::Approve { by_hand }, Trigger::Approved);
        } else {
            let codes = self.pick(&REJECTIONS);
            self.tell(Change::Reject { codes, by_hand }, Trigger::Rejected);
        }
    }

    fn by_hand(&mut self, approved: Option<bool>) {
        let told = self.rng.bool();
        self.step(Change::Pend, told.then_some(Trigger::Submit));
        self.decide(approved, true);
    }

    fn fail_three_times(&mut self) {
        for _ in 0..3 {
            self.retry();
        }
        self.tell(Change::Reject { codes: &["too_many_retry"], by_hand: false }, Trigger::Rejected);
    }

    fn reverse(&mut self) {
        let mut approved = self.rng.bool();
        self.decide(Some(approved), false);
        for _ in 0..=self.rng.u8(..2) {
            approved = !approved;
            let codes = if approved { &[] } else { self.pick(&REJECTIONS) };
            self.tell(Change::Reverse { approved, codes }, Trigger::Updated);
        }
    }

    fn screen(&mut self, levels: &[Risk]) {
        self.approve();
        for &risk in levels {
            let matches = if risk == Risk::NotScreened { 0 } else { self.rng.u32(1..4) };
            self.tell(Change::Screen { risk, matches }, Trigger::Aml);
        }
    }

    fn flag(&mut self) {
        let first = self.pick(&[Risk::High, Risk::Medium, Risk::Low]);
        let later = self.pick(&[Risk::Medium, Risk::NotScreened]);
        let levels = [first, later];
        let many = 1 + usize::from(self.rng.u8(..3) == 0);
        self.screen(&levels[..many]);
    }

    fn monitor(&mut self) {
        let risk = self.pick(&[Risk::NotScreened, Risk::NotScreened, Risk::High]);
        self.screen(&[risk]);
        self.tell(Change::Monitor, Trigger::AmlMonitor);
    }

    fn inject(&mut self) {
        self.approve();
        if self.rng.bool() {
            self.tell(Change::Inject, Trigger::Injection);
        } else {
            let code = self.pick(&FAIL_CODES);
            self.tell(Change::FailInjection(code), Trigger::InjectionFail);
        }
    }

    fn face(&mut self) {
        self.decide(None, false);
        let approved = self.rng.bool();
        self.tell(Change::Face { approved }, Trigger::FaceAuth);
    }

    fn delete(&mut self, told: bool) {
        self.decide(None, false);
        let hard = self.rng.bool();
        self.step(Change::Delete { hard }, told.then_some(Trigger::Delete));
    }

    fn change_reasons(&mut self) {
        self.tell(Change::Reject { codes: &["id_image_badImage"], by_hand: false }, Trigger::Rejected);
        self.tell(Change::Reasons(&["id_image_invalidId", "other"]), Trigger::Updated);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(seed: u64, mix: &Mix) -> Life {
        Life::plan(&mut fastrand::Rng::with_seed(seed), mix, Pace::default())
    }

    #[test]
    fn the_same_seed_plans_the_same_life() {
        for seed in 0..200 {
            assert_eq!(plan(seed, &Mix::default()), plan(seed, &Mix::default()));
        }
        assert!((0..200).any(|seed| plan(seed, &Mix::default()) != plan(seed + 1, &Mix::default())));
    }

    #[test]
    fn the_default_mix_plays_every_plot_and_every_trigger() {
        let lives: Vec<Life> = (0..2_000).map(|seed| plan(seed, &Mix::default())).collect();
        for plot in Plot::ALL {
            assert!(lives.iter().any(|life| life.plot == *plot), "{plot:?}");
        }
        for trigger in Trigger::ALL {
            let told = lives.iter().flat_map(|life| &life.steps).filter_map(|step| step.tell);
            let mut shapes: Vec<u8> = told.filter(|tell| tell.0 == trigger).map(|tell| tell.1).collect();
            shapes.sort_unstable();
            shapes.dedup();
            assert_eq!(shapes.len(), usize::from(trigger.shapes()), "{trigger:?}");
        }
    }

    #[test]
    fn steps_keep_to_the_pace_and_start_with_a_creation() {
        for seed in 0..500 {
            let life = plan(seed, &Mix::default());
            assert_eq!(life.steps[0].change, Change::Create);
            assert!(life.steps.iter().all(|step| (20..=400).contains(&step.after_ms)));
        }
        assert_eq!(plan(3, &Mix::only(Plot::Abandoned)).plot, Plot::Abandoned);
    }
}
