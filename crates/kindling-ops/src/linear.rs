//! A fully connected layer as one operation, with or without ReLU.

mod few_rows;

use std::borrow::Cow;

use candle_core::{CpuStorage, CustomOp3, Layout, Shape, Tensor};

use super::{
    panels::Panels,
    product::{Finish, columns_by_rows, rows_by_panels, used_rows},
    relu::relu_gradient,
    values::{Values, on_cpu, slice},
};
use crate::{Error, Result};

/// From so many rows on it is worth packing the weight.
const MANY_ROWS: usize = 96;

/// `inputs · weightᵀ + bias` for `inputs` `(…, inputs)`, `weight` `(outputs, inputs)` and `bias` `(outputs)`: `(…, outputs)`.
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
/// let output = kindling_ops::linear_relu(&inputs, &weight, &bias)?; // (1, 2)
/// assert_eq!(output.to_vec2::<f32>()?, [[3.5, 0.0]]);
/// # Ok::<(), kindling_base::Error>(())
/// ```
pub fn linear_relu(inputs: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    apply(inputs, weight, bias, true)
}

fn apply(inputs: &Tensor, weight: &Tensor, bias: &Tensor, relu: bool) -> Result<Tensor> {
    let &[outputs, width] = weight.dims() else {
        return Err(shape("weight", "(outputs, inputs)".to_owned(), weight));
    };
    let Some(&found) = inputs.dims().last().filter(|_| inputs.rank() > 1) else {
        let expected = format!("(…, inputs) for a weight of shape {:?}", weight.dims());
        return Err(shape("inputs", expected, inputs));
    };
    for (what, tensor, expected) in [
        ("weight", weight, vec![outputs, found]),
        ("bias", bias, vec![outputs]),
    ] {
        if tensor.dims() != expected {
            let expected = format!("{expected:?} for inputs of shape {:?}", inputs.dims());
            return Err(shape(what, expected, tensor));
        }
    }
    let batch = inputs.elem_count() / width.max(1);
    if !on_cpu(&[inputs, weight, bias]) || batch * width * outputs == 0 {
        let sums = inputs.broadcast_matmul(&weight.t()?)?.broadcast_add(bias)?;
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

fn shape(what: &str, expected: String, found: &Tensor) -> Error {
    Error::Shape {
        what: what.to_owned(),
        expected,
        found: found.dims().to_vec(),
    }
}

struct Linear {
    /// How many rows of inputs there are in all.
    batch: usize,
    width: usize,
    outputs: usize,
    relu: bool,
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
        let output = if self.batch < MANY_ROWS {
            self.few_rows(inputs, weight, bias)
        } else {
            let panels = Panels::of_weight(weight, self.outputs, self.width);
            let all: Vec<usize> = (0..self.batch).collect();
            let finish = Finish {
                bias: Some(bias),
                relu: self.relu,
            };
            rows_by_panels(inputs, &all, &panels, self.batch, finish)
        };
        let mut shape = inputs_layout.dims().to_vec();
        shape.splice(shape.len() - 1.., [self.outputs]);
        Ok((CpuStorage::F32(output), shape.into()))
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
        let grad_sums = if self.relu {
            Cow::Owned(relu_gradient(&gradient, &output))
        } else {
            Cow::Borrowed(&*gradient)
        };
        let used = used_rows(&grad_sums, self.outputs);
        let grad_inputs = if inputs.track_op() {
            let values = Values::of(weight)?;
            let panels = Panels::pack(self.outputs, self.width, |output, first, line| {
                line.copy_from_slice(&values[output * self.width + first..][..line.len()]);
            });
            let rows = rows_by_panels(&grad_sums, &used, &panels, self.batch, Finish::default());
            Some(Tensor::from_vec(rows, inputs.shape(), inputs.device())?)
        } else {
            None
        };
        let values = Values::of(inputs)?;
        let (grad_weight, grad_bias) =
            columns_by_rows(&grad_sums, &values, &used, self.outputs, self.width);
        let device = weight.device();
        Ok((
            grad_inputs,
            Some(Tensor::from_vec(grad_weight, weight.shape(), device)?),
            Some(Tensor::from_vec(grad_bias, bias.shape(), device)?),
        ))
    }
}
