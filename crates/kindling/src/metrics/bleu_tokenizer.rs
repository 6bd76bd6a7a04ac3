//! How BLEU cuts a sentence into tokens: the score depends on it, so these are sacrebleu's rules to the letter (Post, 2018).

/// The rules by which a sentence becomes tokens before its n-grams are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BleuTokenizer {
    /// `mteval-v13a`, the standard of the WMT shared tasks: for languages that put spaces between words.
    #[default]
    V13a,
    /// For Chinese: each character is a token, words in Latin letters stay whole.
    Chinese,
    /// Each character is a token, whatever the language.
    Character,
    /// The sentence is cut already, by spaces.
    None,
}

impl BleuTokenizer {
    /// The tokens of a sentence.
    ///
    /// ```
    /// use kindling::metrics::BleuTokenizer;
    /// assert_eq!(BleuTokenizer::V13a.tokenize("It's 1,000.5 m&quot;."), ["It's", "1,000.5", "m", "\"", "."]);
    /// assert_eq!(BleuTokenizer::Chinese.tokenize("我爱 Rust。"), ["我", "爱", "Rust", "。"]);
    /// ```
    #[must_use]
    pub fn tokenize(self, sentence: &str) -> Vec<String> {
        let sentence = sentence.trim_end_matches(is_space);
        match self {
            Self::V13a => words(&separate(&format!(" {} ", unescape(sentence)))),
            Self::Chinese => words(&separate(&pad(
                sentence.trim_start_matches(is_space),
                is_chinese,
            ))),
            Self::Character => {
                let characters = sentence.chars().filter(|&character| !is_space(character));
                characters.map(String::from).collect()
            }
            Self::None => words(sentence),
        }
    }
}

/// What Python takes for white space: it counts four separators of ancient files, which Unicode does not.
pub(super) fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}

/// The pieces between white space.
pub(super) fn words(sentence: &str) -> Vec<String> {
    let pieces = sentence.split(is_space).filter(|piece| !piece.is_empty());
    pieces.map(str::to_owned).collect()
}

/// Takes back what the files of the shared tasks do to a text: marks, line breaks, entities. The order matters: `&amp;lt;` ends as `<`.
fn unescape(sentence: &str) -> String {
    [
        ("<skipped>", ""),
        ("-\n", ""),
        ("\n", " "),
        ("&quot;", "\""),
        ("&amp;", "&"),
        ("&lt;", "<"),
        ("&gt;", ">"),
    ]
    .iter()
    .fold(sentence.to_owned(), |text, (from, to)| {
        text.replace(from, to)
    })
}

/// Puts spaces around symbols; full stops, commas and hyphens stay where they are part of a number or a word.
fn separate(sentence: &str) -> String {
    let is_stop = |character| matches!(character, '.' | ',');
    let is_digit = |character: char| character.is_ascii_digit();
    let text = pad(sentence, is_symbol);
    let text = pad_pairs(&text, |a, b| !is_digit(a) && is_stop(b), "", " ");
    let text = pad_pairs(&text, |a, b| is_stop(a) && !is_digit(b), " ", "");
    pad_pairs(&text, |a, b| is_digit(a) && b == '-', "", " ")
}

/// Every ASCII symbol but `'`, `,`, `-` and `.`; the space is among them, which changes nothing.
fn is_symbol(character: char) -> bool {
    matches!(character, ' '..='&' | '('..='+' | '/' | ':'..='@' | '['..='`' | '{'..='~')
}

/// The characters that stand alone in Chinese: those that sacrebleu takes, which are not Unicode's Han.
///
/// The second range is meant to be an extension of Han, U+20000 to U+2A6D6. As sacrebleu writes it, it is punctuation, arrows
/// and mathematical signs instead, and published scores rest on that.
fn is_chinese(character: char) -> bool {
    matches!(character,
        '\u{3400}'..='\u{4db5}' // extension A
        | '\u{2001}'..='\u{2a6d}'
        | '\u{4e00}'..='\u{9fbb}' // Han
        | '\u{f900}'..='\u{fa2d}' | '\u{fa30}'..='\u{fa6a}' | '\u{fa70}'..='\u{fad9}' // compatible forms
        | '\u{ff00}'..='\u{ffef}' // full-width Latin
        | '\u{2e80}'..='\u{2eff}' | '\u{2f00}'..='\u{2fdf}' | '\u{2ff0}'..='\u{2fff}' // radicals
        | '\u{3000}'..='\u{303f}' // punctuation
        | '\u{3100}'..='\u{312f}' | '\u{31a0}'..='\u{31bf}' | '\u{31c0}'..='\u{31ef}' // sounds and strokes
        | '\u{3200}'..='\u{33ff}' // in circles and squares
        | '\u{fe10}'..='\u{fe1f}' | '\u{fe30}'..='\u{fe4f}') // vertical punctuation
}

/// Puts a space on both sides of each character that `fits`.
fn pad(sentence: &str, fits: impl Fn(char) -> bool) -> String {
    let mut text = String::with_capacity(2 * sentence.len());
    for character in sentence.chars() {
        if fits(character) {
            text.extend([' ', character, ' ']);
        } else {
            text.push(character);
        }
    }
    text
}

/// Puts a space between two neighbours that fit, and `before` and `after` around them; each character is in one pair at most.
fn pad_pairs(
    sentence: &str,
    fits: impl Fn(char, char) -> bool,
    before: &str,
    after: &str,
) -> String {
    let mut text = String::with_capacity(2 * sentence.len());
    let mut characters = sentence.chars().peekable();
    while let Some(first) = characters.next() {
        if let Some(second) = characters.next_if(|&second| fits(first, second)) {
            text.push_str(before);
            text.extend([first, ' ', second]);
            text.push_str(after);
        } else {
            text.push(first);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All characters, against the list that sacrebleu's own function gave.
    #[test]
    fn sacrebleu_takes_the_same_characters_for_chinese() {
        let fixture: serde_json::Value =
            serde_json::from_str(include_str!("../../fixtures/text_metrics.json")).unwrap();
        let ranges: Vec<(u32, u32)> =
            serde_json::from_value(fixture["sacrebleu_chinese"].clone()).unwrap();
        assert!(ranges.len() > 10);
        for character in '\0'..=char::MAX {
            let expected = ranges
                .iter()
                .any(|&(first, last)| (first..=last).contains(&u32::from(character)));
            assert_eq!(is_chinese(character), expected, "{character:?}");
        }
    }
}
