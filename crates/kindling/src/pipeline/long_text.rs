//! Summaries of texts that are longer than a model can read: by parts, and then of what the parts say.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use super::joined::joined;
use crate::{Error, Result, text::sentences};

/// A summary by a model that reads at most `limit` units at a time: nothing of the text is left out.
///
/// A text that is too long is cut at sentences into parts of about the same length, and a sentence that is too long at words. Each part is
/// summarised to at most half its length; the summaries, one behind the other, are the new text, until that can be read at once or has the
/// asked length already. `count` says how many units a text has, `summarize` makes a summary of a text that can be read.
/// Fails when `limit` is zero, and when the summaries do not get shorter.
///
/// ```
/// use kindling::{pipeline::summarize_in_parts, text::words};
/// let text = "One two three four. Five six seven eight. Nine ten eleven twelve. Thirteen fourteen.";
/// let count = |text: &str| Ok(words(text).len());
/// // A model that knows four words and repeats the first of them.
/// let first = |text: &str, _| Ok(words(text)[0].to_owned());
/// assert_eq!(summarize_in_parts(text, 4, 3..5, count, first)?, "One Five Nine Thirteen");
/// # Ok::<(), kindling::Error>(())
/// ```
pub fn summarize_in_parts(
    text: &str,
    limit: usize,
    length: Range<usize>,
    count: impl Fn(&str) -> Result<usize>,
    mut summarize: impl FnMut(&str, Range<usize>) -> Result<String>,
) -> Result<String> {
    if limit == 0 {
        return Err(Error::Argument(
            "limit: expected at least 1, found 0".to_owned(),
        ));
    }
    let mut text = text.to_owned();
    let mut size = count(&text)?;
    loop {
        let parts = parts(&text, limit, &count)?;
        if let [part] = parts.as_slice() {
            return summarize(part, length);
        }
        let briefs = parts.iter().map(|part| {
            let most = count(part)?.div_ceil(2);
            summarize(part, 0..most + 1)
        });
        let briefs: Vec<String> = briefs.collect::<Result<_>>()?;
        let merged = joined(briefs.iter().map(|brief| brief.trim()));
        let merged_size = count(&merged)?;
        if merged_size == 0 || merged_size >= size {
            return Err(Error::Argument(format!(
                "text: expected summaries that are shorter, found {merged_size} units of {} parts for {size} units of text",
                parts.len()
            )));
        }
        if length.contains(&merged_size) {
            return Ok(merged);
        }
        (text, size) = (merged, merged_size);
    }
}

/// The text in as few parts as possible, about equally long, none of them longer than the limit.
fn parts(text: &str, limit: usize, count: &impl Fn(&str) -> Result<usize>) -> Result<Vec<String>> {
    let mut pieces = Vec::new();
    for sentence in sentences(text) {
        cut(sentence, limit, count, &mut pieces)?;
    }
    let total: usize = pieces.iter().map(|(_, size)| size).sum();
    let target = total.div_ceil(total.div_ceil(limit).max(1));
    let mut parts: Vec<Vec<&str>> = Vec::new();
    let mut size = usize::MAX;
    for (piece, length) in &pieces {
        // A part that has its share is closed, so that the last one is not a leftover.
        if size >= target || size + length > limit {
            parts.push(Vec::new());
            size = 0;
        }
        if let Some(part) = parts.last_mut() {
            part.push(piece);
        }
        size += length;
    }
    Ok(parts.into_iter().map(joined).collect())
}

/// The sentence if it is short enough, else its halves, cut at the word nearest to the middle, and so on.
fn cut<'a>(
    text: &'a str,
    limit: usize,
    count: &impl Fn(&str) -> Result<usize>,
    pieces: &mut Vec<(&'a str, usize)>,
) -> Result<()> {
    let size = count(text)?;
    let Some(middle) = middle(text).filter(|_| size > limit) else {
        pieces.push((text.trim(), size));
        return Ok(());
    };
    cut(&text[..middle], limit, count, pieces)?;
    cut(&text[middle..], limit, count, pieces)
}

/// Where a word begins nearest to the middle; in a single word, a character; nothing in a single character.
fn middle(text: &str) -> Option<usize> {
    let nearest = |places: &mut dyn Iterator<Item = usize>| {
        let inside = places.filter(|place| *place > 0);
        inside.min_by_key(|place| place.abs_diff(text.len() / 2))
    };
    let mut words = text.unicode_word_indices().map(|(place, _)| place);
    let mut characters = text.char_indices().map(|(place, _)| place);
    nearest(&mut words).or_else(|| nearest(&mut characters))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::words;

    fn words_of(text: &str) -> Result<usize> {
        Ok(words(text).len())
    }

    #[test]
    fn parts_are_whole_sentences_of_about_the_same_length() {
        let sentence = |count: usize| vec!["Word"; count].join(" ") + ".";
        let text: Vec<String> = [4, 5, 3, 6, 2, 4, 5, 3].map(sentence).into(); // 32 words
        let text = text.join(" ");
        let found = parts(&text, 12, &words_of).unwrap();
        let sizes: Vec<usize> = found.iter().map(|part| words(part).len()).collect();
        assert_eq!(sizes, [12, 12, 8]);
        assert_eq!(joined(found.iter().map(String::as_str)), text);
        let found = parts(&text, 31, &words_of).unwrap();
        let sizes: Vec<usize> = found.iter().map(|part| words(part).len()).collect();
        assert_eq!(sizes, [18, 14], "and not 29 and 3");
        assert_eq!(parts(&text, 32, &words_of).unwrap(), [text.as_str()]);
    }

    #[test]
    fn a_sentence_that_is_too_long_is_cut_at_words_and_a_word_at_characters() {
        let found = parts("一二三四五六七八九十。", 4, &words_of).unwrap();
        assert!(found.iter().all(|part| words(part).len() <= 4), "{found:?}");
        assert_eq!(found.concat(), "一二三四五六七八九十。");
        let characters = |text: &str| Ok(text.chars().count());
        let found = parts(&"é".repeat(100), 30, &characters).unwrap();
        assert!(found.iter().all(|part| part.chars().count() <= 30));
        assert_eq!(found.concat(), "é".repeat(100));
        let found = parts("🙂", 1, &|_: &str| Ok(5)).unwrap();
        assert_eq!(found, ["🙂"], "what cannot be cut stays whole");
    }

    #[test]
    fn everything_is_read_and_the_result_has_the_asked_length() {
        let text: Vec<String> = (0..50)
            .map(|number| format!("Word{number} a b c d e f g h i."))
            .collect();
        let text = text.join(" "); // 500 words
        let mut read = String::new();
        let halve = |part: &str, length: Range<usize>| {
            read += part;
            let all = words(part);
            assert!(all.len() <= 64, "{part}");
            // The first word of each ten, so that each sentence leaves a trace at first.
            let some = all.iter().step_by(3).take(length.end - 1);
            Ok(some.copied().collect::<Vec<_>>().join(" ") + ".")
        };
        let summary = summarize_in_parts(&text, 64, 10..30, words_of, halve).unwrap();
        assert!((10..30).contains(&words(&summary).len()), "{summary}");
        assert!((0..50).all(|number| read.contains(&format!("Word{number} "))));
    }

    #[test]
    fn summaries_that_are_no_shorter_are_refused() {
        let text = "One two. Three four. Five six.";
        let problem = |repeat: fn(&str, Range<usize>) -> Result<String>| {
            let found = summarize_in_parts(text, 2, 1..2, words_of, repeat);
            found.unwrap_err().to_string()
        };
        let error = problem(|part, _| Ok(part.to_owned()));
        assert!(
            error.contains("found 6 units of 3 parts for 6 units"),
            "{error}"
        );
        let error = problem(|_, _| Ok(String::new()));
        assert!(error.contains("found 0 units of 3 parts"), "{error}");
        assert!(summarize_in_parts(text, 0, 1..2, words_of, |_, _| Ok(String::new())).is_err());
    }
}
