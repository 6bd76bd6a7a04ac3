//! What a side measures of itself.

use std::{
    env, fs,
    thread::available_parallelism,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::Result;

/// The variable that says how many threads a side may use.
pub(super) const THREADS: &str = "KINDLING_BENCH_THREADS";

/// The variable that says when a side was started, in seconds.
pub(super) const STARTED: &str = "KINDLING_BENCH_STARTED";

/// How many threads each side may use.
#[must_use]
pub fn threads() -> usize {
    available_parallelism().map_or(1, usize::from)
}

/// The median milliseconds of some repetitions, after some that warm up.
pub fn median(
    repeats: usize,
    warm_ups: usize,
    mut work: impl FnMut() -> Result<()>,
) -> Result<f64> {
    for _ in 0..warm_ups {
        work()?;
    }
    let mut times = Vec::with_capacity(repeats);
    for _ in 0..repeats {
        let begin = Instant::now();
        work()?;
        times.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok(times.get(times.len() / 2).copied().unwrap_or(f64::NAN))
}

/// The seconds since this process was started as a side of a benchmark.
#[must_use]
pub fn since_start() -> Option<f64> {
    let started = env::var(STARTED).ok()?.parse::<f64>().ok()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    Some(now.as_secs_f64() - started)
}

/// The most memory that this process has held, in MB, where the system says so.
#[must_use]
pub fn peak_memory() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix("VmHWM:"))?;
    let number = line.trim().trim_end_matches(" kB").trim();
    Some(number.parse::<f64>().ok()? / 1024.0)
}
