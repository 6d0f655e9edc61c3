//! A project's API keys: which one goes with the next request.
//!
//! Owns the one or two keys that are valid at the same time, and the word on which of them works. Must not know requests
//! ([`crate::client`] sends them) or files (whoever reads one calls [`ApiKeys::replace`]).
//!
//! Path: a request takes `ApiKeys::untried`; when ARGOS denies it, it takes the next, until there is none. One that
//! was let in is `ApiKeys::prefer`red, so that a key which ARGOS has withdrawn is not tried with each request.

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use zeroize::Zeroizing;

/// So many keys can be valid at the same time: the one that goes and the one that comes.
pub const MOST_KEYS: usize = 2;

/// Why keys are of no use. Never holds one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeys {
    /// Without a key nothing can be asked.
    #[error("there is no API key")]
    None,
    /// More would be so many refused requests before the breaker hears of it.
    #[error("there are more than {MOST_KEYS} API keys")]
    TooMany,
    /// Empty, or not of visible ASCII.
    #[error("API key number {number} is empty or has characters that no header can carry")]
    Bad {
        /// Which of the list, counted from 1.
        number: usize,
    },
}

/// The keys; clones share them, so [`ApiKeys::replace`] holds for the next request of every clone. `Debug` shows none.
#[derive(Clone)]
pub struct ApiKeys(Arc<RwLock<Vec<HeaderValue>>>);

impl ApiKeys {
    /// The first is the one to use; the second is tried when ARGOS denies the first.
    pub fn new(keys: &[SecretString]) -> Result<ApiKeys, InvalidKeys> {
        Ok(ApiKeys(Arc::new(RwLock::new(values(keys)?))))
    }

    /// Replaces all keys at once. On an error the old ones stay.
    pub fn replace(&self, keys: &[SecretString]) -> Result<(), InvalidKeys> {
        let new = values(keys)?;
        // A poisoned lock still holds a whole list: each write is one step.
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// The best key that is not among those tried. Keys that came meanwhile count.
    pub(crate) fn untried(&self, tried: &[HeaderValue]) -> Option<HeaderValue> {
        let keys = self.0.read().unwrap_or_else(PoisonError::into_inner);
        keys.iter().find(|key| !tried.contains(key)).cloned()
    }

    /// From now on this key goes first, if it is still one of them.
    pub(crate) fn prefer(&self, key: &HeaderValue) {
        let mut keys = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = keys.iter().position(|one| one == key) {
            keys[..=place].rotate_right(1);
        }
    }
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("ApiKeys([redacted])")
    }
}

fn values(keys: &[SecretString]) -> Result<Vec<HeaderValue>, InvalidKeys> {
    match keys.len() {
        0 => return Err(InvalidKeys::None),
        1..=MOST_KEYS => {}
        _ => return Err(InvalidKeys::TooMany),
    }
    keys.iter().zip(1..).map(|(key, number)| value(key.expose_secret()).ok_or(InvalidKeys::Bad { number })).collect()
}

/// The bytes are wiped with the last clone of the header.
fn value(key: &str) -> Option<HeaderValue> {
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let bytes = bytes::Bytes::from_owner(Zeroizing::new(key.as_bytes().to_vec()));
    let mut value = HeaderValue::from_maybe_shared(bytes).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(keys: &[&str]) -> Vec<SecretString> {
        keys.iter().map(|&key| key.into()).collect()
    }

    /// The order in which denied requests would go through the keys.
    fn order(keys: &ApiKeys) -> Vec<String> {
        let mut tried = Vec::new();
        while let Some(key) = keys.untried(&tried) {
            tried.push(key);
        }
        tried.iter().map(|key| key.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn the_first_goes_first_until_another_was_let_in() {
        let keys = ApiKeys::new(&secrets(&["new", "old"])).unwrap();
        assert_eq!(order(&keys), ["new", "old"]);
        keys.prefer(&HeaderValue::from_static("old"));
        assert_eq!(order(&keys), ["old", "new"]);
        keys.prefer(&HeaderValue::from_static("gone"));
        assert_eq!(order(&keys), ["old", "new"]);
    }

    #[test]
    fn a_denied_request_takes_the_keys_that_came_meanwhile() {
        let keys = ApiKeys::new(&secrets(&["old"])).unwrap();
        let tried = vec![keys.untried(&[]).unwrap()];
        assert_eq!(keys.untried(&tried), None);
        keys.clone().replace(&secrets(&["new", "old"])).unwrap();
        assert_eq!(keys.untried(&tried).unwrap(), "new");
    }

    #[test]
    fn what_cannot_be_used_leaves_the_old_keys_and_is_not_repeated() {
        let keys = ApiKeys::new(&secrets(&["old"])).unwrap();
        for (bad, error) in [
            (&[][..], InvalidKeys::None),
            (&["a", "b", "c"], InvalidKeys::TooMany),
            (&["a", ""], InvalidKeys::Bad { number: 2 }),
            (&["hush\nhush"], InvalidKeys::Bad { number: 1 }),
        ] {
            assert_eq!(keys.replace(&secrets(bad)), Err(error));
            assert!(!error.to_string().contains("hush"));
        }
        assert_eq!(order(&keys), ["old"]);
        assert!(!format!("{keys:?} {:?}", keys.untried(&[])).contains("old"));
    }
}
