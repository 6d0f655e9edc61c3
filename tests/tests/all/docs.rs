//! What the pages say of the code, held to the code: the tests that they cite exist, and the policies that they name
//! are set.

use std::collections::BTreeSet;
use std::path::Path;
use tests::broker::root;

/// Every function marked as a test in the workspace's Rust sources.
fn tests_of(place: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(place).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            tests_of(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("a file");
            let mut is_test = false;
            for line in text.lines().map(str::trim) {
                is_test |= line == "#[test]" || line.starts_with("#[tokio::test");
                if let Some((_, rest)) = line.split_once("fn ") {
                    if is_test {
                        found.extend(rest.split(['(', '<']).next().map(str::to_owned));
                    }
                    is_test = false;
                }
            }
        }
    }
}

/// The words in backquotes of the last cell of each row of a page's tables.
fn cited(page: &str) -> Vec<String> {
    let rows = page.lines().filter_map(|line| line.trim().strip_prefix('|')?.strip_suffix('|'));
    let cells = rows.filter_map(|row| row.rsplit('|').next());
    let words = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    words.map(str::to_owned).collect()
}

fn all_tests() -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    for place in ["crates", "tests"] {
        tests_of(&root().join(place), &mut tests);
    }
    tests
}

#[test]
fn every_test_that_the_threat_model_cites_exists() {
    let tests = all_tests();
    let page = std::fs::read_to_string(root().join("docs/threat-model.md")).expect("the page");
    let cited = cited(&page);
    assert!(cited.len() > 40, "{} tests are cited", cited.len());
    let missing: Vec<_> = cited.iter().filter(|name| !tests.contains(*name)).collect();
    assert!(missing.is_empty(), "docs/threat-model.md cites tests that do not exist: {missing:?}");
}

#[test]
fn every_test_that_the_readme_cites_for_a_promise_exists() {
    let tests = all_tests();
    let page = std::fs::read_to_string(root().join("README.md")).expect("the page");
    let promises = page.split_once("## What it promises").expect("the promises").1;
    let cited = cited(promises.split("\n## ").next().unwrap_or_default());
    assert!(cited.len() > 20, "{} tests are cited", cited.len());
    let missing: Vec<_> = cited.iter().filter(|name| !tests.contains(*name)).collect();
    assert!(missing.is_empty(), "README.md cites tests that do not exist: {missing:?}");
}

/// The tests that a page cites as `file: test` in backquotes, wherever they stand.
fn cited_with_file(page: &str) -> Vec<(String, String)> {
    let is_name =
        |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    let quoted = page.split('`').skip(1).step_by(2).filter_map(|text| text.split_once(": "));
    let named = quoted.filter(|(_, name)| is_name(name));
    named.map(|(file, name)| (file.to_owned(), name.to_owned())).collect()
}

/// The sources that a citation may mean: those whose path ends so, or the folder of a test.
fn sources_of(file: &str, place: &Path, found: &mut String) {
    for entry in std::fs::read_dir(place).expect("a folder").flatten() {
        let path = entry.path();
        let shown = path.strip_prefix(root()).expect("of the workspace").to_string_lossy().into_owned();
        if path.is_dir() {
            sources_of(file, &path, found);
        } else if shown.ends_with(&format!("/{file}")) || shown.contains(&format!("/tests/{file}/")) {
            *found += &std::fs::read_to_string(&path).unwrap_or_default();
        }
    }
}

#[test]
fn every_test_that_the_proof_cites_exists() {
    let page = std::fs::read_to_string(root().join("docs/proof.md")).expect("the page");
    let cited = cited_with_file(&page);
    assert!(cited.len() > 30, "{} tests are cited", cited.len());
    let tests = all_tests();
    let mut missing = BTreeSet::new();
    for (file, name) in &cited {
        let mut sources = String::new();
        for place in ["crates", "tests"] {
            sources_of(file, &root().join(place), &mut sources);
        }
        if !tests.contains(name) || !sources.contains(&format!("fn {name}(")) {
            missing.insert(format!("{file}: {name}"));
        }
    }
    assert!(missing.is_empty(), "docs/proof.md cites tests that do not exist: {missing:?}");
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace_which_forbid_unsafe_code() {
    let metadata = cargo_metadata::MetadataCommand::new().no_deps().exec().expect("cargo metadata");
    assert!(metadata.packages.len() >= 8);
    for package in &metadata.packages {
        let manifest = std::fs::read_to_string(&package.manifest_path).expect("a manifest");
        assert!(manifest.contains("\n[lints]\nworkspace = true\n"), "{} has lints of its own", package.name);
    }
    let workspace = std::fs::read_to_string(root().join("Cargo.toml")).expect("the workspace's manifest");
    let lints = workspace.split_once("\n[workspace.lints.rust]\n").expect("its lints").1;
    let lints = lints.split("\n[").next().unwrap_or_default();
    assert!(lints.lines().any(|line| line == "unsafe_code = \"forbid\""), "{lints}");
}

/// An example that takes more than a page to read is none. What generators make of the schemas does not count.
#[test]
fn no_program_of_an_example_is_longer_than_150_lines() {
    let mut programs = 0;
    for (language, extension) in
        [("java", "java"), ("python", "py"), ("typescript", "ts"), ("go", "go"), ("rust", "rs")]
    {
        let before = programs;
        sources(&root().join("examples").join(language), extension, &mut |path, lines| {
            programs += 1;
            assert!(lines <= 150, "{} has {lines} lines", path.display());
        });
        assert!(programs > before, "no program in {language}");
    }
}

/// Every source of a language with its number of lines, without what is generated, fetched, or a test.
fn sources(place: &Path, extension: &str, look: &mut impl FnMut(&Path, usize)) {
    const PASSED_BY: [&str; 7] = ["contract", "build", "node_modules", "dist", "target", "__pycache__", "generated"];
    for entry in std::fs::read_dir(place).expect("a folder").flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if path.is_dir() {
            if !PASSED_BY.contains(&name.as_str()) {
                sources(&path, extension, look);
            }
        } else if path.extension().is_some_and(|found| found == extension) {
            let text = std::fs::read_to_string(&path).expect("a program");
            let program = text.split("#[cfg(test)]").next().unwrap_or_default();
            look(&path, program.lines().count());
        }
    }
}

/// So that what was tested is what is built: one registry, and every archive under its checksum.
#[test]
fn every_dependency_is_pinned_with_a_checksum_and_comes_from_one_registry() {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).expect("the lock file");
    let mut foreign = 0;
    for package in lock.split("\n[[package]]\n").skip(1) {
        let Some(source) = package.lines().find_map(|line| line.strip_prefix("source = ")) else { continue };
        foreign += 1;
        assert_eq!(source, "\"registry+https://github.com/rust-lang/crates.io-index\"", "{package}");
        assert!(package.lines().any(|line| line.starts_with("checksum = \"")), "{package}");
    }
    assert!(foreign > 100, "{foreign} dependencies were looked at");
}
