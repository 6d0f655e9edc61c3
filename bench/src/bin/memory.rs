//! How much memory a submission takes in a running state: `memory COUNT`. Prints bytes beyond the key.

fn main() {
    let count: usize = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(1_000_000);
    let partitions = 12;
    drop(bench::cases::filled(1, 1));
    let before = resident();
    let state = bench::cases::filled(partitions, count);
    let after = resident();
    let key = "acme/".len() + bench::bodies::id(0).len();
    let each = (after.saturating_sub(before)) as f64 / count as f64;
    println!("{count} submissions: {each:.0} bytes each, {:.0} beyond the key", each - key as f64);
    drop(state);
}

/// Bytes in memory.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<usize>().ok());
    kilobytes.unwrap_or_default() * 1024
}
