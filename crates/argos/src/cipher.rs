//! ARGOS's payload encryption: text <-> bytes, AES-256 in ECB or GCM.
//!
//! Owns the ARGOS protocol, section 3: how a key of 32 bytes comes from the API key, how encrypted text is written,
//! where IV and tag stand. Must not know what is encrypted; the envelope around the text is `sealed`'s. Pure: the
//! nonce is an argument.
//!
//! Path: [`Cipher::new`] derives the keys once. [`Cipher::decrypt`] tries every way in which the text may be written
//! (`layout.rs`), and for each of them every key, in order. [`Cipher::encrypt`] takes the key that opened something last, first the first.
//!
//! No public page states derivation and layout, and no ciphertext of ARGOS could be read: AES itself is certain, the
//! rest are the paper's candidates. Hence reading is lenient. A lenient reader of GCM is no less safe: each try must
//! still give the tag. ECB has no tag. A wrong key passes the padding once in 256 times, and blocks can be exchanged;
//! so whoever decrypts ECB must look at the plaintext, and must not take it for authenticated.

mod layout;

use aes::Aes256;
use aes::cipher::consts::{U12, U16};
use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use aes_gcm::aead::array::ArraySize;
use aes_gcm::{AeadInOut, AesGcm};
use base64::Engine;
use layout::{Parts, Pieces, TAG, decodings};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use zeroize::Zeroizing;

/// Bytes of a block.
const BLOCK: usize = 16;

/// What makes one GCM message differ from all others under its key. Never use one twice; ECB has no use for it.
pub type Nonce = [u8; 12];

/// How blocks are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// AES-256-ECB with PKCS#7: secret, but not authenticated.
    Ecb,
    /// AES-256-GCM without additional data: secret and authenticated.
    Gcm,
}

/// How the key of 32 bytes comes from the API key, which no public page states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Derivation {
    /// Its first 32 bytes.
    First32Bytes,
    /// Its SHA-256.
    Sha256,
    /// The first 32 characters of its SHA-256 in lower-case hex.
    Sha256Hex32,
    /// Its last 32 bytes.
    Last32Bytes,
}

/// Why a cipher cannot be made; each is a mistake of configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No key at all.
    #[error("no key to encrypt with")]
    NoKey,
    /// The derivation cuts 32 bytes out of the API key, and there are fewer.
    #[error("the API key is shorter than the 32 bytes that this key derivation takes")]
    TooShort,
}

/// Why a text cannot be decrypted. The first two speak of the text, and no key would open it; the others most likely
/// of the key, its derivation or the mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CipherError {
    /// The text is corrupt: neither base64 nor hex.
    #[error("the encrypted text is neither base64 nor hex")]
    Encoding,
    /// The text is corrupt, or of the other mode: no whole blocks (ECB), or too short for IV and tag (GCM).
    #[error("the encrypted text has an impossible length")]
    Length,
    /// GCM: no key gives the tag. A wrong key and an altered body look alike.
    #[error("no key gives the tag of the encrypted text")]
    Tag,
    /// ECB: no key gives a padding.
    #[error("no key gives the padding of the encrypted text")]
    Padding,
    /// ECB: a key gives a padding, but the caller does not recognise what is inside. Most likely chance.
    #[error("no key gives the expected content of the encrypted text")]
    Content,
}

impl CipherError {
    /// Whether the text itself is broken, so that no key could open it.
    pub const fn is_corrupt(self) -> bool {
        matches!(self, CipherError::Encoding | CipherError::Length)
    }
}

/// The keys of a project, ready for use. They are wiped when it is dropped, and no `Debug` shows them.
///
/// While one key is exchanged for another, nobody knows which of them ARGOS takes: so the one that opened something last
/// seals next, and [`Cipher::distrust`] goes on to the next one.
pub struct Cipher {
    mode: Mode,
    derivation: Derivation,
    keys: RwLock<Arc<Keys>>,
    /// The place of the key that seals.
    sealing: AtomicUsize,
}

/// The expanded keys; never empty, see [`Keys::new`].
enum Keys {
    Ecb(Vec<Aes256>),
    Gcm(Vec<Gcm>),
}

/// One key, for each length of IV.
struct Gcm {
    twelve: AesGcm<Aes256, U12>,
    sixteen: AesGcm<Aes256, U16>,
}

impl fmt::Debug for Cipher {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = out.debug_struct("Cipher");
        shown.field("mode", &self.mode).field("derivation", &self.derivation);
        shown.field("keys", &self.keys().len()).finish_non_exhaustive()
    }
}

impl Keys {
    fn new(mode: Mode, derivation: Derivation, keys: &[SecretString]) -> Result<Keys, KeyError> {
        if keys.is_empty() {
            return Err(KeyError::NoKey);
        }
        let derived = keys.iter().map(|key| derive(derivation, key.expose_secret()));
        Ok(match mode {
            Mode::Ecb => Keys::Ecb(derived.map(|key| Ok(Aes256::new((&*key?).into()))).collect::<Result<_, _>>()?),
            Mode::Gcm => Keys::Gcm(derived.map(|key| Ok(Gcm::new(&*key?))).collect::<Result<_, _>>()?),
        })
    }

    const fn len(&self) -> usize {
        match self {
            Keys::Ecb(keys) => keys.len(),
            Keys::Gcm(keys) => keys.len(),
        }
    }
}

impl Cipher {
    /// Derives one key from each API key. Several are valid at once, for rotation: the first encrypts until another one
    /// has opened something, and each is tried, in this order, to decrypt.
    pub fn new(mode: Mode, derivation: Derivation, keys: &[SecretString]) -> Result<Cipher, KeyError> {
        let keys = RwLock::new(Arc::new(Keys::new(mode, derivation, keys)?));
        Ok(Cipher { mode, derivation, keys, sealing: AtomicUsize::new(0) })
    }

    /// Replaces all keys at once. On an error the old ones stay.
    pub fn replace(&self, keys: &[SecretString]) -> Result<(), KeyError> {
        let new = Arc::new(Keys::new(self.mode, self.derivation, keys)?);
        // A poisoned lock still holds a whole list: the only write is this assignment.
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = new;
        self.sealing.store(0, Ordering::Relaxed);
        Ok(())
    }

    /// The mode. Only [`Mode::Gcm`] counts as authentication.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// What was sealed last was not understood: another key is to seal next, if there is one.
    pub fn distrust(&self) {
        self.sealing.fetch_add(1, Ordering::Relaxed);
    }

    /// The first plaintext that a key gives. Under ECB it may be garbage: see [`Cipher::decrypt_if`].
    pub fn decrypt(&self, text: &str) -> Result<Vec<u8>, CipherError> {
        self.decrypt_if(text, |_| true)
    }

    /// The first plaintext that a key gives and that is `known`. A tag needs no second opinion, so GCM does not ask.
    pub fn decrypt_if(&self, text: &str, known: impl Fn(&[u8]) -> bool) -> Result<Vec<u8>, CipherError> {
        let (place, plain) = match &*self.keys() {
            Keys::Ecb(keys) => decrypt_ecb(keys, text, known)?,
            Keys::Gcm(keys) => decrypt_gcm(keys, text)?,
        };
        self.sealing.store(place, Ordering::Relaxed);
        Ok(plain)
    }

    /// Text for a request: base64 of the blocks (ECB) or of IV, ciphertext, tag (GCM).
    pub fn encrypt(&self, bytes: &[u8], nonce: &Nonce) -> String {
        let keys = self.keys();
        let place = self.sealing.load(Ordering::Relaxed) % keys.len();
        // Never empty, see `Keys::new`.
        let sealed = match &*keys {
            Keys::Ecb(keys) => keys.get(place).map(|key| encrypt_ecb(key, bytes)),
            Keys::Gcm(keys) => keys.get(place).map(|key| encrypt_gcm(key, bytes, nonce)),
        }
        .unwrap_or_default();
        base64::engine::general_purpose::STANDARD.encode(sealed)
    }

    fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn decrypt_ecb(keys: &[Aes256], text: &str, known: impl Fn(&[u8]) -> bool) -> Result<(usize, Vec<u8>), CipherError> {
    let mut error = CipherError::Encoding;
    for sealed in decodings(text) {
        if sealed.is_empty() || sealed.len() % BLOCK != 0 {
            error = error.or_further(CipherError::Length);
            continue;
        }
        for (place, key) in keys.iter().enumerate() {
            match decrypt_blocks(key, sealed.clone()) {
                Some(plain) if known(&plain) => return Ok((place, plain)),
                Some(_) => error = error.or_further(CipherError::Content),
                None => error = error.or_further(CipherError::Padding),
            }
        }
    }
    Err(error)
}

fn decrypt_gcm(keys: &[Gcm], text: &str) -> Result<(usize, Vec<u8>), CipherError> {
    let pieces = Pieces::of(text).ok_or(CipherError::Encoding)?;
    let layouts = pieces.layouts();
    if layouts.is_empty() {
        return Err(CipherError::Length);
    }
    let opened = |parts| keys.iter().enumerate().find_map(|(place, key)| Some((place, key.open(parts)?)));
    layouts.iter().find_map(opened).ok_or(CipherError::Tag)
}

impl CipherError {
    /// Of several failures the one that came furthest.
    fn or_further(self, other: CipherError) -> CipherError {
        let rank = |error| match error {
            CipherError::Encoding => 0,
            CipherError::Length => 1,
            CipherError::Tag | CipherError::Padding => 2,
            CipherError::Content => 3,
        };
        if rank(other) > rank(self) { other } else { self }
    }
}

impl Gcm {
    fn new(key: &[u8; 32]) -> Gcm {
        Gcm { twelve: AesGcm::new(key.into()), sixteen: AesGcm::new(key.into()) }
    }

    /// `None` if the tag does not fit; then nothing was decrypted.
    fn open(&self, parts: &Parts<'_>) -> Option<Vec<u8>> {
        match parts.iv.len() {
            12 => open_with(&self.twelve, parts),
            16 => open_with(&self.sixteen, parts),
            _ => None,
        }
    }
}

fn open_with<N: ArraySize>(key: &AesGcm<Aes256, N>, parts: &Parts<'_>) -> Option<Vec<u8>>
where
    AesGcm<Aes256, N>: AeadInOut<NonceSize = N, TagSize = U16>,
{
    let (iv, tag) = (parts.iv.try_into().ok()?, parts.tag.try_into().ok()?);
    let mut plain = parts.ciphertext.to_vec();
    key.decrypt_inout_detached(iv, &[], plain.as_mut_slice().into(), tag).ok()?;
    Some(plain)
}

fn encrypt_gcm(key: &Gcm, bytes: &[u8], nonce: &Nonce) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(nonce.len() + bytes.len() + TAG);
    sealed.extend_from_slice(nonce);
    sealed.extend_from_slice(bytes);
    // It fails beyond 64 GiB only; then nothing is sent in clear.
    match key.twelve.encrypt_inout_detached(nonce.into(), &[], (&mut sealed[nonce.len()..]).into()) {
        Ok(tag) => sealed.extend_from_slice(&tag),
        Err(_) => sealed.clear(),
    }
    sealed
}

fn encrypt_ecb(key: &Aes256, bytes: &[u8]) -> Vec<u8> {
    let padding = BLOCK - bytes.len() % BLOCK;
    let mut sealed = Vec::with_capacity(bytes.len() + padding);
    sealed.extend_from_slice(bytes);
    sealed.resize(bytes.len() + padding, padding as u8);
    let (blocks, _) = aes::Block::slice_as_chunks_mut(&mut sealed);
    key.encrypt_blocks(blocks);
    sealed
}

/// `None` if what comes out has no PKCS#7 padding.
fn decrypt_blocks(key: &Aes256, mut sealed: Vec<u8>) -> Option<Vec<u8>> {
    let (blocks, _) = aes::Block::slice_as_chunks_mut(&mut sealed);
    key.decrypt_blocks(blocks);
    let padding = usize::from(*sealed.last()?);
    let length = sealed.len().checked_sub(padding)?;
    let sound = (1..=BLOCK).contains(&padding) && sealed[length..].iter().all(|byte| usize::from(*byte) == padding);
    sealed.truncate(length);
    sound.then_some(sealed)
}

fn derive(derivation: Derivation, api_key: &str) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let bytes = api_key.as_bytes();
    let mut key = Zeroizing::new([0; 32]);
    match derivation {
        Derivation::First32Bytes => key.copy_from_slice(bytes.first_chunk::<32>().ok_or(KeyError::TooShort)?),
        Derivation::Last32Bytes => key.copy_from_slice(bytes.last_chunk::<32>().ok_or(KeyError::TooShort)?),
        Derivation::Sha256 => key.copy_from_slice(&digest(bytes)[..]),
        Derivation::Sha256Hex32 => {
            // 32 characters of hex are 16 bytes.
            for (pair, byte) in key.chunks_exact_mut(2).zip(digest(bytes).iter()) {
                pair.copy_from_slice(&[hex_digit(byte >> 4), hex_digit(byte & 15)]);
            }
        }
    }
    Ok(key)
}

fn digest(bytes: &[u8]) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(Sha256::digest(bytes).into())
}

const fn hex_digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
}

#[cfg(test)]
#[path = "cipher_tests.rs"]
mod tests;
