//! How many word analogies the vectors of a model complete.

use std::{collections::HashMap, fmt};

use candle_core::Tensor;

use crate::{Error, Result, data::Analogies, models::Word2Vec};

/// How many questions are answered in one matrix product.
const BATCH: usize = 256;

/// The share of right answers, section by section. Printed, it is a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AnalogyScores {
    /// The sections in the order of the questions.
    pub sections: Vec<AnalogyScore>,
}

/// The answers to one section.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AnalogyScore {
    /// What the relation is called.
    pub name: String,
    /// How many answers were right.
    pub right: usize,
    /// How many questions were asked: those of which the model knows all four words.
    pub asked: usize,
    /// How many questions were not asked, because the model has no vector for one of the words.
    pub unknown: usize,
}

impl AnalogyScore {
    /// The share of the asked questions that were answered rightly; nothing when none was asked.
    #[must_use]
    pub fn accuracy(&self) -> Option<f64> {
        (self.asked > 0).then(|| self.right as f64 / self.asked as f64)
    }
}

impl AnalogyScores {
    /// All sections together.
    #[must_use]
    pub fn total(&self) -> AnalogyScore {
        let sum = |count: fn(&AnalogyScore) -> usize| self.sections.iter().map(count).sum();
        AnalogyScore {
            name: "total".to_owned(),
            right: sum(|section| section.right),
            asked: sum(|section| section.asked),
            unknown: sum(|section| section.unknown),
        }
    }
}

/// Answers each question `a b c ?` with the word nearest to `b − a + c` among unit vectors, never one of the three.
///
/// Capitals do not count: of words that differ in them alone, the most frequent one stands in a question. Questions with a
/// word that has no vector are counted apart. Both are as in gensim's `evaluate_word_analogies`, which looks for answers
/// among the 300,000 most frequent words only.
pub fn analogy_accuracy(model: &Word2Vec, analogies: &Analogies) -> Result<AnalogyScores> {
    if analogies.is_empty() {
        return Err(Error::Argument(
            "analogies: expected at least one question, found none".to_owned(),
        ));
    }
    let mut known: HashMap<String, u32> = HashMap::new();
    for (word, place) in model.words().iter().zip(0..) {
        known.entry(word.to_lowercase()).or_insert(place);
    }
    // For each row the first one whose word is the same but for capitals.
    let words = model.words().iter().map(|word| known[&word.to_lowercase()]);
    let same: Vec<u32> = words.collect();
    let mut scores = AnalogyScores::default();
    for section in &analogies.sections {
        let places = section.questions.iter().filter_map(|question| {
            let [a, b, c, d] = question
                .each_ref()
                .map(|word| known.get(&word.to_lowercase()));
            Some([*a?, *b?, *c?, *d?])
        });
        let questions: Vec<[u32; 4]> = places.collect();
        let mut right = 0;
        for batch in questions.chunks(BATCH) {
            let found = answer(model.directions(), &same, batch)?;
            right += batch
                .iter()
                .zip(found)
                .filter(|(words, found)| words[3] == *found)
                .count();
        }
        scores.sections.push(AnalogyScore {
            name: section.name.clone(),
            right,
            asked: questions.len(),
            unknown: section.questions.len() - questions.len(),
        });
    }
    Ok(scores)
}

/// The word nearest to each question's `b − a + c`, without its own three.
fn answer(directions: &Tensor, same: &[u32], questions: &[[u32; 4]]) -> Result<Vec<u32>> {
    let column = |number: usize| -> Result<Tensor> {
        let words: Vec<u32> = questions.iter().map(|words| words[number]).collect();
        let rows = Tensor::from_vec(words, questions.len(), directions.device())?;
        Ok(directions.index_select(&rows, 0)?) // (questions, features)
    };
    let queries = ((column(1)? - column(0)?)? + column(2)?)?;
    let products = queries.matmul(&directions.t()?)?; // (questions, words)
    let mut answers = Vec::new();
    for (words, products) in questions.iter().zip(products.to_vec2::<f32>()?) {
        let others = products
            .iter()
            .zip(same)
            .filter(|(_, word)| !words[..3].contains(word));
        // The first of equals, which is the more frequent word.
        let best = others.reduce(|best, next| if next.0 > best.0 { next } else { best });
        answers.push(best.map_or(u32::MAX, |(_, word)| *word));
    }
    Ok(answers)
}

impl fmt::Display for AnalogyScores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.total();
        let rows = || self.sections.iter().chain([&total]);
        let widths = rows().map(|row| row.name.chars().count());
        let width = widths.fold("relation".len(), usize::max);
        writeln!(f, "{:width$}  accuracy  right  asked  unknown", "relation")?;
        for row in rows() {
            let accuracy = row.accuracy();
            let accuracy =
                accuracy.map_or("–".to_owned(), |share| format!("{:.1} %", 100.0 * share));
            let AnalogyScore {
                name,
                right,
                asked,
                unknown,
            } = row;
            writeln!(
                f,
                "{name:width$}  {accuracy:>8}  {right:>5}  {asked:>5}  {unknown:>7}"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    /// Vectors in which the second of a pair is the first, moved by the same amount.
    fn model() -> Word2Vec {
        let words = ["cat", "cats", "Dog", "dogs", "dog", "far"].map(str::to_owned);
        let rows = [
            [1.0_f32, 0.0, 0.0],
            [1.0, 0.0, 1.0],
            [0.0, 1.0, 0.0],
            [0.0, 1.0, 1.0],
            [-1.0, -1.0, 0.0],
            [0.0, -1.0, 0.0],
        ];
        Word2Vec::new(words.to_vec(), Tensor::new(&rows, &Device::Cpu).unwrap()).unwrap()
    }

    #[test]
    fn right_asked_and_unknown_are_counted_apart() {
        let text = ": plural\ncat cats dog dogs\nCATS cat dogs DOG\ncat cats dog far\ncat cats cow cows\n: none\ncow cows cat cats\n";
        let scores = analogy_accuracy(&model(), &Analogies::parse("here", text).unwrap()).unwrap();
        let plural = &scores.sections[0];
        assert_eq!((plural.right, plural.asked, plural.unknown), (2, 3, 1));
        assert_eq!(scores.sections[1].accuracy(), None);
        assert_eq!(scores.total().unknown, 2);
        assert_eq!(
            scores.to_string(),
            "relation  accuracy  right  asked  unknown\nplural      66.7 %      2      3        1\nnone             –      0      0        1\ntotal       66.7 %      2      3        2\n"
        );
    }

    #[test]
    fn the_three_words_of_a_question_are_no_answer() {
        // `b − a + c` is closest to `c` itself here.
        let text = ": odd\ncat cat dog cats\n";
        let scores = analogy_accuracy(&model(), &Analogies::parse("here", text).unwrap()).unwrap();
        assert_eq!(scores.total().right, 0);
        let empty = Analogies::parse("here", ": odd\n").unwrap();
        assert!(
            analogy_accuracy(&model(), &empty)
                .unwrap_err()
                .to_string()
                .contains("found none")
        );
    }
}
