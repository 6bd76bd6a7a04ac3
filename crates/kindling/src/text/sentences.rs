//! Splitting text into sentences, in English and Chinese.
//!
//! A full stop ends a sentence unless it belongs to an abbreviation, an initial or a number; what follows it decides where
//! the word before it does not. Rules cannot be right everywhere: learned splitters (Kiss and Strunk, 2006) are left out.

use std::ops::Range;

/// Abbreviations after which a name or a number follows, never the end.
const BEFORE_A_NAME: [&str; 31] = [
    "mr", "mrs", "ms", "dr", "prof", "st", "mt", "gen", "col", "capt", "lt", "sgt", "rev", "hon",
    "sen", "rep", "gov", "pres", "messrs", "mme", "mlle", "vs", "cf", "e.g", "i.e", "viz",
    "approx", "ca", "al", "u.s", "u.k",
];

/// Abbreviations only where a number follows: `No. 5`, but not `Oh no. Five!`.
const BEFORE_A_NUMBER: [&str; 24] = [
    "no", "nos", "fig", "figs", "vol", "vols", "p", "pp", "ch", "sec", "eq", "art", "jan", "feb",
    "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec",
];

/// How far back the word before a full stop is looked at: longer words are no abbreviations.
const LONGEST_ABBREVIATION: usize = 8;

/// The sentences of a text in order, without white space around them.
///
/// ```
/// use kindling::text::sentences;
/// assert_eq!(sentences("Dr. Li paid 3.50 dollars. Why? “No idea.” 他走了。我也走了！"),
///     ["Dr. Li paid 3.50 dollars.", "Why?", "“No idea.”", "他走了。", "我也走了！"]);
/// ```
#[must_use]
pub fn sentences(text: &str) -> Vec<&str> {
    let ranges = sentence_ranges(text).into_iter();
    ranges.map(|range| &text[range]).collect()
}

/// Where the sentences of a text are, in bytes. A blank line ends a sentence too, as after a heading.
#[must_use]
pub fn sentence_ranges(text: &str) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut start = 0;
    let mut end = |start: &mut usize, end: usize| {
        let sentence = text[*start..end].trim_end();
        if !sentence.is_empty() {
            ranges.push(*start..*start + sentence.len());
        }
        *start = end;
    };
    let mut at = 0;
    while let Some(character) = text[at..].chars().next() {
        if is_stop(character) {
            let after = at + length(&text[at..], is_stop);
            let closed = after + length(&text[after..], is_closing);
            if ends_sentence(
                &text[start..at],
                &text[at..after],
                after < closed,
                &text[closed..],
            ) {
                end(&mut start, closed);
            }
            at = closed;
        } else if character.is_whitespace() {
            let space = length(&text[at..], char::is_whitespace);
            if text[at..at + space].matches('\n').nth(1).is_some() {
                end(&mut start, at + space);
            }
            // No sentence begins with white space, however much there is.
            if start == at {
                start += space;
            }
            at += space;
        } else {
            at += character.len_utf8();
        }
    }
    end(&mut start, text.len());
    ranges
}

/// Whether a sentence ends with these stops, given what it has so far and what follows stops and closing quotes.
fn ends_sentence(before: &str, stops: &str, is_closed: bool, rest: &str) -> bool {
    if stops.contains(['。', '！', '？', '｡']) {
        return true;
    }
    let follows = rest.trim_start();
    let Some(next) = follows.chars().next() else {
        return true;
    };
    if follows.len() == rest.len() {
        // Chinese typed with ASCII marks leaves no space; 3.14 and example.com leave none either.
        let previous = before.chars().next_back();
        return is_han(next) && previous.is_some_and(is_han) && !stops.contains('…');
    }
    if next.is_lowercase() {
        return false; // "Really?" he asked.
    }
    stops != "." || is_closed || !is_abbreviation(before, next)
}

/// Whether a single full stop after this text belongs to its last word, with this character next.
fn is_abbreviation(before: &str, next: char) -> bool {
    // 1. A list begins with a number that is no sentence.
    if !before.is_empty() && before.chars().all(|c| c.is_ascii_digit()) {
        return true;
    }
    let tail = before.char_indices().rev().take(LONGEST_ABBREVIATION + 1);
    let word = tail
        .take_while(|&(_, c)| c.is_alphanumeric() || c == '.' || c == '\'')
        .last()
        .map_or("", |(position, _)| &before[position..]);
    if word.chars().count() > LONGEST_ABBREVIATION {
        return false;
    }
    let mut letters = word.chars();
    if let (Some(letter), None) = (letters.next(), letters.next())
        && letter.is_uppercase()
        && letter != 'I'
    {
        return true; // an initial, as in J. Smith; "I" mostly ends "So do I."
    }
    let word = word.to_lowercase();
    BEFORE_A_NAME.contains(&word.as_str())
        || (next.is_numeric() && BEFORE_A_NUMBER.contains(&word.as_str()))
}

/// How many bytes at the start are such characters.
fn length(text: &str, is_such: impl Fn(char) -> bool) -> usize {
    text.find(|character| !is_such(character))
        .unwrap_or(text.len())
}

fn is_stop(character: char) -> bool {
    matches!(character, '.' | '!' | '?' | '。' | '！' | '？' | '｡' | '…')
}

fn is_closing(character: char) -> bool {
    matches!(
        character,
        '"' | '\'' | ')' | ']' | '”' | '’' | '»' | '」' | '』' | '）' | '】' | '》'
    )
}

fn is_han(character: char) -> bool {
    matches!(character, '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text is cut at each `|` and nowhere else.
    fn check(marked: &str) {
        let expected: Vec<&str> = marked.split('|').map(str::trim).collect();
        assert_eq!(sentences(&marked.replace('|', "")), expected);
    }

    #[test]
    fn english() {
        check("Is it? |Yes! |It is.");
        check("Mr. J. K. Smith met Mrs. Jones at 10.30 a.m. on Jan. 5. |They talked.");
        check(
            "It costs $3.50. |See Fig. 2, e.g. Or pp. 3 and 4. |I said no. |Then I left. |So do I. |Good.",
        );
        check(
            "\"Really?\" he asked. |\"Yes.\" |She nodded (twice.) |Visit example.com today. |Wait... what? |Wait... |What?!",
        );
        check("1. One thing. |2. Another. |In 1999. |The U.S. Army came.");
        check("No stop at the end");
    }

    #[test]
    fn chinese() {
        check("你好。|我叫小明！|“真的吗？”|他问。|圆周率是3.14。|好");
        check("你好吗?|我很好.|谢谢!|他说:“走吧！！”|然后……没有然后了。");
        check("我用 Rust。|It works. |真好！");
    }

    #[test]
    fn blank_lines_separate_and_single_ones_do_not() {
        check("A heading\n\n|First line\nsecond line. |Third.\r\n \r\n|Last");
        assert_eq!(sentence_ranges("  Hi.  Ho. "), [2..5, 7..10]);
    }

    #[test]
    fn little_text_and_strange_text() {
        for text in ["", " \n\n ", "\u{3000}"] {
            assert!(sentences(text).is_empty());
        }
        check("word");
        assert_eq!(sentences("..."), ["..."]);
        assert_eq!(sentences("\u{0}. \u{1}"), ["\u{0}.", "\u{1}"]);
    }

    #[test]
    fn megabytes_take_linear_time() {
        let count = 300_000;
        assert_eq!(sentences(&"A cat sat. ".repeat(count)).len(), count);
        for part in ["a.", ". ", "\"", "Mr. ", "好", " ", "?\n", "."] {
            let text = part.repeat((2 << 20) / part.len());
            assert!(sentences(&text).len() <= text.len());
        }
    }
}
