//! Benchmarks: several sides do the same work, each in a process of its own, in turns; medians over the rounds are compared.
//!
//! Some sides are part of the program itself, the others are peers in Python. A peer that is not installed is named and left out.

mod clock;
mod measured;
mod report;

use std::{
    ffi::OsString,
    io::Write,
    path::Path,
    process::{Command, Stdio},
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

pub use clock::{median, peak_memory, since_start, threads};
pub use measured::Measured;
pub use report::show;

use crate::output;

/// What all peers begin with.
const PRELUDE: &str = include_str!("prelude.py");

/// What limits those that can be told to the instructions of a processor with AVX2: our loops, PyTorch, oneDNN, MKL and OpenBLAS.
const ONLY_AVX2: [(&str, &str); 5] = [
    ("KINDLING_SIMD", "avx2"),
    ("ATEN_CPU_CAPABILITY", "avx2"),
    ("ONEDNN_MAX_CPU_ISA", "AVX2"),
    ("MKL_ENABLE_INSTRUCTIONS", "AVX2"),
    ("OPENBLAS_CORETYPE", "Haswell"),
];

/// The options of every benchmark.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(skip)]
pub struct Options {
    /// Print one JSON object instead of a table
    #[arg(long)]
    pub json: bool,

    /// How often each side gets its turn
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,

    /// Only the vectors of processors with AVX2, for our loops and for peers that can be told (ONNX Runtime and Candle's own products cannot)
    #[arg(long)]
    pub avx2: bool,

    /// One side only, in this process
    #[arg(long, hide = true)]
    pub side: Option<String>,
}

/// Who is compared, and what each is told.
#[derive(Debug)]
pub struct Bench<'a> {
    /// The command of this program that runs one of its own sides, such as `bench-train`.
    pub command: &'static str,
    /// The sides that this program has; the first is what the others are compared with.
    pub own: &'static [&'static str],
    /// What each of them is told besides `--side`.
    pub own_arguments: Vec<OsString>,
    /// The sides that the script has.
    pub peers: &'static [&'static str],
    /// What each of them is told after its name.
    pub peer_arguments: Vec<OsString>,
    /// The peers, in Python.
    pub script: &'a str,
    /// Which Python.
    pub python: &'a Path,
}

impl Bench<'_> {
    /// Gives each side its turn in each round. Fails when a side of this program does, or a peer that has worked before.
    pub fn measure(&self, options: &Options) -> Result<Measured> {
        let mut measured = Measured::of(self.own.iter().chain(self.peers).copied());
        for round in 1..=options.rounds {
            for (side, turns) in &mut measured.sides {
                match self.turn(side, options.avx2) {
                    Ok(turn) => turns.push(turn),
                    Err(why) if round == 1 && !self.own.contains(side) => {
                        output::note(&format!("skipped: {side}: {why:#}"));
                    }
                    Err(_) if turns.is_empty() => {} // said in the first round
                    Err(why) => return Err(why.context(format!("{side}, round {round}"))),
                }
            }
        }
        Ok(measured)
    }

    /// One turn of one side, in a process of its own.
    fn turn(&self, side: &str, only_avx2: bool) -> Result<Value> {
        let mut script = String::new();
        let mut command = if self.own.contains(&side) {
            let mut command = Command::new(std::env::current_exe()?);
            command.args([self.command, "--side", side]);
            command.args(&self.own_arguments);
            command
        } else {
            script = [PRELUDE, self.script].join("\n");
            let mut command = Command::new(self.python);
            command.args(["-", side]).args(&self.peer_arguments);
            command
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
        if only_avx2 {
            command.envs(ONLY_AVX2);
        }
        command
            .env(clock::THREADS, threads().to_string())
            .env(clock::STARTED, now.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        if let Some(mut input) = child.stdin.take() {
            // A program that does not read its input has nothing to be told.
            let _ = input.write_all(script.as_bytes());
        }
        let output = child.wait_with_output()?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            let last = text.lines().last();
            bail!("{}", last.unwrap_or("it failed without a word").to_owned());
        }
        let text = String::from_utf8_lossy(&output.stdout);
        serde_json::from_str(text.lines().last().unwrap_or_default())
            .context("expected a JSON line")
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn rounds(rounds: u32) -> Options {
        Options {
            rounds,
            ..Options::default()
        }
    }

    /// Peers of a program that stands in for Python.
    fn bench(python: &Path) -> Bench<'_> {
        Bench {
            command: "bench",
            own: &[],
            own_arguments: Vec::new(),
            peers: &["here", "missing"],
            peer_arguments: Vec::new(),
            script: "",
            python,
        }
    }

    #[test]
    fn a_peer_that_cannot_be_started_is_left_out() {
        let measured = bench(Path::new("/nowhere/python"))
            .measure(&rounds(2))
            .unwrap();
        assert_eq!(measured.median("here", "time"), None);
    }

    #[test]
    fn a_peer_that_fails_is_named_by_its_last_line() {
        let bench = bench(Path::new("false"));
        let why = bench.turn("here", false).unwrap_err().to_string();
        assert_eq!(why, "it failed without a word");
        let bench = Bench {
            python: Path::new("true"),
            ..bench
        };
        let why = bench.turn("here", false).unwrap_err().to_string();
        assert_eq!(why, "expected a JSON line");
    }
}
