//! A generator of sentences in which is planted what word vectors should find.
//!
//! Each sentence is about one pair of a relation, such as *France* and *Paris*, and names one of the two. Around it stand words that
//! go with the pair, whichever of the two is named, and words that go with the side: with every country, or with every capital.
//! So what the two have in common is the pair, and what differs is the same for all pairs: an analogy. Common words
//! without any meaning are strewn in. Left out: grammar, and everything else that makes language hard.

use super::{Analogies, AnalogySection, Random};

/// What is written about: pairs of words, and the words around them.
struct Relation {
    name: &'static str,
    /// Words that go with the first, and with the second word of each pair.
    sides: [&'static [&'static str]; 2],
    /// First word, second word, and words that go with both.
    pairs: &'static [(&'static str, &'static str, [&'static str; 3])],
}

/// Words that stand everywhere.
const COMMON: [&str; 12] = [
    "the", "of", "and", "in", "to", "is", "was", "that", "with", "for", "on", "as",
];

const RELATIONS: [Relation; 4] = [
    Relation {
        name: "capital",
        sides: [
            &[
                "border",
                "army",
                "republic",
                "provinces",
                "treaty",
                "constitution",
            ],
            &[
                "mayor",
                "metro",
                "suburbs",
                "streets",
                "downtown",
                "boulevard",
            ],
        ],
        pairs: &[
            ("france", "paris", ["seine", "baguette", "louvre"]),
            ("italy", "rome", ["tiber", "pasta", "colosseum"]),
            ("japan", "tokyo", ["sumida", "sushi", "emperor"]),
            ("egypt", "cairo", ["nile", "dates", "pyramids"]),
            ("russia", "moscow", ["volga", "borscht", "kremlin"]),
            ("peru", "lima", ["rimac", "ceviche", "incas"]),
            ("norway", "oslo", ["fjord", "salmon", "vikings"]),
            ("greece", "athens", ["aegean", "olives", "acropolis"]),
        ],
    },
    Relation {
        name: "plural",
        sides: [
            &["a", "one", "single", "this", "lonely", "its"],
            &["many", "several", "two", "these", "herds", "their"],
        ],
        pairs: &[
            ("cat", "cats", ["whiskers", "purr", "mouse"]),
            ("dog", "dogs", ["bark", "leash", "bone"]),
            ("horse", "horses", ["saddle", "gallop", "mane"]),
            ("cow", "cows", ["milk", "meadow", "hay"]),
            ("bird", "birds", ["wings", "nest", "feathers"]),
            ("fish", "fishes", ["fins", "scales", "pond"]),
            ("goat", "goats", ["horns", "cheese", "cliff"]),
            ("bee", "bees", ["honey", "hive", "flowers"]),
        ],
    },
    Relation {
        name: "family",
        sides: [
            &["he", "his", "him", "beard", "himself", "sir"],
            &["she", "her", "hers", "dress", "herself", "madam"],
        ],
        pairs: &[
            ("king", "queen", ["throne", "crown", "castle"]),
            ("man", "woman", ["adult", "person", "grown"]),
            ("boy", "girl", ["school", "child", "toys"]),
            ("father", "mother", ["parent", "raised", "cradle"]),
            ("brother", "sister", ["sibling", "twin", "shared"]),
            ("uncle", "aunt", ["cousin", "relative", "visit"]),
            ("actor", "actress", ["stage", "film", "role"]),
            ("waiter", "waitress", ["menu", "table", "tips"]),
        ],
    },
    Relation {
        name: "past",
        sides: [
            &["now", "today", "always", "often", "daily", "currently"],
            &["yesterday", "ago", "once", "last", "formerly", "previously"],
        ],
        pairs: &[
            ("walk", "walked", ["path", "feet", "stroll"]),
            ("sing", "sang", ["song", "choir", "melody"]),
            ("write", "wrote", ["letter", "pen", "novel"]),
            ("swim", "swam", ["pool", "waves", "lake"]),
            ("cook", "cooked", ["soup", "oven", "recipe"]),
            ("build", "built", ["bricks", "house", "roof"]),
            ("drive", "drove", ["car", "road", "wheel"]),
            ("teach", "taught", ["lesson", "pupils", "class"]),
        ],
    },
];

/// Sentences with a planted structure, and what was planted.
///
/// ```
/// use kindling::data::PlantedText;
/// let text = PlantedText::new(100, 1);
/// assert_eq!(text.sentences.len(), 100);
/// assert!(text.topics[0].words.contains(&"paris".to_owned()));
/// assert_eq!(text.analogies.len(), 4 * 8 * 7);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlantedText {
    /// The sentences, each a list of words.
    pub sentences: Vec<Vec<String>>,
    /// Which words stand in the same sentences.
    pub topics: Vec<Topic>,
    /// Each pair with each other pair of its relation.
    pub analogies: Analogies,
}

/// The words of the pairs of one relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// What the relation is called.
    pub name: String,
    /// All first words and then, in the same order, all second words.
    pub words: Vec<String>,
}

impl PlantedText {
    /// Writes `count` sentences of 8 to 14 words at random.
    #[must_use]
    pub fn new(count: usize, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let sentences = (0..count).map(|_| sentence(&mut random)).collect();
        let topics = RELATIONS.iter().map(|relation| Topic {
            name: relation.name.to_owned(),
            words: (relation.pairs.iter().map(|pair| pair.0))
                .chain(relation.pairs.iter().map(|pair| pair.1))
                .map(str::to_owned)
                .collect(),
        });
        Self {
            sentences,
            topics: topics.collect(),
            analogies: Analogies {
                sections: RELATIONS.iter().map(questions).collect(),
            },
        }
    }
}

fn questions(relation: &Relation) -> AnalogySection {
    let pairs = relation.pairs.iter().map(|pair| (pair.0, pair.1));
    Analogies::from_pairs(relation.name, &pairs.collect::<Vec<_>>())
}

/// One sentence: the word it is about, 2 to 4 words of its pair and as many of its side, 3 to 5 common ones, shuffled.
fn sentence(random: &mut Random) -> Vec<String> {
    let relation = &RELATIONS[random.below(RELATIONS.len())];
    let (first, second, pair) = &relation.pairs[random.below(relation.pairs.len())];
    let side = random.below(2);
    let mut words = vec![if side == 0 { *first } else { *second }];
    for (source, most) in [(&pair[..], 2), (relation.sides[side], 2), (&COMMON, 3)] {
        for _ in 0..most + random.below(3) {
            words.push(source[random.below(source.len())]);
        }
    }
    random.shuffle(&mut words);
    words.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_seed_decides_the_sentences() {
        let text = PlantedText::new(50, 1);
        assert_eq!(text, PlantedText::new(50, 1));
        assert_ne!(text.sentences, PlantedText::new(50, 2).sentences);
        assert!(
            text.sentences
                .iter()
                .all(|words| (8..=14).contains(&words.len()))
        );
    }

    #[test]
    fn no_word_has_two_meanings() {
        let mut all: Vec<&str> = COMMON.to_vec();
        for relation in &RELATIONS {
            all.extend(relation.sides.concat());
            for (first, second, words) in relation.pairs {
                all.extend([first, second]);
                all.extend(words);
            }
        }
        let different: HashSet<&&str> = all.iter().collect();
        assert_eq!(different.len(), all.len());
    }

    #[test]
    fn a_sentence_names_one_word_of_one_pair() {
        let text = PlantedText::new(500, 3);
        let named: HashSet<&String> = text.topics.iter().flat_map(|topic| &topic.words).collect();
        assert_eq!(named.len(), 64);
        for sentence in &text.sentences {
            assert_eq!(
                sentence.iter().filter(|word| named.contains(word)).count(),
                1
            );
        }
        let seen: HashSet<&String> = text.sentences.iter().flatten().collect();
        assert!(named.iter().all(|word| seen.contains(*word)));
    }
}
