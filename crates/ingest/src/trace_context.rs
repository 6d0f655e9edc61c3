//! The W3C trace context that a caller may send along.
//!
//! Owns the rule which header counts. Must not know what traces are used for. Pure.

use axum::http::HeaderMap;
use models::TraceContext;

/// The header's value, if there is exactly one and it is well-formed. Anything else is left out: a trace is a help,
/// not a condition.
pub(crate) fn traceparent(headers: &HeaderMap) -> Option<TraceContext> {
    let mut values = headers.get_all("traceparent").iter();
    let value = values.next()?.to_str().ok()?;
    if values.next().is_some() { None } else { value.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_single_well_formed_value_is_taken_over() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        for (values, expected) in
            [(vec![good], Some(good)), (vec![], None), (vec![good, good], None), (vec![""], None), (vec!["00"], None)]
        {
            let mut headers = HeaderMap::new();
            for value in &values {
                headers.append("traceparent", value.parse().unwrap());
            }
            let found = traceparent(&headers).map(|context| context.to_string());
            assert_eq!(found.as_deref(), expected, "{values:?}");
        }
    }
}
