//! What is asked: a submission or a page of the list -> the URL of the GET.
//!
//! Owns the ARGOS protocol, section 4.1, and which parameters travel encrypted (section 3): `submission_id`,
//! `start_date` and `end_date`, as one JSON object in `data`. How the others travel then is not documented; they go
//! beside it, and without any of the three there is no `data`. Must not know HTTP. Pure.

use crate::cipher::{Cipher, Nonce};
use crate::client::{DateFormat, ListQuery};
use url::Url;

/// A cipher, and a nonce that is used for this query only.
pub(crate) type Seal<'a> = (&'a Cipher, Nonce);

/// The single GET.
pub(crate) fn single(base: &Url, submission_id: &str, seal: Option<Seal<'_>>) -> Url {
    let mut url = base.clone();
    append(&mut url, &[("submission_id", submission_id.to_owned())], seal);
    url
}

/// A page of the list.
pub(crate) fn list(base: &Url, query: &ListQuery, format: DateFormat, seal: Option<Seal<'_>>) -> Url {
    let mut url = base.clone();
    url.query_pairs_mut().append_pair("count", &query.count.to_string());
    let days = [("start_date", query.start_date), ("end_date", query.end_date)];
    let days: Vec<_> = days.into_iter().filter_map(|(name, date)| Some((name, day(date?, format)))).collect();
    append(&mut url, &days, seal);
    if let Some(cursor) = &query.cursor {
        let mut pairs = url.query_pairs_mut();
        pairs.append_pair("nextpage_id", &cursor.id).append_pair("nextpage_date", &cursor.created_at);
    }
    url
}

fn append(url: &mut Url, parameters: &[(&'static str, String)], seal: Option<Seal<'_>>) {
    if parameters.is_empty() {
        return;
    }
    let mut pairs = url.query_pairs_mut();
    match seal {
        Some((cipher, nonce)) => {
            let object: serde_json::Map<_, _> =
                parameters.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
            let object = serde_json::Value::Object(object).to_string();
            pairs.append_pair("data", &cipher.encrypt(object.as_bytes(), &nonce));
        }
        None => {
            pairs.extend_pairs(parameters);
        }
    }
}

fn day(date: jiff::civil::Date, format: DateFormat) -> String {
    match format {
        DateFormat::Dashed => format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day()),
        DateFormat::Compact => format!("{:04}{:02}{:02}", date.year(), date.month(), date.day()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cipher::{Derivation, Mode};
    use models::PageCursor as Cursor;

    fn base() -> Url {
        "http://127.0.0.1/v3/submission".parse().unwrap()
    }

    /// What is visible of the parameters, and what was sealed in `data`.
    fn parts(url: &Url, cipher: &Cipher) -> (Vec<(String, String)>, Option<String>) {
        let mut open: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let at = open.iter().position(|(name, _)| name == "data");
        let sealed = at.map(|at| String::from_utf8(cipher.decrypt(&open.remove(at).1).unwrap()).unwrap());
        (open, sealed)
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn id_and_days_travel_sealed_and_the_rest_beside_them() {
        for mode in [Mode::Ecb, Mode::Gcm] {
            let cipher = Cipher::new(mode, Derivation::Sha256, &["key".into()]).unwrap();
            let seal = Some((&cipher, [9; 12]));
            let url = single(&base(), "a \"b\"/é&c+", seal);
            assert_eq!(parts(&url, &cipher), (vec![], Some(r#"{"submission_id":"a \"b\"/é&c+"}"#.to_owned())));

            let mut query = ListQuery { count: 50, ..ListQuery::default() };
            assert_eq!(
                parts(&list(&base(), &query, DateFormat::Dashed, seal), &cipher),
                (vec![pair("count", "50")], None)
            );
            query.start_date = Some("2026-03-01".parse().unwrap());
            query.end_date = Some("2026-03-02".parse().unwrap());
            query.cursor = Some(Cursor { id: "x".to_owned(), created_at: "2026-03-02T05:27:56Z".to_owned() });
            let (open, sealed) = parts(&list(&base(), &query, DateFormat::Compact, seal), &cipher);
            let cursor = [pair("nextpage_id", "x"), pair("nextpage_date", "2026-03-02T05:27:56Z")];
            assert_eq!(open, [&[pair("count", "50")][..], &cursor].concat());
            let days: serde_json::Value = serde_json::from_str(&sealed.unwrap()).unwrap();
            assert_eq!(days, serde_json::json!({"start_date": "20260301", "end_date": "20260302"}));
        }
    }
}
