//! Putting pieces of text together as their language is written.

/// The pieces, one behind the other: with a space between them, but with none between Chinese.
pub(super) fn joined<'a>(pieces: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for piece in pieces.into_iter().filter(|piece| !piece.is_empty()) {
        let before = text.chars().next_back();
        if before.is_some_and(|before| !is_chinese(before, piece)) {
            text.push(' ');
        }
        text.push_str(piece);
    }
    text
}

/// Whether what ends so and what follows are Chinese. Quotation marks and dots may be, beside what certainly is.
fn is_chinese(before: char, piece: &str) -> bool {
    let Some(after) = piece.chars().next() else {
        return true;
    };
    let may_be =
        |character: char| is_wide(character) || matches!(character, '‘' | '’' | '“' | '”' | '…');
    may_be(before) && may_be(after) && (is_wide(before) || is_wide(after))
}

/// Han characters and the marks of their width.
fn is_wide(character: char) -> bool {
    matches!(character, '\u{3000}'..='\u{303f}' | '\u{3400}'..='\u{9fff}' | '\u{ff00}'..='\u{ff65}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::joined;

    #[test]
    fn spaces_stand_where_the_language_has_them() {
        assert_eq!(joined(["One.", "Two."]), "One. Two.");
        assert_eq!(
            joined(["你好。", "“再见！”", "他说。"]),
            "你好。“再见！”他说。"
        );
        assert_eq!(joined(["“No.”", "“Yes…”", "Well"]), "“No.” “Yes…” Well");
        assert_eq!(joined(["我用", "Rust", "。"]), "我用 Rust 。");
        assert_eq!(joined(["", "a", "", "b"]), "a b");
        assert_eq!(joined([]), "");
    }
}
