//! Splitting text into words, for models that have a vector for each word.
//!
//! Alphabetic scripts are split at Unicode's word boundaries (Unicode Standard Annex 29). Chinese is written without
//! spaces, so each Han character counts as a word. A segmenter with a dictionary, such as the crate `jieba-rs`, would find
//! 大学 in 大学生; it is left out because its dictionary of several megabytes would be part of every notebook, and because
//! byte-pair encoding, which learns such units by itself, has replaced it in large models.

use unicode_segmentation::UnicodeSegmentation;

/// The words of a text in order, without punctuation and white space; `can't` and `3.14` are one word each.
///
/// ```
/// use kindling::text::words;
/// assert_eq!(words("The well-known cat can't count to 3.14!"), ["The", "well", "known", "cat", "can't", "count", "to", "3.14"]);
/// assert_eq!(words("我爱 Rust。"), ["我", "爱", "Rust"]);
/// ```
#[must_use]
pub fn words(text: &str) -> Vec<&str> {
    text.unicode_words().collect()
}

/// The words and the punctuation marks of a text, as a translator needs them; only white space and control characters go.
///
/// ```
/// use kindling::text::words_and_punctuation;
/// assert_eq!(words_and_punctuation("Two dogs, running."), ["Two", "dogs", ",", "running", "."]);
/// ```
#[must_use]
pub fn words_and_punctuation(text: &str) -> Vec<&str> {
    let is_empty = |part: &str| part.chars().all(|c| c.is_whitespace() || c.is_control());
    let parts = text.split_word_bounds();
    parts.filter(|part| !is_empty(part)).collect()
}

/// The characters of a text in order, for models that read letter by letter; white space is kept.
///
/// ```
/// assert_eq!(kindling::text::characters("hé 好"), ["h", "é", " ", "好"]);
/// ```
#[must_use]
pub fn characters(text: &str) -> Vec<&str> {
    text.char_indices()
        .map(|(start, character)| &text[start..start + character.len_utf8()])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn han_characters_are_words_and_other_scripts_keep_theirs() {
        assert_eq!(words("他有3个iPhone。"), ["他", "有", "3", "个", "iPhone"]);
        assert_eq!(
            words("Füße, naïve, d'accord"),
            ["Füße", "naïve", "d'accord"]
        );
        assert_eq!(
            words_and_punctuation("“你好！”他说……"),
            ["“", "你", "好", "！", "”", "他", "说", "…", "…"]
        );
        assert_eq!(words_and_punctuation("👩‍👩‍👧 ok"), ["👩‍👩‍👧", "ok"]);
    }

    #[test]
    fn little_or_no_text_gives_little_or_nothing() {
        for text in ["", " \n\t", "\u{0}\u{1b}"] {
            assert!(
                words(text).is_empty() && words_and_punctuation(text).is_empty(),
                "{text:?}"
            );
        }
        assert_eq!(words("one"), ["one"]);
        assert!(characters("").is_empty());
    }

    #[test]
    fn some_megabytes_are_split_in_one_go() {
        let text = "a word, 一个词. ".repeat(200_000);
        assert_eq!(words(&text).len(), 5 * 200_000);
        assert_eq!(words(&"x".repeat(4 << 20)).len(), 1);
    }
}
