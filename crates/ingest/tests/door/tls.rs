//! TLS on the listener: both protocols, and another certificate while it serves.

use crate::harness::{APPROVED, Client, PATIENCE, Server, post};
use ingest::{DoorLimits, ServerLimits, Tls};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const SHORT: Duration = Duration::from_millis(150);

fn certificate() -> (String, SecretString) {
    let made = rcgen::generate_simple_self_signed(["relay.example".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem().into())
}

/// A handshake by who trusts this certificate only.
async fn connect(server: &Server, trusted: &str, protocol: &[u8]) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let stream = TcpStream::connect(server.address).await?;
    let name = ServerName::try_from("relay.example").unwrap();
    timeout(PATIENCE, TlsConnector::from(Arc::new(config)).connect(name, stream)).await.unwrap()
}

async fn ask(stream: &mut TlsStream<TcpStream>) -> String {
    stream.write_all(post("/webhooks/here", APPROVED).as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    let read = timeout(PATIENCE, stream.read(&mut answer)).await.unwrap().unwrap();
    String::from_utf8(answer[..read].to_vec()).unwrap()
}

#[tokio::test]
async fn webhooks_are_taken_under_tls_and_the_certificate_can_be_exchanged() {
    let (first, key) = certificate();
    let tls = Tls::new(&first, &key).unwrap();
    let server = Server::under(Some(tls.clone()), DoorLimits::default(), ServerLimits::default()).await;

    let mut stream = connect(&server, &first, b"http/1.1").await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    // The project that asks for the source address: the peer is known as it is without TLS.
    assert!(ask(&mut stream).await.starts_with("HTTP/1.1 200"));
    let two = connect(&server, &first, b"h2").await.unwrap();
    assert_eq!(two.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));

    let (second, key) = certificate();
    tls.replace(&second, &key).unwrap();
    assert!(connect(&server, &first, b"http/1.1").await.is_err(), "the old certificate is no longer shown");
    assert!(ask(&mut connect(&server, &second, b"http/1.1").await.unwrap()).await.starts_with("HTTP/1.1 200"));
    assert!(ask(&mut stream).await.starts_with("HTTP/1.1 200"), "a connection that stands is not disturbed");
}

#[tokio::test]
async fn who_speaks_no_tls_is_cut_off_and_disturbs_nobody() {
    let (certificate, key) = certificate();
    let limits = ServerLimits { header_timeout: SHORT, ..ServerLimits::default() };
    let server = Server::under(Some(Tls::new(&certificate, &key).unwrap()), DoorLimits::default(), limits).await;
    for words in ["", "\u{16}\u{3}\u{1}"] {
        let mut silent = server.connect().await;
        silent.send(words).await;
        assert!(silent.is_closed().await);
    }
    let mut clear = Client(TcpStream::connect(server.address).await.unwrap());
    clear.send(post("/webhooks/open", APPROVED)).await;
    // An alert of TLS at most, and no answer.
    let mut bytes = Vec::new();
    drop(timeout(PATIENCE, clear.0.read_to_end(&mut bytes)).await.unwrap());
    assert!(!bytes.starts_with(b"HTTP"), "{bytes:?}");
    assert_eq!(server.count_all(), 0);
    assert!(connect(&server, &certificate, b"h2").await.is_ok());
}
