//! What an error of librdkafka means for the caller. Pure.
//!
//! Owns: the one classification that the transaction, the sink and the probes share.
//!
//! Source: librdkafka's introduction, "Transactional producer API": an error is fatal, needs an abort, may be retried,
//! or, with no flag at all, is fatal as well.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// What the caller does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The same call again, within its deadline.
    Retry,
    /// Abort the transaction; the producer stays.
    Abort,
    /// Another producer with this id, or another member with this instance id, took over.
    Fenced,
    /// The client cannot be used any more.
    Fatal,
}

impl Class {
    /// The word in metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Class::Retry => "retry",
            Class::Abort => "abort",
            Class::Fenced => "fenced",
            Class::Fatal => "fatal",
        }
    }
}

const fn means_fenced(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::Fenced
            | RDKafkaErrorCode::ProducerFenced
            | RDKafkaErrorCode::InvalidProducerEpoch
            | RDKafkaErrorCode::FencedInstanceId
    )
}

/// Of a call of the transactional interface.
pub fn transaction(error: &KafkaError) -> Class {
    let KafkaError::Transaction(inner) = error else {
        return production(error);
    };
    if inner.is_fatal() {
        if means_fenced(inner.code()) { Class::Fenced } else { Class::Fatal }
    } else if inner.txn_requires_abort() {
        Class::Abort
    } else if inner.is_retriable() {
        Class::Retry
    } else {
        Class::Fatal
    }
}

/// Of handing a record to the producer, or of its delivery.
pub fn production(error: &KafkaError) -> Class {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::QueueFull) => Class::Retry,
        Some(code) if means_fenced(code) => Class::Fenced,
        Some(RDKafkaErrorCode::Fatal | RDKafkaErrorCode::State) | None => Class::Fatal,
        Some(_) => Class::Abort,
    }
}

/// Whether a consumer with this error can never go on.
pub fn ends_consumer(error: &KafkaError) -> bool {
    matches!(error, KafkaError::MessageConsumptionFatal(_))
        || matches!(
            error.rdkafka_error_code(),
            Some(RDKafkaErrorCode::Fatal | RDKafkaErrorCode::Fenced | RDKafkaErrorCode::FencedInstanceId)
        )
}

/// Whether a topic may not be read by us.
pub fn denies_topic(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::TopicAuthorizationFailed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_is_the_only_thing_that_is_tried_again() {
        let of = |code| production(&KafkaError::MessageProduction(code));
        assert_eq!(of(RDKafkaErrorCode::QueueFull), Class::Retry);
        assert_eq!(of(RDKafkaErrorCode::MessageSizeTooLarge), Class::Abort);
        assert_eq!(of(RDKafkaErrorCode::MessageTimedOut), Class::Abort);
        assert_eq!(of(RDKafkaErrorCode::Fatal), Class::Fatal);
        assert_eq!(of(RDKafkaErrorCode::ProducerFenced), Class::Fenced);
        assert_eq!(production(&KafkaError::Canceled), Class::Fatal);
    }

    #[test]
    fn a_fenced_member_ends_its_consumer_and_a_missing_topic_does_not() {
        assert!(ends_consumer(&KafkaError::MessageConsumptionFatal(RDKafkaErrorCode::UnknownMemberId)));
        assert!(ends_consumer(&KafkaError::MessageConsumption(RDKafkaErrorCode::FencedInstanceId)));
        assert!(!ends_consumer(&KafkaError::MessageConsumption(RDKafkaErrorCode::UnknownTopicOrPartition)));
    }
}
