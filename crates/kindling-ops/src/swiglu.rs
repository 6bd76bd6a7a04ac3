//! The gated unit of today's language models, SwiGLU (Shazeer, 2020), in one pass each way.

use candle_core::{CpuStorage, CustomOp2, Layout, Shape, Tensor};
use rayon::prelude::*;

use super::{
    exponential::exp,
    parts::{each_part, made_from_two},
    values::{Values, on_cpu, slice},
    vectorized::vectorized,
};
use crate::{Error, Result};

/// Numbers a thread takes at a time.
const PART: usize = 1 << 14;

/// `silu(gate) · up` with `silu(x) = x · σ(x)`, for two tensors of one shape (equation 6, without its matrices).
///
/// ```
/// use candle_core::{Device, Tensor};
/// let gate = Tensor::new(&[0_f32, 100.0, -100.0], &Device::Cpu)?; // (3)
/// let up = Tensor::new(&[5_f32, 2.0, 7.0], &Device::Cpu)?; // (3)
/// let expected = Tensor::new(&[0_f32, 200.0, 0.0], &Device::Cpu)?; // shut, open, shut
/// assert!((kindling_ops::swiglu(&gate, &up)? - expected)?.abs()?.max_all()?.to_scalar::<f32>()? < 1e-6);
/// # Ok::<(), kindling_base::Error>(())
/// ```
pub fn swiglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    if gate.dims() != up.dims() {
        return Err(Error::Shape {
            what: "up".to_owned(),
            expected: format!("that of gate, {:?}", gate.dims()),
            found: up.dims().to_vec(),
        });
    }
    if !on_cpu(&[gate, up]) {
        return composed(gate, up);
    }
    Ok(gate.contiguous()?.apply_op2(&up.contiguous()?, SwiGlu)?)
}

// ANCHOR: composed
/// The same, composed of Candle's operations, for other devices and number types.
fn composed(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    let sigmoid = (gate.neg()?.exp()? + 1.0)?.recip()?;
    Ok(((gate * sigmoid)? * up)?)
}
// ANCHOR_END: composed

struct SwiGlu;

impl CustomOp2 for SwiGlu {
    fn name(&self) -> &'static str {
        "swiglu"
    }

    fn cpu_fwd(
        &self,
        gate: &CpuStorage,
        gate_layout: &Layout,
        up: &CpuStorage,
        up_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (gate, up) = (slice(gate, gate_layout)?, slice(up, up_layout)?);
        let output = made_from_two([gate, up], PART, pass);
        Ok((CpuStorage::F32(output), gate_layout.shape().clone()))
    }

    /// With `s = σ(gate)`, the derivative of `gate · s` is `s + gate · s · (1 − s)`.
    fn bwd(
        &self,
        gate: &Tensor,
        up: &Tensor,
        _output: &Tensor,
        gradient: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        let gradient = gradient.contiguous()?;
        let (gates, ups, gradient) = (Values::of(gate)?, Values::of(up)?, Values::of(&gradient)?);
        let (mut grad_gate, mut grad_up) = (vec![0.0; gates.len()], vec![0.0; gates.len()]);
        let made = grad_gate
            .par_chunks_mut(PART)
            .zip(grad_up.par_chunks_mut(PART));
        let given = gates.par_chunks(PART).zip(ups.par_chunks(PART));
        let parts = made.zip(given.zip(gradient.par_chunks(PART)));
        each_part(parts, |((grad_gate, grad_up), ((gate, up), gradient))| {
            back(grad_gate, grad_up, gate, up, gradient);
        });
        let tensor = |numbers| Tensor::from_vec(numbers, gate.shape(), gate.device());
        Ok((Some(tensor(grad_gate)?), Some(tensor(grad_up)?)))
    }
}

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

vectorized! {
    fn pass(output: &mut [f32], gate: &[f32], up: &[f32]) {
        for (output, (gate, up)) in output.iter_mut().zip(gate.iter().zip(up)) {
            *output = gate * sigmoid(*gate) * up;
        }
    }
}

vectorized! {
    fn back(grad_gate: &mut [f32], grad_up: &mut [f32], gate: &[f32], up: &[f32], gradient: &[f32]) {
        let numbers = gate.iter().zip(up).zip(gradient);
        for ((grad_gate, grad_up), ((gate, up), gradient)) in grad_gate.iter_mut().zip(grad_up).zip(numbers) {
            let sigmoid = sigmoid(*gate);
            *grad_up = gradient * gate * sigmoid;
            *grad_gate = gradient * up * sigmoid * (1.0 + gate * (1.0 - sigmoid));
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Var};
    use kindling_base::Random;

    use super::*;

    /// `f64` takes the composed way, `f32` the fused one.
    #[test]
    fn the_fused_way_is_the_composed_one() {
        let mut random = Random::new(1);
        for shape in [vec![1], vec![3, 7], vec![5, 9_000]] {
            let inputs = [0, 1, 2].map(|_| random.normal(shape.as_slice(), 0.0, 3.0).unwrap());
            let both = [DType::F32, DType::F64].map(|dtype| {
                let [gate, up, probe] = inputs.each_ref().map(|one| one.to_dtype(dtype).unwrap());
                let (gate, up) = (
                    Var::from_tensor(&gate).unwrap(),
                    Var::from_tensor(&up).unwrap(),
                );
                let output = swiglu(&gate, &up).unwrap();
                let gradients = (&output * probe)
                    .unwrap()
                    .sum_all()
                    .unwrap()
                    .backward()
                    .unwrap();
                [
                    &output,
                    gradients.get(&gate).unwrap(),
                    gradients.get(&up).unwrap(),
                ]
                .map(|tensor| {
                    let flat = tensor.flatten_all().unwrap().to_dtype(DType::F64).unwrap();
                    flat.to_vec1::<f64>().unwrap()
                })
            });
            for (fused, composed) in both[0].iter().zip(&both[1]) {
                for (a, b) in fused.iter().zip(composed) {
                    assert!((a - b).abs() < 1e-5 * (1.0 + b.abs()), "{shape:?}: {a} {b}");
                }
            }
        }
    }

    #[test]
    fn two_shapes_are_named() {
        let zeros = |size| Tensor::zeros(size, DType::F32, &candle_core::Device::Cpu).unwrap();
        let error = swiglu(&zeros(2), &zeros(3)).unwrap_err().to_string();
        assert_eq!(error, "up: expected shape that of gate, [2], found [3]");
    }
}
