//! What T5 knows of positions: a number for each head and distance, added to the scores of its first layer and all others.

use candle_core::{Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::t5::Config;
use kindling::Result;

/// A learned bias for each bucket of distances (Raffel et al., 2020, section 2.1).
#[derive(Debug, Clone)]
pub(super) struct Distances {
    /// `(buckets, num_heads)`
    biases: Tensor,
    buckets: usize,
    /// From this distance on, all are in the last bucket.
    most: usize,
}

impl Distances {
    pub(super) fn load(weights: &VarBuilder, config: &Config) -> candle_core::Result<Self> {
        let buckets = config.relative_attention_num_buckets;
        let shape = (buckets, config.num_heads);
        Ok(Self {
            biases: weights.pp("relative_attention_bias").get(shape, "weight")?,
            buckets,
            most: config.relative_attention_max_distance,
        })
    }

    /// For the token after so many others, what is added to its scores with them and with itself: `(num_heads, 1, time)`.
    pub(super) fn bias(&self, before: usize) -> Result<Tensor> {
        let buckets = (0..=before).rev().map(|distance| self.bucket(distance));
        let buckets = Tensor::from_iter(buckets, &Device::Cpu)?;
        let biases = self.biases.index_select(&buckets, 0)?; // (time, num_heads)
        Ok(biases.t()?.contiguous()?.unsqueeze(1)?)
    }

    /// One bucket for each small distance, and for larger ones as many again, which grow like their logarithm.
    fn bucket(&self, distance: usize) -> u32 {
        let exact = self.buckets / 2;
        if distance < exact {
            return distance as u32;
        }
        let base = self.most as f32 / exact as f32;
        let more = (distance as f32 / exact as f32).log(base) * (self.buckets - exact) as f32;
        (exact + more as usize).min(self.buckets - 1) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_grow_with_the_distance() {
        let distances = Distances {
            biases: Tensor::arange(0_f32, 64.0, &Device::Cpu)
                .unwrap()
                .reshape((32, 2))
                .unwrap(),
            buckets: 32,
            most: 128,
        };
        // From 16 on it is 16 + 16 · log(distance / 16) / log(128 / 16), rounded down.
        let expected = [
            (0, 0),
            (15, 15),
            (16, 16),
            (18, 16),
            (19, 17),
            (40, 23),
            (100, 30),
            (127, 31),
            (128, 31),
            (9_999, 31),
        ];
        for (distance, bucket) in expected {
            assert_eq!(distances.bucket(distance), bucket, "{distance}");
        }
        let bias = distances.bias(2).unwrap(); // distances 2, 1, 0
        let bias: Vec<Vec<f32>> = bias.squeeze(1).unwrap().to_vec2().unwrap();
        assert_eq!(bias, [[4.0, 2.0, 0.0], [5.0, 3.0, 1.0]]);
    }
}
