//! E-mails and their subjects as tokens.

use anyhow::{Result, bail};
use kindling::{
    data::{Email, Emails, SentencePair, Source},
    pipeline::Abstractive,
    text::Bpe,
};

use super::examples::{SUBJECT, token_pairs, with_readers};
use crate::{
    licence::{BUILTIN, OWN_TEXTS},
    options::DataOptions,
    sequences::{Pairs, own_pairs},
};

/// Finds the e-mails, and trains a tokenizer of so many tokens on them; returns the test set as text, too.
///
/// What is learned from an e-mail, [`with_readers`] and [`token_pairs`] say.
pub fn load(
    (vocabulary_size, source_length): (usize, usize),
    args: &DataOptions,
) -> Result<(Pairs, Vec<Email>)> {
    args.check()?;
    let (mut emails, name, licence) = find(args)?;
    for part in [&mut emails.train, &mut emails.validation, &mut emails.test] {
        part.truncate(args.most());
    }
    let (emails, readers) = with_readers(emails);
    // A word has at least one token: what stands behind so many words is never read.
    let beginning = |body: &str| -> String {
        let words: Vec<&str> = body.split_whitespace().take(source_length).collect();
        Abstractive::plain(&words.join(" "))
    };
    let texts = emails.train.iter().flat_map(|email| {
        let subjects = email.subjects().into_iter().map(Abstractive::plain);
        [beginning(&email.body)].into_iter().chain(subjects)
    });
    let tokenizer = Bpe::train_with_special(texts, vocabulary_size, &Abstractive::SPECIAL)?;
    let encode = |emails: &[Email]| token_pairs(emails, &tokenizer, source_length, readers);
    let pairs = Pairs {
        training: encode(&emails.train),
        validation: encode(&emails.validation),
        test: emails.test.len(),
        tokenizer,
        name,
        licence,
    };
    for (what, empty) in [
        ("to learn from", pairs.training.is_empty()),
        ("to validate with", pairs.validation.is_empty()),
        ("to test with", emails.test.is_empty()),
    ] {
        if empty {
            bail!(
                "{}: expected at least one text {what}, with a summary of at most {SUBJECT} tokens of which half stand in the text, found none",
                pairs.name
            );
        }
    }
    Ok((pairs, emails.test))
}

fn find(args: &DataOptions) -> Result<(Emails, String, &'static str)> {
    const NAME: &str = "built-in e-mails";
    if args.builtin {
        let emails = Emails::builtin(4_000, 200, 200, 0)?;
        return Ok((emails, NAME.to_owned(), BUILTIN));
    }
    if let Some(file) = &args.data {
        let own = own_pairs(file)?;
        let emails = |pairs: Vec<SentencePair>| pairs.into_iter().map(email).collect();
        let emails = Emails {
            train: emails(own.train),
            validation: emails(own.validation),
            test: emails(own.test),
            source: own.source,
        };
        return Ok((emails, file.display().to_string(), OWN_TEXTS));
    }
    let emails = Emails::load()?;
    Ok(match emails.source {
        Source::Builtin => (emails, NAME.to_owned(), BUILTIN),
        _ => (emails, "AESLC".to_owned(), "CC BY-NC-SA 4.0, as AESLC"),
    })
}

fn email(pair: SentencePair) -> Email {
    Email {
        body: pair.source,
        subject: pair.target,
        other_subjects: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::summary::SUMMARIZER;

    fn args(limit: Option<usize>) -> DataOptions {
        DataOptions {
            data: None,
            builtin: true,
            limit,
        }
    }

    #[test]
    fn a_subject_is_made_of_tokens_that_the_body_has() {
        let (pairs, test) = load((SUMMARIZER.vocabulary_size, 120), &args(Some(60))).unwrap();
        assert_eq!((pairs.test, test.len()), (60, 60));
        assert!(pairs.training.len() > 50 && pairs.validation.len() > 50);
        for (body, subject) in &pairs.training {
            assert!(body.len() <= 120 && subject.len() <= SUBJECT);
            // The last one may carry the full stop in the body.
            let inside = &subject[..subject.len() - 1];
            assert!(body.windows(inside.len()).any(|part| part == inside));
        }
        let (cut, _) = load((SUMMARIZER.vocabulary_size, 10), &args(Some(60))).unwrap();
        assert!(cut.training.iter().all(|(body, _)| body.len() == 10));
    }

    #[test]
    fn wrong_data_is_named() {
        let problem = |file: &str| {
            let args = DataOptions {
                data: Some(file.into()),
                builtin: false,
                limit: None,
            };
            format!(
                "{:#}",
                load((SUMMARIZER.vocabulary_size, 120), &args).unwrap_err()
            )
        };
        let message = problem("nowhere.tsv");
        assert!(
            message.contains("--data: expected a file of pairs: nowhere.tsv: No such file"),
            "{message}"
        );
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pairs.tsv");
        fs::write(&file, "a long text\ta text\nanother text\tone\n").unwrap();
        let message = problem(file.to_str().unwrap());
        assert!(message.contains("expected at least 10 pairs"), "{message}");
        fs::write(&file, "no tab here\n").unwrap();
        let message = problem(file.to_str().unwrap());
        assert!(message.contains("expected a tab"), "{message}");
        let none = load((SUMMARIZER.vocabulary_size, 120), &args(Some(0))).unwrap_err();
        assert!(none.to_string().starts_with("--limit: expected at least 1"));
    }
}
