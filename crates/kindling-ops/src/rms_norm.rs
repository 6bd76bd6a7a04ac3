//! Root-mean-square normalisation in one pass each way (Zhang and Sennrich, 2019): layer normalisation without mean and bias.

use candle_core::{CpuStorage, CustomOp2, D, Layout, Shape, Tensor};
use rayon::prelude::*;

use super::{
    norm::part,
    parts::{add, made_from},
    sums::sum,
    values::{Values, on_cpu, slice},
    vectorized::vectorized,
};
use crate::{Error, Result};

/// `weight · x / √(mean(x²) + epsilon)` for each row x of `features` `(…, size)`; `weight` is `(size)` (equation 4).
///
/// ```
/// use candle_core::{Device, Tensor};
/// let features = Tensor::new(&[[1_f32, 7.0], [-10.0, 70.0]], &Device::Cpu)?; // (2, 2)
/// let weight = Tensor::new(&[1_f32, 2.0], &Device::Cpu)?; // (2)
/// let output = kindling_ops::rms_norm(&features, &weight, 0.0)?; // (2, 2)
/// let expected = Tensor::new(&[[0.2_f32, 2.8], [-0.2, 2.8]], &Device::Cpu)?; // the roots are 5 and 50
/// assert!((output - expected)?.abs()?.max_all()?.to_scalar::<f32>()? < 1e-6);
/// # Ok::<(), kindling_base::Error>(())
/// ```
pub fn rms_norm(features: &Tensor, weight: &Tensor, epsilon: f64) -> Result<Tensor> {
    let size = features.dims().last().copied().unwrap_or(0);
    if weight.dims() != [size] || size == 0 {
        return Err(Error::Shape {
            what: "weight".to_owned(),
            expected: format!("the last dimension of the features {:?}", features.dims()),
            found: weight.dims().to_vec(),
        });
    }
    if !on_cpu(&[features, weight]) {
        return composed(features, weight, epsilon);
    }
    let operation = RmsNorm {
        epsilon: epsilon as f32,
    };
    Ok(features
        .contiguous()?
        .apply_op2(&weight.contiguous()?, operation)?)
}

// ANCHOR: composed
/// The same, composed of Candle's operations, for other devices and number types.
fn composed(features: &Tensor, weight: &Tensor, epsilon: f64) -> Result<Tensor> {
    let mean_square = features.sqr()?.mean_keepdim(D::Minus1)?; // (…, 1)
    let normal = features.broadcast_div(&(mean_square + epsilon)?.sqrt()?)?; // (…, size)
    Ok(normal.broadcast_mul(weight)?)
}
// ANCHOR_END: composed

struct RmsNorm {
    epsilon: f32,
}

impl CustomOp2 for RmsNorm {
    fn name(&self) -> &'static str {
        "rms-norm"
    }

    fn cpu_fwd(
        &self,
        features: &CpuStorage,
        features_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let features = slice(features, features_layout)?;
        let weight = slice(weight, weight_layout)?;
        let output = made_from(features, part(weight.len()), |_, output, features| {
            normalise(output, features, weight, self.epsilon);
        });
        Ok((CpuStorage::F32(output), features_layout.shape().clone()))
    }

    /// Differentiating through the root as well gives, with `x̂` the normalised row and `g` its gradient times the weight,
    /// `(g - x̂ · mean(g · x̂)) / √(mean(x²) + epsilon)`.
    fn bwd(
        &self,
        features: &Tensor,
        weight: &Tensor,
        _output: &Tensor,
        gradient: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        let gradient = gradient.contiguous()?;
        let (gradient, values, weights) = (
            Values::of(&gradient)?,
            Values::of(features)?,
            Values::of(weight)?,
        );
        let (size, weights) = (weights.len(), &*weights);
        let mut grad_features = vec![0.0; values.len()];
        let part = part(size);
        let sums: Vec<Vec<f32>> = grad_features
            .par_chunks_mut(part)
            .zip(gradient.par_chunks(part).zip(values.par_chunks(part)))
            .map(|(grad_features, (gradient, features))| {
                let mut grad_weight = vec![0.0; size];
                let given = (gradient, features, weights);
                back(grad_features, given, self.epsilon, &mut grad_weight);
                grad_weight
            })
            .collect();
        let mut grad_weight = vec![0.0; size];
        sums.iter().for_each(|sums| add(&mut grad_weight, sums));
        let device = features.device();
        Ok((
            Some(Tensor::from_vec(grad_features, features.shape(), device)?),
            Some(Tensor::from_vec(grad_weight, size, device)?),
        ))
    }
}

vectorized! {
    fn normalise(output: &mut [f32], features: &[f32], weight: &[f32], epsilon: f32) {
        let size = weight.len();
        for (output, row) in output.chunks_exact_mut(size).zip(features.chunks_exact(size)) {
            let scale = one_over_root(row, epsilon);
            for (output, (x, weight)) in output.iter_mut().zip(row.iter().zip(weight)) {
                *output = x * scale * weight;
            }
        }
    }
}

vectorized! {
    fn back(grad_features: &mut [f32], given: (&[f32], &[f32], &[f32]), epsilon: f32, grad_weight: &mut [f32]) {
        let (gradient, features, weight) = given;
        let size = weight.len();
        let rows = gradient.chunks_exact(size).zip(features.chunks_exact(size));
        for (grad_row, (gradient, row)) in grad_features.chunks_exact_mut(size).zip(rows) {
            let scale = one_over_root(row, epsilon);
            let numbers = gradient.iter().zip(row).zip(weight);
            for ((grad_x, grad_weight), ((g, x), weight)) in grad_row.iter_mut().zip(grad_weight.iter_mut()).zip(numbers) {
                *grad_weight += g * x * scale;
                *grad_x = g * weight;
            }
            let weighted = sum(grad_row, row, |g, x| g * x) * scale * scale / size as f32;
            for (grad_x, x) in grad_row.iter_mut().zip(row) {
                *grad_x = scale * (*grad_x - x * weighted);
            }
        }
    }
}

/// One over the root of a row's mean square.
#[inline(always)]
fn one_over_root(row: &[f32], epsilon: f32) -> f32 {
    let mean_square = sum(row, row, |x, _| x * x) / row.len() as f32;
    1.0 / (mean_square + epsilon).sqrt()
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Var};
    use kindling_base::Random;

    use super::*;

    /// The output, and the gradients of a sum weighted by `probe`.
    fn both_ways(inputs: &[Tensor; 2], probe: &Tensor, dtype: DType) -> Vec<Vec<f64>> {
        let vars = inputs
            .each_ref()
            .map(|tensor| Var::from_tensor(&tensor.to_dtype(dtype).unwrap()).unwrap());
        let output = rms_norm(&vars[0], &vars[1], 1e-5).unwrap();
        let loss = (&output * probe.to_dtype(dtype).unwrap()).unwrap();
        let gradients = loss.sum_all().unwrap().backward().unwrap();
        let mut results = vec![output];
        results.extend(vars.iter().map(|var| gradients.get(var).unwrap().clone()));
        let numbers = |tensor: &Tensor| {
            let flat = tensor.flatten_all().unwrap().to_dtype(DType::F64).unwrap();
            flat.to_vec1::<f64>().unwrap()
        };
        results.iter().map(numbers).collect()
    }

    /// `f64` takes the composed way, `f32` the fused one.
    #[test]
    fn the_fused_way_is_the_composed_one() {
        let mut random = Random::new(1);
        for shape in [vec![3, 1], vec![2, 5, 7], vec![2, 100, 48], vec![90, 1_000]] {
            let size = *shape.last().unwrap();
            let inputs = [
                random.normal(shape.as_slice(), 0.5, 2.0).unwrap(),
                random.normal(size, 1.0, 0.5).unwrap(),
            ];
            let probe = random.normal(shape.as_slice(), 0.0, 1.0).unwrap();
            let fused = both_ways(&inputs, &probe, DType::F32);
            let composed = both_ways(&inputs, &probe, DType::F64);
            for (what, (fused, composed)) in fused.iter().zip(&composed).enumerate() {
                for (a, b) in fused.iter().zip(composed) {
                    assert!(
                        (a - b).abs() < 3e-5 * (1.0 + b.abs()),
                        "{shape:?} {what}: {a} {b}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_weight_of_another_size_is_named() {
        let mut random = Random::new(2);
        let features = random.normal((3, 3), 0.0, 1.0).unwrap();
        let weight = random.normal(4, 0.0, 1.0).unwrap();
        assert_eq!(
            rms_norm(&features, &weight, 1e-5).unwrap_err().to_string(),
            "weight: expected shape the last dimension of the features [3, 3], found [4]"
        );
    }
}
