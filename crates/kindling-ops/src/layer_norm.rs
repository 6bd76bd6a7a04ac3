//! Layer normalisation in one pass each way (Ba, Kiros and Hinton, 2016): Candle's fused one has no backward pass.

use candle_core::{CpuStorage, CustomOp3, D, Layout, Shape, Tensor};
use rayon::prelude::*;

use super::{
    norm::{self, Sums, part},
    parts::made_from,
    sums::sum,
    values::{Values, on_cpu, slice},
    vectorized::vectorized,
};
use crate::Result;

/// `weight · (x - mean) / √(variance + epsilon) + bias` for each row x of `features` `(…, size)`, with its own mean and variance.
///
/// `weight` and `bias` are `(size)`. The variance is divided by the size, not by one less.
///
/// ```
/// use candle_core::{Device, Tensor};
/// let features = Tensor::new(&[[1_f32, 3.0], [10.0, 30.0]], &Device::Cpu)?; // (2, 2)
/// let (weight, bias) = (Tensor::new(&[1_f32, 1.0], &Device::Cpu)?, Tensor::new(&[0_f32, 5.0], &Device::Cpu)?);
/// let output = kindling_ops::layer_norm(&features, &weight, &bias, 0.0)?; // (2, 2)
/// assert_eq!(output.to_vec2::<f32>()?, [[-1.0, 6.0], [-1.0, 6.0]]);
/// # Ok::<(), kindling_base::Error>(())
/// ```
pub fn layer_norm(
    features: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    epsilon: f64,
) -> Result<Tensor> {
    norm::size(features, weight, bias)?;
    if !on_cpu(&[features, weight, bias]) {
        return composed(features, weight, bias, epsilon);
    }
    let operation = LayerNorm {
        epsilon: epsilon as f32,
    };
    Ok(features
        .contiguous()?
        .apply_op3(&weight.contiguous()?, &bias.contiguous()?, operation)?)
}

// ANCHOR: composed
/// The same, composed of Candle's operations, for other devices and number types.
fn composed(features: &Tensor, weight: &Tensor, bias: &Tensor, epsilon: f64) -> Result<Tensor> {
    let mean = features.mean_keepdim(D::Minus1)?; // (…, 1)
    let centred = features.broadcast_sub(&mean)?; // (…, size)
    let variance = centred.sqr()?.mean_keepdim(D::Minus1)?; // (…, 1)
    let normal = centred.broadcast_div(&(variance + epsilon)?.sqrt()?)?; // (…, size)
    Ok(normal.broadcast_mul(weight)?.broadcast_add(bias)?)
}
// ANCHOR_END: composed

struct LayerNorm {
    epsilon: f32,
}

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        "layer-norm"
    }

    fn cpu_fwd(
        &self,
        features: &CpuStorage,
        features_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let features = slice(features, features_layout)?;
        let (weight, bias) = (slice(weight, weight_layout)?, slice(bias, bias_layout)?);
        let part = part(weight.len());
        let output = made_from(features, part, |_, output, features| {
            normalise(output, features, weight, bias, self.epsilon);
        });
        Ok((CpuStorage::F32(output), features_layout.shape().clone()))
    }

    /// Differentiating through mean and variance as well gives, with `x̂` the normalised row and `g` its gradient times the weight,
    /// `(g - mean(g) - x̂ · mean(g · x̂)) / √(variance + epsilon)`.
    fn bwd(
        &self,
        features: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _output: &Tensor,
        gradient: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let gradient = gradient.contiguous()?;
        let (gradient, values, weights) = (
            Values::of(&gradient)?,
            Values::of(features)?,
            Values::of(weight)?,
        );
        let (size, weights) = (weights.len(), &*weights);
        let mut grad_features = vec![0.0; values.len()];
        let part = part(size);
        let sums: Vec<Sums> = grad_features
            .par_chunks_mut(part)
            .zip(gradient.par_chunks(part).zip(values.par_chunks(part)))
            .map(|(grad_features, (gradient, features))| {
                let mut sums = Sums::zeros(size);
                back(
                    grad_features,
                    (gradient, features, weights),
                    self.epsilon,
                    &mut sums.weight,
                    &mut sums.bias,
                );
                sums
            })
            .collect();
        let sums = Sums::together(&sums, size);
        norm::gradients(grad_features, sums, [features, weight, bias])
    }
}

vectorized! {
    fn normalise(output: &mut [f32], features: &[f32], weight: &[f32], bias: &[f32], epsilon: f32) {
        let size = weight.len();
        for (output, row) in output.chunks_exact_mut(size).zip(features.chunks_exact(size)) {
            let (mean, scale) = statistics(row, epsilon);
            let numbers = row.iter().zip(weight.iter().zip(bias));
            for (output, (x, (weight, bias))) in output.iter_mut().zip(numbers) {
                *output = (x - mean) * scale * weight + bias;
            }
        }
    }
}

vectorized! {
    fn back(
        grad_features: &mut [f32],
        given: (&[f32], &[f32], &[f32]),
        epsilon: f32,
        grad_weight: &mut [f32],
        grad_bias: &mut [f32],
    ) {
        let (gradient, features, weight) = given;
        let size = weight.len();
        let rows = gradient.chunks_exact(size).zip(features.chunks_exact(size));
        for (grad_row, (gradient, row)) in grad_features.chunks_exact_mut(size).zip(rows) {
            let (mean, scale) = statistics(row, epsilon);
            let sums = grad_weight.iter_mut().zip(grad_bias.iter_mut());
            let numbers = gradient.iter().zip(row).zip(weight);
            for ((grad_x, (grad_weight, grad_bias)), ((g, x), weight)) in grad_row.iter_mut().zip(sums).zip(numbers) {
                *grad_weight += g * (x - mean) * scale;
                *grad_bias += g;
                *grad_x = g * weight;
            }
            let plain = sum(grad_row, row, |g, _| g) / size as f32;
            let weighted = sum(grad_row, row, |g, x| g * (x - mean)) * scale * scale / size as f32;
            for (grad_x, x) in grad_row.iter_mut().zip(row) {
                *grad_x = scale * (*grad_x - plain - (x - mean) * weighted);
            }
        }
    }
}

/// The mean of a row, and one over its standard deviation.
#[inline(always)]
fn statistics(row: &[f32], epsilon: f32) -> (f32, f32) {
    let count = row.len() as f32;
    let mean = sum(row, row, |x, _| x) / count;
    let variance = sum(row, row, |x, _| (x - mean) * (x - mean)) / count;
    (mean, 1.0 / (variance + epsilon).sqrt())
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Var};

    use super::*;
    use kindling_base::Random;

    /// The output, and the gradients of a sum weighted by `probe`.
    fn both_ways(inputs: &[Tensor; 3], probe: &Tensor, dtype: DType) -> Vec<Vec<f64>> {
        let vars = inputs
            .each_ref()
            .map(|tensor| Var::from_tensor(&tensor.to_dtype(dtype).unwrap()).unwrap());
        let output = layer_norm(&vars[0], &vars[1], &vars[2], 1e-5).unwrap();
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
        for shape in [
            vec![3, 1],
            vec![2, 5, 7],
            vec![4, 16],
            vec![2, 100, 48],
            vec![90, 1_000],
        ] {
            let size = *shape.last().unwrap();
            let inputs = [
                random.normal(shape.as_slice(), 3.0, 2.0).unwrap(),
                random.normal(size, 1.0, 0.5).unwrap(),
                random.normal(size, 0.0, 1.0).unwrap(),
            ];
            let probe = random.normal(shape.as_slice(), 0.0, 1.0).unwrap();
            let fused = both_ways(&inputs, &probe, DType::F32);
            let composed = both_ways(&inputs, &probe, DType::F64);
            for (what, (fused, composed)) in fused.iter().zip(&composed).enumerate() {
                assert_eq!(fused.len(), composed.len());
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
    fn any_layout_and_no_rows_are_fine_and_wrong_sizes_named() {
        let mut random = Random::new(2);
        let (ones, zeros) = (
            random.uniform(4, 1.0, 1.0).unwrap(),
            random.uniform(4, 0.0, 0.0).unwrap(),
        );
        let turned = random.normal((4, 3), 0.0, 1.0).unwrap().t().unwrap(); // (3, 4)
        let rows = |tensor: &Tensor| {
            let normal = layer_norm(tensor, &ones, &zeros, 1e-5).unwrap();
            normal.to_vec2::<f32>().unwrap()
        };
        assert_eq!(rows(&turned), rows(&turned.contiguous().unwrap()));
        assert!(rows(&turned.narrow(0, 0, 0).unwrap()).is_empty());
        let three = turned.narrow(1, 0, 3).unwrap();
        let error = layer_norm(&three, &ones, &zeros, 1e-5).unwrap_err();
        assert_eq!(
            error.to_string(),
            "weight: expected shape the last dimension of the features [3, 3], found [4]"
        );
    }
}
