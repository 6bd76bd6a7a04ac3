//! `cargo course embed`: sentences as vectors, and their nearest neighbours.

use std::path::PathBuf;

use anyhow::Result;
use candle_core::Tensor;
use course_program::{input, output};
use kindling_pretrained::{Embedder, SENTENCE_MODEL, hub, sentence_model};
use serde_json::json;

/// Lines that are worked on together: enough for speed, few enough that the first answers come soon.
const LINES: usize = 256;

/// Turn sentences into vectors, or find the nearest ones.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// One sentence a line, in UTF-8; - reads standard input
    #[arg(value_name = "FILE|-")]
    file: PathBuf,

    /// Instead of vectors, print so many of the most similar other lines of each, with their cosines
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    nearest: Option<u32>,

    /// The model: a BERT's folder, or its name on the Hugging Face hub; by default all-MiniLM-L6-v2, from the folder that
    /// KINDLING_MINILM names if there is one
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
}

/// Runs `cargo course embed`.
pub fn run(args: &Args) -> Result<()> {
    let text = input::read(&args.file)?;
    let (lines, empty) = numbered(&text);
    if let Some(words) = empty_in_words(&empty) {
        output::note(&words);
    }
    let embedder = Embedder::open(folder(args.model.as_deref())?)?;
    match args.nearest {
        None => print_vectors(&embedder, &lines),
        Some(count) => print_nearest(&embedder, &lines, count as usize),
    }
}

/// The lines that say something with their numbers from 1 on, and the numbers of those that do not.
fn numbered(text: &str) -> (Vec<(usize, &str)>, Vec<usize>) {
    let lines = (1..).zip(text.lines().map(str::trim));
    let (full, empty): (Vec<_>, Vec<_>) = lines.partition(|(_, line)| !line.is_empty());
    (full, empty.into_iter().map(|(number, _)| number).collect())
}

/// A word about lines that get no vector, if there are any.
fn empty_in_words(empty: &[usize]) -> Option<String> {
    match empty {
        [] => None,
        [number] => Some(format!("line {number} is empty and has no vector")),
        [first, rest @ ..] => {
            let (more, count) = (rest.iter().take(4), empty.len());
            let numbers: String = more.map(|number| format!(", {number}")).collect();
            let dots = if count > 5 { ", …" } else { "" };
            Some(format!(
                "{count} lines are empty and have no vector: {first}{numbers}{dots}"
            ))
        }
    }
}

/// The lines without their numbers.
fn sentences<'a>(lines: &[(usize, &'a str)]) -> Vec<&'a str> {
    lines.iter().map(|(_, sentence)| *sentence).collect()
}

/// Where the model is.
pub fn folder(model: Option<&str>) -> Result<PathBuf> {
    match (model, sentence_model()) {
        (None, Some(folder)) => Ok(folder),
        (name, _) => Ok(hub::find(name.unwrap_or(SENTENCE_MODEL))?),
    }
}

/// One line of JSON for each sentence, as soon as it is there.
fn print_vectors(embedder: &Embedder, lines: &[(usize, &str)]) -> Result<()> {
    for lines in lines.chunks(LINES) {
        let vectors = embedder.embed(&sentences(lines))?.to_vec2::<f32>()?;
        for ((number, sentence), vector) in lines.iter().zip(vectors) {
            let line = json!({"line": number, "sentence": sentence, "vector": vector});
            output::print(&line.to_string())?;
        }
    }
    Ok(())
}

/// Each sentence, and below it those whose vectors have the highest cosine with its own.
fn print_nearest(embedder: &Embedder, lines: &[(usize, &str)], count: usize) -> Result<()> {
    let lines = sentences(lines);
    let vectors = embedder.embed(&lines)?; // (lines, hidden_size)
    let turned = vectors.t()?; // (hidden_size, lines)
    for start in (0..lines.len()).step_by(LINES) {
        let some = vectors.narrow(0, start, LINES.min(lines.len() - start))?;
        for (row, cosines) in cosines(&some, &turned)?.into_iter().enumerate() {
            let own = start + row;
            output::print(lines[own])?;
            for (place, cosine) in nearest(&cosines, own, count) {
                output::print(&format!("  {cosine:.3}  {}", lines[place]))?;
            }
        }
    }
    Ok(())
}

/// The cosines of some vectors `(some, hidden_size)` with all `(hidden_size, lines)`; they have length 1.
fn cosines(some: &Tensor, all: &Tensor) -> Result<Vec<Vec<f32>>> {
    Ok(some.matmul(all)?.to_vec2()?) // (some, lines)
}

/// The places of the highest cosines but its own, the highest first.
fn nearest(cosines: &[f32], own: usize, count: usize) -> Vec<(usize, f32)> {
    let numbered = cosines.iter().copied().enumerate();
    let mut others: Vec<(usize, f32)> = numbered.filter(|(place, _)| *place != own).collect();
    others.sort_by(|a, b| b.1.total_cmp(&a.1));
    others.truncate(count);
    others
}

#[cfg(test)]
mod tests {
    use super::{empty_in_words, nearest, numbered};

    #[test]
    fn empty_lines_are_told() {
        let (lines, empty) = numbered("one\n\nthree\n");
        assert_eq!(lines, [(1, "one"), (3, "three")]);
        let words = empty_in_words(&empty).unwrap();
        assert_eq!(words, "line 2 is empty and has no vector");
        assert_eq!(empty_in_words(&[]), None);
        let words = empty_in_words(&[2, 4, 5, 6, 7, 9]).unwrap();
        assert_eq!(
            words,
            "6 lines are empty and have no vector: 2, 4, 5, 6, 7, …"
        );
    }

    #[test]
    fn nobody_is_their_own_neighbour() {
        let cosines = [0.1, 1.0, 0.7, -0.2, 0.7];
        assert_eq!(nearest(&cosines, 1, 3), [(2, 0.7), (4, 0.7), (0, 0.1)]);
        assert_eq!(nearest(&cosines[..1], 0, 3), []);
    }
}
