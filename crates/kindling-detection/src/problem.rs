//! What is wrong in an annotation, and where.

use std::fmt;

use kindling::Error;

/// How many problems an error lists.
const LISTED: usize = 50;

/// How to use the rest, in Rust and at the command line.
const LEAVE_OUT: &str = "with `leave_out_problems` (at the command line `--leave-out-problems`)";

/// Something that keeps a picture or a box from being used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The annotation file, or the picture.
    pub file: String,
    /// The line in it, from 1, where there are lines.
    pub line: Option<u32>,
    /// What was expected, and what was found.
    pub what: String,
    /// What may help beside mending the annotation.
    advice: Option<&'static str>,
}

impl Problem {
    pub(crate) fn new(file: &str, line: Option<u32>, what: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line,
            what: what.into(),
            advice: None,
        }
    }

    /// The file, with the line where there is one.
    fn place(&self) -> String {
        match self.line {
            Some(line) => format!("{}:{line}", self.file),
            None => self.file.clone(),
        }
    }

    pub(crate) fn advising(self, advice: &'static str) -> Self {
        Self {
            advice: Some(advice),
            ..self
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place(), self.what)
    }
}

/// All problems of a set in one error; a single one in one sentence.
pub(crate) fn error(place: &str, problems: &[Problem]) -> Error {
    let mut advice: Vec<&str> = problems.iter().filter_map(|found| found.advice).collect();
    advice.sort_unstable();
    advice.dedup();
    let advice: String = advice.iter().map(|words| format!("; {words}")).collect();
    if let [problem] = problems {
        let (file, problem) = match problem.file == place {
            true => (problem.place(), problem.what.clone()),
            false => (place.to_owned(), problem.to_string()),
        };
        let problem = format!("{problem}{advice}; mend it, or go on without, {LEAVE_OUT}");
        return Error::Format { file, problem };
    }
    let mut lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    lines.truncate(LISTED);
    if problems.len() > LISTED {
        lines.push(format!("and {} more", problems.len() - LISTED));
    }
    Error::Format {
        file: place.to_owned(),
        problem: format!(
            "found {} problems in the annotations; mend them, or go on without, {LEAVE_OUT}{advice}:\n  {}",
            problems.len(),
            lines.join("\n  ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_problem_is_one_sentence_and_advice_is_given_once() {
        let flat = Problem::new("a.xml", Some(3), "cat: flat");
        let far = || Problem::new("b.xml", None, "cat: far").advising("cut it");
        let one = error("set", std::slice::from_ref(&flat)).to_string();
        assert!(one.starts_with("set: a.xml:3: cat: flat; mend it, or go on without, with `leave"));
        let own = Problem::new("set", Some(7), "cat: flat");
        assert!(
            error("set", &[own])
                .to_string()
                .starts_with("set:7: cat: flat; mend")
        );
        let all = error("set", &[flat, far(), far()]).to_string();
        assert!(all.starts_with("set: found 3 problems in the annotations; mend them"));
        assert_eq!(all.matches("; cut it").count(), 1, "{all}");
        assert!(all.ends_with(":\n  a.xml:3: cat: flat\n  b.xml: cat: far\n  b.xml: cat: far"));
        let many = error("set", &vec![far(); LISTED + 2]).to_string();
        assert!(many.ends_with("\n  and 2 more"), "{many}");
    }
}
