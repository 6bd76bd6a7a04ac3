//! Both ways through attention, one example after the other on each thread.

use std::sync::{Arc, OnceLock};

use candle_core::{CpuStorage, CustomOp3, Device, Layout, Shape, Tensor};
use rayon::prelude::*;

use super::example::Example;
use crate::{
    attention_softmax::Mask,
    dropout::DropoutMask,
    parts::each_part,
    values::{Values, slice},
};

pub(super) struct Attention {
    pub(super) query_time: usize,
    pub(super) key_time: usize,
    pub(super) num_heads: usize,
    pub(super) head_size: usize,
    pub(super) mask: Option<Mask>,
    pub(super) kept: Option<DropoutMask>,
    /// `(batch, num_heads, query_time, key_time)`, from the way there for the way back.
    pub(super) weights: Arc<OnceLock<Tensor>>,
}

impl Attention {
    /// How many numbers an example has in queries, in keys, and in attention weights.
    fn sizes(&self) -> (usize, usize, usize) {
        let hidden_size = self.num_heads * self.head_size;
        let scores = self.query_time * self.key_time;
        (
            self.query_time * hidden_size,
            self.key_time * hidden_size,
            self.num_heads * scores,
        )
    }
}

impl CustomOp3 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        queries: &CpuStorage,
        queries_layout: &Layout,
        keys: &CpuStorage,
        keys_layout: &Layout,
        values: &CpuStorage,
        values_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (keys, values) = (slice(keys, keys_layout)?, slice(values, values_layout)?);
        let queries = slice(queries, queries_layout)?;
        let (query, key, weight) = self.sizes();
        let batch = queries.len() / query;
        let (mut answers, mut weights) = (vec![0.0; queries.len()], vec![0.0; batch * weight]);
        let examples = answers
            .par_chunks_mut(query)
            .zip(weights.par_chunks_mut(weight))
            .zip(queries.par_chunks(query))
            .zip(keys.par_chunks(key).zip(values.par_chunks(key)))
            .enumerate();
        each_part(
            examples,
            |(number, (((answers, weights), queries), (keys, values)))| {
                let example = Example {
                    attention: self,
                    number,
                    queries,
                    keys,
                    values,
                };
                example.forward(answers, weights);
            },
        );
        let shape = (batch, self.num_heads, self.query_time, self.key_time);
        let weights = Tensor::from_vec(weights, shape, &Device::Cpu)?;
        let _ = self.weights.set(weights);
        Ok((CpuStorage::F32(answers), queries_layout.shape().clone()))
    }

    fn bwd(
        &self,
        queries: &Tensor,
        keys: &Tensor,
        values: &Tensor,
        _answers: &Tensor,
        gradient: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let Some(weights) = self.weights.get() else {
            candle_core::bail!("attention: the way back came before the way there")
        };
        let gradient = gradient.contiguous()?;
        let [query_numbers, key_numbers, value_numbers, weights, gradient] = [
            Values::of(queries)?,
            Values::of(keys)?,
            Values::of(values)?,
            Values::of(weights)?,
            Values::of(&gradient)?,
        ];
        let (query, key, weight) = self.sizes();
        let mut grad_queries = vec![0.0; query_numbers.len()];
        let mut grad_keys = vec![0.0; key_numbers.len()];
        let mut grad_values = vec![0.0; key_numbers.len()];
        let examples = grad_queries
            .par_chunks_mut(query)
            .zip(grad_keys.par_chunks_mut(key))
            .zip(grad_values.par_chunks_mut(key))
            .enumerate();
        each_part(
            examples,
            |(number, ((grad_queries, grad_keys), grad_values))| {
                let example = Example {
                    attention: self,
                    number,
                    queries: &query_numbers[number * query..][..query],
                    keys: &key_numbers[number * key..][..key],
                    values: &value_numbers[number * key..][..key],
                };
                let weights = &weights[number * weight..][..weight];
                let gradient = &gradient[number * query..][..query];
                example.backward(weights, gradient, [grad_queries, grad_keys, grad_values]);
            },
        );
        let tensor = |numbers: Vec<f32>, like: &Tensor| {
            Tensor::from_vec(numbers, like.shape(), like.device()).map(Some)
        };
        Ok((
            tensor(grad_queries, queries)?,
            tensor(grad_keys, keys)?,
            tensor(grad_values, values)?,
        ))
    }
}
