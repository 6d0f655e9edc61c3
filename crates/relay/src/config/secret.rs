//! Secrets: given in the file itself (a laptop) or, better, in a file of their own (`*_file`).
//!
//! Owns: reading them, the rule that only one form may be given, and that none is ever shown. A secret file holds UTF-8
//! text; space around it, the last line break above all, is not part of it.

use super::problem::Problem;
use super::read::Section;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, Serializer};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The largest secret file that is read, in bytes.
const LARGEST: u64 = 64 * 1024;

/// One secret text, and the file that it came from.
#[derive(Clone, Debug)]
pub struct Secret {
    value: SecretString,
    file: Option<PathBuf>,
}

impl Secret {
    /// The text itself. For the place that uses it, never for a log or an answer.
    pub fn expose(&self) -> &str {
        self.value.expose_secret()
    }

    /// The text, still wrapped.
    pub fn wrapped(&self) -> &SecretString {
        &self.value
    }

    /// The file that it was read from.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&redacted(self.file()))
    }
}

/// Several secrets that are valid at once, for rotation.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    values: Vec<SecretString>,
    file: Option<PathBuf>,
}

impl Secrets {
    /// Each of them, still wrapped; not empty when the key was given.
    pub fn wrapped(&self) -> &[SecretString] {
        &self.values
    }

    /// The file that they were read from.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }
}

impl Serialize for Secrets {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_seq(self.values.iter().map(|_| redacted(self.file())))
    }
}

/// Shows several as if they were one: for a key that takes one, and whose file may have two for a while.
pub(super) fn as_one<S: Serializer>(secrets: &Secrets, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_str(&redacted(secrets.file()))
}

/// The secrets in a file with one a line: blank lines and those with `#` first are left out.
pub(crate) fn lines(text: &str) -> Vec<SecretString> {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(SecretString::from).collect()
}

/// What stands for a secret wherever it could be seen.
pub(super) fn redacted(file: Option<&Path>) -> String {
    match file {
        Some(file) => format!("[redacted, from {}]", file.display()),
        None => "[redacted]".to_owned(),
    }
}

impl Section<'_> {
    /// The secret `key`, or the content of the file that `key_file` names. `None` if neither is there, or on an error.
    pub(super) fn secret(&mut self, key: &str) -> Option<Secret> {
        let (inline, file) = self.either::<String>(key)?;
        let secret = match file {
            None => Secret { value: SecretString::from(inline?.trim()), file: None },
            Some(path) => Secret { value: self.read_secret(&file_key(key), &path)?, file: Some(path) },
        };
        if secret.expose().is_empty() {
            self.wrong(key, "is empty");
            return None;
        }
        Some(secret)
    }

    /// A secret that must be there in one of its forms.
    pub(super) fn required_secret(&mut self, key: &str) -> Option<Secret> {
        if !self.has(key) && !self.has(&file_key(key)) {
            self.error(key, Problem::Value(format!("is required (or `{}`)", file_key(key))));
        }
        self.secret(key)
    }

    /// The one secret `key`, or the lines of the file that `key_file` names, as in [`Section::secrets`]; one of the two
    /// must be there.
    pub(super) fn required_lines(&mut self, key: &str) -> Option<Secrets> {
        if !self.has(key) && !self.has(&file_key(key)) {
            self.error(key, Problem::Value(format!("is required (or `{}`)", file_key(key))));
        }
        self.optional_lines(key)
    }

    /// As [`Section::required_lines`], but neither may be there.
    pub(super) fn optional_lines(&mut self, key: &str) -> Option<Secrets> {
        let (inline, file) = self.either::<String>(key)?;
        self.list(key, inline.map(|text| vec![text]), file)
    }

    /// The list `key`, or the lines of the file that `key_file` names; blank lines and those with `#` first are left out.
    pub(super) fn secrets(&mut self, key: &str) -> Option<Secrets> {
        let (inline, file) = self.either::<Vec<String>>(key)?;
        self.list(key, inline, file)
    }

    fn list(&mut self, key: &str, inline: Option<Vec<String>>, file: Option<PathBuf>) -> Option<Secrets> {
        let (shown, values): (_, Vec<SecretString>) = match &file {
            None => (key.to_owned(), inline?.iter().map(|text| SecretString::from(text.trim())).collect()),
            Some(path) => {
                let whole = self.read_secret(&file_key(key), path)?;
                (file_key(key), lines(whole.expose_secret()))
            }
        };
        if values.is_empty() || values.iter().any(|value| value.expose_secret().is_empty()) {
            self.wrong(&shown, "needs at least one secret, and none may be empty");
            return None;
        }
        Some(Secrets { values, file })
    }

    /// Takes both forms; `None` if neither, or both, are there.
    fn either<T: super::read::FromValue>(&mut self, key: &str) -> Option<(Option<T>, Option<PathBuf>)> {
        let other = file_key(key);
        let both = self.has(key) && self.has(&other);
        let inline = self.optional::<T>(key);
        let file = self.optional::<String>(&other).map(|name| self.base().join(name));
        if both {
            self.wrong(key, format!("give either this or `{other}`, not both"));
            return None;
        }
        (inline.is_some() || file.is_some()).then_some((inline, file))
    }

    /// Reads a secret file.
    pub(super) fn read_secret(&self, key: &str, path: &Path) -> Option<SecretString> {
        match read_file(path) {
            Ok(text) => Some(text),
            Err(reason) => {
                self.error(key, Problem::Unreadable { path: path.display().to_string(), reason });
                None
            }
        }
    }
}

pub(super) fn file_key(key: &str) -> String {
    format!("{key}_file")
}

/// The text of a secret file, without the space around it. The error says why not, and nothing of the content.
pub(crate) fn read_file(path: &Path) -> Result<SecretString, String> {
    // Whole from the start: what a growing vector leaves behind is not wiped.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LARGEST as usize + 1));
    let file = std::fs::File::open(path).map_err(|error| error.kind().to_string())?;
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| error.kind().to_string())?;
    if bytes.len() as u64 > LARGEST {
        return Err("larger than 64 KiB".to_owned());
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| "not UTF-8 text".to_owned())?;
    Ok(SecretString::from(text.trim()))
}
