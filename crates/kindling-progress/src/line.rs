//! The words of the progress line.

use std::{fmt::Write, time::Duration};

const WIDTH: u64 = 24;

/// For example `training ━━━━━━────── 37 % · 172 of 469 steps · 12 s left · loss 0.231`.
pub(crate) fn text(
    what: &str,
    unit: &str,
    done: u64,
    total: u64,
    elapsed: Duration,
    message: &str,
) -> String {
    let mut line = what.to_owned();
    if total == 0 {
        let _ = write!(line, " · {}", amount(done, unit));
    } else {
        let done = done.min(total);
        let filled = share(done, total, WIDTH);
        let _ = write!(
            line,
            " {}{}",
            "━".repeat(filled),
            "─".repeat(WIDTH as usize - filled)
        );
        let _ = write!(
            line,
            " {} % · {} of {}",
            share(done, total, 100),
            number(done, unit),
            amount(total, unit)
        );
        if let Some(left) = left(done, total, elapsed) {
            let _ = write!(line, " · {left} left");
        }
    }
    if !message.is_empty() {
        let _ = write!(line, " · {message}");
    }
    line
}

/// `parts · done / total`, without overflow.
fn share(done: u64, total: u64, parts: u64) -> usize {
    (u128::from(done) * u128::from(parts) / u128::from(total)) as usize
}

fn amount(count: u64, unit: &str) -> String {
    if unit == "bytes" {
        bytes(count)
    } else {
        format!("{count} {unit}")
    }
}

fn number(count: u64, unit: &str) -> String {
    if unit == "bytes" {
        bytes(count)
    } else {
        count.to_string()
    }
}

fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} bytes"),
        1_000..1_000_000 => format!("{:.1} kB", count as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", count as f64 / 1e6),
        _ => format!("{:.1} GB", count as f64 / 1e9),
    }
}

/// The time that the rest takes at the speed so far; nothing in the first second, when it would only be a guess.
fn left(done: u64, total: u64, elapsed: Duration) -> Option<String> {
    if done == 0 || done == total || elapsed < Duration::from_secs(1) {
        return None;
    }
    let seconds = (elapsed.as_secs_f64() * (total - done) as f64 / done as f64).ceil();
    Some(if seconds < 120.0 {
        format!("{seconds:.0} s")
    } else {
        format!("{:.0} min", seconds / 60.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_bar_numbers_time_and_message() {
        let line = text(
            "training",
            "steps",
            100,
            400,
            Duration::from_secs(5),
            "loss 0.5",
        );
        assert_eq!(
            line,
            "training ━━━━━━────────────────── 25 % · 100 of 400 steps · 15 s left · loss 0.5"
        );
    }

    #[test]
    fn bytes_are_shown_in_decimal_units() {
        let line = text("download", "bytes", 1_500, 9_600_000, Duration::ZERO, "");
        assert!(line.ends_with("0 % · 1.5 kB of 9.6 MB"), "{line}");
    }

    #[test]
    fn an_unknown_total_has_no_bar() {
        assert_eq!(
            text("reading", "lines", 12, 0, Duration::ZERO, ""),
            "reading · 12 lines"
        );
    }

    #[test]
    fn more_than_everything_is_everything() {
        let line = text("x", "steps", 9, 4, Duration::from_secs(9), "");
        assert!(line.ends_with("100 % · 4 of 4 steps"), "{line}");
        assert!(
            text("x", "steps", u64::MAX, u64::MAX, Duration::from_secs(9), "").contains("100 %")
        );
    }
}
