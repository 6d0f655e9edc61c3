//! What happened: one line a fault in a file, counted by name.
//!
//! Owns the file and the sums. Decides nothing.

use crate::plan::{Step, Target};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Shared by all who make faults.
#[derive(Clone, Debug)]
pub(crate) struct Book(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    file: File,
    began: Instant,
    counts: BTreeMap<String, u64>,
}

impl Book {
    /// Writes into a new file.
    pub(crate) fn open(file: &Path) -> Book {
        let file = File::create(file).expect("the book of faults");
        Book(Arc::new(Mutex::new(Inner { file, began: Instant::now(), counts: BTreeMap::new() })))
    }

    /// A fault begins.
    pub(crate) fn begin(&self, target: Target, step: &Step) {
        *self.0.lock().expect("a lock").counts.entry(step.fault.name()).or_default() += 1;
        self.write(&format!(
            "{target:?} {:?} for {:?}, node {}{}{}",
            step.fault,
            step.lasts,
            step.node,
            if step.all { ", all" } else { "" },
            if step.cut_after { ", cut after" } else { "" }
        ));
    }

    /// All is well again for it.
    pub(crate) fn end(&self, target: Target, step: &Step) {
        self.write(&format!("{target:?} {:?} is over", step.fault));
    }

    /// Anything else.
    pub(crate) fn write(&self, text: &str) {
        let mut inner = self.0.lock().expect("a lock");
        let at = inner.began.elapsed().as_secs_f64();
        writeln!(inner.file, "{at:9.3} {text}").expect("the book of faults");
    }

    /// Faults by name.
    pub(crate) fn counts(&self) -> BTreeMap<String, u64> {
        self.0.lock().expect("a lock").counts.clone()
    }
}
