//! Batch normalisation with the batch's own statistics, as training needs it (Ioffe and Szegedy, 2015, algorithm 1).

mod measure;
mod rows;

use std::sync::{Arc as Shared, Mutex};

use candle_core::{CpuStorage, CustomOp3, Layout, Shape, Tensor};
use rayon::prelude::*;

use self::{
    measure::measure,
    rows::{back, scale, sum_up},
};
use super::{
    norm::{self, Sums},
    parts::made_from,
    values::{Values, on_cpu, slice},
};
use crate::{Error, Result};

/// Rows of features a thread takes at a time; a fixed number, so that sums do not depend on the threads.
const ROWS: usize = 2_048;

/// What a batch says of each channel.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Statistics {
    /// The mean `(channels)`.
    pub mean: Vec<f32>,
    /// The variance `(channels)`, divided by the number of values, not by one less.
    pub variance: Vec<f32>,
    /// How many values of each channel were looked at.
    pub count: usize,
}

/// `weight · (features - mean) / √(variance + epsilon) + bias` for each channel of `features` `(…, channels)`, then ReLU if asked.
///
/// Mean and variance are those of this batch, and are returned for the running averages.
pub fn batch_norm(
    features: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    epsilon: f64,
    relu: bool,
) -> Result<(Tensor, Statistics)> {
    let channels = norm::size(features, weight, bias)?;
    if features.elem_count() < 2 * channels {
        return Err(Error::Shape {
            what: "features".to_owned(),
            expected: "at least two values for each channel, to have a variance".to_owned(),
            found: features.dims().to_vec(),
        });
    }
    if !on_cpu(&[features, weight, bias]) {
        return composed(features, weight, bias, epsilon, relu);
    }
    let statistics = Shared::new(Mutex::new(Statistics::default()));
    let operation = BatchNorm {
        epsilon: epsilon as f32,
        relu,
        statistics: Shared::clone(&statistics),
    };
    let output =
        features
            .contiguous()?
            .apply_op3(&weight.contiguous()?, &bias.contiguous()?, operation)?;
    let statistics = statistics
        .lock()
        .map(|kept| kept.clone())
        .unwrap_or_default();
    Ok((output, statistics))
}

/// The same, composed of Candle's operations, for other devices and number types.
fn composed(
    features: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    epsilon: f64,
    relu: bool,
) -> Result<(Tensor, Statistics)> {
    let channels = weight.elem_count();
    let rows = features.reshape(((), channels))?; // (values, channels)
    let mean = rows.mean_keepdim(0)?; // (1, channels)
    let centred = rows.broadcast_sub(&mean)?;
    let variance = centred.sqr()?.mean_keepdim(0)?; // (1, channels)
    let normal = centred.broadcast_div(&(&variance + epsilon)?.sqrt()?)?;
    let output = normal
        .broadcast_mul(weight)?
        .broadcast_add(bias)?
        .reshape(features.shape())?;
    let output = if relu { output.relu()? } else { output };
    let numbers = |tensor: &Tensor| {
        tensor
            .squeeze(0)?
            .to_dtype(candle_core::DType::F32)?
            .to_vec1::<f32>()
    };
    let statistics = Statistics {
        mean: numbers(&mean)?,
        variance: numbers(&variance)?,
        count: rows.dim(0)?,
    };
    Ok((output, statistics))
}

struct BatchNorm {
    epsilon: f32,
    relu: bool,
    statistics: Shared<Mutex<Statistics>>,
}

impl BatchNorm {
    fn scales(&self, variance: &[f32]) -> Vec<f32> {
        variance
            .iter()
            .map(|variance| 1.0 / (variance + self.epsilon).sqrt())
            .collect()
    }
}

impl CustomOp3 for BatchNorm {
    fn name(&self) -> &'static str {
        "batch-norm"
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
        let statistics = measure(features, weight.len());
        // One multiply-add for each number: weight · (x - mean) · scale + bias = factor · x + offset.
        let scales = self.scales(&statistics.variance);
        let factors: Vec<f32> = scales
            .iter()
            .zip(weight)
            .map(|(scale, weight)| scale * weight)
            .collect();
        let offsets = statistics.mean.iter().zip(&factors).zip(bias);
        let offsets: Vec<f32> = offsets
            .map(|((mean, factor), bias)| bias - mean * factor)
            .collect();
        if let Ok(mut kept) = self.statistics.lock() {
            *kept = statistics;
        }
        let floor = if self.relu { 0.0 } else { f32::NEG_INFINITY };
        let output = made_from(features, ROWS * weight.len(), |_, output, features| {
            scale(output, features, &factors, &offsets, floor);
        });
        Ok((CpuStorage::F32(output), features_layout.shape().clone()))
    }

    /// Differentiating through mean and variance as well gives, with `x̂` the normalised feature and `g` its gradient,
    /// `weight · scale · (g - mean(g) - x̂ · mean(g · x̂))`.
    fn bwd(
        &self,
        features: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        output: &Tensor,
        gradient: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let gradient = gradient.contiguous()?;
        let (gradient, output) = (Values::of(&gradient)?, Values::of(output)?);
        let (values, weights) = (Values::of(features)?, Values::of(weight)?);
        let Ok(statistics) = self.statistics.lock() else {
            candle_core::bail!("batch-norm: another thread failed while it held the statistics");
        };
        let (mean, scales) = (&statistics.mean, self.scales(&statistics.variance));
        let channels = weights.len();
        let part = ROWS * channels;
        let sums: Vec<Sums> = gradient
            .par_chunks(part)
            .zip(output.par_chunks(part))
            .zip(values.par_chunks(part))
            .map(|((gradient, output), features)| {
                let mut sums = Sums::zeros(channels);
                sum_up(
                    self.relu,
                    (gradient, output, features),
                    mean,
                    &mut sums.bias,
                    &mut sums.weight,
                );
                sums
            })
            .collect();
        let mut sums = Sums::together(&sums, channels);
        for (sum, scale) in sums.weight.iter_mut().zip(&scales) {
            *sum *= scale;
        }
        let count = statistics.count as f32;
        // grad_feature = factor · g + slope · (x - mean) + offset
        let factors: Vec<f32> = scales
            .iter()
            .zip(&*weights)
            .map(|(scale, weight)| scale * weight)
            .collect();
        let slopes: Vec<f32> = (0..channels)
            .map(|channel| -factors[channel] * scales[channel] * sums.weight[channel] / count)
            .collect();
        let offsets: Vec<f32> = (0..channels)
            .map(|channel| -factors[channel] * sums.bias[channel] / count)
            .collect();
        let grad_features = made_from(&values, part, |place, grad_features, values| {
            let same = place * part..place * part + values.len();
            back(
                self.relu,
                grad_features,
                (&gradient[same.clone()], &output[same], values),
                &[&factors, &slopes, mean, &offsets],
            );
        });
        norm::gradients(grad_features, sums, [features, weight, bias])
    }
}
