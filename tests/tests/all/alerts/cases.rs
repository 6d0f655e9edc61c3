//! The scenarios: which fault makes which alert fire, and what else it may set off.

use super::stage::{Scene, Stage};
use super::{argos, door, kafka};
use std::future::Future;
use std::pin::Pin;

type Play = fn(Stage) -> Pin<Box<dyn Future<Output = Scene> + Send>>;

macro_rules! play {
    ($play:path) => {
        |stage| Box::pin($play(stage))
    };
}

/// One scenario.
pub(super) struct Case {
    pub(super) alert: &'static str,
    /// What is done to the deployment.
    pub(super) fault: &'static str,
    /// Labels beside `job` and `namespace`.
    pub(super) labels: &'static [(&'static str, &'static str)],
    /// Which others may fire with it, and why.
    pub(super) companions: &'static [(&'static str, &'static str)],
    /// Whether it is part of `make test`.
    pub(super) quick: bool,
    /// Seconds within which it has to fire.
    pub(super) within: u64,
    pub(super) play: Play,
}

const LATE: &str = "what waits is late";
const ONE_GET: &str = "one GET takes longer than three minutes of the faster clock";
const NO_PAGES: &str = "nor are pages of the list asked for";

/// The long ones first: they begin at once.
pub(super) const CASES: [Case; 25] = [
    Case {
        alert: "ArgosRelayNoWebhooks",
        fault: "webhooks come, and stop for six hours",
        labels: &[("project", "acme"), ("severity", "ticket")],
        companions: &[],
        quick: false,
        within: 480,
        play: play!(door::silent),
    },
    Case {
        alert: "ArgosRelayRestoreBlocked",
        fault: "somebody's transaction on a partition of the ledger stays open",
        labels: &[("severity", "page")],
        companions: &[],
        quick: false,
        within: 120,
        play: play!(kafka::restore_blocked),
    },
    Case {
        alert: "ArgosRelayRecheckBacklog",
        fault: "four webhooks a second, a budget of one request a second",
        labels: &[("severity", "ticket")],
        companions: &[
            ("ArgosRelayConfirmLagFast", LATE),
            ("ArgosRelayConfirmLagSlow", LATE),
            ("ArgosRelaySweepLate", NO_PAGES),
        ],
        quick: false,
        within: 120,
        play: play!(argos::backlog),
    },
    Case {
        alert: "ArgosRelaySweepNever",
        fault: "a list that takes hours to walk, from the start",
        labels: &[("project", "acme"), ("sweep", "recent"), ("severity", "ticket")],
        companions: &[],
        quick: false,
        within: 90,
        play: play!(argos::sweep_never),
    },
    Case {
        alert: "ArgosRelaySweepLate",
        fault: "the list grows until a walk takes hours",
        labels: &[("project", "acme"), ("sweep", "recent"), ("severity", "ticket")],
        companions: &[],
        quick: false,
        within: 90,
        play: play!(argos::sweep_late),
    },
    Case {
        alert: "ArgosRelayKafkaAway",
        fault: "the broker is killed",
        labels: &[("severity", "page")],
        companions: &[],
        quick: false,
        within: 60,
        play: play!(kafka::away),
    },
    Case {
        alert: "ArgosRelayBudgetNearlySpent",
        fault: "looks and pages take nine tenths of the day's requests",
        labels: &[("project", "acme"), ("severity", "ticket")],
        companions: &[],
        quick: false,
        within: 120,
        play: play!(argos::budget),
    },
    Case {
        alert: "ArgosRelayConfirmLagSlow",
        fault: "three webhooks of a hundred are confirmed late",
        labels: &[("severity", "ticket")],
        companions: &[("ArgosRelayNothingCommitted", ONE_GET)],
        quick: false,
        within: 60,
        play: play!(argos::lag_slow),
    },
    Case {
        alert: "ArgosRelayConfirmLagFast",
        fault: "each GET takes longer than the objective allows",
        labels: &[("severity", "page")],
        companions: &[
            ("ArgosRelayConfirmLagSlow", "the same webhooks count in three days, too"),
            ("ArgosRelayNothingCommitted", ONE_GET),
        ],
        quick: false,
        within: 60,
        play: play!(argos::lag_fast),
    },
    Case {
        alert: "ArgosRelayConsumerStuck",
        fault: "no transaction goes through, and a lane is full of unsettled hints",
        labels: &[("severity", "page")],
        companions: &[("ArgosRelayNothingCommitted", "it is why the lane stands still")],
        quick: false,
        within: 60,
        play: play!(kafka::stuck),
    },
    Case {
        alert: "ArgosRelayNothingCommitted",
        fault: "the ledger's topic takes no record any more",
        labels: &[("severity", "page")],
        companions: &[],
        quick: false,
        within: 60,
        play: play!(kafka::nothing_committed),
    },
    Case {
        alert: "ArgosRelayHintsExpired",
        fault: "only the door runs, and retention removes what it took in",
        labels: &[("lane", "live"), ("severity", "page")],
        companions: &[("ArgosRelayNobodyReconciles", "that is how they came to expire")],
        quick: false,
        within: 60,
        play: play!(kafka::expired),
    },
    Case {
        alert: "ArgosRelayGapsRepaired",
        fault: "twenty changes that no webhook tells",
        labels: &[("severity", "ticket")],
        companions: &[],
        quick: false,
        within: 60,
        play: play!(argos::gaps),
    },
    Case {
        alert: "ArgosRelayHintsUnconfirmed",
        fault: "forged webhooks say deleted of what is there",
        labels: &[("severity", "ticket")],
        companions: &[],
        quick: false,
        within: 60,
        play: play!(argos::unconfirmed),
    },
    Case {
        alert: "ArgosRelayDeadLetters",
        fault: "one submission's answers are garbage, others' are not",
        labels: &[("reason", "unreadable"), ("severity", "ticket")],
        companions: &[],
        quick: true,
        within: 60,
        play: play!(argos::dead_letters),
    },
    Case {
        alert: "ArgosRelayDeletionCap",
        fault: "six submissions vanish, the cap is two an hour",
        labels: &[("project", "acme"), ("severity", "page")],
        companions: &[],
        quick: true,
        within: 60,
        play: play!(argos::deletions),
    },
    Case {
        alert: "ArgosRelayDenied",
        fault: "ARGOS answers 403",
        labels: &[("project", "acme"), ("severity", "page")],
        companions: &[("ArgosRelayBreakerOpen", "a refusal opens it at once")],
        quick: true,
        within: 60,
        play: play!(argos::denied),
    },
    Case {
        alert: "ArgosRelayBreakerOpen",
        fault: "ARGOS answers 500 and 502",
        labels: &[("project", "acme"), ("severity", "page")],
        companions: &[("ArgosRelayRecheckBacklog", "looks are set aside while it is open")],
        quick: false,
        within: 60,
        play: play!(argos::breaker),
    },
    Case {
        alert: "ArgosRelayWebhooksLost",
        fault: "callers that know the path break off",
        labels: &[("project", "acme"), ("severity", "page")],
        companions: &[],
        quick: true,
        within: 60,
        play: play!(door::lost),
    },
    Case {
        alert: "ArgosRelayWebhooksRefused",
        fault: "ARGOS uses a path token that we do not know",
        labels: &[("project", "acme"), ("severity", "ticket")],
        companions: &[],
        quick: false,
        within: 60,
        play: play!(door::refused),
    },
    Case {
        alert: "ArgosRelaySecretOld",
        fault: "a key's file was written 200 days ago",
        labels: &[("secret", "projects.acme.api_key"), ("severity", "ticket")],
        companions: &[],
        quick: false,
        within: 60,
        play: play!(door::secret_old),
    },
    Case {
        alert: "ArgosRelaySecretUnreadable",
        fault: "the file of the path tokens is emptied",
        labels: &[("secret", "projects.acme.webhook.path_tokens"), ("severity", "page")],
        companions: &[],
        quick: false,
        within: 60,
        play: play!(door::secret_unreadable),
    },
    Case {
        alert: "ArgosRelayRecordTooLarge",
        fault: "Kafka takes records of 1,000 bytes",
        labels: &[("severity", "ticket")],
        companions: &[],
        quick: false,
        within: 60,
        play: play!(kafka::too_large),
    },
    Case {
        alert: "ArgosRelayNobodyReconciles",
        fault: "the reconcilers end, the door goes on",
        labels: &[("severity", "page")],
        companions: &[],
        quick: false,
        within: 60,
        play: play!(kafka::door_only),
    },
    Case {
        alert: "ArgosRelayAbsent",
        fault: "the only replica is killed",
        labels: &[("severity", "page")],
        companions: &[],
        quick: false,
        within: 60,
        play: play!(kafka::absent),
    },
];
