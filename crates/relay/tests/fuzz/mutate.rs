//! Mutants of the seeds: what a careless, broken or hostile sender makes of them.
//!
//! Owns the ways to spoil bytes. Must not know what the bytes mean. Everything is drawn from the given generator, so
//! that one number names one mutant.

use fastrand::Rng;

/// What breaks parsers: numbers at the edges, letters that are none, brackets that do not match.
const TOKENS: [&[u8]; 40] = [
    b"null",
    b"true",
    b"{}",
    b"[]",
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"\\",
    b",",
    b":",
    b"\"\"",
    b"\\u0000",
    b"\\ud800",
    b"\\udc00\\ud800",
    b"\xEF\xBB\xBF",
    b"\xC0\x80",
    b"\xED\xA0\x80",
    b"\xF4\x90\x80\x80",
    b"\xFF",
    b"\0",
    b"\r\n",
    b"\n",
    "\u{202e}".as_bytes(),
    "\u{1f9d1}\u{200d}\u{1f4bb}".as_bytes(),
    "ﾊﾝｸﾞﾙ 한글".as_bytes(),
    b"e\xCC\x81",
    b"\xE2\x80\xA8",
    b"%00",
    b"\"submission_id\":",
    b"\"data\":\"AAAA\"",
    b"\"webhook_trigger\":",
    b"for=",
    b"[::1]:443",
    b"::ffff:10.0.0.1",
    b", 10.0.0.1",
    b"t=1772429276,v1=00",
    b"[[projects]]\n",
    b"\"Items\":[",
];

const NUMBERS: [&[u8]; 14] = [
    b"0",
    b"-0",
    b"-1",
    b"00",
    b"1e999",
    b"-1e-999",
    b"4294967296",
    b"9223372036854775807",
    b"9223372036854775808",
    b"18446744073709551616",
    b"-9223372036854775809",
    b"0.1",
    b"NaN",
    b"340282366920938463463374607431768211456",
];

/// No mutant is longer, but for the deeply nested ones.
const LONGEST: usize = 16 * 1024;
/// Deeper than any stack that recurses without a bound.
const DEEPEST: usize = 60_000;

/// One mutant: most often of a seed, seldom made of nothing.
pub(crate) fn mutant(seeds: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = match rng.u8(..) {
        0..4 => (0..rng.usize(..64)).map(|_| rng.u8(..)).collect(),
        _ => seeds[rng.usize(..seeds.len())].clone(),
    };
    // One spoiled place mostly, so that what stands behind it is reached; sometimes many.
    let places = if rng.u8(..4) > 0 { 1 } else { rng.usize(2..10) };
    for _ in 0..places {
        spoil(&mut bytes, seeds, rng);
        bytes.truncate(LONGEST);
    }
    if rng.u16(..) < 16 { nested(&bytes, rng) } else { bytes }
}

fn spoil(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], rng: &mut Rng) {
    let range = range(bytes.len(), rng);
    match rng.u8(..12) {
        0 => flip(bytes, rng),
        1 if rng.bool() => bytes.truncate(range.start),
        2 => drop(bytes.splice(range, some_of(&seeds[rng.usize(..seeds.len())], rng))),
        3 => {
            let copy = bytes[range.clone()].to_vec();
            bytes.splice(range.start..range.start, copy);
        }
        4 => drop(bytes.drain(range)),
        5 => drop(bytes.splice(range.start..range.start, TOKENS[rng.usize(..TOKENS.len())].iter().copied())),
        6 => drop(bytes.splice(range, TOKENS[rng.usize(..TOKENS.len())].iter().copied())),
        1 | 7 | 8 => number(bytes, rng),
        9 => letter(bytes, rng),
        10 => {
            let noise: Vec<u8> = (0..range.len().min(16)).map(|_| rng.u8(..)).collect();
            bytes.splice(range, noise);
        }
        _ => {
            let times = rng.usize(2..64);
            let copy = some_of(bytes, rng).repeat(times);
            bytes.splice(range.start..range.start, copy);
        }
    }
}

/// A part of the bytes, mostly a short one.
fn range(length: usize, rng: &mut Rng) -> std::ops::Range<usize> {
    let start = rng.usize(..=length);
    let most = if rng.u8(..4) > 0 { 8 } else { length };
    start..start + rng.usize(..=most.min(length - start))
}

fn some_of(bytes: &[u8], rng: &mut Rng) -> Vec<u8> {
    bytes[range(bytes.len(), rng)].to_vec()
}

fn flip(bytes: &mut [u8], rng: &mut Rng) {
    for _ in 0..rng.usize(1..4) {
        if let Some(at) = rng.choice(0..bytes.len()) {
            bytes[at] ^= 1 << rng.u8(..8);
        }
    }
}

/// Another number in the place of one.
fn number(bytes: &mut Vec<u8>, rng: &mut Rng) {
    let from = rng.usize(..=bytes.len());
    let Some(start) = bytes[from..].iter().position(u8::is_ascii_digit).map(|found| from + found) else { return };
    let length = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    bytes.splice(start..start + length, NUMBERS[rng.usize(..NUMBERS.len())].iter().copied());
}

/// Another letter in the place of one: the other case, or any of Unicode's.
fn letter(bytes: &mut Vec<u8>, rng: &mut Rng) {
    let Some(at) = rng.choice(0..bytes.len()) else { return };
    if rng.bool() {
        bytes[at] ^= 0x20;
    } else {
        let mut buffer = [0; 4];
        let letter = rng.char(..).encode_utf8(&mut buffer).as_bytes().to_vec();
        bytes.splice(at..=at, letter);
    }
}

/// The bytes within, or in front of, many brackets.
fn nested(bytes: &[u8], rng: &mut Rng) -> Vec<u8> {
    let shapes: [(&[u8], &[u8]); 4] = [(b"[", b"]"), (b"{\"data\":", b"}"), (b"{\"Items\":[", b"]}"), (b"a=[", b"]")];
    let (open, close) = shapes[rng.usize(..shapes.len())];
    let depth = rng.usize(1..DEEPEST);
    let closed = if rng.bool() { depth } else { rng.usize(..depth) };
    // Also as the value of a member: an outer object that is in order, and an inner one that is not.
    let (before, after): (&[u8], &[u8]) =
        if rng.bool() { (b"{\"submission_id\":\"k3f9x1mes3ugzb\",\"kyc_result\":", b"}") } else { (b"", b"") };
    [before, &open.repeat(depth), bytes, &close.repeat(closed), after].concat()
}
