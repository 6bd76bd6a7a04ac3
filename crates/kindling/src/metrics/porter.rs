//! Porter's stemmer: takes English endings off, so that *connected* and *connections* both count as *connect* (Porter, 1980).
//!
//! ROUGE's reference package stems with NLTK, which changes the paper's rules in some places. Those are marked; without them scores differ.

/// Forms that the rules would get wrong, and what NLTK makes of them.
const IRREGULAR: [(&str, &str); 16] = [
    ("sky", "sky"),
    ("skies", "sky"),
    ("dying", "die"),
    ("lying", "lie"),
    ("tying", "tie"),
    ("news", "news"),
    ("innings", "inning"),
    ("inning", "inning"),
    ("outings", "outing"),
    ("outing", "outing"),
    ("cannings", "canning"),
    ("canning", "canning"),
    ("howe", "howe"),
    ("proceed", "proceed"),
    ("exceed", "exceed"),
    ("succeed", "succeed"),
];

/// Step 2: endings made of several, while the stem has a measure above 0. The first that fits decides.
const DOUBLE: [(&str, &str); 20] = [
    ("ational", "ate"),
    ("tional", "tion"),
    ("enci", "ence"),
    ("anci", "ance"),
    ("izer", "ize"),
    ("bli", "ble"), // the paper: abli to able
    ("entli", "ent"),
    ("eli", "e"),
    ("ousli", "ous"),
    ("ization", "ize"),
    ("ation", "ate"),
    ("ator", "ate"),
    ("alism", "al"),
    ("iveness", "ive"),
    ("fulness", "ful"),
    ("ousness", "ous"),
    ("aliti", "al"),
    ("iviti", "ive"),
    ("biliti", "ble"),
    ("fulli", "ful"), // not in the paper
];

/// Step 3, by the same condition.
const SINGLE: [(&str, &str); 7] = [
    ("icate", "ic"),
    ("ative", ""),
    ("alize", "al"),
    ("iciti", "ic"),
    ("ical", "ic"),
    ("ful", ""),
    ("ness", ""),
];

/// Step 4: endings that go if the stem before them has a measure above 1.
const LAST: [&str; 19] = [
    "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou",
    "ism", "ate", "iti", "ous", "ive", "ize",
];

/// The stem of a word in small ASCII letters and digits.
pub(super) fn stem(word: &str) -> String {
    if let Some((_, stem)) = IRREGULAR.iter().find(|(form, _)| *form == word) {
        return (*stem).to_owned();
    }
    if word.len() <= 2 {
        return word.to_owned();
    }
    let steps = [
        plural,
        past_and_progressive,
        final_y,
        double_endings,
        single_endings,
        last_endings,
        final_e,
        final_l,
    ];
    steps.iter().fold(word.to_owned(), |word, step| step(word))
}

/// Step 1a.
fn plural(word: String) -> String {
    if word.len() == 4 && word.ends_with("ies") {
        return replace(&word, "ies", "ie"); // NLTK: dies to die
    }
    let rules = [("sses", "ss"), ("ies", "i"), ("ss", "ss"), ("s", "")];
    first_rule(word, &rules, |_| true)
}

/// Step 1b: *-ed* and *-ing*, after which the stem may need an *e* or lose one of two equal letters.
fn past_and_progressive(word: String) -> String {
    if word.ends_with("ied") {
        // NLTK: died to die, but spied to spi
        return replace(&word, "ied", if word.len() == 4 { "ie" } else { "i" });
    }
    if word.ends_with("eed") {
        return first_rule(word, &[("eed", "ee")], |stem| measure(stem) > 0);
    }
    let endings = ["ed", "ing"].into_iter();
    let stems = endings.filter_map(|ending| word.strip_suffix(ending));
    let Some(stem) = stems.into_iter().find(|stem| has_vowel(stem)) else {
        return word;
    };
    if ["at", "bl", "iz"].iter().any(|end| stem.ends_with(end)) {
        format!("{stem}e")
    } else if ends_in_double_consonant(stem) {
        let keeps_both = stem.ends_with(['l', 's', 'z']);
        stem[..stem.len() - usize::from(!keeps_both)].to_owned()
    } else if measure(stem) == 1 && ends_like_hop(stem) {
        format!("{stem}e")
    } else {
        stem.to_owned()
    }
}

/// Step 1c, by NLTK's condition: *y* becomes *i* after a consonant that is not the first letter.
fn final_y(word: String) -> String {
    first_rule(word, &[("y", "i")], |stem| {
        stem.len() > 1 && consonants(stem).last() == Some(true)
    })
}

fn double_endings(word: String) -> String {
    // NLTK tries this rule first, and then the others on what is left: rationalli to rational to ration.
    let word = first_rule(word, &[("alli", "al")], |stem| measure(stem) > 0);
    // The l counts as part of the stem, so that geologi, whose "geo" has no measure, becomes geolog.
    let word = first_rule(word, &[("logi", "log")], |stem| {
        measure(&format!("{stem}l")) > 0
    });
    first_rule(word, &DOUBLE, |stem| measure(stem) > 0)
}

fn single_endings(word: String) -> String {
    first_rule(word, &SINGLE, |stem| measure(stem) > 0)
}

fn last_endings(word: String) -> String {
    let Some(ending) = LAST.iter().find(|ending| word.ends_with(**ending)) else {
        return word;
    };
    first_rule(word, &[(ending, "")], |stem| {
        measure(stem) > 1 && (*ending != "ion" || stem.ends_with(['s', 't']))
    })
}

/// Step 5a.
fn final_e(word: String) -> String {
    first_rule(word, &[("e", "")], |stem| {
        measure(stem) > 1 || measure(stem) == 1 && !ends_like_hop(stem)
    })
}

/// Step 5b.
fn final_l(word: String) -> String {
    first_rule(word, &[("ll", "l")], |stem| {
        measure(&format!("{stem}l")) > 1
    })
}

/// Applies the first rule whose ending fits, if what is before it meets the condition; later rules are not tried.
fn first_rule(word: String, rules: &[(&str, &str)], condition: impl Fn(&str) -> bool) -> String {
    let mut fitting = rules
        .iter()
        .filter_map(|(ending, new)| Some((word.strip_suffix(ending)?, new)));
    match fitting.next() {
        Some((stem, new)) if condition(stem) => format!("{stem}{new}"),
        _ => word,
    }
}

fn replace(word: &str, ending: &str, new: &str) -> String {
    format!("{}{new}", word.strip_suffix(ending).unwrap_or(word))
}

/// For each letter whether it is a consonant: no vowel, and no *y* after a consonant.
fn consonants(word: &str) -> impl Iterator<Item = bool> {
    word.bytes().scan(false, |previous, letter| {
        *previous = match letter {
            b'a' | b'e' | b'i' | b'o' | b'u' => false,
            b'y' => !*previous,
            _ => true,
        };
        Some(*previous)
    })
}

/// How often a consonant follows a vowel, which the paper calls m: 0 in *tree*, 1 in *trouble*, 2 in *private*.
fn measure(stem: &str) -> usize {
    let pairs = consonants(stem).zip(consonants(stem).skip(1));
    pairs.filter(|&pair| pair == (false, true)).count()
}

fn has_vowel(stem: &str) -> bool {
    consonants(stem).any(|consonant| !consonant)
}

fn ends_in_double_consonant(stem: &str) -> bool {
    let letters = stem.as_bytes();
    matches!(letters, [.., one, other] if one == other) && consonants(stem).last() == Some(true)
}

/// Consonant, vowel, consonant other than w, x, y at the end; NLTK adds words of one vowel and one consonant.
fn ends_like_hop(stem: &str) -> bool {
    let kinds: Vec<bool> = consonants(stem).collect();
    match kinds[..] {
        [false, true] => true,
        [.., true, false, true] => !stem.ends_with(['w', 'x', 'y']),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nltk_stems_the_same() {
        let fixture: serde_json::Value =
            serde_json::from_str(include_str!("../../fixtures/porter.json")).unwrap();
        let mut words = 0;
        for (line, stems) in fixture["stems"].as_object().unwrap() {
            let stems = stems.as_str().unwrap().split(' ');
            for (word, expected) in line.split(' ').zip(stems) {
                assert_eq!(stem(word), expected, "{word}");
                words += 1;
            }
        }
        assert_eq!(words, fixture["words"].as_u64().unwrap());
        assert!(words > 3000);
    }
}
