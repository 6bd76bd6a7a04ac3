//! Encoding a text piece by piece.

use std::{collections::HashMap, ops::Range};

use super::{merge::Merges, split::pieces};

/// The ids so far of a text, and where each piece was seen before: most words come again and again.
pub(super) struct Encoder<'a> {
    merges: &'a Merges,
    byte_ids: &'a [u32; 256],
    digits_alone: bool,
    ids: Vec<u32>,
    seen: HashMap<&'a str, Range<usize>>,
}

impl<'a> Encoder<'a> {
    pub(super) fn new(merges: &'a Merges, byte_ids: &'a [u32; 256], digits_alone: bool) -> Self {
        Self {
            merges,
            byte_ids,
            digits_alone,
            ids: Vec::new(),
            seen: HashMap::new(),
        }
    }

    /// Adds the ids of a text without special tokens.
    pub(super) fn add(&mut self, text: &'a str) {
        for piece in pieces(text, self.digits_alone) {
            if let Some(range) = self.seen.get(piece) {
                self.ids.extend_from_within(range.clone());
                continue;
            }
            let bytes = piece.bytes();
            let mut ids: Vec<u32> = bytes.map(|byte| self.byte_ids[usize::from(byte)]).collect();
            self.merges.apply(&mut ids);
            let start = self.ids.len();
            self.ids.extend(ids);
            self.seen.insert(piece, start..self.ids.len());
        }
    }

    /// Adds a special token.
    pub(super) fn push(&mut self, id: u32) {
        self.ids.push(id);
    }

    pub(super) fn into_ids(self) -> Vec<u32> {
        self.ids
    }
}
