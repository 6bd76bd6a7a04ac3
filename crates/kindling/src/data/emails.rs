//! E-mails and their subject lines: the AESLC set (Zhang and Tetreault, 2019), for short summaries.

use kindling_fetch::Store;

use super::{
    Random, Source, compressed::tar_files, text_file::parse_text, toy_sentences, translations::read,
};
use crate::{Error, Result};

/// How many e-mails the built-in generator writes when the real ones are not to be had: to train, to validate, to test.
const BUILTIN: (usize, usize, usize) = (5_000, 500, 500);

/// An e-mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    /// What it says.
    pub body: String,
    /// The subject that its writer gave it.
    pub subject: String,
    /// Subjects that other people wrote for it; three each in the validation and the test set.
    pub other_subjects: Vec<String>,
}

impl Email {
    /// All subjects that people gave it, its writer's first.
    #[must_use]
    pub fn subjects(&self) -> Vec<&str> {
        let all = [&self.subject].into_iter().chain(&self.other_subjects);
        all.map(String::as_str).collect()
    }
}

/// E-mails whose subject a model is to find.
#[derive(Debug, Clone)]
pub struct Emails {
    /// What the model learns from.
    pub train: Vec<Email>,
    /// What decides when to stop.
    pub validation: Vec<Email>,
    /// What it is judged by.
    pub test: Vec<Email>,
    /// Where the e-mails came from.
    pub source: Source,
}

impl Emails {
    /// Finds AESLC in the cache, the mirror or on the network; where there is none of them, says so and writes toy e-mails.
    pub fn load() -> Result<Self> {
        match Self::find(&Store::from_env()) {
            Err(Error::Fetch(missing @ kindling_fetch::Error::Unavailable { .. })) => {
                let (train, validation, test) = BUILTIN;
                eprintln!(
                    "{missing}\nUsing built-in e-mails instead: {train} + {validation} + {test} made by a program, easier than real ones."
                );
                Self::builtin(train, validation, test, 0)
            }
            outcome => outcome,
        }
    }

    /// The real AESLC from this store: 14,436 + 1,960 + 1,906 e-mails.
    pub fn find(store: &Store) -> Result<Self> {
        let mut source = Source::Cache;
        let name = "AESLC-master.tar.gz";
        let bytes = read(store, "aeslc", name, &mut source)?;
        let files = tar_files(bytes.as_slice(), |name| name.ends_with(".subject"));
        let (mut files, _) = files.map_err(|error| Error::Format {
            file: name.to_owned(),
            problem: format!("damaged: {error}"),
        })?;
        files.sort_unstable(); // an archive's order is a matter of chance
        let part = |part: &str| -> Result<Vec<Email>> {
            let files = files.iter();
            let files = files.filter(|(name, _)| name.split('/').nth_back(1) == Some(part));
            files.map(|(name, bytes)| parse(name, bytes)).collect()
        };
        Ok(Self {
            train: part("train")?,
            validation: part("dev")?,
            test: part("test")?,
            source,
        })
    }

    /// E-mails written by a program from a seed: the subject is what happened and when, hidden among other sentences. Easier
    /// than real ones.
    pub fn builtin(train: usize, validation: usize, test: usize, seed: u64) -> Result<Self> {
        let count = train + validation + test;
        let sentences: Vec<String> = toy_sentences::pairs(3 * count, seed)
            .into_iter()
            .map(|pair| pair.source)
            .collect();
        let mut random = Random::new(seed);
        let emails = sentences.chunks_exact(3);
        let mut emails: Vec<Email> = emails.map(|told| toy(told, &mut random)).collect();
        let test = emails.split_off(train + validation);
        let validation = emails.split_off(train);
        Ok(Self {
            train: emails,
            validation,
            test,
            source: Source::Builtin,
        })
    }
}

/// An e-mail that asks about one of three sentences, which is its subject.
fn toy(told: &[String], random: &mut Random) -> Email {
    const NAMES: [&str; 6] = ["Ana", "Ben", "Chen", "Dora", "Emil", "Fatima"];
    let [to, from] = [(); 2].map(|()| NAMES[random.below(NAMES.len())]);
    let asked = &told[random.below(told.len())];
    let subject = asked.trim_end_matches('.');
    let told = told.join(" ");
    Email {
        body: format!(
            "Hi {to},\n{told}\nPlease write a report about this one: {subject}.\nThanks,\n{from}"
        ),
        subject: subject.to_owned(),
        other_subjects: Vec::new(),
    }
}

/// The body, then sections `@subject`, and in some files `@ann0` and so on.
fn parse(file: &str, bytes: &[u8]) -> Result<Email> {
    let text = parse_text(file, bytes)?;
    let missing = || Error::Format {
        file: file.to_owned(),
        problem: "expected a line `@subject` after the e-mail, found none".to_owned(),
    };
    let (body, rest) = text.split_once("\n@subject\n").ok_or_else(missing)?;
    let mut sections = rest.split("\n@ann").map(|section| section.trim());
    let subject = sections.next().ok_or_else(missing)?;
    // What is left of `@ann0` is its number and a line end.
    let others = sections.filter_map(|section| Some(section.split_once('\n')?.1.trim()));
    Ok(Email {
        body: body.trim().to_owned(),
        subject: subject.to_owned(),
        other_subjects: others.map(str::to_owned).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_become_subjects() {
        let email = parse(
            "a",
            b"Hi,\n\nBye.\n\n@subject\nA plan\n\n@ann0\nplan\n\n@ann1\nour plan\n",
        )
        .unwrap();
        assert_eq!(
            (email.body.as_str(), email.subject.as_str()),
            ("Hi,\n\nBye.", "A plan")
        );
        assert_eq!(email.other_subjects, ["plan", "our plan"]);
        let error = parse("dev/a.subject", b"Hi").unwrap_err().to_string();
        assert!(
            error.starts_with("dev/a.subject: expected a line `@subject`"),
            "{error}"
        );
    }

    #[test]
    fn the_real_set_has_its_known_counts() {
        let Some(mirror) = kindling_skip::mirror("aeslc/") else {
            return;
        };
        let cache = tempfile::tempdir().unwrap();
        let emails = Emails::find(
            &Store::at(cache.path())
                .with_mirror(mirror)
                .without_download(),
        )
        .unwrap();
        let counts = [
            emails.train.len(),
            emails.validation.len(),
            emails.test.len(),
        ];
        assert_eq!(counts, [14_436, 1_960, 1_906]);
        assert!(
            emails
                .test
                .iter()
                .all(|email| email.other_subjects.len() == 3)
        );
        let all = [emails.train, emails.validation, emails.test].concat();
        assert!(
            all.iter()
                .all(|email| !email.subject.is_empty() && !email.body.contains("@subject"))
        );
    }

    #[test]
    fn a_toy_e_mail_holds_its_subject() {
        let emails = Emails::builtin(40, 4, 4, 1).unwrap();
        assert_eq!((emails.train.len(), emails.test.len()), (40, 4));
        assert!(
            emails
                .train
                .iter()
                .all(|email| email.body.contains(&email.subject))
        );
    }
}
