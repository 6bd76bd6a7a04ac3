//! Files of text as other programs write them: with a byte order mark, in UTF-16, in the encoding that an XML file declares.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// Why a file cannot be read as text, and the line where there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unreadable {
    pub(crate) line: Option<u32>,
    pub(crate) what: String,
}

/// A text in UTF-8 or UTF-16, without its byte order mark.
pub(crate) fn text(bytes: &[u8]) -> Result<Cow<'_, str>, Unreadable> {
    let (encoding, mark) = marked(bytes).unwrap_or((UTF_8, 0));
    decode(&bytes[mark..], encoding)
}

/// An XML file in the encoding that its byte order mark or its first line names, otherwise in UTF-8.
pub(crate) fn xml(bytes: &[u8]) -> Result<Cow<'_, str>, Unreadable> {
    let Some(label) = declared(bytes).filter(|_| marked(bytes).is_none()) else {
        return text(bytes);
    };
    match Encoding::for_label(label.as_bytes()) {
        // A text whose first line could be read byte by byte is not in UTF-16, whatever that line says.
        Some(encoding) if encoding != UTF_16LE && encoding != UTF_16BE => {
            let decoded = decode(bytes, encoding);
            // Some programs convert a text to UTF-8 and leave its first line as it was.
            decoded.or_else(|problem| decode(bytes, UTF_8).map_err(|_| problem))
        }
        Some(_) => decode(bytes, UTF_8),
        None => decode(bytes, UTF_8).map_err(|_| Unreadable {
            line: Some(1),
            what: format!("expected a known encoding, found {label:?}; save the file in UTF-8"),
        }),
    }
}

/// The encoding that the first bytes speak for, and the length of their mark.
fn marked(bytes: &[u8]) -> Option<(&'static Encoding, usize)> {
    Encoding::for_bom(bytes).or(match bytes {
        // The first letter of XML and JSON is an ASCII letter: in UTF-16 half of it is zero.
        [0, second, ..] if *second != 0 => Some((UTF_16BE, 0)),
        [first, 0, ..] if *first != 0 => Some((UTF_16LE, 0)),
        _ => None,
    })
}

/// What stands in `<?xml … encoding="…"?>`.
fn declared(bytes: &[u8]) -> Option<String> {
    let start = &bytes[..bytes.len().min(200)];
    let start = String::from_utf8_lossy(start);
    let line = start.trim_start().strip_prefix("<?xml")?;
    let line = &line[..line.find("?>")?];
    let (_, after) = line.split_once("encoding")?;
    let after = after.trim_start().strip_prefix('=')?.trim_start();
    let quote = after
        .chars()
        .next()
        .filter(|quote| "\"'".contains(*quote))?;
    let (label, _) = after[1..].split_once(quote)?;
    Some(label.trim().to_owned())
}

fn decode<'a>(bytes: &'a [u8], encoding: &'static Encoding) -> Result<Cow<'a, str>, Unreadable> {
    if encoding == UTF_8 {
        return match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Cow::Borrowed(text)),
            Err(error) => {
                let place = error.valid_up_to();
                let line = bytes[..place].iter().filter(|byte| **byte == b'\n').count();
                Err(Unreadable {
                    line: u32::try_from(line + 1).ok(),
                    what: format!(
                        "expected text in UTF-8, found the byte 0x{:02X}; save the file in UTF-8, or let its first line name the encoding, as in <?xml version=\"1.0\" encoding=\"gb18030\"?>",
                        bytes.get(place).copied().unwrap_or_default()
                    ),
                })
            }
        };
    }
    let decoded = encoding.decode_without_bom_handling_and_without_replacement(bytes);
    decoded.ok_or_else(|| Unreadable {
        line: None,
        what: format!(
            "expected text in {}, found bytes that are none; save the file in UTF-8",
            encoding.name()
        ),
    })
}

#[cfg(test)]
mod tests {
    use encoding_rs::GBK;

    use super::*;

    fn utf_16(words: &str, big: bool) -> Vec<u8> {
        let bytes = words.encode_utf16().flat_map(|unit| match big {
            true => unit.to_be_bytes(),
            false => unit.to_le_bytes(),
        });
        bytes.collect()
    }

    #[test]
    fn a_mark_and_utf_16_are_understood() {
        let words = "<a>\n猫</a>";
        assert_eq!(text(b"\xEF\xBB\xBFa\n").unwrap(), "a\n");
        for big in [false, true] {
            assert_eq!(text(&utf_16(words, big)).unwrap(), words);
            let marked = utf_16(&format!("\u{FEFF}{words}"), big);
            assert_eq!(text(&marked).unwrap(), words);
            assert_eq!(xml(&marked).unwrap(), words);
        }
        assert_eq!(text(b"").unwrap(), "");
        let error = text(&utf_16(words, false)[..9]).unwrap_err();
        assert!(error.what.contains("UTF-16LE"), "{error:?}");
    }

    #[test]
    fn the_encoding_that_an_xml_file_names_is_taken() {
        for label in ["gb2312", "GBK", "gb18030"] {
            let words = format!("<?xml version='1.0' encoding='{label}'?>\n<name>细胞</name>");
            let (bytes, _, _) = GBK.encode(&words);
            assert_eq!(xml(&bytes).unwrap(), words);
            // Saved in UTF-8 later; the first line was left as it was.
            assert!(xml(words.as_bytes()).is_ok());
        }
        let latin = b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>caf\xE9</a>";
        assert!(xml(latin).unwrap().contains("café"));
        let wrong = "<?xml version=\"1.0\" encoding=\"utf-16\"?><a>é</a>";
        assert_eq!(xml(wrong.as_bytes()).unwrap(), wrong);
    }

    #[test]
    fn what_is_no_text_is_said_with_its_line() {
        let (bytes, _, _) = GBK.encode("<a>\n<name>细胞</name></a>");
        let error = xml(&bytes).unwrap_err();
        assert_eq!(error.line, Some(2));
        assert!(error.what.contains("0xB0") && error.what.contains("gb18030"));
        let unknown = b"<?xml version=\"1.0\" encoding=\"klingon\"?><a>\xCF</a>";
        assert!(xml(unknown).unwrap_err().what.contains("\"klingon\""));
    }
}
