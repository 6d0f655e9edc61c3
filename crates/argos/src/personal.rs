//! The digest that tells a change of personal data without the data.
//!
//! Owns which members of a submission count as its personal block, their canonical form, and the keyed digest of
//! it. Must not let any of it out: the canonical form lives for one call.
//!
//! The block: the object `data` (for either pipeline, ARGOS protocol, section 5), the top-level contact and name
//! fields, `ocr` and `review` left out (they repeat `data`, or are the way to it). Inside, at any depth, members
//! that name an image, a score, a signal or a liveness are left out: references and measurements change without
//! the person. `applicant_id` and `duplicated_information` are left out too: ARGOS derives them, and the first is
//! said to appear only with the approval.

use crate::wire::{Kind, Object, Raw};
use hmac::{Hmac, KeyInit, Mac};
use models::PersonalDigest;
use sha2::{Digest, Sha256};
use std::fmt;

/// The shortest secret, in bytes.
pub const MIN_KEY: usize = 16;

/// Top-level members of the personal block (section 8, point 28, for the many names).
const BLOCK: [&str; 14] = [
    "data",
    "email",
    "phone",
    "phoneNumber",
    "name",
    "fullName",
    "full_name",
    "full_name_en",
    "first_name",
    "last_name",
    "date_of_birth",
    "birthDate",
    "gender",
    "nationality",
];

/// What a member's name must not contain.
const VOLATILE: [&str; 4] = ["image", "score", "signal", "liveness"];

/// Objects and arrays below this depth are taken as their text.
const MAX_DEPTH: usize = 16;

/// Domain of the digest; changes with the canonical form, together with [`crate::reader::NORMALIZER`].
const DOMAIN: &[u8] = b"argos-relay personal block 1\0";

/// A secret under [`MIN_KEY`] bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a digest key has at least {MIN_KEY} bytes")]
pub struct WeakKey;

/// A deployment's secret for digests, ready for use.
#[derive(Clone)]
pub struct DigestKey {
    id: u32,
    mac: Hmac<Sha256>,
}

impl DigestKey {
    /// Takes the secret's bytes.
    pub fn new(secret: &[u8]) -> Result<DigestKey, WeakKey> {
        if secret.len() < MIN_KEY {
            return Err(WeakKey);
        }
        let mac = Hmac::<Sha256>::new_from_slice(secret).map_err(|_| WeakKey)?;
        let [a, b, c, d, ..] = <[u8; 32]>::from(Sha256::digest(secret));
        Ok(DigestKey { id: u32::from_be_bytes([a, b, c, d]), mac: mac.chain_update(DOMAIN) })
    }

    /// Which key it is: the first 32 bits of its SHA-256.
    pub fn id(&self) -> u32 {
        self.id
    }

    fn digest(&self, canonical: &[u8]) -> PersonalDigest {
        let mac = self.mac.clone().chain_update(canonical);
        let tag = <[u8; 32]>::from(mac.finalize().into_bytes());
        // The first 64 bits.
        let digest = tag[..8].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        PersonalDigest { key: self.id, digest }
    }
}

impl fmt::Debug for DigestKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("DigestKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The digests of a submission's personal block under these keys.
pub(crate) fn digests(item: &Object<'_>, keys: [Option<&DigestKey>; 2]) -> [Option<PersonalDigest>; 2] {
    if keys.iter().all(Option::is_none) {
        return [None; 2];
    }
    let mut canonical = Vec::new();
    let block = item.members().filter(|(name, _)| BLOCK.contains(&name.as_ref()));
    write_members(block.map(|(name, value)| (name.as_ref(), value)).collect(), &mut canonical, 0);
    keys.map(|key| key.map(|key| key.digest(&canonical)))
}

/// Writes a value: a tag, then a length or an end mark, so that no two values share a form. Returns whether there
/// was anything; what is absent ("", `N/A`, `null`, an object without members) writes nothing.
fn write(value: Raw<'_>, out: &mut Vec<u8>, depth: usize) -> bool {
    match value.kind() {
        None => false,
        Some(Kind::Object | Kind::Array) if depth >= MAX_DEPTH => write_text(b'r', value.source(), out),
        Some(Kind::Object) => write_object(value, out, depth),
        Some(Kind::Array) => write_array(value, out, depth),
        Some(Kind::Number) => write_text(b'n', value.source(), out),
        Some(Kind::Bool) => write_text(b'b', value.source(), out),
        Some(Kind::String) => match value.text() {
            Some(text) => write_text(b's', &text, out),
            None if value.string().is_some() => false,
            // A lone surrogate: no text, but still a value.
            None => write_text(b'r', value.source(), out),
        },
    }
}

fn write_text(tag: u8, text: &str, out: &mut Vec<u8>) -> bool {
    out.push(tag);
    out.extend_from_slice(&(text.len() as u64).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
    true
}

fn write_object(object: Raw<'_>, out: &mut Vec<u8>, depth: usize) -> bool {
    let Some(members) = Object::of(object) else {
        return write_text(b'r', object.source(), out);
    };
    let kept = members.members().filter(|(name, _)| !is_volatile(name));
    write_members(kept.map(|(name, value)| (name.as_ref(), value)).collect(), out, depth)
}

fn is_volatile(name: &str) -> bool {
    let holds = |part: &&str| name.as_bytes().windows(part.len()).any(|at| at.eq_ignore_ascii_case(part.as_bytes()));
    VOLATILE.iter().any(holds)
}

fn write_members(mut members: Vec<(&str, Raw<'_>)>, out: &mut Vec<u8>, depth: usize) -> bool {
    // Stable, and the last of a repeated name counts.
    members.sort_by(|left, right| left.0.cmp(right.0));
    let start = out.len();
    out.push(b'o');
    let empty = out.len();
    for (index, (name, value)) in members.iter().enumerate() {
        if members.get(index + 1).is_some_and(|next| next.0 == *name) {
            continue;
        }
        let before = out.len();
        write_text(b'k', name, out);
        if !write(*value, out, depth + 1) {
            out.truncate(before);
        }
    }
    close(out, start, empty)
}

fn write_array(array: Raw<'_>, out: &mut Vec<u8>, depth: usize) -> bool {
    let Some(elements) = array.elements() else {
        return write_text(b'r', array.source(), out);
    };
    let start = out.len();
    out.push(b'a');
    let empty = out.len();
    for element in elements {
        write(element, out, depth + 1);
    }
    close(out, start, empty)
}

/// Ends a container, or takes it back if it stayed empty.
fn close(out: &mut Vec<u8>, start: usize, empty: usize) -> bool {
    if out.len() == empty {
        out.truncate(start);
        return false;
    }
    out.push(b'e');
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Raw;
    use proptest::prelude::*;

    fn digest(item: &str) -> PersonalDigest {
        let key = DigestKey::new(b"0123456789abcdef").unwrap();
        digests(&Object::of(Raw::parse(item).unwrap()).unwrap(), [Some(&key), None])[0].unwrap()
    }

    const PERSON: &str = r#"{"submission_id":"x","email":"minji.kim@example.com",
        "data":{"full_name":"Kim Minji","date_of_birth":"1992-06-13","address":{"city":"Busan","zip":48058}}}"#;

    #[test]
    fn order_blanks_and_volatile_members_do_not_matter() {
        let same = r#"{"data":{"address":{"zip":48058,"city":"Busan"},"date_of_birth":"1992-06-13","full_name":"x",
            "full_name":"Kim Minji","gender":"","nationality":"N/A","cf1":null,"extra":{},"list":[],
            "faceImage":"ref-1","livenessScore":3},"image":{"idImage":"ref-2"},"argos_score":"0.4",
            "applicant_id":"ap_71c0","kyc":{"result":"approved"},"email":" minji.kim@example.com "}"#;
        assert_eq!(digest(same), digest(PERSON));
    }

    #[test]
    fn every_personal_value_and_its_type_matter() {
        for (from, to) in [
            ("Kim Minji", "Kim Minja"),
            ("minji.kim@", "minji.lee@"),
            ("48058", "\"48058\""),
            ("\"city\"", "\"town\""),
            ("Busan", "busan"),
            ("\"date_of_birth\":\"1992-06-13\",", ""),
        ] {
            assert_ne!(digest(&PERSON.replace(from, to)), digest(PERSON), "{from}");
        }
        assert_ne!(digest(r#"{"data":{"a":"1","b":"2"}}"#), digest(r#"{"data":{"a":"1b2"}}"#));
        assert_ne!(digest(r#"{"data":{"a":["x","y"]}}"#), digest(r#"{"data":{"a":["y","x"]}}"#));
        assert_ne!(digest(r#"{"data":{"a":[["x"],"y"]}}"#), digest(r#"{"data":{"a":[["x","y"]]}}"#));
    }

    #[test]
    fn keys_have_ids_and_show_nothing_else() {
        let key = DigestKey::new(b"0123456789abcdef").unwrap();
        assert_eq!(digest(PERSON).key, key.id());
        assert!(!format!("{key:?}").contains("0123456789abcdef"));
        let other = DigestKey::new(b"another secret, quite long").unwrap();
        let [first, second] = digests(&Object::of(Raw::parse(PERSON).unwrap()).unwrap(), [Some(&key), Some(&other)]);
        assert_ne!(first.unwrap().digest, second.unwrap().digest);
        assert_eq!(second.unwrap().key, other.id());
        assert_eq!(DigestKey::new(b"short").unwrap_err(), WeakKey);
        assert_eq!(digests(&Object::of(Raw::parse(PERSON).unwrap()).unwrap(), [None, None]), [None, None]);
    }

    #[test]
    fn the_digest_is_the_documented_one() {
        // Canonical form by hand: o, k(name), s(value), e.
        let mut form = b"o".to_vec();
        write_text(b'k', "email", &mut form);
        write_text(b's', "a@b", &mut form);
        form.push(b'e');
        let mut mac = Hmac::<Sha256>::new_from_slice(b"0123456789abcdef").unwrap();
        mac.update(b"argos-relay personal block 1\0");
        mac.update(&form);
        let tag = mac.finalize().into_bytes();
        assert_eq!(digest(r#"{"email":"a@b"}"#).digest.to_be_bytes(), tag[..8]);
    }

    proptest! {
        #[test]
        fn any_object_has_a_digest(depth in 0_usize..60, text in ".{0,12}") {
            let text = serde_json::to_string(&text).unwrap();
            let nested = format!("{}{text}{}", "{\"a\":[".repeat(depth), "]}".repeat(depth));
            let item = format!("{{\"data\":{nested}}}");
            prop_assert_eq!(digest(&item), digest(&item));
        }
    }
}
