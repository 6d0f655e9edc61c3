//! ARGOS's "secure data transmission", from the vendor's side: what it seals, and what it opens of a request.
//!
//! Owns the envelope, the two modes and the four candidates of the key's derivation (ARGOS protocol, section 3). Written
//! from the paper alone, so that it checks the service's own cipher. Knows no HTTP. Pure but for the count of nonces.
//!
//! Path: a webhook's body or an answer becomes an envelope ([`Seal::envelope`]); the query's `data` becomes parameters
//! ([`Seal::opened`]), and none of those that belong into it may stand beside it.

use crate::answers::Params;
use crate::config::{Derivation, Encryption, Mode};
use aes::Aes256;
use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use aes_gcm::Aes256Gcm;
use aes_gcm::aead::Aead;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::atomic::{AtomicU64, Ordering};

/// The parameters that travel in `data`, and no others.
const SEALED: [&str; 4] = ["submission_id", "email", "start_date", "end_date"];

const BLOCK: usize = 16;
const NONCE: usize = 12;

/// The key of a project that encrypts.
pub(crate) struct Seal {
    key: Key,
    nonces: AtomicU64,
}

enum Key {
    Ecb(Aes256),
    Gcm(Aes256Gcm),
}

impl Seal {
    /// `None` if the API key is shorter than what the derivation cuts out of it.
    pub(crate) fn new(encryption: Encryption, api_key: &str) -> Option<Seal> {
        let key = derived(encryption.key_derivation, api_key.as_bytes())?;
        let key = match encryption.mode {
            Mode::Ecb => Key::Ecb(Aes256::new(&key.into())),
            Mode::Gcm => Key::Gcm(Aes256Gcm::new(&key.into())),
        };
        Some(Seal { key, nonces: AtomicU64::new(0) })
    }

    /// `{"data":"…","isEncrypted":true}`
    pub(crate) fn envelope(&self, body: &str) -> Value {
        json!({"data": self.sealed(body.as_bytes()), "isEncrypted": true})
    }

    /// The parameters of a request, those in `data` among them. `None` if `data` cannot be opened, holds what does not
    /// belong there, or if what belongs there came in the clear.
    pub(crate) fn opened(&self, params: &Params) -> Option<Vec<(String, String)>> {
        if params.iter().any(|(name, _)| SEALED.contains(&name.as_str())) {
            return None;
        }
        let mut all: Vec<(String, String)> = params.iter().filter(|(name, _)| name != "data").cloned().collect();
        if let Some((_, text)) = params.iter().find(|(name, _)| name == "data") {
            let Value::Object(members) = serde_json::from_slice(&self.plain(text)?).ok()? else { return None };
            for (name, value) in members {
                let value = value.as_str().filter(|_| SEALED.contains(&name.as_str()))?.to_owned();
                all.push((name, value));
            }
        }
        Some(all)
    }

    fn sealed(&self, plain: &[u8]) -> String {
        let bytes = match &self.key {
            Key::Ecb(key) => {
                let padding = BLOCK - plain.len() % BLOCK;
                let mut bytes = plain.to_vec();
                bytes.extend(std::iter::repeat_n(padding as u8, padding));
                for block in bytes.chunks_exact_mut(BLOCK) {
                    let mut whole = aes::Block::default();
                    whole.copy_from_slice(block);
                    key.encrypt_block(&mut whole);
                    block.copy_from_slice(&whole);
                }
                bytes
            }
            Key::Gcm(key) => {
                // A count is unique, which is all that a nonce has to be; it need not be secret.
                let mut nonce = [0; NONCE];
                nonce[4..].copy_from_slice(&self.nonces.fetch_add(1, Ordering::Relaxed).to_be_bytes());
                let sealed = key.encrypt(&nonce.into(), plain).unwrap_or_default();
                [&nonce[..], &sealed].concat()
            }
        };
        STANDARD.encode(bytes)
    }

    /// The text inside; `None` if it stays shut.
    pub(crate) fn plain(&self, text: &str) -> Option<Vec<u8>> {
        let mut bytes = STANDARD.decode(text).ok()?;
        match &self.key {
            Key::Ecb(key) => {
                if bytes.is_empty() || bytes.len() % BLOCK != 0 {
                    return None;
                }
                for block in bytes.chunks_exact_mut(BLOCK) {
                    let mut whole = aes::Block::default();
                    whole.copy_from_slice(block);
                    key.decrypt_block(&mut whole);
                    block.copy_from_slice(&whole);
                }
                let padding = usize::from(*bytes.last()?);
                let kept = bytes.len().checked_sub(padding).filter(|_| (1..=BLOCK).contains(&padding))?;
                let sound = bytes[kept..].iter().all(|byte| usize::from(*byte) == padding);
                bytes.truncate(kept);
                sound.then_some(bytes)
            }
            Key::Gcm(key) => {
                let (nonce, sealed) = bytes.split_at_checked(NONCE)?;
                key.decrypt(nonce.try_into().ok()?, sealed).ok()
            }
        }
    }
}

fn derived(derivation: Derivation, api_key: &[u8]) -> Option<[u8; 32]> {
    match derivation {
        Derivation::First32Bytes => api_key.get(..32)?.try_into().ok(),
        Derivation::Last32Bytes => api_key.get(api_key.len().checked_sub(32)?..)?.try_into().ok(),
        Derivation::Sha256 => Some(Sha256::digest(api_key).into()),
        Derivation::Sha256Hex32 => hex::encode(Sha256::digest(api_key)).as_bytes()[..32].try_into().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const API_KEY: &str = "FAKEfakeFAKEfakeFAKEfakeFAKEfake01234567";

    fn seal(mode: Mode, key_derivation: Derivation) -> Seal {
        Seal::new(Encryption { mode, key_derivation }, API_KEY).unwrap()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    /// Made by Python's `cryptography` from the same key; it knows no part of this program.
    #[test]
    fn the_blocks_are_those_of_another_implementation() {
        for (derivation, text) in [
            (Derivation::First32Bytes, "73V5/7qyBM/Jhc6gK5dI45+88rwmsq9nJ6KrjED1OQU="),
            (Derivation::Last32Bytes, "g4/UZWPZIq5XmrhmX2hyXXrPWoa4POtUdxNH62DBwyk="),
            (Derivation::Sha256, "rnOsAapICnCskr6lplzSLBgF160hX72HMT8+wQiHNl8="),
            (Derivation::Sha256Hex32, "g/bQLcYlQLbHlGVXyzpAJUG91fPZHKyZ9AjIn3xT/z4="),
        ] {
            assert_eq!(seal(Mode::Ecb, derivation).sealed(b"{\"submission_id\":\"x\"}"), text, "{derivation:?}");
        }
        let gcm = seal(Mode::Gcm, Derivation::First32Bytes);
        assert_eq!(
            gcm.sealed(b"{\"submission_id\":\"x\"}"),
            "AAAAAAAAAAAAAAAAtnLpFGk2nRoPnc2slCW2DOb0aEXpDtx5v7jAkzRRBdCOj6MH0A=="
        );
    }

    #[test]
    fn what_is_sealed_can_be_opened_and_nothing_else() {
        for mode in [Mode::Ecb, Mode::Gcm] {
            let seal = seal(mode, Derivation::Sha256);
            let data = |text: &str| [pair("count", "50"), pair("data", &seal.sealed(text.as_bytes()))];
            let opened = seal.opened(&data(r#"{"submission_id":"x"}"#));
            assert_eq!(opened, Some(vec![pair("count", "50"), pair("submission_id", "x")]));
            assert_eq!(seal.opened(&[pair("userid", "u")]), Some(vec![pair("userid", "u")]));
            for wrong in [
                data(r#"{"count":"5"}"#).to_vec(),
                data(r#"{"submission_id":5}"#).to_vec(),
                data("[]").to_vec(),
                vec![pair("data", "?")],
                vec![pair("data", "AAAA")],
                vec![pair("submission_id", "x")],
                vec![pair("email", "")],
            ] {
                assert_eq!(seal.opened(&wrong), None, "{wrong:?}");
            }
            let other = self::seal(mode, Derivation::First32Bytes);
            assert_eq!(other.opened(&data(r#"{"submission_id":"x"}"#)), None);
        }
        let short = Encryption { mode: Mode::Ecb, key_derivation: Derivation::Last32Bytes };
        assert!(Seal::new(short, "short").is_none());
    }

    #[test]
    fn no_nonce_comes_twice() {
        let seal = seal(Mode::Gcm, Derivation::Sha256);
        assert_ne!(seal.envelope("{}"), seal.envelope("{}"));
    }
}
