//! As much of `PromQL` as it takes to hold queries to what is exposed: which series they select, and by which labels they
//! group. Pure.
//!
//! Path: [`selectors`] and [`grouped`] of a text with queries; [`Told::of`] a scraped page; [`Told::lacks`] says what is
//! wrong.

use std::collections::{BTreeMap, BTreeSet};

const PREFIX: &str = "argos_relay_";

/// Labels that Prometheus adds, or that come from configuration and cluster: their values are not compared.
const OPEN: [&str; 7] = ["job", "namespace", "instance", "project", "secret", "topic", "partition"];

/// A metric's name, and what is asked of its labels: label, operator, value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    /// With the suffix of a histogram's series, if it has one.
    pub name: String,
    /// In order.
    pub matchers: Vec<(String, String, String)>,
}

fn is_word(byte: char) -> bool {
    byte.is_ascii_alphanumeric() || byte == '_'
}

fn word(text: &str) -> &str {
    &text[..text.find(|letter| !is_word(letter)).unwrap_or(text.len())]
}

/// One `label op "value"` at the start of a text, and what follows it.
fn matcher(text: &str) -> Option<((String, String, String), &str)> {
    let text = text.trim_start_matches([',', ' ', '\n']);
    let label = word(text);
    let rest = text[label.len()..].trim_start();
    let operator = ["=~", "!~", "!=", "="].into_iter().find(|operator| rest.starts_with(operator))?;
    let quoted = rest[operator.len()..].trim_start().strip_prefix('"')?;
    let end = quoted.find('"')?;
    Some(((label.to_owned(), operator.to_owned(), quoted[..end].to_owned()), &quoted[end + 1..]))
}

/// Every series of ours that a text asks for, in queries or in prose.
pub fn selectors(text: &str) -> Vec<Selector> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices(PREFIX) {
        if text[..at].ends_with(is_word) {
            continue;
        }
        let name = word(&text[at..]).to_owned();
        let mut rest = &text[at + name.len()..];
        // The result of a recording rule has a colon.
        if rest.starts_with(':') {
            continue;
        }
        let mut matchers = Vec::new();
        if let Some(inner) = rest.strip_prefix('{') {
            rest = inner;
            while let Some((one, after)) = matcher(rest) {
                matchers.push(one);
                rest = after;
            }
            assert!(rest.trim_start().starts_with('}'), "not understood: {name}{{{inner:.80}");
        }
        found.push(Selector { name, matchers });
    }
    found
}

/// Every label that a text groups or joins by.
pub fn grouped(text: &str) -> BTreeSet<String> {
    let openings = ["by (", "on (", "ignoring (", "without ("];
    let lists =
        openings.iter().flat_map(|opening| text.match_indices(opening).map(|(at, _)| &text[at + opening.len()..]));
    let names = lists.filter_map(|rest| rest.split_once(')')).flat_map(|(list, _)| list.split(','));
    names.map(|name| name.trim().to_owned()).collect()
}

/// A scraped page: series by name, each with its labels.
#[derive(Debug, Default)]
pub struct Told {
    series: BTreeMap<String, Vec<BTreeMap<String, String>>>,
    families: BTreeSet<String>,
}

impl Told {
    /// Reads the text format.
    pub fn of(page: &str) -> Told {
        let mut told = Told::default();
        for line in page.lines() {
            if let Some(family) = line.strip_prefix("# TYPE ") {
                told.families.insert(word(family).to_owned());
            } else if !line.starts_with('#') && !line.is_empty() {
                let name = word(line).to_owned();
                let mut labels = BTreeMap::new();
                let mut rest = line[name.len()..].strip_prefix('{').unwrap_or_default();
                while let Some(((label, _, value), after)) = matcher(rest) {
                    labels.insert(label, value);
                    rest = after;
                }
                told.series.entry(name).or_default().push(labels);
            }
        }
        told
    }

    /// The names of all families.
    pub fn families(&self) -> impl Iterator<Item = &str> {
        self.families.iter().map(String::as_str)
    }

    /// Whether a label is on any series, or is one that Prometheus adds.
    pub fn has_label(&self, label: &str) -> bool {
        OPEN.contains(&label) || self.series.values().flatten().any(|labels| labels.contains_key(label))
    }

    /// What a selector asks for that is not there; `None` if all is.
    pub fn lacks(&self, selector: &Selector) -> Option<String> {
        let name = &selector.name;
        let Some(series) = self.series.get(name) else {
            // Prose names a family.
            let is_histogram = self.families.contains(name) && selector.matchers.is_empty();
            return (!is_histogram).then(|| format!("{name} is not told"));
        };
        selector.matchers.iter().find_map(|(label, operator, value)| {
            let external = ["job", "namespace", "instance"].contains(&label.as_str());
            if !external && !series.iter().any(|labels| labels.contains_key(label)) {
                return Some(format!("{name} has no label {label}"));
            }
            let is_there =
                |value: &str| series.iter().any(|labels| labels.get(label).is_some_and(|found| found == value));
            let values = if operator.ends_with('~') { value.split('|').collect() } else { vec![value.as_str()] };
            let missing = values.into_iter().find(|value| !is_there(value));
            // Of a bucket one way to write its bound is enough.
            let is_told = OPEN.contains(&label.as_str())
                || missing.is_none()
                || (label == "le" && value.split('|').any(is_there));
            (!is_told).then(|| format!("{name} never has {label}={}", missing.unwrap_or_default()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# HELP argos_relay_a_total An A.\n# TYPE argos_relay_a_total counter\n\
        argos_relay_a_total{outcome=\"good\",project=\"acme\"} 3\nargos_relay_a_total{outcome=\"bad\",project=\"acme\"} 0\n\
        # TYPE argos_relay_b_seconds histogram\nargos_relay_b_seconds_bucket{le=\"70\"} 1\nargos_relay_b_seconds_count 1\n";

    fn lacks(query: &str) -> Option<String> {
        let told = Told::of(PAGE);
        selectors(query).iter().find_map(|selector| told.lacks(selector))
    }

    #[test]
    fn what_is_told_may_be_asked_for() {
        for query in [
            r#"rate(argos_relay_a_total{outcome="good", project=~".*"}[5m]) / argos_relay_a_total"#,
            r#"argos_relay_a_total{outcome=~"good|bad",job="relay"}"#,
            r#"argos_relay_b_seconds_bucket{le=~"70|70\\.0"} > 2 and argos_relay:recorded:ratio"#,
            "prose of argos_relay_b_seconds",
        ] {
            assert_eq!(lacks(query), None, "{query}");
        }
    }

    #[test]
    fn what_is_not_told_is_found_out() {
        for query in [
            "argos_relay_c_total",
            "rate(argos_relay_b_seconds_sum[5m])",
            r#"argos_relay_a_total{outcome="goood"}"#,
            r#"argos_relay_a_total{outcome=~"good|worse"}"#,
            r#"argos_relay_a_total{reason="good"}"#,
            r#"argos_relay_b_seconds_bucket{le="60"}"#,
        ] {
            assert!(lacks(query).is_some(), "{query}");
        }
    }

    #[test]
    fn groupings_are_found() {
        let labels = grouped("sum by (job, le) (x) and on (namespace) y");
        assert_eq!(labels.into_iter().collect::<Vec<_>>(), ["job", "le", "namespace"]);
        assert!(Told::of(PAGE).has_label("le") && !Told::of(PAGE).has_label("reason"));
    }
}
