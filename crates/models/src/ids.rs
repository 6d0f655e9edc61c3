//! Names of projects and submissions, and the key that joins them.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smol_str::SmolStr;
use std::fmt;
use std::sync::Arc;

/// The longest submission id that is accepted, in bytes. ARGOS's own have 13 to 18 characters.
pub const MAX_SUBMISSION_ID: usize = 128;
/// The longest project id, in bytes.
pub const MAX_PROJECT_ID: usize = 64;

/// Why a text is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// Nothing there.
    #[error("the id is empty")]
    Empty,
    /// Longer than [`MAX_SUBMISSION_ID`] or [`MAX_PROJECT_ID`].
    #[error("the id is too long")]
    TooLong,
    /// A control character, or for a project id anything but `a-z 0-9 . _ -` after a letter or digit.
    #[error("the id has a character that is not allowed")]
    Character,
    /// A key has no `/`.
    #[error("the key has no slash between project and submission")]
    NoSlash,
}

/// The operator's name for one ARGOS project: `a-z`, `0-9`, `.`, `_`, `-`, first a letter or digit.
///
/// ARGOS's bodies name no project; the id comes from the URL path and the configuration.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProjectId(Arc<str>);

impl ProjectId {
    /// Checks and wraps.
    pub fn new(text: &str) -> Result<ProjectId, InvalidId> {
        let first = text.bytes().next().ok_or(InvalidId::Empty)?;
        if text.len() > MAX_PROJECT_ID {
            return Err(InvalidId::TooLong);
        }
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if plain(first) && text.bytes().all(|byte| plain(byte) || matches!(byte, b'.' | b'_' | b'-')) {
            Ok(ProjectId(text.into()))
        } else {
            Err(InvalidId::Character)
        }
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// ARGOS's id of one submission: opaque, 1 to 128 bytes, no control characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubmissionId(SmolStr);

impl SubmissionId {
    /// Checks and wraps.
    pub fn new(text: &str) -> Result<SubmissionId, InvalidId> {
        check_submission(text)?;
        Ok(SubmissionId(text.into()))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn check_submission(text: &str) -> Result<(), InvalidId> {
    if text.is_empty() {
        Err(InvalidId::Empty)
    } else if text.len() > MAX_SUBMISSION_ID {
        Err(InvalidId::TooLong)
    } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) && text.chars().any(char::is_control) {
        Err(InvalidId::Character)
    } else {
        Ok(())
    }
}

/// `<project>/<submission_id>`: the key of every record on every topic, and of every run.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(SmolStr);

impl Key {
    /// Joins two checked ids.
    pub fn new(project: &ProjectId, submission: &SubmissionId) -> Key {
        Key(SmolStr::from_iter([&*project.0, "/", &*submission.0]))
    }

    /// Reads the text form; the first slash separates.
    pub fn parse(text: &str) -> Result<Key, InvalidId> {
        let (project, submission) = text.split_once('/').ok_or(InvalidId::NoSlash)?;
        ProjectId::new(project)?;
        check_submission(submission)?;
        Ok(Key(text.into()))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The project's part.
    pub fn project(&self) -> &str {
        self.0.split_once('/').map_or("", |(project, _)| project)
    }

    /// The submission's part.
    pub fn submission(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, submission)| submission)
    }
}

/// A key is found in a map by its text.
impl std::borrow::Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

macro_rules! text_form {
    ($name:ident, $read:path) => {
        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, out)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                out.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(input: D) -> Result<$name, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(input)?;
                $read(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

text_form!(ProjectId, ProjectId::new);
text_form!(SubmissionId, SubmissionId::new);
text_form!(Key, Key::parse);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_keeps_its_parts_even_with_a_slash_in_the_submission() {
        let project = ProjectId::new("acme").unwrap();
        let key = Key::new(&project, &SubmissionId::new("a/b").unwrap());
        assert_eq!((key.project(), key.submission()), ("acme", "a/b"));
        assert_eq!(Key::parse("acme/a/b").unwrap(), key);
    }

    #[test]
    fn bad_ids_are_refused_with_the_reason() {
        assert_eq!(SubmissionId::new(""), Err(InvalidId::Empty));
        assert_eq!(SubmissionId::new(&"x".repeat(129)), Err(InvalidId::TooLong));
        assert_eq!(SubmissionId::new("a\u{7}b"), Err(InvalidId::Character));
        assert_eq!(ProjectId::new("_meta"), Err(InvalidId::Character));
        assert_eq!(ProjectId::new("Acme"), Err(InvalidId::Character));
        assert_eq!(Key::parse("acme"), Err(InvalidId::NoSlash));
    }
}
