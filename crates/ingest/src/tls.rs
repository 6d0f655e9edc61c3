//! TLS on the public listener, for who has no proxy in front that ends it.
//!
//! Owns the certificate and its key, and their exchange while the listener serves. Must not know files (whoever reads
//! them calls [`Tls::replace`]) or requests ([`crate::server`] does the handshakes).
//!
//! Path: [`Tls::new`] checks that key and certificate belong together; each handshake takes the pair of its moment.
//! Connections that stand are not disturbed by an exchange.

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use secrecy::zeroize::Zeroize;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use tokio_rustls::TlsAcceptor;

/// Why a certificate and a key are of no use. Never shows either.
#[derive(Debug, thiserror::Error)]
pub enum InvalidTls {
    /// No certificate in PEM.
    #[error("the certificate file holds no certificate in PEM")]
    NoCertificate,
    /// No private key in PEM, or an encrypted one.
    #[error("the key file holds no unencrypted private key in PEM")]
    NoKey,
    /// A key of a kind that is not supported; no detail, which could show it.
    #[error("the private key is none of RSA, ECDSA (P-256, P-384) or Ed25519")]
    UnknownKey,
    /// Not a pair, or a certificate that cannot be read.
    #[error("the private key does not belong to the first certificate, or that cannot be read")]
    NoPair,
    /// The library refuses to be set up.
    #[error("TLS cannot be set up")]
    Setup(#[source] rustls::Error),
}

/// What a listener needs for TLS 1.2 and 1.3; clones share the certificate.
#[derive(Clone)]
pub struct Tls {
    pair: Arc<Pair>,
    config: Arc<ServerConfig>,
}

impl Tls {
    /// From PEM texts: the chain, the server's certificate first, and its unencrypted private key.
    pub fn new(certificates: &str, key: &SecretString) -> Result<Tls, InvalidTls> {
        let pair = Arc::new(Pair(RwLock::new(certified(certificates, key)?)));
        // The provider is named here, so that nothing process-wide is needed.
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(InvalidTls::Setup)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&pair) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Tls { pair, config: Arc::new(config) })
    }

    /// Sets another pair for the handshakes to come. On an error the old one stays.
    pub fn replace(&self, certificates: &str, key: &SecretString) -> Result<(), InvalidTls> {
        let new = certified(certificates, key)?;
        // A poisoned lock still holds a whole pair: the only write is this assignment.
        *self.pair.0.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// What does the handshakes.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Tls([redacted])")
    }
}

struct Pair(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Pair {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl fmt::Debug for Pair {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Pair([redacted])")
    }
}

fn certified(certificates: &str, key: &SecretString) -> Result<Arc<CertifiedKey>, InvalidTls> {
    let chain: Result<Vec<_>, PemError> = CertificateDer::pem_slice_iter(certificates.as_bytes()).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty()).ok_or(InvalidTls::NoCertificate)?;
    let mut der = PrivateKeyDer::from_pem_slice(key.expose_secret().as_bytes()).map_err(|_| InvalidTls::NoKey)?;
    let signer = ring::sign::any_supported_type(&der).map_err(|_| InvalidTls::UnknownKey);
    der.zeroize();
    let pair = CertifiedKey::new(chain, signer?);
    // A key that cannot tell its public half would pass unproven; ring's kinds all can.
    pair.keys_match().map_err(|_| InvalidTls::NoPair)?;
    Ok(Arc::new(pair))
}

#[cfg(test)]
#[path = "tls_tests.rs"]
mod tests;
