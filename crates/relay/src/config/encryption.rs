//! `[projects.encryption]`: ARGOS's "secure data transmission" (ARGOS protocol, section 3).

use super::read::Section;
use super::values::choice;
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
}

impl Encryption {
    pub(super) fn read(mut section: Section<'_>) -> Encryption {
        let mode = section.or("mode", EncryptionMode::Off);
        section.check("mode", mode == EncryptionMode::Off, "is not supported by this release; only \"off\" is");
        Encryption { mode, key_derivation: section.or("key_derivation", KeyDerivation::First32Bytes) }
    }
}
