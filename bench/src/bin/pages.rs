//! The bare sweep: downloads every page of the list, hands out every token of it, and keeps nothing. `pages BASE_URL
//! API_KEY PAGE_SIZE`
#![expect(clippy::expect_used, reason = "a benchmark fails by panicking")]

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;

#[derive(Deserialize)]
struct Page {
    #[serde(rename = "Items")]
    items: Vec<Tokens>,
    #[serde(rename = "nextpageKey")]
    next: Option<Cursor>,
}

#[derive(Deserialize)]
struct Cursor {
    id: String,
    created_at: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut argument = || arguments.next().expect("BASE_URL API_KEY PAGE_SIZE");
    let (base, api_key, size) = (argument(), argument(), argument());
    let client = bench::process::client();
    let (mut rows, mut tokens) = (0, 0);
    let mut next: Option<Cursor> = None;
    loop {
        let mut url = format!("{base}/submission?count={size}");
        if let Some(Cursor { id, created_at }) = &next {
            url = format!("{url}&nextpage_id={id}&nextpage_date={created_at}");
        }
        let answer = client.get(url).header("x-api-key", &api_key).send().await.expect("an answer");
        let page: Page = serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("a page");
        rows += page.items.len();
        tokens += page.items.iter().map(|row| row.0).sum::<u64>();
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    assert!(std::hint::black_box(tokens) > 0, "nothing was read");
    println!("done {rows}");
    bench::process::until_input_ends();
}

/// How many tokens a value has; nothing is kept of them.
struct Tokens(u64);

impl<'de> Deserialize<'de> for Tokens {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Tokens, D::Error> {
        input.deserialize_any(Tokens(1))
    }
}

impl<'de> Visitor<'de> for Tokens {
    type Value = Tokens;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("anything")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Tokens, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Tokens, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Tokens, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Tokens, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Tokens, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Tokens, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Tokens, A::Error> {
        while let Some(Tokens(count)) = list.next_element()? {
            self.0 += count;
        }
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Tokens, A::Error> {
        while let Some((Tokens(name), Tokens(value))) = map.next_entry()? {
            self.0 += name + value;
        }
        Ok(self)
    }
}
