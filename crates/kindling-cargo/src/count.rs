//! What the lines that cargo writes tell about how far it is.

/// What cargo is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Phase {
    /// It reads which versions of which crates there are, or waits for another cargo.
    #[default]
    Reading,
    /// It fetches crates.
    Fetching,
    /// It compiles.
    Compiling,
}

/// How far cargo is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Count {
    /// What it is doing.
    pub phase: Phase,
    /// Steps of this phase that are done.
    pub done: u64,
    /// Steps of this phase; 0 while nobody knows.
    pub total: u64,
    fetched: u64,
    most: u64,
    compiled: u64,
    expected: u64,
    exact: bool,
}

/// What cargo says before it does something. Other lines are warnings and errors.
const VERBS: [&str; 18] = [
    "Adding",
    "Blocking",
    "Building",
    "Checking",
    "Compiling",
    "Downloaded",
    "Downloading",
    "Finished",
    "Fresh",
    "Ignored",
    "Installed",
    "Installing",
    "Locking",
    "Replaced",
    "Replacing",
    "Running",
    "Unpacking",
    "Updating",
];

impl Count {
    /// Nothing is done; `expected` steps are compiled where cargo itself does not say how many, 0 for nobody knows.
    #[must_use]
    pub fn new(expected: u64) -> Self {
        Self {
            expected,
            ..Self::default()
        }
    }

    /// Takes one line of cargo's; false when it is not about progress.
    pub fn read(&mut self, line: &str) -> bool {
        let line = without_colour(line);
        if line.starts_with('{') {
            // With `--message-format=json`; the count of what was compiled where there is no bar.
            if line.contains("\"reason\":\"compiler-artifact\"") {
                self.compiled(self.compiled + 1);
            }
            return true;
        }
        let words = line.trim();
        let Some((verb, rest)) = words.split_once(' ') else {
            return words.is_empty();
        };
        // Cargo ends each verb at the same column: what a compiler writes looks different.
        if !VERBS.contains(&verb) || line.find(verb).map(|at| at + verb.len()) != Some(12) {
            return false;
        }
        match verb {
            "Downloading" => {
                if let Some(waiting) = rest.split(' ').next().and_then(|word| word.parse().ok()) {
                    self.fetching(waiting);
                }
            }
            // The sum at the end has a number where the others have a name.
            "Downloaded" if !rest.starts_with(|first: char| first.is_ascii_digit()) => {
                self.fetched += 1;
                self.fetching(0);
            }
            "Building" => {
                if let Some((done, total)) = bar(rest) {
                    self.exact = true;
                    (self.phase, self.done, self.total) = (Phase::Compiling, done, total);
                }
            }
            "Compiling" => self.compiled(self.compiled + 1),
            _ => {}
        }
        true
    }

    /// The part of the phase that is done, 0 to 1; 0 while nobody knows.
    #[must_use]
    pub fn share(&self) -> f64 {
        if self.total == 0 {
            0.0
        } else {
            self.done.min(self.total) as f64 / self.total as f64
        }
    }

    fn fetching(&mut self, waiting: u64) {
        // While cargo lists what it asks for, their number grows.
        self.most = self.most.max(self.fetched + waiting);
        if self.phase < Phase::Compiling {
            (self.phase, self.done, self.total) = (Phase::Fetching, self.fetched, self.most);
        }
    }

    fn compiled(&mut self, compiled: u64) {
        self.compiled = compiled;
        if !self.exact {
            let done = match self.expected {
                0 => compiled,
                expected => compiled.min(expected),
            };
            (self.phase, self.done, self.total) = (Phase::Compiling, done, self.expected);
        }
    }
}

/// The numbers of `[===>   ] 12/290: serde`.
fn bar(rest: &str) -> Option<(u64, u64)> {
    let (_, after) = rest.split_once("] ")?;
    let (done, rest) = after.split_once('/')?;
    let total = rest.split([':', ' ']).next()?;
    Some((done.trim().parse().ok()?, total.parse().ok()?))
}

/// The line without the orders that colour it.
fn without_colour(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, order)) = rest.split_once("\u{1b}[") {
        text.push_str(before);
        rest = order
            .find(|end: char| end.is_ascii_alphabetic())
            .map_or("", |end| &order[end + 1..]);
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What cargo 1.95 wrote into a pipe with `CARGO_TERM_PROGRESS_WHEN=always` and `CARGO_TERM_PROGRESS_WIDTH=80`.
    const RECORDED: &str = "    Updating crates.io index\n     Locking 6 packages to latest Rust 1.95.0 compatible versions\n \
Downloading 1 crate                                                          \r \
Downloading 6 crates                                                         \r  \
Downloaded fnv v1.0.7\n \
Downloading 5 crates                                                         \r  \
Downloaded adler2 v2.0.1\n \
Downloading 4 crates, remaining bytes: 96.6KiB                               \r  \
Downloaded 6 crates (173.8KiB) in 0.18s\n   Compiling zmij v1.0.23\n    \
Building [                             ] 0/9: zmij(build.rs)              \r   Compiling memchr v2.8.3\n    \
Building [==>                          ] 1/9: zmij(build), memchr         \r    \
Building [========================>    ] 8/9: p(bin)                      \r    \
Finished `dev` profile [unoptimized + debuginfo] target(s) in 11.84s\n";

    fn read(text: &str, expected: u64) -> Vec<(Phase, u64, u64)> {
        let mut count = Count::new(expected);
        let mut seen = Vec::new();
        for line in text.split(['\r', '\n']) {
            assert!(count.read(line), "{line:?}");
            let now = (count.phase, count.done, count.total);
            if seen.last() != Some(&now) {
                seen.push(now);
            }
        }
        seen
    }

    #[test]
    fn the_counts_are_cargos_own() {
        use Phase::{Compiling, Fetching, Reading};
        let expected = [
            (Reading, 0, 0),
            (Fetching, 0, 1),
            (Fetching, 0, 6),
            (Fetching, 1, 6),
            (Fetching, 2, 6),
            (Compiling, 1, 0),
            (Compiling, 0, 9),
            (Compiling, 1, 9),
            (Compiling, 8, 9),
        ];
        assert_eq!(read(RECORDED, 0), expected);
    }

    #[test]
    fn without_a_bar_the_crates_are_counted() {
        let text = "   Compiling a v1.0.0\n   Compiling b v1.0.0\n   Compiling c v1.0.0\n";
        assert_eq!(read(text, 2).last(), Some(&(Phase::Compiling, 2, 2)));
        let json = "{\"reason\":\"compiler-artifact\"}\n{\"reason\":\"build-script-executed\"}\n";
        assert_eq!(read(json, 9).last(), Some(&(Phase::Compiling, 1, 9)));
    }

    #[test]
    fn colours_are_passed_over() {
        let mut count = Count::default();
        assert!(count.read("\u{1b}[1m\u{1b}[92m    Building\u{1b}[0m [=> ] 3/12: x"));
        assert_eq!((count.done, count.total), (3, 12));
    }

    #[test]
    fn warnings_and_errors_are_words() {
        let mut count = Count::default();
        for line in [
            "error: failed to download `serde v1.0.0`",
            "Building a house",
            "  --> src/main.rs:1:1",
        ] {
            assert!(!count.read(line), "{line}");
        }
        assert_eq!(count, Count::default());
    }
}
