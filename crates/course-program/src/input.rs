//! Text from a file, or from whoever writes to this program.

use std::{
    fs,
    io::{self, IsTerminal, Read},
    path::Path,
};

use anyhow::{Context, Result, bail};

use crate::output;

/// The text of a file, or for `-` of standard input, with every line end as `\n`.
pub fn read(file: &Path) -> Result<String> {
    let is_stdin = file.as_os_str() == "-";
    let name = if is_stdin {
        "standard input".to_owned()
    } else {
        file.display().to_string()
    };
    if file.is_dir() && !is_stdin {
        bail!("{name}: expected a file with text, found a folder");
    }
    let mut bytes = Vec::new();
    if is_stdin {
        if io::stdin().is_terminal() {
            output::note("reading what you type, up to Ctrl-D at the beginning of a line");
        }
        let read = io::stdin().lock().read_to_end(&mut bytes);
        read.with_context(|| name.clone())?;
    } else {
        bytes = fs::read(file).with_context(|| name.clone())?;
    }
    let text = text(&name, bytes)?;
    if text.trim().is_empty() {
        bail!("{name}: expected some text, found none");
    }
    Ok(text)
}

/// What these bytes say.
fn text(name: &str, bytes: Vec<u8>) -> Result<String> {
    if is_utf16(&bytes) {
        bail!("{name}: expected text in UTF-8, found UTF-16; save it as UTF-8");
    }
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => bail!(
            "{name}: expected text in UTF-8, found something else at byte {}",
            error.utf8_error().valid_up_to()
        ),
    };
    // Some editors begin a file with a mark that is no part of the text, and end lines with a carriage return, with or without `\n`.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    Ok(text.replace("\r\n", "\n").replace('\r', "\n"))
}

/// Whether it has the mark of UTF-16, or as many zero bytes as European text in UTF-16 has.
fn is_utf16(bytes: &[u8]) -> bool {
    let zeros = || bytes.iter().filter(|byte| **byte == 0).count();
    bytes.starts_with(&[0xff, 0xfe])
        || bytes.starts_with(&[0xfe, 0xff])
        || 3 * zeros() > bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_line_ends_of_editors_are_no_text() {
        let read = |bytes: &[u8]| text("a.txt", bytes.to_vec()).unwrap();
        assert_eq!(read(b"\xef\xbb\xbfa\r\nb\rc\n"), "a\nb\nc\n");
        assert_eq!(read("שלום 👩‍👩‍👧\0".as_bytes()), "שלום 👩‍👩‍👧\0");
        assert_eq!(read(b""), "");
    }

    #[test]
    fn utf16_is_named() {
        let utf16 = |order: fn(u16) -> [u8; 2]| -> Vec<u8> {
            "\u{feff}Only text."
                .encode_utf16()
                .flat_map(order)
                .collect()
        };
        let (little, big) = (utf16(u16::to_le_bytes), utf16(u16::to_be_bytes));
        for bytes in [&little[..], &big, &little[2..], &big[2..]] {
            let problem = text("a.txt", bytes.to_vec()).unwrap_err().to_string();
            assert!(problem.contains("found UTF-16; save it"), "{problem}");
        }
        let problem = text("a.txt", b"caf\xe9 noir".to_vec()).unwrap_err();
        assert!(problem.to_string().contains("at byte 3"));
    }

    #[test]
    fn a_folder_is_no_text() {
        let problem = read(&std::env::temp_dir()).unwrap_err().to_string();
        assert!(problem.ends_with("expected a file with text, found a folder"));
    }
}
