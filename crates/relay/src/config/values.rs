//! How plain types stand in the file: text, numbers, addresses, networks, times, lists, and words from a fixed set.
//!
//! Owns the conversions that several rooms share. Must not know any key.

use super::read::{FromValue, Spot};
use ipnet::IpNet;
use models::{ProjectId, Time};
use std::net::{IpAddr, SocketAddr};
use toml::Value;
use url::Url;

impl FromValue for String {
    fn from_value(value: Value, spot: &Spot<'_>) -> Option<String> {
        match value {
            Value::String(text) => Some(text),
            other => spot.mismatch("text", &other),
        }
    }
}

impl FromValue for bool {
    fn from_value(value: Value, spot: &Spot<'_>) -> Option<bool> {
        match spot.typed(value) {
            Value::Boolean(flag) => Some(flag),
            other => spot.mismatch("true or false", &other),
        }
    }
}

impl FromValue for f64 {
    fn from_value(value: Value, spot: &Spot<'_>) -> Option<f64> {
        match spot.typed(value) {
            Value::Integer(number) => Some(number as f64),
            Value::Float(number) => Some(number),
            other => spot.mismatch("a number", &other),
        }
    }
}

macro_rules! whole_number {
    ($($name:ty),+) => {$(
        impl FromValue for $name {
            fn from_value(value: Value, spot: &Spot<'_>) -> Option<$name> {
                match spot.typed(value) {
                    Value::Integer(number) => {
                        let fitting = <$name>::try_from(number).ok();
                        if fitting.is_none() {
                            spot.wrong(format!("must be a whole number from {} to {}", <$name>::MIN, <$name>::MAX));
                        }
                        fitting
                    }
                    other => spot.mismatch("a whole number", &other),
                }
            }
        }
    )+};
}

whole_number!(i32, u16, u32, u64, usize);

impl<T: FromValue> FromValue for Vec<T> {
    /// From the environment a list is TOML (`["a", "b"]`), or words with commas between them (`a,b`).
    fn from_value(value: Value, spot: &Spot<'_>) -> Option<Vec<T>> {
        let list = match spot.typed(value) {
            Value::Array(list) => list,
            Value::String(text) if spot.is_from_environment() => {
                let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
                words.map(|word| Value::String(word.to_owned())).collect()
            }
            other => return spot.mismatch("a list", &other),
        };
        let mut all = Vec::with_capacity(list.len());
        let mut good = true;
        for (index, value) in list.into_iter().enumerate() {
            match T::from_value(value, &spot.element(index)) {
                Some(element) => all.push(element),
                None => good = false,
            }
        }
        good.then_some(all)
    }
}

/// Text that another parser reads.
fn parsed<T>(value: Value, spot: &Spot<'_>, expected: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
    let text = String::from_value(value, spot)?;
    let result = read(text.trim());
    if result.is_none() {
        spot.wrong(format!("expected {expected}"));
    }
    result
}

impl FromValue for SocketAddr {
    fn from_value(value: Value, spot: &Spot<'_>) -> Option<SocketAddr> {
        parsed(value, spot, "an address and port such as \"127.0.0.1:8080\" or \"[::]:8080\"", |text| text.parse().ok())
    }
}

impl FromValue for IpNet {
    fn from_value(value: Value, spot: &Spot<'_>) -> Option<IpNet> {
        parsed(value, spot, "a network such as \"203.0.113.0/24\", or one address", |text| {
            text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
        })
    }
}

impl FromValue for Url {
    fn from_value(value: Value, spot: &Spot<'_>) -> Option<Url> {
        parsed(value, spot, "a full address such as \"https://host/path\"", |text| text.parse().ok())
    }
}

impl FromValue for ProjectId {
    fn from_value(value: Value, spot: &Spot<'_>) -> Option<ProjectId> {
        parsed(value, spot, "1 to 64 of the characters a-z 0-9 . _ -, the first of them a letter or digit", |text| {
            ProjectId::new(text).ok()
        })
    }
}

impl FromValue for Time {
    fn from_value(value: Value, spot: &Spot<'_>) -> Option<Time> {
        let value = match value {
            Value::Datetime(stamp) => Value::String(stamp.to_string()),
            other => other,
        };
        parsed(value, spot, "a time with its zone, such as \"2026-11-24T00:00:00Z\"", |text| text.parse().ok())
    }
}

/// A setting that takes one of a few words. The words are the same in the file and in `config check`.
macro_rules! choice {
    ($(#[$meta:meta])* $name:ident { $($(#[$inner:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
        pub enum $name { $($(#[$inner])* #[serde(rename = $word)] $variant,)+ }

        impl $crate::config::read::FromValue for $name {
            fn from_value(value: toml::Value, spot: &$crate::config::read::Spot<'_>) -> Option<$name> {
                const WORDS: &[(&str, $name)] = &[$(($word, $name::$variant)),+];
                $crate::config::values::one_of(value, spot, WORDS)
            }
        }
    };
}
pub(super) use choice;

/// For [`choice`]: finds the word, or names all of them.
pub(super) fn one_of<T: Copy>(value: Value, spot: &Spot<'_>, words: &[(&str, T)]) -> Option<T> {
    let text = String::from_value(value, spot)?;
    let found = words.iter().find(|(word, _)| *word == text).map(|(_, choice)| *choice);
    if found.is_none() {
        let all: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        spot.wrong(format!("must be one of {}", all.join(", ")));
    }
    found
}

/// The known word that an unknown one was most likely meant to be.
pub(super) fn closest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    known
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| candidate.to_owned())
}
