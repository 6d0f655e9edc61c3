//! What is asked: a submission or a page of the list -> the URL of the GET.
//!
//! Owns the ARGOS protocol, section 4.1, and which parameters travel encrypted (section 3): `submission_id`,
//! `email`, `start_date` and `end_date`, as one JSON object in `data`. How the others travel then is not documented; they
//! go beside it, and without any of the four there is no `data`. Must not know HTTP. Pure.

use crate::cipher::{Cipher, Nonce};
use crate::lookup::Person;
use crate::project::DateFormat;
use jiff::civil::Date;
use models::{PageCursor, Time};
use url::Url;

/// A cipher, and a nonce that is used for this query only.
pub(crate) type Seal<'a> = (&'a Cipher, Nonce);

/// What `request_type` asks for (section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The identity check and the id.
    Kyc,
    /// The screening and the id.
    Aml,
    /// The personal data and the id.
    Data,
    /// All but the three others.
    Others,
}

impl Part {
    const fn word(self) -> &'static str {
        match self {
            Part::Kyc => "kyc",
            Part::Aml => "aml",
            Part::Data => "data",
            Part::Others => "others",
        }
    }
}

/// What is asked of a list. `Debug` does not show whose.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// Rows per page. Always sent: the default is contradictory (section 4.1), and 50 is safe.
    pub count: u32,
    /// Created on this day or later.
    pub start_date: Option<Date>,
    /// Created on this day or earlier. Whether the day itself is included is not documented.
    pub end_date: Option<Date>,
    /// Of this person only. Whether that goes together with days is not documented.
    pub person: Option<Person>,
    /// This part of each row only; `None` = all that a row shows.
    pub part: Option<Part>,
    /// Where to go on.
    pub cursor: Option<PageCursor>,
}

/// The single GET, of the whole or of a part.
pub(crate) fn single(base: &Url, submission_id: &str, part: Option<Part>, seal: Option<Seal<'_>>) -> Url {
    let mut url = base.clone();
    append_part(&mut url, part);
    append(&mut url, &[("submission_id", submission_id.to_owned())], seal);
    url
}

/// A page of the list.
pub(crate) fn list(base: &Url, query: &ListQuery, format: DateFormat, seal: Option<Seal<'_>>) -> Url {
    let mut url = base.clone();
    url.query_pairs_mut().append_pair("count", &query.count.to_string());
    append_part(&mut url, query.part);
    let days = [("start_date", query.start_date), ("end_date", query.end_date)];
    let mut sealed: Vec<_> = days.into_iter().filter_map(|(name, date)| Some((name, day(date?, format)))).collect();
    match &query.person {
        Some(person @ Person::Email(_)) => sealed.push((person.parameter(), person.value().to_owned())),
        // The user id is not among those that ARGOS can read sealed.
        Some(person @ Person::User(_)) => {
            url.query_pairs_mut().append_pair(person.parameter(), person.value());
        }
        None => {}
    }
    append(&mut url, &sealed, seal);
    if let Some(cursor) = &query.cursor {
        let mut pairs = url.query_pairs_mut();
        pairs.append_pair("nextpage_id", &cursor.id).append_pair("nextpage_date", &cursor.created_at);
    }
    url
}

fn append_part(url: &mut Url, part: Option<Part>) {
    if let Some(part) = part {
        url.query_pairs_mut().append_pair("request_type", part.word());
    }
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

/// The day of a time in UTC; `None` beyond the calendar.
pub(crate) fn utc_day(time: Time) -> Option<Date> {
    let stamp = jiff::Timestamp::from_millisecond(time.as_millis()).ok()?;
    Some(jiff::tz::Offset::UTC.to_datetime(stamp).date())
}

fn day(date: Date, format: DateFormat) -> String {
    match format {
        DateFormat::Dashed => format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day()),
        DateFormat::Compact => format!("{:04}{:02}{:02}", date.year(), date.month(), date.day()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cipher::{Derivation, Mode};

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
    fn every_part_has_its_word_and_an_open_query_its_names() {
        for (part, word) in [(Part::Kyc, "kyc"), (Part::Aml, "aml"), (Part::Data, "data"), (Part::Others, "others")] {
            let url = single(&base(), "x", Some(part), None);
            assert_eq!(url.query(), Some(format!("request_type={word}&submission_id=x").as_str()));
        }
        let person = Some(Person::Email("a+b@example.com".into()));
        let query = ListQuery { count: 7, person, ..ListQuery::default() };
        let url = list(&base(), &query, DateFormat::Dashed, None);
        assert_eq!(url.query(), Some("count=7&email=a%2Bb%40example.com"));
    }

    #[test]
    fn id_and_days_travel_sealed_and_the_rest_beside_them() {
        for mode in [Mode::Ecb, Mode::Gcm] {
            let cipher = Cipher::new(mode, Derivation::Sha256, &["key".into()]).unwrap();
            let seal = Some((&cipher, [9; 12]));
            let url = single(&base(), "a \"b\"/é&c+", None, seal);
            assert_eq!(parts(&url, &cipher), (vec![], Some(r#"{"submission_id":"a \"b\"/é&c+"}"#.to_owned())));

            let mut query = ListQuery { count: 50, ..ListQuery::default() };
            assert_eq!(
                parts(&list(&base(), &query, DateFormat::Dashed, seal), &cipher),
                (vec![pair("count", "50")], None)
            );
            query.start_date = Some("2026-03-01".parse().unwrap());
            query.end_date = Some("2026-03-02".parse().unwrap());
            query.cursor = Some(PageCursor { id: "x".to_owned(), created_at: "2026-03-02T05:27:56Z".to_owned() });
            let (open, sealed) = parts(&list(&base(), &query, DateFormat::Compact, seal), &cipher);
            let cursor = [pair("nextpage_id", "x"), pair("nextpage_date", "2026-03-02T05:27:56Z")];
            assert_eq!(open, [&[pair("count", "50")][..], &cursor].concat());
            let days: serde_json::Value = serde_json::from_str(&sealed.unwrap()).unwrap();
            assert_eq!(days, serde_json::json!({"start_date": "20260301", "end_date": "20260302"}));

            let mut query = ListQuery { count: 50, part: Some(Part::Kyc), ..ListQuery::default() };
            query.person = Some(Person::Email("minji.kim@example.com".into()));
            let url = list(&base(), &query, DateFormat::Dashed, seal);
            let kyc = pair("request_type", "kyc");
            let sealed = r#"{"email":"minji.kim@example.com"}"#.to_owned();
            assert_eq!(parts(&url, &cipher), (vec![pair("count", "50"), kyc.clone()], Some(sealed)));
            assert!(!url.as_str().contains("minji") && !format!("{query:?}").contains("minji"));
            query.person = Some(Person::User("u-1001".into()));
            let url = list(&base(), &query, DateFormat::Dashed, seal);
            assert_eq!(parts(&url, &cipher), (vec![pair("count", "50"), kyc, pair("userid", "u-1001")], None));
        }
    }
}
