//! A fully connected layer as one operation, with or without ReLU.

use candle_core::{CpuStorage, CustomOp3, Layout, Shape, Tensor};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::{
    bias_relu::masked,
    tile::{PANEL_VECTORS, Panels, SLACK, dots, multiply, outer, store, zeros},
    values::{Values, on_cpu, slice},
};
use crate::{Error, Result};

/// Rows a thread takes at a time: whole tiles of 8, and an even number of parts for the usual sizes.
const ROWS: usize = 16;

/// Below this many multiply-adds a second thread costs more than it brings.
const WORTH_A_THREAD: usize = 1 << 20;

/// `inputs · weightᵀ + bias` for `inputs` `(batch, inputs)`, `weight` `(outputs, inputs)` and `bias` `(outputs)`.
pub fn linear(inputs: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    apply(inputs, weight, bias, false)
}

/// [`linear`] and then ReLU, in one pass.
///
/// ```
/// use candle_core::{Device, Tensor};
/// let inputs = Tensor::new(&[[1_f32, 2.0]], &Device::Cpu)?; // (1, 2)
/// let weight = Tensor::new(&[[1_f32, 1.0], [-1.0, -1.0]], &Device::Cpu)?; // (2, 2)
/// let bias = Tensor::new(&[0.5_f32, 0.5], &Device::Cpu)?; // (2)
/// let output = kindling::ops::linear_relu(&inputs, &weight, &bias)?; // (1, 2)
/// assert_eq!(output.to_vec2::<f32>()?, [[3.5, 0.0]]);
/// # Ok::<(), kindling::Error>(())
/// ```
pub fn linear_relu(inputs: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    apply(inputs, weight, bias, true)
}

fn apply(inputs: &Tensor, weight: &Tensor, bias: &Tensor, relu: bool) -> Result<Tensor> {
    let (&[batch, width], &[outputs, _]) = (inputs.dims(), weight.dims()) else {
        return Err(Error::Shape {
            what: "inputs".to_owned(),
            expected: format!("(batch, inputs) for a weight of shape {:?}", weight.dims()),
            found: inputs.dims().to_vec(),
        });
    };
    for (what, tensor, expected) in [
        ("weight", weight, vec![outputs, width]),
        ("bias", bias, vec![outputs]),
    ] {
        if tensor.dims() != expected {
            return Err(Error::Shape {
                what: what.to_owned(),
                expected: format!("{expected:?} for inputs of shape {:?}", inputs.dims()),
                found: tensor.dims().to_vec(),
            });
        }
    }
    if !on_cpu(&[inputs, weight, bias]) || batch * width * outputs == 0 {
        let sums = inputs.matmul(&weight.t()?)?.broadcast_add(bias)?;
        return Ok(if relu { sums.relu()? } else { sums });
    }
    let operation = Linear {
        batch,
        width,
        outputs,
        relu,
    };
    Ok(inputs
        .contiguous()?
        .apply_op3(&weight.contiguous()?, &bias.contiguous()?, operation)?)
}

struct Linear {
    batch: usize,
    width: usize,
    outputs: usize,
    relu: bool,
}

impl Linear {
    /// How many of `rows` to give to one task.
    fn share(&self, rows: usize) -> usize {
        if self.batch * self.width * self.outputs < WORTH_A_THREAD {
            rows
        } else {
            ROWS
        }
    }
}

impl CustomOp3 for Linear {
    fn name(&self) -> &'static str {
        if self.relu { "linear-relu" } else { "linear" }
    }

    fn cpu_fwd(
        &self,
        inputs: &CpuStorage,
        inputs_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (weight, bias) = (slice(weight, weight_layout)?, slice(bias, bias_layout)?);
        let inputs = slice(inputs, inputs_layout)?;
        let mut output = vec![0.0; self.batch * self.outputs];
        let rows = self.share(self.batch);
        output
            .par_chunks_mut(rows * self.outputs)
            .zip(inputs.par_chunks(rows * self.width))
            .for_each(|(output, inputs)| {
                Arch::new().dispatch(Forward {
                    layer: self,
                    inputs,
                    weight,
                    bias,
                    output,
                });
            });
        Ok((CpuStorage::F32(output), (self.batch, self.outputs).into()))
    }

    fn bwd(
        &self,
        inputs: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        output: &Tensor,
        gradient: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let gradient = gradient.contiguous()?;
        let (gradient, output) = (Values::of(&gradient)?, Values::of(output)?);
        let mut to_sums = vec![0.0; self.batch * self.outputs + SLACK];
        let used = self.batch * self.outputs;
        // Without ReLU the gradient itself stands for an output that is nowhere zero where it matters.
        let passed = if self.relu { &*output } else { &*gradient };
        let to_bias = masked(&mut to_sums[..used], &gradient, passed, self.outputs);
        let to_inputs = inputs
            .track_op()
            .then(|| self.to_inputs(&to_sums[..used], weight))
            .transpose()?;
        let to_weight = self.to_weight(&to_sums, &Values::of(inputs)?);
        Ok((
            to_inputs,
            Some(Tensor::from_vec(
                to_weight,
                weight.shape(),
                weight.device(),
            )?),
            Some(Tensor::from_vec(to_bias, self.outputs, bias.device())?),
        ))
    }
}

impl Linear {
    /// `to_sumsᵀ · inputs`, `(outputs, inputs)`; each task owns some rows of it, so that the sum never depends on threads.
    fn to_weight(&self, to_sums: &[f32], inputs: &[f32]) -> Vec<f32> {
        let lanes = super::tile::panel_width() / PANEL_VECTORS;
        // The last panel reads whole vectors: it needs room behind the last row.
        let padded: Vec<f32>;
        let inputs = if self.width.is_multiple_of(lanes) {
            inputs
        } else {
            padded = inputs.iter().copied().chain([0.0; SLACK]).collect();
            &padded
        };
        let mut to_weight = vec![0.0; self.outputs * self.width];
        // Each task reads all inputs: few tasks, one for each thread, in whole tiles of 8.
        let each = self.outputs.div_ceil(rayon::current_num_threads());
        let rows = self.share(self.outputs).max(each.next_multiple_of(8));
        to_weight
            .par_chunks_mut(rows * self.width)
            .enumerate()
            .for_each(|(part, to_weight)| {
                Arch::new().dispatch(ToWeight {
                    layer: self,
                    first: part * rows,
                    to_sums,
                    inputs,
                    to_weight,
                });
            });
        to_weight
    }

    /// `to_sums · weight`, `(batch, inputs)`.
    fn to_inputs(&self, to_sums: &[f32], weight: &Tensor) -> candle_core::Result<Tensor> {
        let values = Values::of(weight)?;
        let panels = Panels::pack(self.outputs, self.width, |output, first, line| {
            line.copy_from_slice(&values[output * self.width + first..][..line.len()]);
        });
        let mut to_inputs = vec![0.0; self.batch * self.width];
        let rows = self.share(self.batch);
        to_inputs
            .par_chunks_mut(rows * self.width)
            .zip(to_sums.par_chunks(rows * self.outputs))
            .for_each(|(to_inputs, to_sums)| {
                Arch::new().dispatch(ToInputs {
                    layer: self,
                    to_sums,
                    panels: &panels,
                    to_inputs,
                });
            });
        Tensor::from_vec(to_inputs, (self.batch, self.width), weight.device())
    }
}

struct Forward<'a> {
    layer: &'a Linear,
    inputs: &'a [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    output: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if S::REGISTER_COUNT >= 32 {
            self.run::<S, 8, 3>(simd);
        } else {
            self.run::<S, 4, 2>(simd);
        }
    }
}

impl Forward<'_> {
    #[inline(always)]
    fn run<S: Simd, const M: usize, const N: usize>(self, simd: S) {
        let Linear {
            width,
            outputs,
            relu,
            ..
        } = *self.layer;
        let last = self.inputs.len() / width - 1;
        for row in (0..=last).step_by(M) {
            let mut rows: [&[f32]; M] = [&[]; M];
            for (m, place) in rows.iter_mut().enumerate() {
                *place = &self.inputs[last.min(row + m) * width..][..width];
            }
            for column in (0..outputs).step_by(N) {
                let mut columns: [&[f32]; N] = [&[]; N];
                for (n, place) in columns.iter_mut().enumerate() {
                    *place = &self.weight[(outputs - 1).min(column + n) * width..][..width];
                }
                let sums = dots(simd, rows, columns);
                let output = self.output[row * outputs..].chunks_mut(outputs);
                for (output, sums) in output.zip(sums) {
                    let place = output[column..].iter_mut().zip(&self.bias[column..]);
                    for ((output, bias), sum) in place.zip(sums) {
                        let sum = sum + bias;
                        *output = if relu && sum <= 0.0 { 0.0 } else { sum };
                    }
                }
            }
        }
    }
}

struct ToWeight<'a> {
    layer: &'a Linear,
    first: usize,
    to_sums: &'a [f32],
    inputs: &'a [f32],
    to_weight: &'a mut [f32],
}

impl WithSimd for ToWeight<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let panel = 3 * S::F32_LANES;
        for column in (0..self.layer.width).step_by(panel) {
            let used = panel.min(self.layer.width - column);
            match (S::REGISTER_COUNT >= 32, used.div_ceil(S::F32_LANES)) {
                (true, 3) => self.panel::<S, 8, 3>(simd, column, used),
                (true, 2) => self.panel::<S, 8, 2>(simd, column, used),
                (true, _) => self.panel::<S, 8, 1>(simd, column, used),
                (false, 3) => self.panel::<S, 4, 3>(simd, column, used),
                (false, 2) => self.panel::<S, 4, 2>(simd, column, used),
                (false, _) => self.panel::<S, 4, 1>(simd, column, used),
            }
        }
    }
}

impl ToWeight<'_> {
    #[inline(always)]
    fn panel<S: Simd, const M: usize, const N: usize>(
        &mut self,
        simd: S,
        column: usize,
        used: usize,
    ) {
        let Linear {
            batch,
            width,
            outputs,
            ..
        } = *self.layer;
        for (number, rows) in self.to_weight.chunks_mut(M * width).enumerate() {
            let row = self.first + number * M;
            let mut tile = zeros::<S, M, N>(simd);
            let left = |example: usize| &self.to_sums[example * outputs + row..][..M];
            let right =
                |example: usize| &self.inputs[example * width + column..][..N * S::F32_LANES];
            outer(simd, batch, left, right, &mut tile);
            for (row, sums) in rows.chunks_mut(width).zip(tile) {
                store(simd, sums, &mut row[column..column + used], false);
            }
        }
    }
}

struct ToInputs<'a> {
    layer: &'a Linear,
    to_sums: &'a [f32],
    panels: &'a Panels,
    to_inputs: &'a mut [f32],
}

impl WithSimd for ToInputs<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        if S::REGISTER_COUNT >= 32 {
            self.run::<S, 12>(simd);
        } else {
            self.run::<S, 6>(simd);
        }
    }
}

impl ToInputs<'_> {
    #[inline(always)]
    fn run<S: Simd, const M: usize>(&mut self, simd: S) {
        let Linear { width, outputs, .. } = *self.layer;
        let last = self.to_inputs.len() / width - 1;
        for (first, used, panel) in self.panels.iter() {
            for row in (0..=last).step_by(M) {
                let mut rows: [&[f32]; M] = [&[]; M];
                for (m, place) in rows.iter_mut().enumerate() {
                    *place = &self.to_sums[last.min(row + m) * outputs..][..outputs];
                }
                let mut tile = zeros::<S, M, 2>(simd);
                multiply(simd, rows, panel, &mut tile);
                for (row, sums) in self.to_inputs[row * width..].chunks_mut(width).zip(tile) {
                    store(simd, sums, &mut row[first..first + used], false);
                }
            }
        }
    }
}
