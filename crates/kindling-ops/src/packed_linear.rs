//! A fully connected layer for use and not for training: its weight is packed once, not at each call.

use std::sync::Arc;

use candle_core::{Device, Tensor};
use pulp::Simd;
use rayon::prelude::*;

use super::{
    panels::Panels,
    parts::side_by_side,
    product::{Finish, rows_by_panels},
    tile::{Tiles, in_fitting_tiles, multiply, store, zeros},
    values::{Values, on_cpu},
};
use crate::{Error, Result};

/// From so many rows on each thread takes some of the rows; for fewer it takes some of the columns, so that each has work.
const MANY_ROWS: usize = 96;

/// Multiply-adds below which a second thread costs more than it brings.
const WORTH_A_THREAD: usize = 1 << 18;

/// `inputs · weightᵀ + bias` for a weight that no longer changes.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use kindling_ops::PackedLinear;
/// let weight = Tensor::new(&[[1_f32, 1.0], [-1.0, -1.0]], &Device::Cpu)?; // (outputs, inputs)
/// let layer = PackedLinear::new(&weight, &Tensor::new(&[0.5_f32, 0.5], &Device::Cpu)?)?;
/// let inputs = Tensor::new(&[[1_f32, 2.0]], &Device::Cpu)?; // (1, inputs)
/// assert_eq!(layer.forward(&inputs)?.to_vec2::<f32>()?, [[3.5, -2.5]]); // (1, outputs)
/// # Ok::<(), kindling_base::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct PackedLinear {
    panels: Arc<Panels>,
    bias: Arc<[f32]>,
}

impl PackedLinear {
    /// Packs `weight` `(outputs, inputs)`; `bias` is `(outputs)`. Both are `f32` and on the processor.
    pub fn new(weight: &Tensor, bias: &Tensor) -> Result<Self> {
        let (outputs, inputs) = weight.dims2()?;
        if bias.dims() != [outputs] {
            return Err(Error::Shape {
                what: "bias".to_owned(),
                expected: format!("[{outputs}] for a weight of shape {:?}", weight.dims()),
                found: bias.dims().to_vec(),
            });
        }
        if !on_cpu(&[weight, bias]) {
            return Err(Error::Argument(format!(
                "weight: expected f32 on the processor, found {:?} on {:?}",
                weight.dtype(),
                weight.device()
            )));
        }
        let weight = weight.contiguous()?;
        let values = Values::of(&weight)?;
        let panels = Panels::of_weight(&values, outputs, inputs);
        Ok(Self {
            panels: Arc::new(panels),
            bias: bias.to_vec1::<f32>()?.into(),
        })
    }

    /// From `(…, inputs)` to `(…, outputs)`; no gradient goes through it.
    pub fn forward(&self, inputs: &Tensor) -> Result<Tensor> {
        let (width, outputs) = self.panels.size();
        if inputs.dims().last() != Some(&width) || !on_cpu(&[inputs]) {
            return Err(Error::Shape {
                what: "inputs".to_owned(),
                expected: format!("(…, {width}) of f32 on the processor"),
                found: inputs.dims().to_vec(),
            });
        }
        let inputs = inputs.contiguous()?;
        let values = Values::of(&inputs)?;
        let rows = values.len() / width.max(1);
        let output = if rows < MANY_ROWS {
            self.few_rows(&values, rows)
        } else {
            let all: Vec<usize> = (0..rows).collect();
            let finish = Finish {
                bias: Some(&self.bias),
                relu: false,
            };
            rows_by_panels(&values, &all, &self.panels, rows, finish)
        };
        let mut shape = inputs.dims().to_vec();
        shape.splice(shape.len() - 1.., [outputs]);
        Ok(Tensor::from_vec(output, shape, &Device::Cpu)?)
    }

    /// All rows at once, each thread some of the panels: each weight is read once.
    fn few_rows(&self, inputs: &[f32], rows: usize) -> Vec<f32> {
        let (width, outputs) = self.panels.size();
        let panels: Vec<Panel<'_>> = self.panels.iter().collect();
        if rows * width * outputs < WORTH_A_THREAD || rayon::current_num_threads() == 1 {
            return self.some_panels(inputs, rows, &panels);
        }
        let in_a_part = panels.len().div_ceil(2 * rayon::current_num_threads());
        let parts = panels.par_chunks(in_a_part.max(1));
        let parts: Vec<Vec<f32>> = parts
            .map(|panels| self.some_panels(inputs, rows, panels))
            .collect();
        side_by_side(&parts, rows, outputs)
    }

    /// The columns of these panels, which lie side by side, for all rows.
    fn some_panels(&self, inputs: &[f32], rows: usize, panels: &[Panel<'_>]) -> Vec<f32> {
        let first = panels.first().map_or(0, |(first, ..)| *first);
        let columns = panels
            .last()
            .map_or(0, |(last, used, _)| last + used - first);
        let mut output = vec![0.0; rows * columns];
        in_fitting_tiles(
            rows,
            Columns {
                inputs,
                rows,
                panels,
                bias: &self.bias[first..first + columns],
                output: &mut output,
            },
        );
        output
    }
}

/// The first column of a panel, how many of its columns are used, and its numbers.
type Panel<'a> = (usize, usize, &'a [f32]);

/// All rows of some columns.
struct Columns<'a> {
    inputs: &'a [f32],
    rows: usize,
    panels: &'a [Panel<'a>],
    bias: &'a [f32],
    /// `(rows, columns)`
    output: &'a mut [f32],
}

impl Tiles for Columns<'_> {
    #[inline(always)]
    fn run<S: Simd, const M: usize, const N: usize>(self, simd: S) {
        let columns = self.bias.len();
        let (Some(last), Some((before, ..))) = (self.rows.checked_sub(1), self.panels.first())
        else {
            return;
        };
        let width = self.inputs.len() / self.rows;
        for (column, used, panel) in self.panels {
            let column = column - before;
            let bias = &self.bias[column..][..*used];
            for row in (0..self.rows).step_by(M) {
                let mut inputs: [&[f32]; M] = [&[]; M];
                for (m, place) in inputs.iter_mut().enumerate() {
                    *place = &self.inputs[last.min(row + m) * width..][..width];
                }
                let mut tile = zeros::<S, M, N>(simd);
                multiply(simd, inputs, panel, &mut tile);
                let lines = self.output[row * columns..].chunks_exact_mut(columns);
                for (line, sums) in lines.zip(tile) {
                    let place = &mut line[column..][..*used];
                    store(simd, sums, place, false);
                    for (sum, bias) in place.iter_mut().zip(bias) {
                        *sum += bias;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use kindling_base::Random;

    use super::*;
    use crate::linear;

    #[test]
    fn it_is_the_linear_layer_for_any_number_of_rows_inputs_and_outputs() {
        let mut random = Random::new(3);
        for (rows, width, outputs) in [
            (1, 1, 1),
            (1, 384, 1_152),
            (2, 7, 33),
            (5, 40, 31),
            (13, 384, 384),
            (25, 64, 100),
            (95, 30, 65),
            (96, 30, 65),
            (200, 16, 48),
        ] {
            let inputs = random.normal((rows, width), 0.0, 1.0).unwrap();
            let weight = random.normal((outputs, width), 0.0, 1.0).unwrap();
            let bias = random.normal(outputs, 0.0, 1.0).unwrap();
            let layer = PackedLinear::new(&weight, &bias).unwrap();
            let expected = linear(&inputs, &weight, &bias).unwrap();
            let found = layer.forward(&inputs).unwrap();
            assert_eq!(found.dims(), [rows, outputs]);
            let far = (found - expected)
                .unwrap()
                .abs()
                .unwrap()
                .max_all()
                .unwrap();
            let far = far.to_scalar::<f32>().unwrap();
            assert!(far < 1e-4, "{rows} {width} {outputs}: {far}");
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let zeros =
            |shape: &[usize]| Tensor::zeros(shape, candle_core::DType::F32, &Device::Cpu).unwrap();
        let error = PackedLinear::new(&zeros(&[3, 2]), &zeros(&[2])).unwrap_err();
        assert!(
            error.to_string().starts_with("bias: expected shape [3]"),
            "{error}"
        );
        let layer = PackedLinear::new(&zeros(&[3, 2]), &zeros(&[3])).unwrap();
        let error = layer.forward(&zeros(&[4, 3])).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("inputs: expected shape (…, 2)"),
            "{error}"
        );
        assert_eq!(layer.forward(&zeros(&[0, 2])).unwrap().dims(), [0, 3]);
        assert_eq!(layer.forward(&zeros(&[2, 2, 2])).unwrap().dims(), [2, 2, 3]);
    }
}
