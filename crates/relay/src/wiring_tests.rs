//! That a project's door has the locks that its configuration names.

use super::*;
use crate::config::Environment;
use axum::http::HeaderMap;
use ingest::authenticate::{Caller, Refused};
use models::Time;

const SECONDS: i64 = 1_772_429_276;

/// The door of a project with this `webhook` table.
fn door_of(webhook: &str) -> ProjectDoor {
    let text = format!(
        "kafka.bootstrap_servers = '127.0.0.1:9092'
        kafka.instance_id = 'relay-0'
        personal_data.digest_key = '0123456789abcdef0123456789abcdef'
        [[projects]]
        id = 'acme'
        api_key = 'api-key-in-the-clear'
        webhook = {{ {webhook} }}"
    );
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("relay.toml");
    std::fs::write(&path, text).unwrap();
    let config = Config::load(&path, &Environment::default()).unwrap().config;
    door(&config.projects[0], &mut SecretFiles::default()).unwrap()
}

/// Knocks with the body `{}` and these headers, so many seconds after [`SECONDS`].
fn knock(door: &ProjectDoor, lines: &[(&'static str, &str)], later: i64) -> Result<Authentication, Refused> {
    let line = |&(name, value): &(&'static str, &str)| (HeaderName::from_static(name), value.parse().unwrap());
    let headers: HeaderMap = lines.iter().map(line).collect();
    let now = Time::from_millis((SECONDS + later) * 1000);
    let admission = door.authenticate(Caller { token: None, address: None, headers: &headers, now })?;
    Ok(admission.verify(b"{}")?.methods)
}

#[test]
fn every_form_of_signature_that_can_be_configured_is_asked_for() {
    // Made by Python's `hmac` under the second secret; it knows no part of this program.
    let hex = "121dbf463b8959b2c7e24d62c4cdbe4df120d7854684edf1eda74f090c4f1e0b";
    let base64 = "v1:Eh2/RjuJWbLH4k1ixM2+TfEg14VGhO3x7adPCQxPHgs=";
    let timed = "t=1772429276,v1=22f7ed101f9cff3bb1ee5e82f54f50025ce48b145a9da3f72b802852d7379c84";
    let standard = "v1,aGeH0gMa3cHNScF4ykrZ307NZr6hQEATNnCJEBTLBAs=";
    let secrets = "secrets = ['another-secret', 'a-signing-secret-of-32-characters']";
    let standard_secrets = "secrets = ['whsec_YW5vdGhlcg', 'YS1zaWduaW5nLXNlY3JldC1vZi0zMi1jaGFyYWN0ZXJz']";
    let standard_lines =
        [("webhook-id", "msg_1"), ("webhook-timestamp", "1772429276"), ("webhook-signature", standard)];
    for (webhook, lines, tolerance) in [
        (format!("hmac = {{ {secrets} }}"), &[("x-signature", hex)][..], None),
        (
            format!("hmac = {{ {secrets}, header = 'X-Hub', encoding = 'base64', prefix = 'v1:' }}"),
            &[("x-hub", base64)],
            None,
        ),
        (format!("hmac = {{ {secrets}, timestamped = true }}"), &[("x-signature", timed)], Some(300)),
        (format!("hmac = {{ {secrets}, timestamped = true, tolerance = '7s' }}"), &[("x-signature", timed)], Some(7)),
        (format!("standard_webhooks = {{ {standard_secrets} }}"), &standard_lines, Some(300)),
        (format!("standard_webhooks = {{ {standard_secrets}, tolerance = '9s' }}"), &standard_lines, Some(9)),
    ] {
        let door = door_of(&webhook);
        assert!(!door.is_unauthenticated(), "{webhook}");
        assert_eq!(knock(&door, lines, 0), Ok(Authentication::HMAC), "{webhook}");
        assert!(knock(&door, &[], 0).is_err(), "{webhook}");
        for (later, holds) in tolerance.map_or(vec![], |seconds| vec![(seconds, true), (seconds + 1, false)]) {
            assert_eq!(knock(&door, lines, later).is_ok(), holds, "{webhook}: {later}");
            assert_eq!(knock(&door, lines, -later).is_ok(), holds, "{webhook}: {later}");
        }
    }
}

#[test]
fn methods_that_are_configured_together_must_all_pass() {
    let secrets = "secrets = ['a-signing-secret-of-32-characters']";
    let door = door_of(&format!("source_ip = ['192.0.2.0/24'], path_tokens = ['t'], hmac = {{ {secrets} }}"));
    let mut headers = HeaderMap::new();
    let hex = "121dbf463b8959b2c7e24d62c4cdbe4df120d7854684edf1eda74f090c4f1e0b";
    headers.insert("x-signature", hex.parse().unwrap());
    let ask = |token, address: &str, headers: &HeaderMap| {
        let address = Some(address.parse().unwrap());
        let admission = door.authenticate(Caller { token, address, headers, now: Time::from_millis(0) })?;
        admission.verify(b"{}").map(|passed| passed.methods)
    };
    let all = Authentication::SOURCE_IP.with(Authentication::PATH_TOKEN).with(Authentication::HMAC);
    assert_eq!(ask(Some("t"), "192.0.2.7", &headers), Ok(all));
    assert!(ask(None, "192.0.2.7", &headers).is_err());
    assert!(ask(Some("t"), "198.51.100.1", &headers).is_err());
    assert!(ask(Some("t"), "192.0.2.7", &HeaderMap::new()).is_err());
}

#[test]
fn an_api_key_file_that_is_refused_changes_no_cipher_either() {
    let folder = tempfile::TempDir::new().unwrap();
    let (path, key_file) = (folder.path().join("relay.toml"), folder.path().join("api-key"));
    let (old, new) = ("an-old-api-key-of-over-32-characters", "a-new-api-key-of-over-32-characters-");
    std::fs::write(&key_file, old).unwrap();
    let text = "kafka.bootstrap_servers = '127.0.0.1:9092'
        kafka.instance_id = 'relay-0'
        personal_data.digest_key = '0123456789abcdef0123456789abcdef'
        [[projects]]
        id = 'acme'
        api_key_file = 'api-key'
        encryption.mode = 'aes-256-gcm'";
    std::fs::write(&path, text).unwrap();
    let config = Config::load(&path, &Environment::default()).unwrap().config;
    let (mut files, clock): (_, Arc<dyn Clock>) = (SecretFiles::default(), Arc::new(reconciler::clock::SystemClock));
    let door = door(&config.projects[0], &mut files).unwrap();
    source(&config, &clock, &mut files).unwrap();
    let metrics = SecretMetrics::register(&Registry::new()).unwrap();
    let opens = |key: &str| {
        let cipher = argos::Cipher::new(argos::Mode::Gcm, argos::Derivation::First32Bytes, &[key.into()]).unwrap();
        let body = format!(r#"{{"data":"{}"}}"#, cipher.encrypt(br#"{"submission_id":"x"}"#, &[7; 12]));
        door.read(body.as_bytes(), Authentication::NONE).is_ok()
    };
    // A note without its `#`, and three keys: each is a key that a cipher would take and no header, or no client.
    for wrong in ["the new key, valid from Monday on, is the next line".to_owned(), format!("{new}\n{new}1\n{new}2")] {
        std::fs::write(&key_file, wrong).unwrap();
        files.look(&metrics, clock.now());
        assert!(opens(old) && !opens(new));
    }
    std::fs::write(&key_file, format!("{new}\n{old}")).unwrap();
    files.look(&metrics, clock.now());
    assert!(opens(old) && opens(new));
}
