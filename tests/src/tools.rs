//! Tools that a test needs beside Rust.

use crate::broker::root;
use std::process::Command;

/// Whether a tool is there, or could be installed. Where it cannot be had, that is said aloud; never in CI.
pub fn there_is(tool: &str) -> bool {
    let output = Command::new(root().join("tests/prerequisites.sh")).arg(tool).output().expect("the script runs");
    let told = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        return true;
    }
    assert!(std::env::var_os("CI").is_none(), "{tool}: {told}");
    eprintln!("not run: {tool} cannot be had here\n{told}");
    false
}
