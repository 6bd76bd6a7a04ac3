//! Special tokens: they stand for no text of their own, such as the end of a document, and are looked for before all else.

use std::cmp::Reverse;

use crate::{Error, Result};

/// The special tokens, longest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Special {
    tokens: Vec<(String, u32)>,
}

/// A stretch of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Part<'a> {
    /// Text between special tokens, never empty.
    Plain(&'a str),
    /// A special token's id.
    Special(u32),
}

impl Special {
    /// Adds a token, which must not be there yet.
    pub(super) fn add(&mut self, text: &str, id: u32) -> Result<()> {
        let problem = match text {
            "" => "expected a text, found an empty one".to_owned(),
            _ if self.id(text).is_some() => format!("found {text:?} twice"),
            _ => {
                self.tokens.push((text.to_owned(), id));
                // By text among equals, so that the same tokens always make the same list.
                let key = |(text, _): &(String, u32)| (Reverse(text.len()), text.clone());
                self.tokens.sort_by_cached_key(key);
                return Ok(());
            }
        };
        Err(Error::Argument(format!("special tokens: {problem}")))
    }

    pub(super) fn id(&self, text: &str) -> Option<u32> {
        let mut tokens = self.tokens.iter();
        Some(tokens.find(|(special, _)| special == text)?.1)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = u32> {
        self.tokens.iter().map(|&(_, id)| id)
    }

    /// Texts and ids in the order of the ids.
    pub(super) fn in_order(&self) -> Vec<(&str, u32)> {
        let tokens = self.tokens.iter();
        let mut tokens: Vec<_> = tokens.map(|(text, id)| (text.as_str(), *id)).collect();
        tokens.sort_by_key(|&(_, id)| id);
        tokens
    }

    /// Cuts a text at its special tokens: the leftmost first, and of those that begin there the longest.
    pub(super) fn parts<'a>(&self, text: &'a str) -> Vec<Part<'a>> {
        let mut begins = [false; 256];
        for (special, _) in &self.tokens {
            begins[usize::from(special.as_bytes()[0])] = true;
        }
        let mut parts = Vec::new();
        let (mut plain, mut at) = (0, 0);
        while at < text.len() {
            let rest = &text.as_bytes()[at..];
            let mut tokens = self.tokens.iter();
            let found = match begins[usize::from(rest[0])] {
                true => tokens.find(|(special, _)| rest.starts_with(special.as_bytes())),
                false => None,
            };
            let Some((special, id)) = found else {
                at += 1;
                continue;
            };
            if plain < at {
                parts.push(Part::Plain(&text[plain..at]));
            }
            parts.push(Part::Special(*id));
            at += special.len();
            plain = at;
        }
        if plain < text.len() {
            parts.push(Part::Plain(&text[plain..]));
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_at_the_longest_token() {
        let mut special = Special::default();
        for (id, text) in ["终", "终了", "|"].into_iter().enumerate() {
            special.add(text, id as u32).unwrap();
        }
        assert_eq!(
            special.parts("a终了终|é"),
            [
                Part::Plain("a"),
                Part::Special(1),
                Part::Special(0),
                Part::Special(2),
                Part::Plain("é"),
            ]
        );
        assert!(special.parts("").is_empty());
    }
}
