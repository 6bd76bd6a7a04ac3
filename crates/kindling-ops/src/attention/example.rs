//! The attention of one example, head after head.

use super::{
    heads::{Head, compare, mix, padded, turned},
    operation::Attention,
};
use crate::attention_softmax::{back, masked_softmax};

/// One example of the batch.
pub(super) struct Example<'a> {
    pub(super) attention: &'a Attention,
    /// Which one it is.
    pub(super) number: usize,
    /// `(query_time, hidden_size)`.
    pub(super) queries: &'a [f32],
    /// `(key_time, hidden_size)`.
    pub(super) keys: &'a [f32],
    /// `(key_time, hidden_size)`.
    pub(super) values: &'a [f32],
}

impl Example<'_> {
    /// Writes the answers `(query_time, hidden_size)` and the attention weights `(num_heads, query_time, key_time)`.
    pub(super) fn forward(&self, answers: &mut [f32], weights: &mut [f32]) {
        let keys = self.attention.key_time;
        let mut scores = vec![0.0; self.scores()];
        let heads = weights.chunks_exact_mut(self.scores()).enumerate();
        for (head, weights) in heads {
            let place = self.head(head);
            compare(place, self.queries, self.keys, &mut scores);
            let first = self.block(head) * self.attention.query_time;
            let mask = self.attention.mask.as_ref().map(|mask| (mask, first));
            masked_softmax(weights, &scores, keys, self.scale(), mask);
            self.keep(head, weights, &mut scores); // the scores have been used
            mix(place, &turned(&scores, keys), self.values, answers);
        }
    }

    /// Writes the gradients of queries, keys and values, from the attention weights and the gradient of the answers.
    ///
    /// With `w` the weights of a query and `g` their gradient, that of its scores is `w · (g - Σ g · w)`.
    pub(super) fn backward(&self, weights: &[f32], gradient: &[f32], to: [&mut [f32]; 3]) {
        let [grad_queries, grad_keys, grad_values] = to;
        let keys = self.attention.key_time;
        let (mut used, mut grad_weights) = (vec![0.0; self.scores()], vec![0.0; self.scores()]);
        let heads = weights.chunks_exact(self.scores()).enumerate();
        for (head, weights) in heads {
            let place = self.head(head);
            self.keep(head, weights, &mut used);
            mix(place, &padded(&used, keys), gradient, grad_values);
            compare(place, gradient, self.values, &mut used);
            self.keep(head, &used, &mut grad_weights);
            back(&mut used, &grad_weights, weights, keys, self.scale());
            let grad_scores = &used;
            mix(place, &turned(grad_scores, keys), self.keys, grad_queries);
            mix(place, &padded(grad_scores, keys), self.queries, grad_keys);
        }
    }

    /// How many scores a head has.
    fn scores(&self) -> usize {
        self.attention.query_time * self.attention.key_time
    }

    /// Where a head lies in each token.
    fn head(&self, head: usize) -> Head {
        let size = self.attention.head_size;
        Head {
            first: head * size,
            size,
            hidden_size: self.attention.num_heads * size,
        }
    }

    /// The number of this head among those of all examples.
    fn block(&self, head: usize) -> usize {
        self.number * self.attention.num_heads + head
    }

    /// One over the root of the head's size.
    fn scale(&self) -> f32 {
        (1.0 / (self.attention.head_size as f64).sqrt()) as f32
    }

    /// What dropout leaves of numbers that belong to a head's weights.
    fn keep(&self, head: usize, numbers: &[f32], kept: &mut [f32]) {
        match &self.attention.kept {
            Some(chance) => chance.apply(self.block(head) * self.scores(), numbers, kept),
            None => kept.copy_from_slice(numbers),
        }
    }
}
