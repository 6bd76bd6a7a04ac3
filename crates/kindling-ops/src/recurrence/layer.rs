//! The sizes of a recurrent layer's way through time, and where each example and moment lies in memory.

use std::{marker::PhantomData, sync::OnceLock};

use super::Cell;
use crate::tile::WIDE;

/// Examples a thread takes at a time: one whole tile.
const ROWS: usize = WIDE;

/// Below this many multiply-adds a second thread costs more than it brings.
const WORTH_A_THREAD: usize = 1 << 20;

pub(super) struct Recurrence<C> {
    pub(super) batch: usize,
    pub(super) time: usize,
    pub(super) hidden: usize,
    pub(super) mask: Option<Vec<u8>>,
    pub(super) reverse: bool,
    /// What the cell wrote down, `(batch, time, KEPT · hidden_size)`.
    pub(super) kept: OnceLock<Vec<f32>>,
    pub(super) cell: PhantomData<C>,
}

impl<C: Cell> Recurrence<C> {
    pub(super) const fn gates(&self) -> usize {
        C::GATES * self.hidden
    }

    pub(super) const fn states(&self) -> usize {
        C::STATES * self.hidden
    }

    pub(super) const fn kept(&self) -> usize {
        C::KEPT * self.hidden
    }

    /// How many examples to give to one task.
    pub(super) fn rows(&self) -> usize {
        if self.batch * self.time * self.gates() * self.hidden < WORTH_A_THREAD {
            self.batch
        } else {
            ROWS
        }
    }

    /// The place in time of this step.
    pub(super) fn moment(&self, step: usize) -> usize {
        if self.reverse {
            self.time - 1 - step
        } else {
            step
        }
    }

    /// Whether there is something to read.
    pub(super) fn seen(&self, example: usize, moment: usize) -> bool {
        let mask = self.mask.as_ref();
        mask.is_none_or(|mask| mask[example * self.time + moment] != 0)
    }

    /// What each moment's product was with: the hidden state before it, and a one for the bias.
    pub(super) fn hidden_before(&self, output: &[f32], start: &[f32]) -> Vec<f32> {
        let mut hidden = vec![1.0; self.batch * self.time * (self.hidden + 1)];
        let mut rows = hidden.chunks_exact_mut(self.hidden + 1);
        for example in 0..self.batch {
            for (row, moment) in rows.by_ref().take(self.time).zip(0..) {
                let before = self.before(output, start, example, moment);
                row[..self.hidden].copy_from_slice(&before[..self.hidden]);
            }
        }
        hidden
    }

    /// The state that this example had when it came to this moment.
    pub(super) fn before<'a>(
        &self,
        output: &'a [f32],
        start: &'a [f32],
        example: usize,
        moment: usize,
    ) -> &'a [f32] {
        let earlier = if self.reverse {
            Some(moment + 1).filter(|&earlier| earlier < self.time)
        } else {
            moment.checked_sub(1)
        };
        match earlier {
            Some(earlier) => {
                &output[(example * self.time + earlier) * self.states()..][..self.states()]
            }
            None => &start[example * self.states()..][..self.states()],
        }
    }
}
