//! The entries of a list in a JSON text, each as it stands there, with its line: what a parser forgets.

/// One entry of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    pub(crate) text: &'a str,
    /// The line, from 1, in which it begins.
    pub(crate) line: u32,
}

/// The entries of the list that the outermost object has under this key; the text is known to be valid JSON.
pub(crate) fn entries<'a>(text: &'a str, key: &str) -> Vec<Entry<'a>> {
    let mut found = Vec::new();
    let (mut depth, mut line) = (0_usize, 1);
    let mut quote: Option<usize> = None; // where the string began that this is in
    let mut escaped = false;
    let mut last_string = ""; // at depth 1, the last one before a colon is a key
    let mut wanted = false;
    let mut start: Option<(usize, u32)> = None;
    for (place, byte) in text.bytes().enumerate() {
        if let Some(began) = quote {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    quote = None;
                    if depth == 1 {
                        last_string = &text[began..place];
                    }
                }
                _ => {}
            }
            continue;
        }
        // In the list, between two entries: the first byte that is no space begins the next.
        let separator = matches!(byte, b',' | b']') && depth == 2;
        if wanted && depth == 2 && start.is_none() && !separator && !byte.is_ascii_whitespace() {
            start = Some((place, line));
        }
        if wanted
            && separator
            && let Some((from, line)) = start.take()
        {
            let text = text[from..place].trim_end();
            found.push(Entry { text, line });
        }
        match byte {
            b'\n' => line += 1,
            b'"' => quote = Some(place + 1),
            b'[' | b'{' => {
                wanted = wanted || (depth == 1 && byte == b'[' && last_string == key);
                depth += 1;
            }
            b']' | b'}' => {
                depth = depth.saturating_sub(1);
                wanted = wanted && depth >= 2;
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_entry_is_found_with_its_line() {
        let text = r#"{"a": "things", "b": {"things": [0]},
 "things" : [ {"x": "]},[\"", "y": [1, [2]]},
  3,
"four, \\" , null ], "none": [], "c": ["things", 5]}"#;
        let found: Vec<(&str, u32)> = entries(text, "things")
            .iter()
            .map(|entry| (entry.text, entry.line))
            .collect();
        let first = r#"{"x": "]},[\"", "y": [1, [2]]}"#;
        let expected = [(first, 2), ("3", 3), (r#""four, \\""#, 4), ("null", 4)];
        assert_eq!(found, expected);
        let list: serde_json::Value = serde_json::from_str(text).unwrap();
        for (entry, value) in found.iter().zip(list["things"].as_array().unwrap()) {
            let parsed: serde_json::Value = serde_json::from_str(entry.0).unwrap();
            assert_eq!(parsed, *value);
        }
        assert!(entries(text, "none").is_empty());
        assert!(entries(text, "missing").is_empty());
    }
}
