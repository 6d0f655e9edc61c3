use super::*;

/// A fresh certificate and its key, in PEM.
fn fresh() -> (String, SecretString) {
    let made = rcgen::generate_simple_self_signed(["relay.example".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem().into())
}

#[test]
fn only_a_pair_is_taken_and_a_bad_one_leaves_the_old() {
    let (certificate, key) = fresh();
    let (other_certificate, other_key) = fresh();
    let tls = Tls::new(&certificate, &key).unwrap();
    let shown = |certificates: &str, key: &SecretString| {
        let error = tls.replace(certificates, key).unwrap_err();
        format!("{error} {error:?}")
    };
    let garbage = "-----BEGIN PRIVATE KEY-----\naHVzaA==\n-----END PRIVATE KEY-----\n";
    for (certificates, key, word) in [
        ("", &key, "no certificate"),
        ("hush", &key, "no certificate"),
        (key.expose_secret(), &key, "no certificate"),
        (&certificate, &"".into(), "no unencrypted private key"),
        (&certificate, &certificate.as_str().into(), "no unencrypted private key"),
        (&certificate, &garbage.into(), "none of RSA"),
        (&other_certificate, &key, "does not belong"),
        (&certificate, &other_key, "does not belong"),
    ] {
        let text = shown(certificates, key);
        assert!(text.contains(word), "{word}: {text}");
        assert!(!text.contains("hush") && !text.contains("aHVzaA"), "{text}");
    }
    let before = Arc::clone(&tls.pair.0.read().unwrap());
    assert_eq!(before.cert[0], CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap());
    tls.clone().replace(&other_certificate, &other_key).unwrap();
    let after = Arc::clone(&tls.pair.0.read().unwrap());
    assert_eq!(after.cert[0], CertificateDer::from_pem_slice(other_certificate.as_bytes()).unwrap());
    assert_eq!(format!("{tls:?}"), "Tls([redacted])");
}
