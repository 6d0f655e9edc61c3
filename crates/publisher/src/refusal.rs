//! What the cluster refuses, in the words of whoever has to set it right.
//!
//! A wrong password, an unknown authority, a missing right: librdkafka tells of them to its listener only and goes on
//! trying, so that calls fail late, or never, and as if the cluster were away.
//!
//! Owns: telling a refusal from an outage, and what to do about it. Pure. Must not know: who asked.
//!
//! Path: [`Refusal::of`] an error: its code, and librdkafka's words.

use rdkafka::error::RDKafkaErrorCode;
use std::fmt;

/// Why the cluster will not have us, and what to do. Waiting alone does not help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    advice: &'static str,
    /// librdkafka's words: they name the broker, topic or group and the cause, and never a secret.
    reason: String,
}

const AUTHENTICATION: &str = "the broker refuses the user or the password: check sasl.mechanisms, sasl.username and \
                              sasl.password_file in [kafka.properties], and that the broker knows this user under \
                              this mechanism";
const AUTHORITY: &str = "the broker's certificate is not trusted here: ssl.ca.location in [kafka.properties] must name \
                         the file of the authority that signed it, the certificate must not have expired, and \
                         kafka.bootstrap_servers must name the broker as the certificate does";
const CLIENT_CERTIFICATE: &str = "the broker refuses our certificate, or the lack of one: ssl.certificate.location and \
                                  ssl.key.location in [kafka.properties] must name a certificate that has not expired \
                                  and was signed by an authority that the broker trusts";
const PROTOCOL: &str = "this port of the broker speaks another protocol: check security.protocol in [kafka.properties] \
                        and the port in kafka.bootstrap_servers";
const TLS: &str = "TLS towards the broker cannot be set up: check security.protocol and the ssl.* properties in \
                   [kafka.properties]";
const RIGHTS: &str = "the broker denies this user something that the service needs: `argos-relay topics apply \
                      --print-acls` prints the rights of each role";

/// How librdkafka and OpenSSL tell of it.
const OTHER_PROTOCOL: [&str; 4] =
    ["incorrect security.protocol", "a PLAINTEXT broker listener?", "wrong version number", "packet length too long"];

impl Refusal {
    /// What an error refuses, if it does.
    pub fn of(code: RDKafkaErrorCode, reason: &str) -> Option<Refusal> {
        let says = |words: &[&str]| words.iter().any(|word| reason.contains(word));
        // librdkafka gives the same failure of a connection now as the one, now as the other.
        let is_connection = matches!(code, RDKafkaErrorCode::SSL | RDKafkaErrorCode::BrokerTransportFailure);
        let advice = match code {
            RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed => AUTHENTICATION,
            RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::GroupAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed
            | RDKafkaErrorCode::TransactionalIdAuthorizationFailed => RIGHTS,
            // An alert comes from the other side: it is our certificate that it does not like.
            _ if is_connection && says(&["SSL alert number"]) => CLIENT_CERTIFICATE,
            _ if is_connection && says(&["certificate verify failed", "verify broker certificate"]) => AUTHORITY,
            _ if is_connection && says(&OTHER_PROTOCOL) => PROTOCOL,
            RDKafkaErrorCode::SSL => TLS,
            _ => return None,
        };
        Some(Refusal { advice, reason: reason.to_owned() })
    }

    /// Of one of the four rights that were denied, where only its code is known.
    pub fn denied(code: RDKafkaErrorCode, what: &str) -> Option<Refusal> {
        Refusal::of(code, &format!("{what}: {code}"))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} ({})", self.advice, self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use RDKafkaErrorCode as Code;

    #[test]
    fn each_refusal_says_what_to_do_and_an_outage_is_none() {
        let advice = |code, reason: &str| Refusal::of(code, reason).map(|refusal| refusal.advice);
        for (code, reason, expected) in [
            (Code::Authentication, "SASL authentication error: invalid credentials", Some(AUTHENTICATION)),
            (Code::SSL, "SSL handshake failed: error:0A000086:…: certificate verify failed", Some(AUTHORITY)),
            (
                Code::SSL,
                "SSL handshake failed: …:tlsv13 alert certificate required: SSL alert number 116",
                Some(CLIENT_CERTIFICATE),
            ),
            (Code::SSL, "SSL handshake failed: …:wrong version number", Some(PROTOCOL)),
            (Code::BrokerTransportFailure, "error:0A000086:SSL routines::certificate verify failed", Some(AUTHORITY)),
            (Code::BrokerTransportFailure, "Disconnected: connecting to a PLAINTEXT broker listener?", Some(PROTOCOL)),
            (Code::BrokerTransportFailure, "might be caused by incorrect security.protocol", Some(PROTOCOL)),
            (Code::SSL, "SSL handshake failed: Disconnected", Some(TLS)),
            (Code::TopicAuthorizationFailed, "kyc.hints.v1: denied", Some(RIGHTS)),
            (Code::GroupAuthorizationFailed, "denied", Some(RIGHTS)),
            (Code::BrokerTransportFailure, "Connect to ipv4#127.0.0.1:9092 failed: Connection refused", None),
            (Code::AllBrokersDown, "1/1 brokers are down", None),
            (Code::UnknownTopicOrPartition, "no such topic", None),
        ] {
            assert_eq!(advice(code, reason), expected, "{code:?} {reason}");
        }
        let shown = Refusal::denied(Code::TopicAuthorizationFailed, "kyc.ledger.v1").map(|refusal| refusal.to_string());
        assert!(shown.is_some_and(|text| text.contains("--print-acls") && text.contains("kyc.ledger.v1")));
    }
}
