//! GPT-2's first step: text is cut into pieces, and no token ever reaches across two of them.
//!
//! The published pattern is `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`. Its last two
//! parts look ahead, which Rust's `regex` cannot; by hand it is one `match` on the kind of the next characters.

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

/// The endings of English words that are a piece of their own.
const ENDINGS: [&str; 7] = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];

/// The four kinds of characters that the pattern tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Letter,
    Number,
    Space,
    Other,
}

/// The kind by the character's general category.
///
/// `char::is_alphabetic` would not do: it also holds for marks such as U+0345, letter numbers such as Ⅳ and symbols such as Ⓐ.
fn kind(character: char) -> Kind {
    if character.is_ascii() {
        return match character {
            'a'..='z' | 'A'..='Z' => Kind::Letter,
            '0'..='9' => Kind::Number,
            _ if character.is_whitespace() => Kind::Space,
            _ => Kind::Other,
        };
    }
    match character.general_category_group() {
        GeneralCategoryGroup::Letter => Kind::Letter,
        GeneralCategoryGroup::Number => Kind::Number,
        _ if character.is_whitespace() => Kind::Space,
        _ => Kind::Other,
    }
}

/// The pieces of a text in order; put together they are the text.
#[derive(Debug, Clone)]
pub(super) struct Pieces<'a> {
    rest: &'a str,
    digits_alone: bool,
}

/// Cuts a text into the pieces in which [`super::Bpe`] works: words with the space before them, numbers, punctuation, white space.
///
/// ```
/// use kindling::text::gpt2_pieces;
/// assert_eq!(gpt2_pieces("It's 2 o'clock."), ["It", "'s", " 2", " o", "'", "clock", "."]);
/// ```
#[must_use]
pub fn gpt2_pieces(text: &str) -> Vec<&str> {
    pieces(text, false).collect()
}

/// The same, one piece at a time. With `digits_alone` each digit is cut out before all else, as SmolLM2's tokenizer does it: a number then has
/// as many tokens as digits, and looks alike wherever it stands.
pub(super) fn pieces(text: &str, digits_alone: bool) -> Pieces<'_> {
    Pieces {
        rest: text,
        digits_alone,
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let length = match self.digits_alone {
            true => piece(up_to_a_digit(self.rest))?,
            false => piece(self.rest)?,
        };
        let (piece, rest) = self.rest.split_at(length);
        self.rest = rest;
        Some(piece)
    }
}

/// How many bytes the first piece has; nothing at the end.
fn piece(text: &str) -> Option<usize> {
    if let Some(ending) = ENDINGS.iter().find(|ending| text.starts_with(**ending)) {
        return Some(ending.len());
    }
    let mut characters = text.chars();
    let first = characters.next()?;
    let second = characters.next().map(kind);
    Some(match (first, kind(first), second) {
        // A space belongs to what follows it.
        (' ', _, Some(kind)) if kind != Kind::Space => 1 + run(&text[1..], kind),
        (_, Kind::Space, _) => white_space(text),
        (_, kind, _) => run(text, kind),
    })
}

/// The first digit of a text, else all up to its first digit.
fn up_to_a_digit(text: &str) -> &str {
    let mut digits = text.char_indices().filter(|(_, c)| c.is_numeric());
    match digits.next() {
        Some((0, digit)) => &text[..digit.len_utf8()],
        Some((place, _)) => &text[..place],
        None => text,
    }
}

/// How many bytes at the start are characters of this kind.
fn run(text: &str, expected: Kind) -> usize {
    text.char_indices()
        .find(|&(_, character)| kind(character) != expected)
        .map_or(text.len(), |(position, _)| position)
}

/// White space up to the end of the text, or up to its last character, which is left to what follows.
fn white_space(text: &str) -> usize {
    let length = run(text, Kind::Space);
    let last = text[..length].chars().next_back().map_or(0, char::len_utf8);
    if length == text.len() || length == last {
        length
    } else {
        length - last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<&str> {
        let pieces: Vec<&str> = pieces(text, false).collect();
        assert_eq!(pieces.concat(), text);
        pieces
    }

    #[test]
    fn a_space_belongs_to_the_word_behind_it() {
        assert_eq!(cut("Hello, you  two"), ["Hello", ",", " you", " ", " two"]);
        assert_eq!(cut("I'll say'S"), ["I", "'ll", " say", "'", "S"]);
        assert_eq!(cut("a1 2b!? "), ["a", "1", " 2", "b", "!?", " "]);
    }

    #[test]
    fn the_last_white_space_before_a_word_stays_alone() {
        assert_eq!(cut("a\n\n\nb"), ["a", "\n\n", "\n", "b"]);
        assert_eq!(cut("a \tb"), ["a", " ", "\t", "b"]);
        assert_eq!(cut("a\t b"), ["a", "\t", " b"]);
        assert_eq!(cut(" \n "), [" \n "]);
        assert!(cut("").is_empty());
    }

    #[test]
    fn digits_are_cut_out_before_all_else() {
        let cut = |text| pieces(text, true).collect::<Vec<_>>();
        assert_eq!(
            cut("in 1984, a"),
            ["in", " ", "1", "9", "8", "4", ",", " a"]
        );
        assert_eq!(cut("a  2b½"), ["a", "  ", "2", "b", "½"]);
        assert_eq!(cut("no digits"), ["no", " digits"]);
        assert!(cut("").is_empty());
    }

    #[test]
    fn marks_letter_numbers_and_circled_letters_are_not_letters() {
        assert_eq!(cut("ন\u{9be}x"), ["ন", "\u{9be}", "x"]);
        assert_eq!(cut("aⅣⒶ"), ["a", "Ⅳ", "Ⓐ"]);
        assert_eq!(cut("你好 世界"), ["你好", " 世界"]);
    }
}
