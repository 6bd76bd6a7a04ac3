//! A distribution over all tokens mixed with one over the tokens of a source, so that a model can copy (See, Liu and Manning, 2017).

use std::{mem, sync::OnceLock};

use candle_core::{CpuStorage, CustomOp3, D, DType, Layout, Shape, Tensor};
use rayon::prelude::*;

use super::{
    exponential::exp_fused,
    values::{Values, on_cpu, slice},
    vectorized::vectorized,
};
use crate::{Error, Result};

/// Rows that are worth a thread.
const ROWS: usize = 8;

/// The slope of a logarithm has no bound; this one, `e⁸⁰`, still leaves room for the products of the chain rule.
const STEEPEST: f32 = 80.0;

/// What comes back: the gradients of logits, gate and attention.
type Gradients = (Option<Tensor>, Option<Tensor>, Option<Tensor>);

/// The natural logarithms of `p · softmax(logits) + (1 - p) · copies` with `p = sigmoid(gate)`, `(batch, time, vocabulary)`
/// (See, Liu and Manning, 2017, equation 9).
///
/// `logits` are `(batch, time, vocabulary)`, `gate` is `(batch, time, 1)`. `attention` `(batch, time, source_time)` says how likely the copy is of
/// each place of the source, `source` `(batch, source_time)` which token stands there; the places of one token add up. No table of the size
/// of source times vocabulary is made. Fails where shapes do not fit or the source has a token that the vocabulary has not.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// let logits = Tensor::zeros((1, 1, 4), DType::F32, &Device::Cpu)?; // (batch, time, vocabulary): four equal chances
/// let gate = Tensor::zeros((1, 1, 1), DType::F32, &Device::Cpu)?; // (batch, time, 1): one half
/// let attention = Tensor::new(&[[[0.25_f32, 0.5, 0.25]]], &Device::Cpu)?; // (batch, time, source_time)
/// let source = Tensor::new(&[[3_u32, 0, 3]], &Device::Cpu)?; // (batch, source_time)
/// let mixed = kindling_ops::copy_mixture(&logits, &gate, &attention, &source)?.exp()?; // (batch, time, vocabulary)
/// for (found, expected) in mixed.flatten_all()?.to_vec1::<f32>()?.iter().zip([0.375, 0.125, 0.125, 0.375]) {
///     assert!((found - expected).abs() < 1e-6);
/// }
/// # Ok::<(), kindling_base::Error>(())
/// ```
pub fn copy_mixture(
    logits: &Tensor,
    gate: &Tensor,
    attention: &Tensor,
    source: &Tensor,
) -> Result<Tensor> {
    let &[batch, time, vocabulary] = logits.dims() else {
        return Err(shape("logits", "(batch, time, vocabulary)", logits));
    };
    let &[examples, source_time] = source.dims() else {
        return Err(shape("source", "(batch, source_time)", source));
    };
    if examples != batch {
        return Err(shape("source", &format!("({batch}, source_time)"), source));
    }
    for (what, tensor, last) in [("gate", gate, 1), ("attention", attention, source_time)] {
        if tensor.dims() != [batch, time, last] {
            return Err(shape(what, &format!("({batch}, {time}, {last})"), tensor));
        }
    }
    let tokens = source.flatten_all()?.to_dtype(DType::U32)?.to_vec1()?;
    if let Some(token) = tokens.iter().find(|&&id| id as usize >= vocabulary) {
        return Err(Error::Argument(format!(
            "source: expected tokens below {vocabulary}, found {token}"
        )));
    }
    if !on_cpu(&[logits, gate, attention]) || logits.elem_count() * source_time == 0 {
        return composed(logits, gate, attention, source);
    }
    let operation = CopyMixture {
        time,
        vocabulary,
        source_time,
        tokens,
        log_totals: OnceLock::new(),
    };
    let (gate, attention) = (gate.contiguous()?, attention.contiguous()?);
    Ok(logits
        .contiguous()?
        .apply_op3(&gate, &attention, operation)?)
}

fn shape(what: &str, expected: &str, found: &Tensor) -> Error {
    Error::Shape {
        what: what.to_owned(),
        expected: expected.to_owned(),
        found: found.dims().to_vec(),
    }
}

/// The same, composed of Candle's operations, for other devices and number types.
///
/// Candle 0.11 has no right gradient of `scatter_add` into a larger tensor; that of `index_add` on one dimension is right.
fn composed(logits: &Tensor, gate: &Tensor, attention: &Tensor, source: &Tensor) -> Result<Tensor> {
    let (batch, time, vocabulary) = logits.dims3()?;
    let rows = Tensor::arange(0_i64, (batch * time) as i64, logits.device())?;
    let rows = (rows * vocabulary as f64)?.reshape((batch, time, 1))?; // where each row of logits begins
    let tokens = source.to_dtype(DType::I64)?.unsqueeze(1)?; // (batch, 1, source_time)
    let places = rows.broadcast_add(&tokens)?.flatten_all()?; // (batch · time · source_time)
    let copies = logits.detach().zeros_like()?.flatten_all()?;
    let copies = copies.index_add(&places, &attention.flatten_all()?, 0)?;
    let copies = copies.reshape(logits.shape())?; // (batch, time, vocabulary)
    let generate = candle_nn::ops::sigmoid(gate)?; // (batch, time, 1)
    let generated = candle_nn::ops::softmax(logits, D::Minus1)?.broadcast_mul(&generate)?;
    let copied = copies.broadcast_mul(&generate.affine(-1.0, 1.0)?)?;
    let mixed = (generated + copied)?.maximum(f64::from(f32::MIN_POSITIVE))?; // no logarithm of 0
    Ok(mixed.log()?)
}

struct CopyMixture {
    time: usize,
    vocabulary: usize,
    source_time: usize,
    /// The tokens of all sources, `(batch · source_time)`.
    tokens: Vec<u32>,
    /// For each row of logits the logarithm of the sum of their exponentials; the way back uses them again.
    log_totals: OnceLock<Vec<f32>>,
}

impl CopyMixture {
    /// The source's tokens for a row of logits.
    fn tokens(&self, row: usize) -> impl Iterator<Item = usize> {
        let first = row / self.time * self.source_time;
        let tokens = &self.tokens[first..first + self.source_time];
        tokens.iter().map(|&token| token as usize)
    }
}

/// The logarithms of `sigmoid(gate)` and of `1 - sigmoid(gate)`, exact where one of them is almost 0.
fn log_shares(gate: f32) -> (f32, f32) {
    let rest = (-gate.abs()).exp().ln_1p();
    (gate.min(0.0) - rest, (-gate).min(0.0) - rest)
}

/// `ln(eᵃ + eᵇ)`, where at most one is -∞.
fn log_sum(a: f32, b: f32) -> f32 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    high + (low - high).exp().ln_1p()
}

impl CustomOp3 for CopyMixture {
    fn name(&self) -> &'static str {
        "copy-mixture"
    }

    fn cpu_fwd(
        &self,
        logits: &CpuStorage,
        layout: &Layout,
        gate: &CpuStorage,
        gate_layout: &Layout,
        attention: &CpuStorage,
        attention_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (logits, gate) = (slice(logits, layout)?, slice(gate, gate_layout)?);
        let attention = slice(attention, attention_layout)?;
        let mut mixed = vec![0.0; logits.len()];
        let mut log_totals = vec![0.0; gate.len()];
        let given = logits
            .par_chunks_exact(self.vocabulary)
            .zip(attention.par_chunks_exact(self.source_time));
        mixed
            .par_chunks_exact_mut(self.vocabulary)
            .zip(&mut log_totals)
            .zip(given.zip(gate))
            .enumerate()
            .with_min_len(ROWS)
            .for_each_init(
                || vec![0.0; self.vocabulary],
                |copies, (row, ((mixed, log_total), ((logits, attention), gate)))| {
                    let (generate, copy) = log_shares(*gate);
                    sum_exponentials(logits, log_total);
                    shift(mixed, logits, generate - *log_total);
                    for (token, weight) in self.tokens(row).zip(attention) {
                        copies[token] += weight;
                    }
                    for token in self.tokens(row) {
                        // What is taken out is 0 when the token comes again.
                        let copied = mem::take(&mut copies[token]);
                        if copied > 0.0 {
                            mixed[token] = log_sum(mixed[token], copy + copied.ln());
                        }
                    }
                },
            );
        let _ = self.log_totals.set(log_totals);
        Ok((CpuStorage::F32(mixed), layout.shape().clone()))
    }

    /// With `r` the part of a token's probability that was generated, `p` the generator's probabilities and `g` the gradients of the logarithms:
    /// `g · r - p · Σ g · r` for the logits, `Σ g · (r - sigmoid(gate))` for the gate, and for a place of the source its token's `g`
    /// times `(1 - sigmoid(gate))` over the probability.
    fn bwd(
        &self,
        logits: &Tensor,
        gate: &Tensor,
        attention: &Tensor,
        mixed: &Tensor,
        gradient: &Tensor,
    ) -> candle_core::Result<Gradients> {
        let Some(log_totals) = self.log_totals.get() else {
            candle_core::bail!("copy-mixture: the way back came before the way there")
        };
        let gradient = gradient.contiguous()?;
        let (gradients, gates) = (Values::of(&gradient)?, Values::of(gate)?);
        let (all_logits, all_mixed) = (Values::of(logits)?, Values::of(mixed)?);
        let mut grad_logits = vec![0.0; all_logits.len()];
        let mut grad_gate = vec![0.0; gates.len()];
        let mut grad_attention = vec![0.0; gates.len() * self.source_time];
        let given = gradients
            .par_chunks_exact(self.vocabulary)
            .zip(all_logits.par_chunks_exact(self.vocabulary))
            .zip(all_mixed.par_chunks_exact(self.vocabulary))
            .zip(gates.par_iter().zip(log_totals));
        grad_logits
            .par_chunks_exact_mut(self.vocabulary)
            .zip(&mut grad_gate)
            .zip(grad_attention.par_chunks_exact_mut(self.source_time))
            .zip(given)
            .enumerate()
            .with_min_len(ROWS)
            .for_each(
                |(row, (((grad_logits, grad_gate), grad_attention), given))| {
                    let (((gradient, logits), mixed), (gate, log_total)) = given;
                    let (generate, copy) = log_shares(*gate);
                    grad_logits.copy_from_slice(gradient); // what is not in the source was generated
                    for (token, grad_attention) in self.tokens(row).zip(grad_attention) {
                        let generated = generate + logits[token] - log_total - mixed[token];
                        grad_logits[token] = gradient[token] * generated.exp();
                        let slope = (copy - mixed[token]).min(STEEPEST).exp();
                        *grad_attention = gradient[token] * slope;
                    }
                    let generated: f32 = grad_logits.iter().sum();
                    *grad_gate = generated - generate.exp() * gradient.iter().sum::<f32>();
                    take_off(grad_logits, logits, *log_total, generated);
                },
            );
        let tensor =
            |numbers, like: &Tensor| Tensor::from_vec(numbers, like.shape(), like.device());
        Ok((
            Some(tensor(grad_logits, logits)?),
            Some(tensor(grad_gate, gate)?),
            Some(tensor(grad_attention, attention)?),
        ))
    }
}

vectorized! {
    /// The logarithm of the sum of the exponentials, added up in 16 lanes on every processor.
    fn sum_exponentials(logits: &[f32], log_total: &mut f32) {
        let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let (lines, rest) = logits.as_chunks::<16>();
        let mut totals = [0_f32; 16];
        for line in lines {
            for (total, logit) in totals.iter_mut().zip(line) {
                *total += exp_fused(*logit - highest);
            }
        }
        for (total, logit) in totals.iter_mut().zip(rest) {
            *total += exp_fused(*logit - highest);
        }
        *log_total = highest + totals.iter().sum::<f32>().ln();
    }
}

vectorized! {
    fn shift(mixed: &mut [f32], logits: &[f32], distance: f32) {
        for (mixed, logit) in mixed.iter_mut().zip(logits) {
            *mixed = *logit + distance;
        }
    }
}

vectorized! {
    /// Takes off `generated` times the generator's probabilities.
    fn take_off(grad_logits: &mut [f32], logits: &[f32], log_total: f32, generated: f32) {
        for (grad_logit, logit) in grad_logits.iter_mut().zip(logits) {
            *grad_logit -= generated * exp_fused(*logit - log_total);
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;
    use kindling_base::Random;

    const BATCH: usize = 3;
    const TIME: usize = 9; // 27 rows: more than one part
    const VOCABULARY: usize = 37;
    const SOURCE: usize = 5;

    fn inputs(random: &mut Random) -> [Tensor; 3] {
        let scores = random.normal((BATCH, TIME, SOURCE), 0.0, 2.0).unwrap();
        [
            random.normal((BATCH, TIME, VOCABULARY), 0.0, 4.0).unwrap(),
            random.normal((BATCH, TIME, 1), 0.0, 2.0).unwrap(),
            candle_nn::ops::softmax(&scores, D::Minus1).unwrap(),
        ]
    }

    /// Some tokens twice, and others three times.
    fn source() -> Tensor {
        let tokens = [[4_u32, 9, 4, 0, 36], [7, 7, 7, 1, 2], [3, 30, 8, 8, 3]];
        Tensor::new(&tokens, &Device::Cpu).unwrap()
    }

    fn numbers(tensor: &Tensor) -> Vec<f64> {
        let flat = tensor.flatten_all().unwrap().to_dtype(DType::F64).unwrap();
        flat.to_vec1().unwrap()
    }

    /// What comes out, and the gradients of its sum weighted by `probe`; `f64` takes the composed way, `f32` the fused one.
    fn both_ways(inputs: &[Tensor; 3], probe: &Tensor, dtype: DType) -> Vec<Vec<f64>> {
        let inputs = inputs
            .each_ref()
            .map(|input| Var::from_tensor(&input.to_dtype(dtype).unwrap()).unwrap());
        let [logits, gate, attention] = &inputs;
        let mixed = copy_mixture(logits, gate, attention, &source()).unwrap();
        let loss = (&mixed * probe.to_dtype(dtype).unwrap()).unwrap();
        let gradients = loss.sum_all().unwrap().backward().unwrap();
        let gradients = inputs.iter().map(|input| gradients.get(input).unwrap());
        [&mixed].into_iter().chain(gradients).map(numbers).collect()
    }

    #[test]
    fn the_fused_way_is_the_composed_one() {
        let mut random = Random::new(1);
        let inputs = inputs(&mut random);
        let probe = random.normal((BATCH, TIME, VOCABULARY), 0.0, 1.0).unwrap();
        let fused = both_ways(&inputs, &probe, DType::F32);
        let composed = both_ways(&inputs, &probe, DType::F64);
        for (part, (fused, composed)) in fused.iter().zip(&composed).enumerate() {
            for (a, b) in fused.iter().zip(composed) {
                assert!((a - b).abs() < 2e-5 * b.abs().max(1.0), "{part}: {a} {b}");
            }
        }
    }

    #[test]
    fn gradients_are_the_slopes_of_the_outputs() {
        let mut random = Random::new(2);
        let inputs = inputs(&mut random);
        let probe = random.normal((BATCH, TIME, VOCABULARY), 0.0, 1.0).unwrap();
        let found = both_ways(&inputs, &probe, DType::F32);
        let probe = numbers(&probe);
        let loss = |inputs: &[Vec<f64>]| -> f64 {
            let shapes = [VOCABULARY, 1, SOURCE].map(|last| (BATCH, TIME, last));
            let tensors = inputs.iter().zip(shapes);
            let tensors = tensors
                .map(|(numbers, shape)| Tensor::from_slice(numbers, shape, &Device::Cpu).unwrap());
            let [logits, gate, attention] = tensors.collect::<Vec<_>>().try_into().unwrap();
            let mixed = copy_mixture(&logits, &gate, &attention, &source()).unwrap();
            let mixed = numbers(&mixed);
            mixed.iter().zip(&probe).map(|(a, b)| a * b).sum()
        };
        let inputs = inputs.each_ref().map(numbers);
        let step = 1e-6;
        for (part, gradient) in found[1..].iter().enumerate() {
            for place in (0..gradient.len()).step_by(gradient.len().div_ceil(40)) {
                let moved = |by: f64| {
                    let mut inputs = inputs.clone();
                    inputs[part][place] += by;
                    loss(&inputs)
                };
                let slope = (moved(step) - moved(-step)) / (2.0 * step);
                let gap = (gradient[place] - slope).abs();
                assert!(gap < 1e-4 * slope.abs().max(1.0), "{part}: {gap}");
            }
        }
    }

    #[test]
    fn probabilities_sum_to_one_and_a_closed_gate_only_copies() {
        let mut random = Random::new(3);
        let [logits, gate, attention] = inputs(&mut random);
        let mixed = copy_mixture(&logits, &gate, &attention, &source()).unwrap();
        for sum in numbers(&mixed.exp().unwrap().sum(D::Minus1).unwrap()) {
            assert!((sum - 1.0).abs() < 1e-5, "{sum}");
        }
        let closed = Tensor::full(-1e4_f32, (BATCH, TIME, 1), &Device::Cpu).unwrap();
        let copied = copy_mixture(&logits, &closed, &attention, &source()).unwrap();
        let sources = source().to_vec2::<u32>().unwrap();
        let rows = copied.exp().unwrap().to_vec3::<f32>().unwrap();
        for (rows, source) in rows.iter().zip(&sources) {
            for (token, chance) in rows.iter().flat_map(|row| (0..).zip(row)) {
                assert_eq!(*chance > 0.0, source.contains(&token), "{token}: {chance}");
            }
        }
        let open = closed.neg().unwrap();
        let generated = copy_mixture(&logits, &open, &attention, &source()).unwrap();
        let expected = candle_nn::ops::log_softmax(&logits, D::Minus1).unwrap();
        for (a, b) in numbers(&generated).iter().zip(numbers(&expected)) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
    }

    /// No logarithm of 0 and no infinite slope, whatever the model is sure of.
    #[test]
    fn extremes_stay_finite() {
        let logits = Var::from_slice(&[300_f32, -300.0, 0.0, 5.0], (1, 1, 4), &Device::Cpu);
        let logits = logits.unwrap();
        let tokens = Tensor::new(&[[1_u32, 2]], &Device::Cpu).unwrap();
        for (gate, attention) in [
            (90_f32, [1_f32, 0.0]),
            (-90.0, [0.0, 1.0]),
            (0.0, [1.0, 0.0]),
        ] {
            let gate = Var::from_slice(&[gate], (1, 1, 1), &Device::Cpu).unwrap();
            let attention = Var::from_slice(&attention, (1, 1, 2), &Device::Cpu).unwrap();
            let mixed = copy_mixture(&logits, &gate, &attention, &tokens).unwrap();
            let gradients = mixed.sum_all().unwrap().backward().unwrap();
            for tensor in [
                &mixed,
                gradients.get(&logits).unwrap(),
                gradients.get(&gate).unwrap(),
                gradients.get(&attention).unwrap(),
            ] {
                let numbers = numbers(tensor);
                assert!(numbers.iter().all(|n| n.is_finite()), "{numbers:?}");
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let [logits, gate, attention] = inputs(&mut Random::new(4));
        let problem = |logits: &Tensor, gate: &Tensor, attention: &Tensor, source: &Tensor| {
            let error = copy_mixture(logits, gate, attention, source).unwrap_err();
            error.to_string()
        };
        let flat = logits.flatten_to(1).unwrap();
        let error = problem(&flat, &gate, &attention, &source());
        assert!(error.starts_with("logits: expected shape (batch, time, vocabulary)"));
        let error = problem(&logits, &attention, &attention, &source());
        assert!(
            error.starts_with("gate: expected shape (3, 9, 1)"),
            "{error}"
        );
        let error = problem(&logits, &gate, &gate, &source());
        assert!(
            error.starts_with("attention: expected shape (3, 9, 5)"),
            "{error}"
        );
        let one = source().narrow(0, 0, 1).unwrap();
        let error = problem(&logits, &gate, &attention, &one);
        assert!(
            error.starts_with("source: expected shape (3, source_time)"),
            "{error}"
        );
        let strange = (source() + 30.0).unwrap();
        let error = problem(&logits, &gate, &attention, &strange);
        assert_eq!(error, "source: expected tokens below 37, found 39");
    }
}
