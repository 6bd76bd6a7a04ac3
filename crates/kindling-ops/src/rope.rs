//! Rotary position embedding (Su et al., 2021): the features of a token turn by angles in proportion to where it stands.
//!
//! What a query and a key have in common, their dot product, then depends on how far apart they stand, and on nothing else of where.

use candle_core::{CpuStorage, CustomOp3, Layout, Shape, Tensor};

use super::{
    parts::made_from,
    values::{on_cpu, slice},
    vectorized::vectorized,
};
use crate::{Error, Result};

/// Numbers a thread takes at a time.
const PART: usize = 1 << 15;

/// Turns each head of `heads` `(batch, time, num_heads, head_size)` by the angles of its token, whose cosines and sines are
/// `(time, head_size / 2)` (section 3.4.2).
///
/// Feature `i` of the first half and feature `i` of the second half are the two coordinates that turn together, as in Llama's
/// published weights.
///
/// ```
/// use candle_core::{Device, Tensor};
/// let heads = Tensor::new(&[[[[1_f32, 0.0]], [[1.0, 0.0]]]], &Device::Cpu)?; // (1, 2, 1, 2)
/// let (cos, sin) = (Tensor::new(&[[1_f32], [0.0]], &Device::Cpu)?, Tensor::new(&[[0_f32], [1.0]], &Device::Cpu)?); // (2, 1)
/// let turned = kindling_ops::rope(&heads, &cos, &sin)?; // (1, 2, 1, 2)
/// assert_eq!(turned.flatten_all()?.to_vec1::<f32>()?, [1.0, 0.0, 0.0, 1.0]); // the second by a right angle
/// # Ok::<(), kindling_base::Error>(())
/// ```
pub fn rope(heads: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
    let (_, time, _, head_size) = heads.dims4().map_err(|_| Error::Shape {
        what: "heads".to_owned(),
        expected: "(batch, time, num_heads, head_size)".to_owned(),
        found: heads.dims().to_vec(),
    })?;
    for (what, table) in [("cos", cos), ("sin", sin)] {
        if table.dims() != [time, head_size / 2] || head_size % 2 != 0 {
            return Err(Error::Shape {
                what: what.to_owned(),
                expected: format!(
                    "(time, head_size / 2) for heads of shape {:?}",
                    heads.dims()
                ),
                found: table.dims().to_vec(),
            });
        }
    }
    if !on_cpu(&[heads, cos, sin]) || heads.elem_count() == 0 {
        return composed(heads, cos, sin);
    }
    Ok(heads
        .contiguous()?
        .apply_op3(&cos.contiguous()?, &sin.contiguous()?, Rope)?)
}

// ANCHOR: composed
/// The same, composed of Candle's operations, for other devices and number types.
fn composed(heads: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
    let half = heads.dim(3)? / 2;
    let (x, y) = (heads.narrow(3, 0, half)?, heads.narrow(3, half, half)?); // (batch, time, num_heads, head_size / 2)
    let (cos, sin) = (cos.unsqueeze(1)?, sin.unsqueeze(1)?); // (time, 1, head_size / 2)
    let turned_x = (x.broadcast_mul(&cos)? - y.broadcast_mul(&sin)?)?;
    let turned_y = (x.broadcast_mul(&sin)? + y.broadcast_mul(&cos)?)?;
    Ok(Tensor::cat(&[turned_x, turned_y], 3)?)
}
// ANCHOR_END: composed

struct Rope;

impl CustomOp3 for Rope {
    fn name(&self) -> &'static str {
        "rope"
    }

    fn cpu_fwd(
        &self,
        heads: &CpuStorage,
        heads_layout: &Layout,
        cos: &CpuStorage,
        cos_layout: &Layout,
        sin: &CpuStorage,
        sin_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (_, time, num_heads, head_size) = heads_layout.shape().dims4()?;
        let tables = (slice(cos, cos_layout)?, slice(sin, sin_layout)?);
        let token = num_heads * head_size;
        let tokens = (PART / token).max(1);
        let output = made_from(
            slice(heads, heads_layout)?,
            tokens * token,
            |part, output, heads| {
                let first = part * tokens % time;
                turn(output, heads, tables, first, (num_heads, head_size));
            },
        );
        Ok((CpuStorage::F32(output), heads_layout.shape().clone()))
    }

    /// A gradient turns back by the same angles.
    fn bwd(
        &self,
        _heads: &Tensor,
        cos: &Tensor,
        sin: &Tensor,
        _output: &Tensor,
        gradient: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let gradient = gradient.contiguous()?.detach();
        let turned = gradient.apply_op3_no_bwd(cos, &sin.neg()?, &Rope)?;
        Ok((Some(turned), None, None))
    }
}

vectorized! {
    /// Turns whole tokens, of which the first stands at `first`; after the last place the next text begins.
    fn turn(output: &mut [f32], heads: &[f32], tables: (&[f32], &[f32]), first: usize, shape: (usize, usize)) {
        let (cos, sin) = tables;
        let (num_heads, head_size) = shape;
        let (half, token) = (head_size / 2, num_heads * head_size);
        let mut place = first * half;
        for (output, heads) in output.chunks_exact_mut(token).zip(heads.chunks_exact(token)) {
            let (cos_here, sin_here) = (&cos[place..place + half], &sin[place..place + half]);
            for (output, head) in output.chunks_exact_mut(head_size).zip(heads.chunks_exact(head_size)) {
                let ((x, y), (turned_x, turned_y)) = (head.split_at(half), output.split_at_mut(half));
                for i in 0..half {
                    turned_x[i] = x[i] * cos_here[i] - y[i] * sin_here[i];
                    turned_y[i] = x[i] * sin_here[i] + y[i] * cos_here[i];
                }
            }
            place += half;
            if place == cos.len() {
                place = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Var};
    use kindling_base::Random;

    use super::*;

    fn numbers(tensor: &Tensor) -> Vec<f64> {
        let flat = tensor.flatten_all().unwrap().to_dtype(DType::F64).unwrap();
        flat.to_vec1::<f64>().unwrap()
    }

    /// Cosines and sines of some angles `(time, half)`.
    fn tables(time: usize, half: usize) -> [Tensor; 2] {
        let angles = Random::new(1).uniform((time, half), -3.0, 3.0).unwrap();
        [angles.cos().unwrap(), angles.sin().unwrap()]
    }

    /// `f64` takes the composed way, `f32` the fused one.
    #[test]
    fn the_fused_way_is_the_composed_one() {
        let mut random = Random::new(2);
        for (batch, time, num_heads, head_size) in [(1, 1, 1, 2), (3, 5, 2, 6), (2, 300, 3, 64)] {
            let shape = (batch, time, num_heads, head_size);
            let heads = random.normal(shape, 0.0, 1.0).unwrap();
            let probe = random.normal(shape, 0.0, 1.0).unwrap();
            let both = [DType::F32, DType::F64].map(|dtype| {
                let to = |tensor: &Tensor| tensor.to_dtype(dtype).unwrap();
                let heads = Var::from_tensor(&to(&heads)).unwrap();
                let [cos, sin] = tables(time, head_size / 2);
                let output = rope(&heads, &to(&cos), &to(&sin)).unwrap();
                let loss = (&output * to(&probe)).unwrap().sum_all().unwrap();
                let gradients = loss.backward().unwrap();
                [numbers(&output), numbers(gradients.get(&heads).unwrap())]
            });
            for (fused, composed) in both[0].iter().zip(&both[1]) {
                for (a, b) in fused.iter().zip(composed) {
                    assert!((a - b).abs() < 1e-5, "{shape:?}: {a} {b}");
                }
            }
        }
    }

    #[test]
    fn tables_of_another_size_are_named() {
        let heads = Tensor::zeros((1, 3, 2, 4), DType::F32, &Device::Cpu).unwrap();
        let [cos, sin] = tables(2, 2);
        let error = rope(&heads, &cos, &sin).unwrap_err().to_string();
        assert!(
            error.starts_with("cos: expected shape (time, head_size / 2)"),
            "{error}"
        );
    }
}
