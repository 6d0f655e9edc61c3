//! The W3C trace context that a caller may send along.
//!
//! Owns the check of `traceparent` (version 00). Must not know what traces are used for. Pure.

use axum::http::HeaderMap;

/// The header's value, if there is exactly one and it is well-formed. Anything else is left out: a trace is a help,
/// not a condition.
pub(crate) fn traceparent(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all("traceparent").iter();
    let value = values.next()?.to_str().ok()?;
    (values.next().is_none() && is_well_formed(value)).then(|| value.to_owned())
}

/// `00-<32 hex>-<16 hex>-<2 hex>`, lower case, neither id all zeros.
fn is_well_formed(value: &str) -> bool {
    let is_hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_id = |text: &str, length| is_hex(text, length) && text.bytes().any(|byte| byte != b'0');
    let parts: Vec<&str> = value.split('-').collect();
    matches!(parts[..], ["00", trace, span, flags] if is_id(trace, 32) && is_id(span, 16) && is_hex(flags, 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_single_well_formed_value_is_taken_over() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let cases = [
            (vec![good], Some(good)),
            (vec![], None),
            (vec![good, good], None),
            (vec!["01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"], None),
            (vec!["00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"], None),
            (vec!["00-00000000000000000000000000000000-00f067aa0ba902b7-01"], None),
            (vec!["00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"], None),
            (vec!["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x"], None),
            (vec!["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"], None),
            (vec![""], None),
        ];
        for (values, expected) in cases {
            let mut headers = HeaderMap::new();
            for value in &values {
                headers.append("traceparent", value.parse().unwrap());
            }
            assert_eq!(traceparent(&headers).as_deref(), expected, "{values:?}");
        }
    }
}
