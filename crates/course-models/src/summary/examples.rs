//! What is learned from e-mails: which of them, and which of their subjects.

use kindling::{
    data::{Email, Emails},
    pipeline::Abstractive,
    text::Bpe,
};

use super::copies::without_copies;

/// The longest subject that is learned from, in tokens; longer ones, one in a hundred, are left out.
pub const SUBJECT: usize = 20;

/// Of the e-mails to validate with, one of so many is kept for that where the others' subjects are learned from.
const KEPT_ASIDE: usize = 10;

/// Where other people than the writers wrote subjects too, most of those e-mails join the training; says whether there are any.
///
/// A writer knows more than the e-mail says, and readers do not. In AESLC the training set has the writers' subjects alone, while readers
/// wrote those of the validation and the test set. What is left to validate with, and the test set, has no copy in the training.
pub fn with_readers(mut emails: Emails) -> (Emails, bool) {
    let readers = |email: &Email| !email.other_subjects.is_empty();
    if !emails.validation.iter().any(readers) {
        return (emails, false);
    }
    let numbered = (0..).zip(emails.validation);
    let (kept, learned): (Vec<_>, Vec<_>) =
        numbered.partition(|(place, _)| place % KEPT_ASIDE == 0);
    emails.validation = kept.into_iter().map(|(_, email)| email).collect();
    let learned = learned.into_iter().map(|(_, email)| email);
    let all = emails.train.into_iter().chain(learned).collect();
    emails.train = without_copies(all, &[&emails.validation, &emails.test]);
    (emails, true)
}

/// Bodies and subjects as tokens, each subject with the body again.
///
/// Of a body only the first `source_length` tokens are read, and a subject is left out if less than half of its tokens stand there: it
/// would teach to invent. With `mark`, [`Abstractive::WRITER`] stands before the body where the subject is the writer's.
pub fn token_pairs(
    emails: &[Email],
    tokenizer: &Bpe,
    source_length: usize,
    mark: bool,
) -> Vec<(Vec<u32>, Vec<u32>)> {
    let mut pairs = Vec::new();
    for email in emails {
        let body = Abstractive::beginning(tokenizer, &email.body, source_length);
        for (place, subject) in email.subjects().into_iter().enumerate() {
            let subject = tokenizer.encode_plain(&Abstractive::plain(subject));
            if body.is_empty()
                || !(1..=SUBJECT).contains(&subject.len())
                || !explains(&body, &subject)
            {
                continue;
            }
            let writer = (mark && place == 0).then_some(Abstractive::WRITER);
            let source = writer.into_iter().chain(body.iter().copied());
            pairs.push((source.take(source_length).collect(), subject));
        }
    }
    pairs
}

/// Whether at least half of a subject's tokens stand in the body.
fn explains(body: &[u32], subject: &[u32]) -> bool {
    let found = subject.iter().filter(|token| body.contains(token)).count();
    2 * found >= subject.len()
}

#[cfg(test)]
mod tests {
    use kindling::data::Source;

    use super::*;

    fn email(body: &str, subject: &str, others: &[&str]) -> Email {
        Email {
            body: body.to_owned(),
            subject: subject.to_owned(),
            other_subjects: others.iter().map(|other| (*other).to_owned()).collect(),
        }
    }

    #[test]
    fn readers_subjects_are_learned_from_and_copies_of_what_is_kept_are_not() {
        let numbered = |number: usize, others: &[&str]| {
            let words: Vec<String> = (0..12).map(|word| format!("w{number}x{word}")).collect();
            email(&words.join(" "), "own", others)
        };
        let emails = Emails {
            train: vec![numbered(100, &[]), numbered(10, &[]), numbered(201, &[])],
            validation: (0..20).map(|number| numbered(number, &["read"])).collect(),
            test: vec![numbered(201, &["read"])],
            source: Source::Cache,
        };
        let plain = Emails {
            validation: vec![numbered(1, &[])],
            ..emails.clone()
        };
        let (emails, readers) = with_readers(emails);
        assert!(readers);
        let kept = [numbered(0, &["read"]), numbered(10, &["read"])];
        assert_eq!(emails.validation, kept);
        assert_eq!(emails.train.len(), 1 + 18, "two copies are left out");
        assert_eq!(emails.train[0], numbered(100, &[]));
        let (plain, readers) = with_readers(plain);
        assert!(!readers && plain.train.len() == 3 && plain.validation.len() == 1);
    }

    #[test]
    fn a_subject_has_its_body_and_the_writers_a_mark() {
        let tokenizer =
            Bpe::train_with_special(["a pump stopped"], 300, &Abstractive::SPECIAL).unwrap();
        let emails = [email("The pump stopped.", "Pump", &["the pump", "zzzz"])];
        let tokens = |text: &str| tokenizer.encode_plain(&Abstractive::plain(text));
        let body = tokens("the pump stopped.");
        let found = token_pairs(&emails, &tokenizer, 100, true);
        let marked = [&[Abstractive::WRITER], &body[..]].concat();
        let expected = [(marked, tokens("pump")), (body.clone(), tokens("the pump"))];
        assert_eq!(found, expected, "nothing in the body explains zzzz");
        let cut = token_pairs(&emails, &tokenizer, body.len() - 1, true);
        assert!(cut.iter().all(|(source, _)| source.len() == body.len() - 1));
        let plain = token_pairs(&emails, &tokenizer, 100, false);
        assert!(plain.iter().all(|(source, _)| *source == body));
        let empty = [email(" ", "pump", &[])];
        assert!(token_pairs(&empty, &tokenizer, 100, false).is_empty());
    }
}
