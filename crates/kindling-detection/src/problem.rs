//! What is wrong in an annotation, and where.

use std::fmt;

use kindling::Error;

/// How many problems an error lists.
const LISTED: usize = 50;

/// Something that keeps a picture or a box from being used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The annotation file, or the picture.
    pub file: String,
    /// The line in it, from 1, where there are lines.
    pub line: Option<u32>,
    /// What was expected, and what was found.
    pub what: String,
}

impl Problem {
    pub(crate) fn new(file: &str, line: Option<u32>, what: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line,
            what: what.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.what),
            None => write!(f, "{}: {}", self.file, self.what),
        }
    }
}

/// All problems of a set in one error.
pub(crate) fn error(place: &str, problems: &[Problem]) -> Error {
    let mut lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    lines.truncate(LISTED);
    if problems.len() > LISTED {
        lines.push(format!("and {} more", problems.len() - LISTED));
    }
    Error::Format {
        file: place.to_owned(),
        problem: format!(
            "found {} problem(s) in the annotations; mend them, or go on without with `leave_out_problems`:\n  {}",
            problems.len(),
            lines.join("\n  ")
        ),
    }
}
