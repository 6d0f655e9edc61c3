//! Everything Kafka: records, topics, the hint producer, the transactional ledger.
//!
//! Owns: what goes over the wire to the brokers, and in which order. Decides nothing: topic, key, headers and bytes
//! follow from what it is given.
//!
//! Must not know: ARGOS, HTTP, when a submission is looked at, what a decision means.
//!
//! Path of a hint: [`hint_sink`] (or a foreign producer) -> topic -> [`ledger`] -> the reconciler. Path of a decision:
//! [`ledger`] -> one transaction of [`record`]s with offsets, protected fields sealed ([`sealing`]) and, where
//! asked for, values framed with the id of their schema ([`schemas`]). [`topics`] makes and
//! checks the seven topics; [`settings`] refuses what would break a promise. [`reading`] and [`members`] are for operators.
//! [`rebuild`] writes a lost ledger anew; [`refusal`] says what to do where a broker will not have us.

mod asking;
pub mod errors;
pub mod hint_sink;
pub mod ledger;
pub mod members;
pub mod partition;
pub mod reading;
pub mod rebuild;
pub mod record;
pub mod refusal;
pub mod schemas;
pub mod sealing;
pub mod settings;
pub mod stats;
pub mod topics;

pub use hint_sink::KafkaHintSink;
pub use ledger::{KafkaLedger, LedgerStatus, LedgerWatch, OpenError, PartitionStatus};
pub use refusal::Refusal;
pub use sealing::Sealer;
pub use settings::{KafkaSettings, Problem, TopicNames};
pub use stats::KafkaMetrics;
