//! The end of a residual block, sum and ReLU, in one pass.

use candle_core::{CpuStorage, CustomOp2, Layout, Shape, Tensor};

use super::{
    parts::made_from_two,
    relu::relu_gradient,
    values::{Values, on_cpu, slice},
    vectorized::vectorized,
};
use crate::{Error, Result};

/// Numbers a thread takes at a time.
const PART: usize = 1 << 16;

/// `max(a + b, 0)` for two tensors of one shape.
pub fn add_relu(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if a.dims() != b.dims() {
        return Err(Error::Shape {
            what: "b".to_owned(),
            expected: format!("that of a, {:?}", a.dims()),
            found: b.dims().to_vec(),
        });
    }
    if !on_cpu(&[a, b]) {
        return Ok((a + b)?.relu()?);
    }
    Ok(a.contiguous()?.apply_op2(&b.contiguous()?, AddRelu)?)
}

struct AddRelu;

impl CustomOp2 for AddRelu {
    fn name(&self) -> &'static str {
        "add-relu"
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (a, b) = (slice(a, a_layout)?, slice(b, b_layout)?);
        let output = made_from_two([a, b], PART, add_and_cut);
        Ok((CpuStorage::F32(output), a_layout.shape().clone()))
    }

    fn bwd(
        &self,
        a: &Tensor,
        _b: &Tensor,
        output: &Tensor,
        gradient: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        let gradient = gradient.contiguous()?;
        let passed = relu_gradient(&Values::of(&gradient)?, &Values::of(output)?);
        let passed = Tensor::from_vec(passed, a.shape(), a.device())?;
        Ok((Some(passed.clone()), Some(passed)))
    }
}

vectorized! {
    fn add_and_cut(output: &mut [f32], a: &[f32], b: &[f32]) {
        for (output, (a, b)) in output.iter_mut().zip(a.iter().zip(b)) {
            let sum = a + b;
            *output = if sum <= 0.0 { 0.0 } else { sum }; // NaN stays NaN
        }
    }
}
