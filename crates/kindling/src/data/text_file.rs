//! Text files: plain text, pairs with a tab between them, and files whose lines belong together.
//!
//! All are UTF-8, or UTF-16 that says so. What is wrong is one error with file and line.

use super::signature;
use crate::{Error, Result};

/// A sentence and its translation, or any other two texts of which one is to be made from the other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SentencePair {
    /// What is given.
    pub source: String,
    /// What it becomes.
    pub target: String,
    /// Whom a licence asks to name.
    pub attribution: Option<String>,
}

/// The text of a file without a byte order mark, with `\n` alone at the ends of lines, also where a Mac of old ends them with `\r`.
///
/// `file` is only named in errors. Bytes that are no UTF-8, and no UTF-16 with its mark, are an error.
pub fn parse_text(file: &str, bytes: &[u8]) -> Result<String> {
    let text = match bytes {
        [0xff, 0xfe, 0, 0, ..] => return Err(wrong(file, 0, &in_utf8("UTF-32"))),
        [0xff, 0xfe, rest @ ..] => utf16(file, rest, u16::from_le_bytes)?,
        [0xfe, 0xff, rest @ ..] => utf16(file, rest, u16::from_be_bytes)?,
        _ => utf8(file, bytes)?.to_owned(),
    };
    Ok(match text.contains('\r') {
        true => text.replace("\r\n", "\n").replace('\r', "\n"),
        false => text,
    })
}

fn utf8<'a>(file: &str, bytes: &'a [u8]) -> Result<&'a str> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    // Every other byte of European text in UTF-16 is zero, and so it is UTF-8 as well.
    let zeros = bytes.iter().filter(|&&byte| byte == 0).count();
    if 3 * zeros > bytes.len() {
        return Err(wrong(file, 0, &in_utf8("zero bytes, as UTF-16 has them")));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let (before, rest) = bytes.split_at(error.valid_up_to());
        let line = before.iter().filter(|&&byte| byte == b'\n').count();
        let found = rest.first().map_or(0, |byte| *byte);
        let found =
            signature::known(bytes).map_or(format!("the byte 0x{found:02x}"), str::to_owned);
        wrong(file, line, &in_utf8(&found))
    })
}

/// Text as Windows calls it *Unicode*; each two bytes are a number by `number`.
fn utf16(file: &str, bytes: &[u8], number: fn([u8; 2]) -> u16) -> Result<String> {
    let (pairs, rest) = bytes.as_chunks();
    let numbers = pairs.iter().map(|pair| number(*pair));
    let text: std::result::Result<String, _> = char::decode_utf16(numbers).collect();
    match text {
        Ok(text) if rest.is_empty() => Ok(text),
        _ => Err(wrong(
            file,
            0,
            &in_utf8("UTF-16 with half a character in it"),
        )),
    }
}

fn in_utf8(found: &str) -> String {
    format!("expected text in UTF-8, found {found}; save it as UTF-8")
}

/// The lines of a file, of which none may be empty.
pub fn parse_lines(file: &str, bytes: &[u8]) -> Result<Vec<String>> {
    let text = parse_text(file, bytes)?;
    let lines = text.lines().enumerate();
    let lines: Result<Vec<String>> = lines
        .map(|(number, line)| match line.trim() {
            "" => Err(wrong(
                file,
                number,
                "expected a sentence, found an empty line",
            )),
            sentence => Ok(sentence.to_owned()),
        })
        .collect();
    match lines?.as_slice() {
        [] => Err(wrong(file, 0, "expected a sentence, found an empty file")),
        lines => Ok(lines.to_vec()),
    }
}

/// Pairs as Tatoeba has them: source, tab, target, and if there is a third column, whom to name.
///
/// ```
/// use kindling::data::parse_pairs;
/// let pairs = parse_pairs("pairs.tsv", "Hi.\t你好。\tCC-BY, #1\nRun!\t跑！\n".as_bytes())?;
/// assert_eq!(pairs[1].target, "跑！");
/// # Ok::<(), kindling::Error>(())
/// ```
pub fn parse_pairs(file: &str, bytes: &[u8]) -> Result<Vec<SentencePair>> {
    let lines = parse_lines(file, bytes)?.into_iter().enumerate();
    let pair = |(number, line): (usize, String)| {
        let mut columns = line.split('\t').map(str::trim);
        let (source, target) = (columns.next().unwrap_or(""), columns.next());
        let Some(target) = target else {
            let problem =
                format!("expected a tab between source and target, found none in {line:?}");
            return Err(wrong(file, number, &problem));
        };
        if source.is_empty() || target.is_empty() {
            let problem = format!("expected text on both sides of the tab, found {line:?}");
            return Err(wrong(file, number, &problem));
        }
        Ok(SentencePair {
            source: source.to_owned(),
            target: target.to_owned(),
            attribution: columns.next().map(str::to_owned),
        })
    };
    lines.map(pair).collect()
}

/// Pairs from two files, each name and bytes, of which line and line belong together.
pub fn parse_parallel(source: (&str, &[u8]), target: (&str, &[u8])) -> Result<Vec<SentencePair>> {
    let sources = parse_lines(source.0, source.1)?;
    let targets = parse_lines(target.0, target.1)?;
    if sources.len() != targets.len() {
        let problem = format!(
            "expected as many lines as {} has, which are {}, found {}",
            source.0,
            sources.len(),
            targets.len()
        );
        return Err(wrong(target.0, targets.len() - 1, &problem));
    }
    let pairs = sources.into_iter().zip(targets);
    Ok(pairs
        .map(|(source, target)| SentencePair {
            source,
            target,
            attribution: None,
        })
        .collect())
}

/// An error in this line, counted from 0 here and from 1 in the message.
fn wrong(file: &str, line: usize, problem: &str) -> Error {
    Error::Format {
        file: file.to_owned(),
        problem: format!("line {}: {problem}", line + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem<T: std::fmt::Debug>(outcome: Result<T>) -> String {
        outcome.unwrap_err().to_string()
    }

    #[test]
    fn line_ends_and_marks_of_other_systems_are_understood() {
        assert_eq!(
            parse_text("a", b"\xef\xbb\xbfone\r\ntwo").unwrap(),
            "one\ntwo"
        );
        assert_eq!(parse_lines("a", b"one\r\n two \n").unwrap(), ["one", "two"]);
        assert_eq!(parse_text("a", b"").unwrap(), "");
    }

    #[test]
    fn lines_of_an_old_mac_and_texts_of_windows_are_read() {
        let text = "Hi\t你好\rRun!\t跑！😀\r";
        let pairs = |bytes: &[u8]| parse_pairs("p", bytes).unwrap();
        let expected = pairs(text.replace('\r', "\n").as_bytes());
        assert_eq!(expected.len(), 2);
        assert_eq!(pairs(text.as_bytes()), expected);
        for number in [u16::to_le_bytes, u16::to_be_bytes] {
            let text = format!("\u{feff}{}", text.replace('\r', "\r\n"));
            let bytes: Vec<u8> = text.encode_utf16().flat_map(number).collect();
            assert_eq!(pairs(&bytes), expected);
            let error = problem(parse_pairs("p", &bytes[..bytes.len() - 1]));
            assert!(
                error.contains("found UTF-16 with half a character in it; save it as UTF-8"),
                "{error}"
            );
        }
        let bare: Vec<u8> = "a\tb\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(problem(parse_pairs("p", &bare)).contains("zero bytes, as UTF-16 has them"));
        assert!(problem(parse_text("p", b"\xff\xfe\0\0a\0\0\0")).contains("found UTF-32; save it"));
        assert!(problem(parse_text("p", b"\x1f\x8b\x08\0")).contains("found a gzip file"));
    }

    #[test]
    fn bytes_that_are_no_text_are_named_with_their_line() {
        let error = problem(parse_pairs("pairs.tsv", b"a\tb\nc\t\xff\xfe\n"));
        assert!(
            error.starts_with("pairs.tsv: line 2: expected text in UTF-8, found the byte 0xff"),
            "{error}"
        );
        assert!(problem(parse_text("x", b"\n\n\xe4\xb8")).contains("line 3"));
    }

    #[test]
    fn pairs_need_a_tab_and_two_sides() {
        assert!(problem(parse_pairs("p", b"a\tb\nno tab\n")).contains("line 2: expected a tab"));
        assert!(
            problem(parse_pairs("p", b"a\tb\n\nc\td\n"))
                .contains("line 2: expected a sentence, found an empty line")
        );
        assert!(
            problem(parse_pairs("p", b"a\t\tnobody\n"))
                .contains("line 1: expected text on both sides")
        );
        assert!(problem(parse_pairs("p", b"")).contains("empty file"));
        let pairs = parse_pairs("p", "a\tb\tJo & Li\nc\td".as_bytes()).unwrap();
        assert_eq!(pairs[0].attribution.as_deref(), Some("Jo & Li"));
        assert_eq!(
            (pairs[1].target.as_str(), &pairs[1].attribution),
            ("d", &None)
        );
    }

    #[test]
    fn parallel_files_have_equally_many_lines() {
        let pairs = parse_parallel(("en", b"a\nb\n"), ("de", b"c\nd\n")).unwrap();
        assert_eq!(
            (pairs[1].source.as_str(), pairs[1].target.as_str()),
            ("b", "d")
        );
        let error = problem(parse_parallel(("en", b"a\nb\n"), ("de", b"c\n")));
        assert_eq!(
            error,
            "de: line 1: expected as many lines as en has, which are 2, found 1"
        );
        assert!(problem(parse_parallel(("en", b"a\n"), ("de", b"\n"))).starts_with("de: line 1"));
    }
}
