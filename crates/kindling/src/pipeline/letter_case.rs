//! Capitals for words that were written without: those that the text has.

use std::collections::BTreeMap;

use unicode_segmentation::UnicodeSegmentation;

use crate::text::sentences;

/// The lower-case words of `summary` as `text` writes them most often, and the first letter of all as a capital.
///
/// The first word of a sentence says nothing of how it is written elsewhere, unless it has a capital inside, such as *NYMEX*.
pub(super) fn with_capitals(summary: &str, text: &str) -> String {
    let mut forms: BTreeMap<String, BTreeMap<&str, usize>> = BTreeMap::new();
    for sentence in sentences(text) {
        for (place, word) in sentence.unicode_words().enumerate() {
            if place > 0 || word.chars().skip(1).any(char::is_uppercase) {
                let forms = forms.entry(word.to_lowercase()).or_default();
                *forms.entry(word).or_default() += 1;
            }
        }
    }
    let written = |word: &str| {
        let forms = forms.get(&word.to_lowercase());
        let most = forms.and_then(|forms| forms.iter().max_by_key(|(_, count)| **count));
        most.map_or_else(|| word.to_owned(), |(form, _)| (*form).to_owned())
    };
    let summary: String = summary.split_word_bounds().map(written).collect();
    let mut rest = summary.chars();
    let first = rest.next().into_iter().flat_map(char::to_uppercase);
    first.chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use super::with_capitals;

    #[test]
    fn names_get_their_capitals_back_and_first_words_lose_them() {
        let text = "Attached is the draw file for Bishops Corner. NYMEX asked Phillip. The IT team and the it-girl asked, too.";
        let found = with_capitals("draw file, bishops corner attached (phillip/nymex)", text);
        assert_eq!(found, "Draw file, Bishops Corner attached (Phillip/NYMEX)");
        assert_eq!(with_capitals("the file", text), "The file");
        assert_eq!(with_capitals("élan", "one Élan"), "Élan");
        assert_eq!(with_capitals("", text), "");
        assert_eq!(with_capitals("水泵", "温室的水泵"), "水泵");
    }
}
