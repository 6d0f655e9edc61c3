use super::*;
use proptest::prelude::*;
use serde_json::Value;

const VECTORS: &str = include_str!("../tests/fixtures/crypto-vectors.json");
const KEY: &str = "FAKEfakeFAKEfakeFAKEfakeFAKEfake01234567";
const OTHER: &str = "OTHEROTHEROTHEROTHEROTHEROTHEROTHER99999";
const QUERY: &[u8] = br#"{"submission_id":"k3f9x1mes3ugzb_ab"}"#;
const DERIVATIONS: [Derivation; 4] =
    [Derivation::First32Bytes, Derivation::Sha256, Derivation::Sha256Hex32, Derivation::Last32Bytes];
const NONCE: Nonce = [7; 12];

fn cipher(mode: Mode, derivation: Derivation, keys: &[&str]) -> Cipher {
    let keys: Vec<SecretString> = keys.iter().map(|key| (*key).into()).collect();
    Cipher::new(mode, derivation, &keys).unwrap()
}

fn simple(mode: Mode) -> Cipher {
    cipher(mode, Derivation::First32Bytes, &[KEY])
}

struct Vector {
    mode: Mode,
    derivation: Derivation,
    /// `None`: an IV of 16 bytes, which we read and never write.
    nonce: Option<Nonce>,
    plain: String,
    /// What our own encryption must give.
    usual: String,
    /// Every text that stands for it.
    texts: Vec<String>,
}

fn vectors() -> Vec<Vector> {
    let file: Value = serde_json::from_str(VECTORS).unwrap();
    assert_eq!(file["api_key"], KEY);
    file["vectors"].as_array().unwrap().iter().map(vector).collect()
}

fn vector(vector: &Value) -> Vector {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mode = match vector["mode"].as_str().unwrap() {
        "aes-256-ecb" => Mode::Ecb,
        "aes-256-gcm" => Mode::Gcm,
        other => panic!("{other}"),
    };
    let derivation = match &vector["key_derivation"].as_str().unwrap()[..2] {
        "A:" => Derivation::First32Bytes,
        "B:" => Derivation::Sha256,
        "C:" => Derivation::Sha256Hex32,
        "D:" => Derivation::Last32Bytes,
        other => panic!("{other}"),
    };
    assert_eq!(derive(derivation, KEY).unwrap()[..], hex::decode(text(&vector["key_hex"])).unwrap());
    let (nonce, usual, texts) = match mode {
        Mode::Ecb => {
            let base64 = text(&vector["ciphertext_base64"]);
            (Some(NONCE), base64.clone(), vec![base64, text(&vector["ciphertext_hex"])])
        }
        Mode::Gcm => {
            let layouts = vector["layouts"].as_object().unwrap();
            let nonce = hex::decode(text(&vector["iv_hex"])).unwrap().try_into().ok();
            (nonce, text(&layouts["iv||ct||tag base64"]), layouts.values().map(text).collect())
        }
    };
    Vector { mode, derivation, nonce, plain: text(&vector["plaintext_utf8"]), usual, texts }
}

/// The same text as other senders would spell it.
fn spellings(text: &str) -> [String; 5] {
    let is_hex = text.split(':').all(|piece| hex::decode(piece).is_ok());
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    [
        text.to_owned(),
        text.replace('+', "-").replace('/', "_"),
        text.replace('=', ""),
        lines.join("\r\n"),
        if is_hex { text.to_uppercase() } else { format!(" {text}\n") },
    ]
}

#[test]
fn every_vector_opens_in_every_writing() {
    let mut count = 0;
    for vector in vectors() {
        // The right key is the second.
        let keys = cipher(vector.mode, vector.derivation, &[OTHER, KEY]);
        for text in vector.texts.iter().flat_map(|text| spellings(text)) {
            let found = keys.decrypt_if(&text, |bytes| bytes == vector.plain.as_bytes());
            assert_eq!(found.as_deref(), Ok(vector.plain.as_bytes()), "{text}");
            count += 1;
        }
    }
    // 8 of ECB in 2 writings and 16 of GCM in 5, each in 5 spellings.
    assert_eq!(count, (8 * 2 + 16 * 5) * 5);
}

#[test]
fn no_vector_opens_under_another_derivation_or_mode() {
    for vector in vectors() {
        let known = |bytes: &[u8]| bytes == vector.plain.as_bytes();
        let other_mode = if vector.mode == Mode::Ecb { Mode::Gcm } else { Mode::Ecb };
        for text in &vector.texts {
            for other in DERIVATIONS.into_iter().filter(|other| *other != vector.derivation) {
                let error = cipher(vector.mode, other, &[KEY]).decrypt_if(text, known).unwrap_err();
                assert!(!error.is_corrupt(), "{error}");
                assert_eq!(error == CipherError::Tag, vector.mode == Mode::Gcm);
            }
            cipher(other_mode, vector.derivation, &[KEY]).decrypt_if(text, known).unwrap_err();
        }
    }
}

#[test]
fn encrypting_gives_the_vectors_back() {
    let mut count = 0;
    for vector in vectors() {
        let Some(nonce) = vector.nonce else { continue };
        let keys = cipher(vector.mode, vector.derivation, &[KEY, OTHER]);
        assert_eq!(keys.encrypt(vector.plain.as_bytes(), &nonce), vector.usual);
        count += 1;
    }
    assert_eq!(count, 16);
}

/// Made with `node:crypto`.
#[test]
fn an_iv_of_sixteen_bytes_and_a_whole_last_block() {
    for text in [
        "AAECAwQFBgcICQoLDA0OD16/og9S9zRZDdzB4Kvb7Kr9bO/qNVEW72A0aPNZeuN1nxw7NTNhTW9uvgAtGArTPiqN/9Tt",
        "AAECAwQFBgcICQoLDA0OD2FNb26+AC0YCtM+Ko3/1O1ev6IPUvc0WQ3cweCr2+yq/Wzv6jVRFu9gNGjzWXrjdZ8cOzUz",
    ] {
        assert_eq!(simple(Mode::Gcm).decrypt(text).unwrap(), QUERY);
    }
    let sixteen = "WfFnNaGIRFkq4dxLNLjYcY3HYyF8HD7Yd2A6G1O2xuQ=";
    assert_eq!(simple(Mode::Ecb).decrypt(sixteen).unwrap(), br#"{"ab":"0123456"}"#);
}

/// The retired mode, with and without its IV in front; made with `node:crypto`.
#[test]
fn cbc_fails_clearly() {
    for text in [
        "RLgbk2xVzo/xE/n18VnSFJ8yOn1jEWkR65uQJVaxIWE2AXk4C+gI2HJ8NHC27RL6",
        "AAECAwQFBgcICQoLDA0OD0S4G5NsVc6P8RP59fFZ0hSfMjp9YxFpEeubkCVWsSFhNgF5OAvoCNhyfDRwtu0S+g==",
    ] {
        assert_eq!(simple(Mode::Ecb).decrypt(text), Err(CipherError::Padding));
        assert_eq!(simple(Mode::Gcm).decrypt(text), Err(CipherError::Tag));
    }
}

/// NIST SP 800-38A, F.1.5 and F.1.6.
#[test]
fn nist_ecb() {
    let bytes = |text: &str| hex::decode(text).unwrap();
    let key: [u8; 32] = bytes("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4").try_into().unwrap();
    let plain = bytes(concat!(
        "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
        "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
    ));
    let sealed = bytes(concat!(
        "f3eed1bdb5d2a03c064b5a7e3db181f8591ccb10d410ed26dc5ba74a31362870",
        "b6ed21b99ca6f4f9f153e7b1beafed1d23304b7a39f9f3ff067d8d8f9e24ecc7"
    ));
    let key = Aes256::new((&key).into());
    let with_padding = encrypt_ecb(&key, &plain);
    assert_eq!((&with_padding[..64], with_padding.len()), (&sealed[..], 80));
    assert_eq!(decrypt_blocks(&key, with_padding), Some(plain));
}

/// The GCM specification's test cases 13 and 14: a key and an IV of zeros.
#[test]
fn nist_gcm() {
    let zeros = "\0".repeat(32);
    let keys = cipher(Mode::Gcm, Derivation::First32Bytes, &[&zeros]);
    let iv = "00".repeat(12);
    assert_eq!(keys.decrypt(&format!("{iv}530f8afbc74536b9a963b4f1c4cb738b")), Ok(Vec::new()));
    let sealed = format!("{iv}cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
    assert_eq!(keys.decrypt(&sealed), Ok(vec![0; 16]));
    let made = base64::engine::general_purpose::STANDARD.decode(keys.encrypt(&[0; 16], &[0; 12])).unwrap();
    assert_eq!(hex::encode(made), sealed);
}

#[test]
fn a_corrupt_text_is_told_from_a_wrong_key() {
    for (mode, text, expected) in [
        (Mode::Ecb, "what is this?", CipherError::Encoding),
        (Mode::Gcm, "what is this?", CipherError::Encoding),
        (Mode::Gcm, "AAAA:AAAA", CipherError::Encoding),
        (Mode::Gcm, "AAAA:AAAA:AAAA:AAAA", CipherError::Encoding),
        (Mode::Gcm, "AAAA:AAAA:AAAA", CipherError::Length),
        (Mode::Ecb, "", CipherError::Length),
        (Mode::Gcm, "", CipherError::Length),
        (Mode::Ecb, "AAAA", CipherError::Length),
        (Mode::Gcm, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", CipherError::Length),
    ] {
        let error = simple(mode).decrypt(text).unwrap_err();
        assert_eq!(error, expected, "{text}");
        assert!(error.is_corrupt());
    }
    let text = simple(Mode::Ecb).encrypt(QUERY, &NONCE);
    assert_eq!(simple(Mode::Ecb).decrypt_if(&text, |_| false), Err(CipherError::Content));
}

#[test]
fn an_altered_gcm_text_is_refused() {
    let keys = simple(Mode::Gcm);
    let sealed = base64::engine::general_purpose::STANDARD.decode(keys.encrypt(QUERY, &NONCE)).unwrap();
    for at in 0..sealed.len() {
        let mut altered = sealed.clone();
        altered[at] ^= 1;
        assert_eq!(keys.decrypt(&hex::encode(altered)), Err(CipherError::Tag), "byte {at}");
    }
}

#[test]
fn keys_that_are_no_keys() {
    assert_eq!(Cipher::new(Mode::Ecb, Derivation::Sha256, &[]).err(), Some(KeyError::NoKey));
    for mode in [Mode::Ecb, Mode::Gcm] {
        for derivation in DERIVATIONS {
            let short = Cipher::new(mode, derivation, &[KEY.into(), "short".into()]).err();
            let cuts = matches!(derivation, Derivation::First32Bytes | Derivation::Last32Bytes);
            assert_eq!(short, cuts.then_some(KeyError::TooShort), "{derivation:?}");
        }
    }
}

#[test]
fn debug_shows_no_key() {
    for mode in [Mode::Ecb, Mode::Gcm] {
        let shown = format!("{:?}", cipher(mode, Derivation::Sha256Hex32, &[KEY, OTHER]));
        assert_eq!(shown, format!("Cipher {{ mode: {mode:?}, derivation: Sha256Hex32, keys: 2, .. }}"));
    }
}

#[test]
fn keys_wipe_themselves() {
    fn wiped<T: zeroize::ZeroizeOnDrop>() {}
    wiped::<Aes256>();
    wiped::<AesGcm<Aes256, U12>>();
    wiped::<AesGcm<Aes256, U16>>();
}

fn modes() -> impl Strategy<Value = Mode> {
    prop_oneof![Just(Mode::Ecb), Just(Mode::Gcm)]
}

/// Texts of the letters that matter here, and any others.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof!["[0-9a-fA-F]{0,200}", "[A-Za-z0-9+/=_:\\n-]{0,200}", ".{0,80}", "([A-Za-z0-9+/]{4}){12,40}"]
}

proptest! {
    #[test]
    fn what_was_encrypted_is_decrypted(
        mode in modes(),
        derivation in prop::sample::select(&DERIVATIONS[..]),
        plain in prop::collection::vec(any::<u8>(), 0..300),
        nonce in any::<Nonce>(),
        key in "[!-~]{32,64}",
    ) {
        let text = cipher(mode, derivation, &[&key]).encrypt(&plain, &nonce);
        let rotated = cipher(mode, derivation, &[OTHER, &key]);
        prop_assert_eq!(rotated.decrypt_if(&text, |bytes| bytes == plain.as_slice()), Ok(plain.clone()));
        prop_assert_eq!(cipher(mode, derivation, &[&key]).decrypt(&text), Ok(plain));
    }

    #[test]
    fn no_text_makes_it_panic(mode in modes(), text in texts()) {
        let found = cipher(mode, Derivation::Sha256, &[KEY, OTHER]).decrypt(&text);
        // Nobody guesses a tag.
        prop_assert!(mode == Mode::Ecb || found.is_err());
    }
}

#[test]
fn in_a_rotation_the_key_that_opened_last_seals_next() {
    const NEW: &str = "NEWnewNEWnewNEWnewNEWnewNEWnewNEWnew0123";
    const OLD: &str = "OLDoldOLDoldOLDoldOLDoldOLDoldOLDold0123";
    for mode in [Mode::Ecb, Mode::Gcm] {
        let one = |key: &str| Cipher::new(mode, Derivation::First32Bytes, &[key.into()]).unwrap();
        let (new, old) = (one(NEW), one(OLD));
        let both = Cipher::new(mode, Derivation::First32Bytes, &[NEW.into(), OLD.into()]).unwrap();
        let is_object = |plain: &[u8]| plain == b"{}";
        let opens = |cipher: &Cipher| cipher.decrypt_if(&both.encrypt(b"{}", &[1; 12]), is_object).is_ok();
        assert!(opens(&new) && !opens(&old), "{mode:?}: the first at first");
        both.decrypt_if(&old.encrypt(b"{}", &[2; 12]), is_object).unwrap();
        assert!(opens(&old) && !opens(&new), "{mode:?}: what opened last");
        both.distrust();
        assert!(opens(&new), "{mode:?}: the next after the last is the first");
        both.distrust();
        assert!(opens(&old));
        both.replace(&[NEW.into()]).unwrap();
        assert!(opens(&new));
        assert!(both.decrypt_if(&old.encrypt(b"{}", &[3; 12]), is_object).is_err(), "the old one is gone");
        new.distrust();
        assert!(both.decrypt_if(&new.encrypt(b"{}", &[4; 12]), is_object).is_ok(), "a single key stays");
        assert_eq!(both.replace(&["short".into()]), Err(KeyError::TooShort));
        assert_eq!(both.replace(&[]), Err(KeyError::NoKey));
        assert!(opens(&new), "a refused replacement changes nothing");
    }
}
