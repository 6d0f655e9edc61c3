//! What happened, in order, as text: hashed always, kept only where somebody reads it.

use std::fmt::{Arguments, Write};

/// See the module.
#[derive(Debug)]
pub(crate) struct Trace {
    digest: Fnv,
    lines: Option<Vec<String>>,
}

#[derive(Debug)]
struct Fnv(u64);

impl Write for Fnv {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Ok(())
    }
}

impl Trace {
    pub(crate) fn new(keeps: bool) -> Trace {
        Trace { digest: Fnv(0xcbf2_9ce4_8422_2325), lines: keeps.then(Vec::new) }
    }

    pub(crate) fn line(&mut self, at: i64, what: Arguments<'_>) {
        let _ = writeln!(self.digest, "{at} {what}");
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{:>7}.{:03} {what}", at / 1_000, at % 1_000));
        }
    }

    pub(crate) fn digest(&self) -> u64 {
        self.digest.0
    }

    pub(crate) fn lines(&self) -> &[String] {
        self.lines.as_deref().unwrap_or_default()
    }
}
