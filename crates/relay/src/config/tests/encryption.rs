//! Which cipher a project's configuration makes.

use super::*;
use argos::{CipherError, Mode};

const KEY: &str = "0123456789abcdef0123456789abcdefXYZ";
const OLD: &str = "fedcba9876543210fedcba9876543210XYZ";

fn project(encryption: &str) -> Project {
    let text = minimal_with("projects/encryption", encryption).replace("api-key-in-the-clear", KEY);
    load(&text.replace("unauthenticated = true", "path_tokens = ['t']")).unwrap().config.projects.remove(0)
}

fn cipher(encryption: &str) -> Option<argos::Cipher> {
    let project = project(encryption);
    project.encryption.cipher(&project.api_key).unwrap()
}

#[test]
fn every_mode_and_derivation_makes_its_own_cipher() {
    assert!(cipher("{}").is_none());
    let derivations = ["first_32_bytes", "last_32_bytes", "sha256", "sha256_hex_32"];
    for (word, mode) in [("aes-256-ecb", Mode::Ecb), ("aes-256-gcm", Mode::Gcm)] {
        let ciphers =
            derivations.map(|one| cipher(&format!("{{ mode = '{word}', key_derivation = '{one}' }}")).unwrap());
        for (place, one) in ciphers.iter().enumerate() {
            assert_eq!(one.mode(), mode);
            let text = one.encrypt(b"{}", &[7; 12]);
            for (other, reader) in ciphers.iter().enumerate() {
                assert_eq!(reader.decrypt_if(&text, |plain| plain == b"{}").is_ok(), place == other);
            }
        }
    }
}

#[test]
fn keys_stand_for_the_api_key_and_all_are_valid() {
    let by_api_key = cipher("{ mode = 'aes-256-gcm' }").unwrap();
    let rotating = cipher(&format!("{{ mode = 'aes-256-gcm', keys = ['{OLD}', '{KEY}'] }}")).unwrap();
    assert_eq!(by_api_key.decrypt(&rotating.encrypt(b"{}", &[2; 12])), Err(CipherError::Tag), "the first seals");
    assert_eq!(rotating.decrypt(&by_api_key.encrypt(b"{}", &[1; 12])), Ok(b"{}".to_vec()));
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("keys"), format!("# of May\n{KEY}\n\n{OLD}\n")).unwrap();
    let path = folder.path().join("relay.toml");
    fs::write(&path, minimal_with("projects/encryption", "{ mode = 'aes-256-ecb', keys_file = 'keys' }")).unwrap();
    let config = Config::load(&path, &environment(&[])).unwrap().config;
    let shown = toml::to_string(&config).unwrap() + &format!("{config:?}");
    assert!(!shown.contains(KEY) && !shown.contains(OLD), "{shown}");
    assert!(config.projects[0].encryption.cipher(&config.projects[0].api_key).unwrap().is_some());
}

#[test]
fn only_gcm_counts_as_a_lock_on_the_door() {
    let text = |mode: &str| {
        let text = minimal_with("projects/encryption", &format!("{{ mode = '{mode}', key_derivation = 'sha256' }}"));
        text.replace("unauthenticated = true", "")
    };
    assert!(load(&text("aes-256-gcm")).unwrap().warnings.is_empty());
    assert!(load(&text("aes-256-ecb")).is_err());
}

#[test]
fn list_and_fetch_have_their_defaults_and_take_other_words() {
    let list = load(MINIMAL).unwrap().config.projects.remove(0).list;
    assert_eq!((list.date_format, list.page_size), (DateFormat::Dashed, 50));
    assert_eq!(list.zone_margin, Duration::from_hours(24));
    let text = minimal_with("projects/list", "{ date_format = 'YYYYMMDD', page_size = 200, zone_margin = '0s' }");
    let list = load(&text).unwrap().config.projects.remove(0).list;
    assert_eq!((list.date_format, list.page_size, list.zone_margin), (DateFormat::Compact, 200, Duration::ZERO));
    let sliced = load(&minimal_with("projects/fetch", "'kyc_aml_only'")).unwrap().config.projects.remove(0);
    assert_eq!((sliced.fetch, sliced.fetch.requests_per_look()), (Fetch::KycAmlOnly, 3));
}
