//! GPT-2's alphabet: each of the 256 bytes has a character that can be seen, so that tokens can be written in text files.
//!
//! Bytes that print well in Latin-1 stand for themselves; the others, such as the space, are numbered from U+0100 on
//! (Radford et al., 2019, the code that came with it). A space is `Ġ`, a newline `Ċ`.

use std::{collections::HashMap, sync::LazyLock};

/// The character of each byte.
static CHARACTERS: LazyLock<[char; 256]> = LazyLock::new(|| {
    let mut hidden = '\u{100}'..;
    std::array::from_fn(|byte| {
        let byte = byte as u8;
        match byte {
            b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff => char::from(byte),
            _ => hidden.next().unwrap_or_default(), // the range does not end
        }
    })
});

static BYTES: LazyLock<HashMap<char, u8>> =
    LazyLock::new(|| (0..=u8::MAX).map(|byte| (character(byte), byte)).collect());

/// The character that stands for this byte.
pub(super) fn character(byte: u8) -> char {
    CHARACTERS[usize::from(byte)]
}

/// These bytes in characters that can be seen.
pub(super) fn visible(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| character(byte)).collect()
}

/// The bytes that were made visible; nothing if a character stands for no byte.
pub(super) fn bytes(visible: &str) -> Option<Vec<u8>> {
    visible
        .chars()
        .map(|character| BYTES.get(&character).copied())
        .collect()
}

/// All bytes in the order of their characters, in which a trained vocabulary numbers them.
pub(super) fn in_order() -> Vec<u8> {
    let mut all: Vec<u8> = (0..=u8::MAX).collect();
    all.sort_by_key(|&byte| character(byte));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_a_character_of_its_own_and_comes_back() {
        let all: Vec<u8> = (0..=u8::MAX).collect();
        let text = visible(&all);
        assert_eq!(bytes(&text), Some(all));
        assert!(
            !text
                .chars()
                .any(|character| character.is_whitespace() || character.is_control())
        );
    }

    #[test]
    fn well_known_characters_are_right() {
        assert_eq!(visible(b" a\n\0\x7f\xad"), "ĠaĊĀġŃ");
        assert_eq!(bytes("a b"), None, "a space is never written as itself");
        assert_eq!(in_order()[..2], [b'!', b'"']);
    }
}
