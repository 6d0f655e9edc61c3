//! The keys behind `protect`: a list in a file, read and used.

use super::*;
use crate::config::{Config, Environment};
use models::Key;
use std::fs;

const OLD: &str = "2026-01:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const NEW: &str = "2026-07:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";

fn load(personal: &str, keys: &str) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("keys"), keys).unwrap();
    let path = folder.path().join("relay.toml");
    let text = format!(
        "[kafka]\nbootstrap_servers = \"127.0.0.1:9092\"\n[personal_data]\n{personal}\n\
         digest_key = \"0123456789abcdef0123456789abcdef\"\n\
         [[projects]]\nid = \"acme\"\napi_key = \"k\"\n[projects.webhook]\nunauthenticated = true\n"
    );
    fs::write(&path, text).unwrap();
    let environment =
        Environment { variables: Vec::new().into_iter().collect(), host_name: Some("relay-0".to_owned()) };
    let loaded = Config::load(&path, &environment);
    loaded
        .map(|loaded| loaded.config)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

#[test]
fn the_first_key_of_the_file_seals_and_all_open() {
    let personal = "protect = [\"user_id\"]\nprotect_keys_file = \"keys\"";
    let sealer = |keys: &str| load(personal, keys).unwrap().personal_data.sealer().unwrap().unwrap();
    let key = Key::parse("acme/k3f9x1mes3ugzb").unwrap();
    let before = sealer(OLD).seal(&key, Field::UserId, "u-1001").unwrap();
    let both = sealer(&format!("# exchanged in July\n{NEW}\n{OLD}\n"));
    assert_eq!(both.open(&key, Field::UserId, &before).unwrap(), "u-1001");
    let (one, two) =
        (both.seal(&key, Field::UserId, "u-1001").unwrap(), both.seal(&key, Field::UserId, "u-1001").unwrap());
    assert!(one.starts_with("sealed:v1:2026-07:"));
    assert_ne!(one, two, "each value has a nonce of its own");
}

#[test]
fn without_protect_nothing_is_sealed() {
    assert!(load("", OLD).unwrap().personal_data.sealer().unwrap().is_none());
    let ready = load("protect_keys_file = \"keys\"", OLD).unwrap();
    assert!(ready.personal_data.sealer().unwrap().is_none());
}

#[test]
fn what_cannot_be_protected_is_refused_by_name_and_without_a_key() {
    let file = "protect_keys_file = \"keys\"";
    for (personal, keys, message) in [
        ("protect = [\"user_id\"]".to_owned(), OLD, "personal_data.protect: needs `protect_keys_file`"),
        (format!("protect = [\"reviewer\"]\n{file}"), OLD, "personal_data.protect[0]: is not in `include`"),
        (format!("protect = [\"name\"]\n{file}"), OLD, "personal_data.protect[0]: must be one of"),
        (format!("protect = [\"user_id\"]\n{file}"), "2026-01:AAAA", "personal_data.protect_keys: key 1: must be"),
    ] {
        let errors = load(&personal, keys).unwrap_err();
        assert!(errors.contains(message), "{errors}");
        assert!(!errors.contains("AAAA") && !errors.contains("AAEC"), "{errors}");
    }
    let shown = load(&format!("protect = [\"user_id\"]\n{file}"), OLD).unwrap();
    assert!(!format!("{shown:?}").contains("AAEC"));
    assert!(!toml::to_string(&shown).unwrap().contains("AAEC"));
}
