//! The two tables while they are trained: rows of numbers, dealt out to parts that threads can own.

use candle_core::{Device, Tensor};

use crate::{Result, data::Random};

/// How many parts a table has, and so how many threads can work at a time.
///
/// It is the same on every machine, because it decides the order of the steps and with it the result.
pub(super) const PARTS: usize = 8;

/// Numbers in 64 bytes, a cache line and the widest vector that a processor has.
const LINE: usize = 16;

/// Some rows of a table, each beginning on a cache line; a clone would begin anywhere.
#[derive(Debug)]
pub(super) struct Rows {
    values: Vec<f32>,
    start: usize,
    stride: usize,
}

impl Rows {
    /// Rows of zeros; each is filled up with more zeros to `stride` numbers.
    pub(super) fn zeros(rows: usize, features: usize) -> Self {
        let stride = stride(features);
        let values = vec![0.0_f32; rows * stride + LINE];
        // A vector is only guaranteed to begin where a number may. Rows that straddle cache lines take twice the loads.
        let start = values.as_ptr().align_offset(4 * LINE).min(LINE);
        Self {
            values,
            start,
            stride,
        }
    }

    #[inline(always)]
    pub(super) fn row(&self, row: usize) -> &[f32] {
        &self.values[self.start + row * self.stride..][..self.stride]
    }

    #[inline(always)]
    pub(super) fn row_mut(&mut self, row: usize) -> &mut [f32] {
        &mut self.values[self.start + row * self.stride..][..self.stride]
    }
}

/// How many numbers a row takes, with the zeros behind it.
pub(super) fn stride(features: usize) -> usize {
    features.next_multiple_of(LINE)
}

/// In which part a word's row lies, and which of its rows it is.
///
/// Words are numbered by frequency, so dealing them out like cards gives each part as much to do.
#[inline(always)]
pub(super) fn place(word: u32) -> (usize, usize) {
    (word as usize % PARTS, word as usize / PARTS)
}

/// A table `(vocabulary, features)`, dealt out to [`PARTS`] parts.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) parts: Vec<Rows>,
    words: usize,
    features: usize,
}

impl Table {
    /// A table of zeros.
    pub(super) fn zeros(words: usize, features: usize) -> Self {
        let rows = words.div_ceil(PARTS);
        let parts = (0..PARTS).map(|_| Rows::zeros(rows, features)).collect();
        Self {
            parts,
            words,
            features,
        }
    }

    /// A table of small random numbers, between -1/2 and 1/2 over the number of features, as `word2vec.c` begins.
    pub(super) fn random(words: usize, features: usize, random: &mut Random) -> Self {
        let mut table = Self::zeros(words, features);
        for word in 0..words as u32 {
            for number in &mut table.row_mut(word)[..features] {
                *number = ((random.next_f64() - 0.5) / features as f64) as f32;
            }
        }
        table
    }

    /// How many words it has rows for.
    pub(super) fn words(&self) -> usize {
        self.words
    }

    /// How many numbers a row takes.
    pub(super) fn stride(&self) -> usize {
        stride(self.features)
    }

    #[inline(always)]
    pub(super) fn row(&self, word: u32) -> &[f32] {
        let (part, row) = place(word);
        self.parts[part].row(row)
    }

    pub(super) fn row_mut(&mut self, word: u32) -> &mut [f32] {
        let (part, row) = place(word);
        self.parts[part].row_mut(row)
    }

    /// The table as a tensor `(vocabulary, features)`.
    pub(super) fn to_tensor(&self) -> Result<Tensor> {
        let rows = (0..self.words as u32).map(|word| &self.row(word)[..self.features]);
        let numbers = rows.collect::<Vec<_>>().concat();
        Ok(Tensor::from_vec(
            numbers,
            (self.words, self.features),
            &Device::Cpu,
        )?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_begin_on_cache_lines_and_come_back_in_order() {
        let mut table = Table::random(21, 100, &mut Random::new(1));
        for word in 0..21 {
            let row = table.row_mut(word);
            assert_eq!((row.len(), row.as_ptr() as usize % 64), (112, 0));
            assert!(row[..100].iter().all(|number| number.abs() <= 0.005));
            assert!(row[..100].iter().any(|number| number.abs() > 0.004));
            assert_eq!(row[100..], [0.0; 12]);
            row[0] = word as f32;
        }
        let tensor = table.to_tensor().unwrap();
        assert_eq!(tensor.dims(), [21, 100]);
        let first = tensor.narrow(1, 0, 1).unwrap().flatten_all().unwrap();
        let expected: Vec<f32> = (0_u8..21).map(f32::from).collect();
        assert_eq!(first.to_vec1::<f32>().unwrap(), expected);
    }
}
