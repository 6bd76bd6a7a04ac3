//! E-mails that went to many: some copies are learned from, others must not be what the model is judged by.

use std::collections::HashSet;

use kindling::{data::Email, text::words};

/// How many words in a row are no coincidence.
const RUN: usize = 8;

/// An e-mail is left out if more than one of so many of its runs stands in what is held out.
const SHARED: usize = 10;

/// The e-mails of `learned` that say something else than those held out.
///
/// AESLC was collected from many people's mailboxes, and a circular lies in several: without this, one in eight e-mails of the test
/// set would have a copy among those that a model learns from, with subjects for the same text.
pub fn without_copies(learned: Vec<Email>, held_out: &[&[Email]]) -> Vec<Email> {
    let held_out: HashSet<Vec<String>> =
        held_out.iter().copied().flatten().flat_map(runs).collect();
    let differs = |email: &Email| {
        let runs = runs(email);
        let shared = runs.iter().filter(|run| held_out.contains(*run)).count();
        SHARED * shared <= runs.len()
    };
    learned.into_iter().filter(differs).collect()
}

/// All runs of words, without capitals; of a short e-mail all its words.
fn runs(email: &Email) -> Vec<Vec<String>> {
    let body = email.body.to_lowercase();
    let words: Vec<String> = words(&body).into_iter().map(str::to_owned).collect();
    let length = RUN.min(words.len()).max(1);
    words.windows(length).map(<[String]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn email(body: &str) -> Email {
        Email {
            body: body.to_owned(),
            subject: "a subject".to_owned(),
            other_subjects: Vec::new(),
        }
    }

    #[test]
    fn copies_are_left_out_and_phrases_are_not() {
        let circular = "All employees must choose a parking space by Friday, or they will have to walk from the station.";
        let held_out = [email(circular), email("Thanks!")];
        let forwarded = email(&format!("FYI, Ana. {circular} Ben"));
        let short = email("thanks");
        let phrase = email(
            "Nobody of us has a car. They will have to walk from the station to the office, and all of them would be late for the meeting.",
        );
        let empty = email("--");
        let learned = vec![forwarded, phrase.clone(), short, empty.clone()];
        assert_eq!(without_copies(learned, &[&[], &held_out]), [phrase, empty]);
    }
}
