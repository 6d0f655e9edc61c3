//! How encrypted text may be written: base64 or hex, and where IV, ciphertext and tag stand.
//!
//! Owns the candidates of the ARGOS protocol, section 3, likeliest first. Must not know keys. Pure.
//!
//! Hex letters are base64 letters too, so a text may decode in two ways; both are tried.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Bytes of a GCM tag.
pub(super) const TAG: usize = 16;

/// The lengths of an IV, likeliest first.
const IVS: [usize; 2] = [12, 16];

/// Base64 as senders write it: with or without padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// One reading of a GCM text.
#[derive(Clone, Copy)]
pub(super) struct Parts<'a> {
    pub(super) iv: &'a [u8],
    pub(super) ciphertext: &'a [u8],
    pub(super) tag: &'a [u8],
}

/// Every way to read the text as bytes; none if it is neither base64 nor hex. White space (line breaks of long
/// texts) is skipped.
pub(super) fn decodings(text: &str) -> Vec<Vec<u8>> {
    let text: Vec<u8> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => other,
        })
        .collect();
    let hex = hex::decode(&text).ok();
    let base64 = LENIENT.decode(&text).ok();
    hex.into_iter().chain(base64).collect()
}

/// The pieces of a GCM text, decoded: one, or three with colons between them.
pub(super) struct Pieces(Vec<Vec<Vec<u8>>>);

impl Pieces {
    /// `None` if a piece is neither base64 nor hex, or their number is another.
    pub(super) fn of(text: &str) -> Option<Pieces> {
        let pieces: Vec<_> = text.split(':').take(4).map(decodings).collect();
        (matches!(pieces.len(), 1 | 3) && pieces.iter().all(|piece| !piece.is_empty())).then_some(Pieces(pieces))
    }

    /// Every way to take them as IV, ciphertext and tag; none if they are too short.
    pub(super) fn layouts(&self) -> Vec<Parts<'_>> {
        match self.0.as_slice() {
            [whole] => {
                let tries = IVS.into_iter().flat_map(|iv| whole.iter().map(move |bytes| (iv, bytes)));
                tries.filter_map(|(iv, bytes)| joined(bytes, iv)).flatten().collect()
            }
            [iv, second, third] => apart(iv, second, third),
            _ => Vec::new(),
        }
    }
}

/// IV, ciphertext, tag in one piece; then with the tag before the ciphertext.
fn joined(bytes: &[u8], iv: usize) -> Option<[Parts<'_>; 2]> {
    let (iv, rest) = bytes.split_at_checked(iv)?;
    let (ciphertext, tag) = rest.split_at_checked(rest.len().checked_sub(TAG)?)?;
    let (tag_first, ciphertext_last) = rest.split_at_checked(TAG)?;
    Some([Parts { iv, ciphertext, tag }, Parts { iv, ciphertext: ciphertext_last, tag: tag_first }])
}

/// The same parts in three pieces.
fn apart<'a>(ivs: &'a [Vec<u8>], second: &'a [Vec<u8>], third: &'a [Vec<u8>]) -> Vec<Parts<'a>> {
    let mut found = Vec::new();
    for iv in ivs.iter().filter(|iv| IVS.contains(&iv.len())) {
        for (ciphertexts, tags) in [(second, third), (third, second)] {
            for tag in tags.iter().filter(|tag| tag.len() == TAG) {
                found.extend(ciphertexts.iter().map(|ciphertext| Parts { iv, ciphertext, tag }));
            }
        }
    }
    found
}
