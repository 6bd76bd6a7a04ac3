//! How ROUGE cuts a text into tokens.

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};
use unicode_segmentation::UnicodeSegmentation;

use super::porter::stem;

/// Words of this many letters or fewer keep their endings.
const SHORT: usize = 3;

/// The tokens of a text: runs of small ASCII letters and digits, after capitals became small letters.
///
/// With `stemmed`, words lose their English endings; with `chinese`, each Han character is a token of its own.
pub(super) fn tokenize(text: &str, stemmed: bool, chinese: bool) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut word = String::new();
    // The space after the end closes the last word.
    for character in text.to_lowercase().chars().chain([' ']) {
        if character.is_ascii_lowercase() || character.is_ascii_digit() {
            word.push(character);
            continue;
        }
        if stemmed && word.len() > SHORT {
            word = stem(&word);
        }
        if !word.is_empty() {
            tokens.push(std::mem::take(&mut word));
        }
        if chinese && is_han(character) {
            tokens.push(character.into());
        }
    }
    tokens
}

/// The tokens of a text in any script: what stands between Unicode's word boundaries and has a letter, a digit or a symbol such as an emoji.
///
/// The ways to write an accent and capitals are all the same. With `stemmed`, words of ASCII letters lose their English endings.
pub(super) fn tokenize_unicode(text: &str, stemmed: bool) -> Vec<String> {
    let text: String = text.nfc().collect::<String>().to_lowercase();
    let says = |character: char| {
        character.is_alphanumeric() || character.general_category() == GeneralCategory::OtherSymbol
    };
    let words = text.split_word_bounds();
    let words = words.filter(|word| word.chars().any(says));
    words
        .map(|word| match stemmed && word.len() > SHORT {
            true if word.bytes().all(|byte| byte.is_ascii_lowercase()) => stem(word),
            _ => word.to_owned(),
        })
        .collect()
}

/// Whether Unicode 17 counts a character to the script Han.
fn is_han(character: char) -> bool {
    matches!(character,
        '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}'
        | '\u{2e80}'..='\u{2e99}' | '\u{2e9b}'..='\u{2ef3}' | '\u{2f00}'..='\u{2fd5}' // radicals
        | '\u{3005}' | '\u{3007}' | '\u{3021}'..='\u{3029}' | '\u{3038}'..='\u{303b}' // 々, 〇 and numerals
        | '\u{f900}'..='\u{fa6d}' | '\u{fa70}'..='\u{fad9}' | '\u{2f800}'..='\u{2fa1d}' // compatible forms
        | '\u{16fe2}'..='\u{16fe3}' | '\u{16ff0}'..='\u{16ff6}'
        | '\u{20000}'..='\u{2a6df}' | '\u{2a700}'..='\u{2b81e}' | '\u{2b820}'..='\u{2cead}'
        | '\u{2ceb0}'..='\u{2ebe0}' | '\u{2ebf0}'..='\u{2ee5d}'
        | '\u{30000}'..='\u{3134a}' | '\u{31350}'..='\u{33479}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_letters_and_digits_stay() {
        assert_eq!(
            tokenize("It's 1,000.5 naïve  COWS", false, false),
            ["it", "s", "1", "000", "5", "na", "ve", "cows"]
        );
        assert_eq!(
            tokenize("cows ran cats", true, false),
            ["cow", "ran", "cat"]
        );
        assert!(tokenize("我爱你！", true, false).is_empty());
    }

    #[test]
    fn words_of_every_script_are_tokens() {
        assert_eq!(
            tokenize_unicode("Über 3.5 CATS’ ears, नदी 🎉!", true),
            ["über", "3.5", "cat", "ear", "नदी", "🎉"]
        );
        assert_eq!(tokenize_unicode("can't", false), ["can't"]);
        assert!(tokenize_unicode(" … \n", false).is_empty());
    }

    #[test]
    fn han_characters_stand_alone() {
        assert_eq!(
            tokenize("我用Rust 2021写。", false, true),
            ["我", "用", "rust", "2021", "写"]
        );
    }

    /// All characters, against the ranges that the package `regex` gave for `\p{Han}`.
    #[test]
    fn unicode_takes_the_same_characters_for_han() {
        let fixture: serde_json::Value =
            serde_json::from_str(include_str!("../../fixtures/text_metrics.json")).unwrap();
        let ranges: Vec<(u32, u32)> = serde_json::from_value(fixture["han"].clone()).unwrap();
        assert!(ranges.len() > 10);
        for character in '\0'..=char::MAX {
            let expected = ranges
                .iter()
                .any(|&(first, last)| (first..=last).contains(&u32::from(character)));
            assert_eq!(is_han(character), expected, "{character:?}");
        }
    }
}
