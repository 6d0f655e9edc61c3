//! `[projects.encryption]`: ARGOS's "secure data transmission" (ARGOS protocol, section 3).
//!
//! Owns: mode, derivation and keys, and the cipher that they make. Must not know who seals or opens with it.

use super::read::Section;
use super::secret::Secrets;
use super::values::choice;
use argos::{Cipher, Derivation, KeyError, Mode};
use serde::Serialize;

choice! {
    /// How ARGOS encrypts webhooks and answers of the project.
    EncryptionMode {
        /// Not at all.
        Off = "off",
        /// Secret, but not authenticated.
        Aes256Ecb = "aes-256-ecb",
        /// Secret and authenticated.
        Aes256Gcm = "aes-256-gcm",
    }
}

choice! {
    /// How the key of 32 bytes comes from the API key, which no public page states.
    KeyDerivation {
        /// Its first 32 bytes.
        First32Bytes = "first_32_bytes",
        /// Its last 32 bytes.
        Last32Bytes = "last_32_bytes",
        /// Its SHA-256.
        Sha256 = "sha256",
        /// The first 32 characters of its SHA-256 in hex.
        Sha256Hex32 = "sha256_hex_32",
    }
}

/// Whether and how ARGOS encrypts for the project.
#[derive(Clone, Debug, Serialize)]
pub struct Encryption {
    /// Default `off`.
    pub mode: EncryptionMode,
    /// Default `first_32_bytes`.
    pub key_derivation: KeyDerivation,
    /// What keys are derived from, all valid: the first seals our queries, each is tried to open an answer or a
    /// webhook. While an API key is exchanged, bodies under both are on their way. Default: `api_key`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<Secrets>,
}

impl Encryption {
    /// `api_keys` are the project's, if they could be read.
    pub(super) fn read(mut section: Section<'_>, api_keys: Option<&Secrets>) -> Encryption {
        let has_keys = section.has("keys") || section.has("keys_file");
        let encryption = Encryption {
            mode: section.or("mode", EncryptionMode::Off),
            key_derivation: section.or("key_derivation", KeyDerivation::First32Bytes),
            keys: section.secrets("keys"),
        };
        let needed = !has_keys || encryption.mode != EncryptionMode::Off;
        section.check("keys", needed, "has no meaning with mode = \"off\"");
        if has_keys && encryption.keys.is_none() {
            return encryption;
        }
        let Some(api_keys) = api_keys else { return encryption };
        if let Err(KeyError::TooShort) = encryption.cipher(api_keys) {
            let (key, whose) = if has_keys { ("keys", "one of the keys") } else { ("key_derivation", "the API key") };
            section.wrong(
                key,
                format!(
                    "{whose} is shorter than the 32 bytes that key_derivation takes of it; sha256 takes any length"
                ),
            );
        }
        encryption
    }

    /// Whether an opened body shows that its sender holds a key.
    pub fn authenticates(&self) -> bool {
        self.mode == EncryptionMode::Aes256Gcm
    }

    /// What seals and opens; `None` if the project does not encrypt. An error is a key that the derivation cannot cut.
    pub fn cipher(&self, api_keys: &Secrets) -> Result<Option<Cipher>, KeyError> {
        let mode = match self.mode {
            EncryptionMode::Off => return Ok(None),
            EncryptionMode::Aes256Ecb => Mode::Ecb,
            EncryptionMode::Aes256Gcm => Mode::Gcm,
        };
        let derivation = match self.key_derivation {
            KeyDerivation::First32Bytes => Derivation::First32Bytes,
            KeyDerivation::Last32Bytes => Derivation::Last32Bytes,
            KeyDerivation::Sha256 => Derivation::Sha256,
            KeyDerivation::Sha256Hex32 => Derivation::Sha256Hex32,
        };
        let keys = self.keys.as_ref().unwrap_or(api_keys).wrapped();
        Cipher::new(mode, derivation, keys).map(Some)
    }
}
