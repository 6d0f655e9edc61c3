//! Whether the time of a refusal tells how much of a path token was right. A report, not a gate: machines are noisy.
//!
//! Two kinds of wrong tokens, one that differs at its first character and one at its last, are presented in random
//! order. Of each kind the fastest half of the samples is kept (the rest was interrupted), and Welch's t compares the
//! means. An early exit after each byte would show as a t far beyond 4.5, the usual bar for a leak; so does the control,
//! which compares with `==` on a long text. A second pair compares the first token of a list with the last one.

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
    report("a wrong token: wrong at the first character, wrong at the last", |one| {
        ask(if one { &wrong_at_first } else { &wrong_at_last })
    });
    report("a right token: the first of the list, the last", |one| ask(if one { &first } else { &last }));
    let long = "a".repeat(4096);
    let (early, late) = (format!("x{}", &long[1..]), format!("{}x", &long[..4095]));
    report("control, early exit: `==` on 4 KiB", |one| black_box(&long) == black_box(if one { &early } else { &late }));
}

fn report(name: &str, ask: impl Fn(bool) -> bool) {
    let mut rng = fastrand::Rng::with_seed(7);
    let mut samples = [Vec::with_capacity(SAMPLES), Vec::with_capacity(SAMPLES)];
    for _ in 0..SAMPLES {
        let one = rng.bool();
        let began = Instant::now();
        for _ in 0..CALLS {
            black_box(ask(black_box(one)));
        }
        samples[usize::from(one)].push(began.elapsed().as_nanos() as f64 / CALLS as f64);
    }
    let [other, one] = samples.map(moments);
    let t = (one.0 - other.0) / (one.1 / one.2 + other.1 / other.2).sqrt();
    println!("{name}: {:.1} ns, {:.1} ns, t = {t:.1}", one.0, other.0);
}

/// Mean, variance and number of the faster half.
fn moments(mut samples: Vec<f64>) -> (f64, f64, f64) {
    samples.sort_by(f64::total_cmp);
    samples.truncate(samples.len() / 2);
    let count = samples.len() as f64;
    let mean = samples.iter().sum::<f64>() / count;
    let variance = samples.iter().map(|sample| (sample - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, variance, count)
}
