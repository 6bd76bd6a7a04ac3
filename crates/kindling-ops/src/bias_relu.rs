//! Bias and ReLU in one pass, instead of two tensors each way.

use candle_core::{CpuStorage, CustomOp2, Layout, Shape, Tensor};
use rayon::prelude::*;

use super::{
    parts::{add, made_from},
    values::{Values, on_cpu, slice},
    vectorized::vectorized,
};
use crate::{Error, Result};

/// Rows of features a thread takes at a time.
const ROWS: usize = 4_096;

/// `max(features + bias, 0)` for `features` `(…, channels)` and `bias` `(channels)`.
///
/// At exactly zero its slope is taken as zero.
pub fn bias_relu(features: &Tensor, bias: &Tensor) -> Result<Tensor> {
    if bias.dims() != [features.dims().last().copied().unwrap_or(0)] {
        return Err(Error::Shape {
            what: "bias".to_owned(),
            expected: format!("the last dimension of the features {:?}", features.dims()),
            found: bias.dims().to_vec(),
        });
    }
    if !on_cpu(&[features, bias]) || bias.elem_count() == 0 {
        return Ok(features.broadcast_add(bias)?.relu()?);
    }
    Ok(features
        .contiguous()?
        .apply_op2(&bias.contiguous()?, BiasRelu)?)
}

struct BiasRelu;

impl CustomOp2 for BiasRelu {
    fn name(&self) -> &'static str {
        "bias-relu"
    }

    fn cpu_fwd(
        &self,
        features: &CpuStorage,
        features_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let bias = slice(bias, bias_layout)?;
        let features = slice(features, features_layout)?;
        let output = made_from(features, ROWS * bias.len(), |_, output, features| {
            add_and_cut(output, features, bias);
        });
        Ok((CpuStorage::F32(output), features_layout.shape().clone()))
    }

    fn bwd(
        &self,
        features: &Tensor,
        bias: &Tensor,
        output: &Tensor,
        gradient: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        let gradient = gradient.contiguous()?;
        let (gradient, output) = (Values::of(&gradient)?, Values::of(output)?);
        let mut grad_features = vec![0.0; gradient.len()];
        let channels = bias.elem_count();
        let part = ROWS * channels;
        let sums: Vec<Vec<f32>> = grad_features
            .par_chunks_mut(part)
            .zip(gradient.par_chunks(part))
            .zip(output.par_chunks(part))
            .map(|((grad_features, gradient), output)| {
                masked(grad_features, gradient, output, channels)
            })
            .collect();
        let mut grad_bias = vec![0.0; channels];
        sums.iter().for_each(|sums| add(&mut grad_bias, sums));
        Ok((
            Some(Tensor::from_vec(
                grad_features,
                features.shape(),
                features.device(),
            )?),
            Some(Tensor::from_vec(grad_bias, channels, bias.device())?),
        ))
    }
}

/// Writes the gradient where ReLU let something through, zero elsewhere, and returns the sum of each channel.
fn masked(
    grad_features: &mut [f32],
    gradient: &[f32],
    output: &[f32],
    channels: usize,
) -> Vec<f32> {
    let mut sums = vec![0.0; channels];
    mask(grad_features, gradient, output, &mut sums);
    sums
}

vectorized! {
    /// Rows of `channels` numbers each.
    fn add_and_cut(output: &mut [f32], features: &[f32], bias: &[f32]) {
        let channels = bias.len();
        for (output, features) in output.chunks_exact_mut(channels).zip(features.chunks_exact(channels)) {
            for ((output, feature), bias) in output.iter_mut().zip(features).zip(bias) {
                let sum = feature + bias;
                *output = if sum <= 0.0 { 0.0 } else { sum }; // NaN stays NaN
            }
        }
    }
}

vectorized! {
    fn mask(grad_features: &mut [f32], gradient: &[f32], output: &[f32], sums: &mut [f32]) {
        let channels = sums.len();
        let rows = gradient.chunks_exact(channels).zip(output.chunks_exact(channels));
        for (grad_features, (gradient, output)) in grad_features.chunks_exact_mut(channels).zip(rows) {
            let given = gradient.iter().zip(output);
            for ((grad_feature, sum), (gradient, output)) in grad_features.iter_mut().zip(sums.iter_mut()).zip(given) {
                *grad_feature = if *output == 0.0 { 0.0 } else { *gradient };
                *sum += *grad_feature;
            }
        }
    }
}
