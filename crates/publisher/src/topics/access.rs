//! What each role may do in the cluster: the least with which it works. Pure.
//!
//! Read and Write include Describe; Create and `DescribeConfigs` do not. An idempotent producer needs no more than Write on
//! one topic.

use crate::settings::KafkaSettings;

/// Who comes to the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// `serve --role ingest`.
    Ingest,
    /// `serve --role reconciler`, and `all`.
    Reconciler,
    /// What the admin API reads of topics, in addition to its replica's own rights.
    Console,
    /// `topics apply`.
    Topics,
    /// The operators' commands.
    Operator,
    /// Whoever reads events and states.
    Consumer,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 6] =
        [Role::Ingest, Role::Reconciler, Role::Console, Role::Topics, Role::Operator, Role::Consumer];

    /// The word on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Ingest => "ingest",
            Role::Reconciler => "reconciler",
            Role::Console => "console",
            Role::Topics => "topics",
            Role::Operator => "operator",
            Role::Consumer => "consumer",
        }
    }

    /// What runs in this role.
    pub const fn runs(self) -> &'static str {
        match self {
            Role::Ingest => "serve --role ingest",
            Role::Reconciler => "serve --role reconciler, and serve --role all",
            Role::Console => "the admin API of serve, in addition: it shows events, dead letters and notices",
            Role::Topics => "topics apply; topics check needs neither Create nor Write",
            Role::Operator => "reconcile, explain, backfill, verify, redrive, erase",
            Role::Consumer => "downstream, in a consumer group of this name",
        }
    }

    /// Kafka's name of the user, unless another one is given.
    pub const fn principal(self) -> &'static str {
        match self {
            Role::Ingest => "User:argos-relay-ingest",
            Role::Reconciler | Role::Console => "User:argos-relay",
            Role::Topics => "User:argos-relay-topics",
            Role::Operator => "User:argos-relay-operator",
            Role::Consumer => "User:kyc-consumer",
        }
    }
}

/// What a right is on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// A topic.
    Topic(String),
    /// A consumer group.
    Group(String),
    /// All transactional ids that begin so.
    TransactionalIds(String),
}

/// One right.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// On what.
    pub resource: Resource,
    /// Kafka's word.
    pub operation: &'static str,
}

/// The rights of a role. `consumer` names the group of [`Role::Consumer`].
pub fn rights(settings: &KafkaSettings, role: Role, consumer: &str) -> Vec<Right> {
    let names = settings.names();
    let mut all = Vec::new();
    let mut allow = |resource: Resource, operations: &[&'static str]| {
        all.extend(operations.iter().map(|operation| Right { resource: resource.clone(), operation }));
    };
    let topic = |name: &str| Resource::Topic(name.to_owned());
    let group = |name: &str| Resource::Group(name.to_owned());
    match role {
        Role::Ingest => {
            for name in [&names.hints, &names.bulk] {
                allow(topic(name), &["Write", "DescribeConfigs"]);
            }
        }
        Role::Reconciler => {
            for name in [&names.hints, &names.bulk, &names.ledger] {
                allow(topic(name), &["Read", "Write", "DescribeConfigs"]);
            }
            for name in [&names.events, &names.state, &names.dead_letters, &names.notifications] {
                allow(topic(name), &["Write", "DescribeConfigs"]);
            }
            allow(group(&settings.group_id), &["Read"]);
            allow(Resource::TransactionalIds(format!("{}-", settings.group_id)), &["Write"]);
        }
        Role::Console => {
            for name in [&names.events, &names.dead_letters, &names.notifications] {
                allow(topic(name), &["Read"]);
            }
        }
        Role::Topics => {
            for (_, name) in names.all().iter().filter(|(_, name)| *name != names.ledger) {
                allow(topic(name), &["Create", "Describe", "DescribeConfigs"]);
            }
            allow(topic(&names.ledger), &["Create", "Read", "Write", "DescribeConfigs"]);
        }
        Role::Operator => {
            for name in [&names.hints, &names.bulk] {
                allow(topic(name), &["Read", "Write"]);
            }
            for name in [&names.state, &names.dead_letters, &names.notifications, &names.ledger] {
                allow(topic(name), &["Read"]);
            }
            allow(topic(&names.events), &["Read", "DescribeConfigs"]);
            allow(group(&format!("{}-redrive", settings.group_id)), &["Read"]);
        }
        Role::Consumer => {
            for name in [&names.events, &names.state] {
                allow(topic(name), &["Read"]);
            }
            allow(group(consumer), &["Read"]);
        }
    }
    all
}
