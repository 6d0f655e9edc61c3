//! The alerting rules on a faster clock, so that hours of windows and minutes of patience pass in a test. Pure.
//!
//! Owns: which parts of a rules file are times, and how each is divided. All else stays as it is shipped, so that the
//! expressions under test are the real ones; by 1 the file comes out unchanged. What could be a time and is not understood
//! is refused, never passed over.
//!
//! Path: [`scaled`] goes through the lines; `expression` through the tokens of a query.

const UNITS: [(&str, u64); 6] =
    [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// The numbers beside metrics in seconds: which of them are seconds (`true`), and which are factors.
const NUMBERS: [(&str, &str, bool); 4] = [
    ("ArgosRelaySweepLate", "2", false),
    ("ArgosRelaySweepLate", "600", true),
    ("ArgosRelaySecretOld", "180", false),
    ("ArgosRelaySecretOld", "86400", true),
];

/// Functions that read the clock by themselves: no division of ours would reach them.
const CLOCKS: [&str; 9] =
    ["time", "timestamp", "minute", "hour", "day_of_week", "day_of_month", "day_of_year", "days_in_month", "month"];

/// Keys of a rules file whose values hold no time.
const TIMELESS: [&str; 10] =
    ["groups", "name", "rules", "record", "alert", "expr", "labels", "annotations", "summary", "runbook_url"];

/// The text of a rules file with every time divided by `factor`. The bounds of histograms are fixed in the service: `bounds`
/// says which one is asked for instead of which. Fails with what is not understood.
pub fn scaled(rules: &str, factor: u32, bounds: &[(&str, &str)]) -> Result<String, Vec<String>> {
    let (mut out, mut wrong) = (String::new(), Vec::new());
    let (mut alert, mut block) = (String::new(), None);
    for (number, line) in rules.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        block = block.filter(|outer| indent > *outer || line.trim().is_empty());
        let result = if line.trim_start().starts_with('#') {
            Ok(line.to_owned())
        } else if block.is_some() {
            expression(line, &alert, factor, bounds)
        } else {
            let (key, value) = line.split_once(':').unwrap_or((line, ""));
            let name = key.trim().trim_start_matches("- ");
            match name {
                "alert" | "record" => value.trim().clone_into(&mut alert),
                "expr" if value.trim() == "|" => block = Some(indent),
                _ => {}
            }
            match name {
                "expr" => expression(value, &alert, factor, bounds).map(|value| format!("{key}:{value}")),
                "for" | "keep_firing_for" | "interval" => {
                    duration(value.trim(), factor).map(|value| format!("{key}: {value}"))
                }
                _ if name.is_empty() || TIMELESS.contains(&name) => Ok(line.to_owned()),
                _ => Err(format!("the key {name} is not known")),
            }
        };
        match result {
            Ok(line) => out.push_str(&line),
            Err(why) => wrong.push(format!("line {}: {why}: {}", number + 1, line.trim())),
        }
        out.push('\n');
    }
    if wrong.is_empty() { Ok(out) } else { Err(wrong) }
}

/// A duration as Prometheus writes it, divided.
pub fn duration(text: &str, factor: u32) -> Result<String, String> {
    let (mut millis, mut rest) = (0, text);
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
        let letters = rest[digits..].find(|letter: char| !letter.is_ascii_alphabetic());
        let end = letters.map_or(rest.len(), |letters| digits + letters);
        let unit = UNITS.iter().find(|(unit, _)| *unit == &rest[digits..end]);
        let count: Option<u64> = rest[..digits].parse().ok();
        let (Some((_, unit)), Some(count)) = (unit, count) else { return Err(format!("{text} is no duration")) };
        millis += count * unit;
        rest = &rest[end..];
    }
    if millis == 0 || millis % u64::from(factor) != 0 {
        return Err(format!("{text} by {factor} is no whole number of milliseconds"));
    }
    millis /= u64::from(factor);
    let largest = UNITS.iter().find(|(_, unit)| millis % unit == 0);
    largest.map(|(unit, of)| format!("{}{unit}", millis / of)).ok_or_else(|| "no unit".to_owned())
}

fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | ':' | '.')
}

/// A line of a query.
fn expression(line: &str, alert: &str, factor: u32, bounds: &[(&str, &str)]) -> Result<String, String> {
    let (mut out, mut rest) = (String::new(), line);
    while let Some(letter) = rest.chars().next() {
        let token = match letter {
            '"' => rest[1..].find('"').map_or(rest, |end| &rest[..end + 2]),
            letter if is_word(letter) => &rest[..rest.find(|letter| !is_word(letter)).unwrap_or(rest.len())],
            letter => &rest[..letter.len_utf8()],
        };
        if CLOCKS.contains(&token) && rest[token.len()..].trim_start().starts_with('(') {
            return Err(format!("{token} reads the clock"));
        }
        let is_bound = letter == '"' && (out.ends_with("le=") || out.ends_with("le=~"));
        if is_bound {
            out.push_str(&bound(token, bounds)?);
        } else if letter.is_ascii_digit() && token.parse::<f64>().is_err() {
            out.push_str(&duration(token, factor)?);
        } else if letter.is_ascii_digit() {
            out.push_str(&number(token, alert, factor)?);
        } else {
            out.push_str(told(token, alert)?);
        }
        rest = &rest[token.len()..];
    }
    Ok(out)
}

/// A word that is passed on: a figure in seconds needs its numbers named.
fn told<'a>(token: &'a str, alert: &str) -> Result<&'a str, String> {
    let is_named = NUMBERS.iter().any(|(of, ..)| *of == alert);
    if token.ends_with("_seconds_sum") || (token.ends_with("_seconds") && !is_named) {
        let known = alert == "ArgosRelaySweepNever";
        return if known { Ok(token) } else { Err(format!("{token} of {alert}: which of its numbers are seconds?")) };
    }
    Ok(token)
}

fn number(token: &str, alert: &str, factor: u32) -> Result<String, String> {
    let mut of_alert = NUMBERS.iter().filter(|(of, ..)| *of == alert).peekable();
    if of_alert.peek().is_none() {
        return Ok(token.to_owned());
    }
    match of_alert.find(|(_, text, _)| *text == token) {
        Some((.., false)) => Ok(token.to_owned()),
        Some((.., true)) => {
            let value: f64 = token.parse().map_err(|_| format!("{token} is no number"))?;
            Ok((value / f64::from(factor)).to_string())
        }
        None => Err(format!("{token} of {alert}: seconds or not?")),
    }
}

/// `"70|70\\.0"`: a bound in both ways to write it.
fn bound(token: &str, bounds: &[(&str, &str)]) -> Result<String, String> {
    let both = |bound: &str| format!("\"{bound}|{bound}\\\\.0\"");
    let other = bounds.iter().find(|(shipped, _)| both(shipped) == token);
    other.map(|(_, other)| both(other)).ok_or_else(|| format!("which bound instead of {token}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = r#"# Minutes: 5m.
groups:
  - name: a-5m
    interval: 30s
    rules:
      - record: late:ratio_1h
        expr: |
          # 3d
          1 - sum by (job) (rate(x_seconds_bucket{le=~"70|70\\.0"}[1h])) / y{of="5m"}

          * 14.4 * 0.01
      - alert: ArgosRelaySweepLate
        expr: min(a_age_seconds) > 2 * max(a_interval_seconds offset 6h) + 600
        for: 1h30m
        annotations: {summary: "no walk for 5m"}
"#;

    #[test]
    fn every_time_is_divided_and_nothing_else() {
        let by_sixty = scaled(RULES, 60, &[("70", "10")]).unwrap();
        let expected = RULES
            .replace("interval: 30s", "interval: 500ms")
            .replace(r"70|70\\.0", r"10|10\\.0")
            .replace("[1h]", "[1m]")
            .replace("offset 6h", "offset 6m")
            .replace("+ 600", "+ 10")
            .replace("for: 1h30m", "for: 90s");
        assert_eq!(by_sixty, expected);
        assert_eq!(scaled(RULES, 1, &[("70", "70")]).unwrap(), RULES.replace("1h30m", "90m"));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (line, why) in [
            ("limit: 5", "the key limit is not known"),
            ("expr: min_over_time(x[5m]) > 5 or time() - x > 5", "time reads the clock"),
            ("expr: x_age_seconds > 5", "which of its numbers are seconds"),
            ("expr: rate(x_seconds_sum[5m])", "which of its numbers are seconds"),
            (r#"expr: x_bucket{le="70"}"#, "which bound instead of"),
            (r#"expr: x_bucket{le=~"700|700\\.0"}"#, "which bound instead of"),
            ("for: 5min", "no duration"),
            ("for: 1ms", "no whole number of milliseconds"),
            ("expr: rate(x[5q])", "no duration"),
        ] {
            let told = scaled(line, 60, &[("70", "10")]).unwrap_err();
            assert!(told.len() == 1 && told[0].contains(why), "{line}: {told:?}");
        }
        let late = "- alert: ArgosRelaySweepLate\n  expr: x_age_seconds > 700\n";
        assert!(scaled(late, 60, &[]).unwrap_err()[0].contains("700 of ArgosRelaySweepLate"));
    }
}
