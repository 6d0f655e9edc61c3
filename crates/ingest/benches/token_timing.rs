//! Whether the time of a refusal tells how much of a path token was right. A report, not a gate: machines are noisy.
//!
//! Two kinds of wrong tokens, one that differs at its first character and one at its last, are presented in random
//! order. Of each kind the slowest tenth of the samples is left out (it was interrupted), and Welch's t compares the means:
//! beyond 4.5, the usual bar, a difference is no chance, but it may still be the machine's and not the code's, so look at
//! the nanoseconds too. The control is an early exit: `==` on a long text. A second pair compares the first token of a list
//! with the last one.

use ingest::{Methods, PathTokens, ProjectDoor};
use models::{ProjectId, Time};
use std::hint::black_box;
use std::time::Instant;

const SAMPLES: usize = 200_000;
/// Calls in one sample, so that the clock's own grain does not matter.
const CALLS: usize = 16;

fn main() {
    let first = "a".repeat(64);
    let last = "z".repeat(64);
    let tokens = PathTokens::new(&[first.as_str().into(), "middle-0001".into(), last.as_str().into()]).ok();
    let Some(tokens) = tokens else { return };
    let methods = Methods { path_tokens: Some(tokens), ..Methods::default() };
    let door = ProjectId::new("acme").ok().and_then(|id| ProjectDoor::new(id, methods).ok());
    let Some(door) = door else { return };
    let headers = axum::http::HeaderMap::new();
    let ask = |token: &str| {
        let caller = ingest::authenticate::Caller {
            token: Some(token),
            address: None,
            headers: &headers,
            now: Time::from_millis(0),
        };
        door.authenticate(caller).is_ok()
    };
    let wrong_at_first = format!("x{}", &first[1..]);
    let wrong_at_last = format!("{}x", &first[..63]);
    report("a wrong token: wrong at the first character, wrong at the last", [&wrong_at_first, &wrong_at_last], ask);
    report("a right token: the first of the list, the last", [&first, &last], ask);
    let long = "a".repeat(4096);
    let wrong = [format!("x{}", &long[1..]), format!("{}x", &long[..4095])];
    report("control, an early exit: `==` on 4 KiB", [&wrong[0], &wrong[1]], |text| black_box(text) == long);
}

fn report(name: &str, texts: [&str; 2], ask: impl Fn(&str) -> bool) {
    let mut rng = fastrand::Rng::with_seed(7);
    let mut samples = [Vec::with_capacity(SAMPLES), Vec::with_capacity(SAMPLES)];
    // Both kinds are presented from the same place in memory, along the same path.
    let mut presented = String::with_capacity(8192);
    for _ in 0..SAMPLES {
        let kind = usize::from(rng.bool());
        presented.clear();
        presented.push_str(texts[kind]);
        let began = Instant::now();
        for _ in 0..CALLS {
            black_box(ask(black_box(&presented)));
        }
        samples[kind].push(began.elapsed().as_nanos() as f64 / CALLS as f64);
    }
    let [one, other] = samples.map(moments);
    let t = (one.0 - other.0) / (one.1 / one.2 + other.1 / other.2).sqrt();
    println!("{name}: {:.2} ns, {:.2} ns, t = {t:.1}", one.0, other.0);
}

/// Mean, variance and number of all but the slowest tenth.
fn moments(mut samples: Vec<f64>) -> (f64, f64, f64) {
    samples.sort_by(f64::total_cmp);
    samples.truncate(samples.len() * 9 / 10);
    let count = samples.len() as f64;
    let mean = samples.iter().sum::<f64>() / count;
    let variance = samples.iter().map(|sample| (sample - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, variance, count)
}
