//! Attention within each sentence of a pack: no padding, so no masks either.

use candle_core::{CpuStorage, CustomOp1, Layout, Shape, Tensor};
use kindling::ops::exp_by_series;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::product::product;

/// Queries that a thread takes at a time; it lays out the keys and values of their sentence for itself.
const QUERIES: usize = 48;

/// Widths are filled up to whole vectors of the widest processors.
const LANES: usize = 16;

/// `softmax(Q Kᵀ / √head_size) V` for each sentence and head (Vaswani et al., 2017, equation 1).
///
/// `tokens` `(tokens, 3 · hidden_size)` are the query, the key and the value of each token; sentences of these `lengths` lie one behind the other.
pub(super) fn attention(
    tokens: &Tensor,
    lengths: &[usize],
    num_heads: usize,
) -> candle_core::Result<Tensor> {
    let (count, width) = tokens.dims2()?;
    let hidden_size = width / 3;
    if lengths.iter().sum::<usize>() != count || hidden_size % num_heads != 0 {
        candle_core::bail!(
            "attention: expected {num_heads} heads and the tokens of the sentences {lengths:?}, found {:?}",
            tokens.dims()
        );
    }
    tokens.contiguous()?.apply_op1_no_bwd(&Attention {
        lengths: lengths.to_vec(),
        num_heads,
        hidden_size,
    })
}

struct Attention {
    lengths: Vec<usize>,
    num_heads: usize,
    hidden_size: usize,
}

impl CustomOp1 for Attention {
    fn name(&self) -> &'static str {
        "packed-attention"
    }

    fn cpu_fwd(
        &self,
        tokens: &CpuStorage,
        layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let numbers = tokens.as_slice::<f32>()?;
        let Some((start, end)) = layout.contiguous_offsets() else {
            candle_core::bail!("packed-attention: expected a contiguous tensor, found {layout:?}");
        };
        let count = self.lengths.iter().sum::<usize>();
        let mut output = vec![0.0; count * self.hidden_size];
        let (mut inputs, mut rows) = (&numbers[start..end], output.as_mut_slice());
        let mut tasks = Vec::new();
        for length in &self.lengths {
            let (sentence, later) = inputs.split_at(length * 3 * self.hidden_size);
            let (answers, others) =
                std::mem::take(&mut rows).split_at_mut(length * self.hidden_size);
            let parts = answers.chunks_mut(QUERIES * self.hidden_size).enumerate();
            tasks.extend(parts.map(|(part, answers)| Part {
                shape: self,
                sentence,
                first: part * QUERIES,
                answers,
            }));
            (inputs, rows) = (later, others);
        }
        tasks
            .into_par_iter()
            .for_each(|part| kindling::ops::arch().dispatch(part));
        Ok((CpuStorage::F32(output), (count, self.hidden_size).into()))
    }
}

/// Some queries of a sentence, and where their answers go.
struct Part<'a> {
    shape: &'a Attention,
    /// `(length, 3 · hidden_size)`
    sentence: &'a [f32],
    first: usize,
    /// `(queries, hidden_size)`
    answers: &'a mut [f32],
}

impl WithSimd for Part<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Attention {
            num_heads,
            hidden_size,
            ..
        } = *self.shape;
        let head_size = hidden_size / num_heads;
        let stride = 3 * hidden_size;
        let length = self.sentence.len() / stride;
        let queries = self.answers.len() / hidden_size;
        let width = length.next_multiple_of(LANES);
        let value_width = head_size.next_multiple_of(LANES);
        let mut keys = vec![0.0; head_size * width]; // (head_size, width)
        let mut values = vec![0.0; length * value_width]; // (length, value_width)
        let mut weights = vec![0.0; queries * width]; // (queries, width)
        let mut found = vec![0.0; queries * value_width]; // (queries, value_width)
        let scale = 1.0 / (head_size as f32).sqrt();
        for head in 0..num_heads {
            let place = head * head_size;
            for (token, numbers) in self.sentence.chunks_exact(stride).enumerate() {
                let key = &numbers[hidden_size + place..][..head_size];
                for (number, column) in key.iter().zip(keys.chunks_exact_mut(width)) {
                    column[token] = *number;
                }
                let value = &numbers[2 * hidden_size + place..][..head_size];
                values[token * value_width..][..head_size].copy_from_slice(value);
            }
            let query =
                |row: usize| &self.sentence[(self.first + row) * stride + place..][..head_size];
            product(simd, queries, query, &keys, width, &mut weights);
            for row in weights.chunks_exact_mut(width) {
                softmax(&mut row[..length], scale);
            }
            let weight = |row: usize| &weights[row * width..][..length];
            product(simd, queries, weight, &values, value_width, &mut found);
            let rows = self.answers.chunks_exact_mut(hidden_size);
            for (answer, found) in rows.zip(found.chunks_exact(value_width)) {
                answer[place..][..head_size].copy_from_slice(&found[..head_size]);
            }
        }
    }
}

/// The largest score is taken off first, which keeps the exponentials from overflowing.
#[inline(always)]
fn softmax(row: &mut [f32], scale: f32) {
    let highest = fold(row, f32::NEG_INFINITY, f32::max);
    for number in row.iter_mut() {
        *number = exp_by_series(scale * (*number - highest));
    }
    let total = fold(row, 0.0, |a, b| a + b);
    let share = 1.0 / total;
    for number in row {
        *number *= share;
    }
}

/// Combines all numbers, sixteen side by side, for the compiler to turn into vector instructions.
#[inline(always)]
fn fold(row: &[f32], start: f32, combine: impl Fn(f32, f32) -> f32) -> f32 {
    let mut results = [start; LANES];
    let (vectors, rest) = row.as_chunks::<LANES>();
    for numbers in vectors {
        for (result, number) in results.iter_mut().zip(numbers) {
            *result = combine(*result, *number);
        }
    }
    for (result, number) in results.iter_mut().zip(rest) {
        *result = combine(*result, *number);
    }
    results.into_iter().fold(start, combine)
}

#[cfg(test)]
mod tests {
    use candle_core::D;
    use candle_nn::ops::softmax;
    use kindling::data::Random;

    use super::*;

    /// One sentence in stock Candle's operations.
    fn composed(tokens: &Tensor, num_heads: usize) -> candle_core::Result<Tensor> {
        let (length, width) = tokens.dims2()?;
        let head_size = width / 3 / num_heads;
        let parts = tokens.reshape((length, 3, num_heads, head_size))?;
        let part = |part: usize| {
            let heads = parts.narrow(1, part, 1)?.squeeze(1)?;
            heads.transpose(0, 1)?.contiguous() // (num_heads, length, head_size)
        };
        let scores = part(0)?.matmul(&part(1)?.t()?)?; // (num_heads, length, length)
        let weights = softmax(&(scores / (head_size as f64).sqrt())?, D::Minus1)?;
        weights.matmul(&part(2)?)?.transpose(0, 1)?.flatten_from(1) // (length, hidden_size)
    }

    #[test]
    fn each_sentence_attends_to_itself_alone() {
        let mut random = Random::new(1);
        for (hidden_size, num_heads) in [(32, 1), (384, 12), (20, 4), (34, 2)] {
            let lengths = [1, 7, 100, 0, 16, 33];
            let total = lengths.iter().sum::<usize>();
            let tokens = random.normal((total, 3 * hidden_size), 0.0, 2.0).unwrap();
            let found = attention(&tokens, &lengths, num_heads).unwrap();
            assert_eq!(found.dims(), [total, hidden_size]);
            let mut start = 0;
            for length in lengths.into_iter().filter(|length| *length > 0) {
                let sentence = tokens.narrow(0, start, length).unwrap();
                let expected = composed(&sentence, num_heads).unwrap();
                let found = found.narrow(0, start, length).unwrap();
                let difference = (found - expected).unwrap().abs().unwrap();
                let largest = difference.max_all().unwrap().to_scalar::<f32>().unwrap();
                assert!(
                    largest < 1e-5,
                    "{hidden_size} {num_heads} {length}: {largest}"
                );
                start += length;
            }
        }
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        let tokens = Random::new(1).normal((5, 12), 0.0, 1.0).unwrap();
        let problem = attention(&tokens, &[2, 2], 2).unwrap_err().to_string();
        assert!(
            problem.contains("the sentences [2, 2], found [5, 12]"),
            "{problem}"
        );
        assert!(attention(&tokens, &[5], 3).is_err());
    }
}
