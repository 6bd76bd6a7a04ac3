//! What a decoder remembers, so that the next token costs one token's work.

use candle_core::Tensor;

use super::Transformer;
use crate::{
    Error, Result,
    data::Random,
    nn::{DecoderCache, DecoderLayer},
    text::padding_mask,
};

/// A target under way: what each layer of the decoder has seen of it and of the source.
///
/// A copy is cheap, and goes on in a way of its own.
#[derive(Debug, Clone)]
pub struct Decoding {
    /// How many tokens of the target have been seen.
    pub time: usize,
    /// How the tokens of the last call looked at the source, for each layer: `(batch, num_heads, time, source_time)`.
    pub cross_attention: Vec<Tensor>,
    caches: Vec<DecoderCache>,
    source_mask: Tensor, // (batch, 1, 1, source_time)
}

impl Transformer {
    /// Begins a target for what [`Transformer::encode`] gave, `(batch, source_time, hidden_size)`, with the mask that it was given.
    ///
    /// ```
    /// use candle_core::{D, DType, Device, Tensor};
    /// use kindling::models::{Transformer, TransformerConfig};
    /// let config = TransformerConfig { hidden_size: 16, num_heads: 2, num_layers: 1, ..TransformerConfig::default() };
    /// let model = Transformer::new(&config, 0)?;
    /// let source = Tensor::new(&[[4_u32, 8, 15]], &Device::Cpu)?; // (batch, source_time)
    /// let mask = Tensor::ones((1, 3), DType::F32, &Device::Cpu)?; // (batch, source_time)
    /// let encoded = model.encode(&source, &mask, None)?; // (batch, source_time, hidden_size)
    /// let mut decoding = model.start(&encoded, &mask)?;
    /// let mut token = Tensor::new(&[[1_u32]], &Device::Cpu)?; // (batch, 1)
    /// for _ in 0..4 {
    ///     let logits = model.decode(&token, &mut decoding, None)?; // (batch, 1, target_vocabulary)
    ///     token = logits.argmax(D::Minus1)?; // (batch, 1): the likeliest token is the next input
    /// }
    /// assert_eq!(decoding.time, 4);
    /// # Ok::<(), kindling::Error>(())
    /// ```
    pub fn start(&self, encoded: &Tensor, source_mask: &Tensor) -> Result<Decoding> {
        let caches = self.decoder.iter().map(|layer| layer.cache(encoded));
        Ok(Decoding {
            time: 0,
            cross_attention: Vec::new(),
            caches: caches.collect::<Result<_>>()?,
            source_mask: padding_mask(source_mask)?, // (batch, 1, 1, source_time)
        })
    }
}

impl Decoding {
    /// Takes tokens `(batch, time, hidden_size)` through the decoder's layer of this number.
    pub(super) fn layer(
        &mut self,
        number: usize,
        layer: &DecoderLayer,
        tokens: &Tensor,
        mask: &Tensor,
        random: Option<&mut Random>,
    ) -> Result<Tensor> {
        let source_mask = Some(&self.source_mask);
        let Some(cache) = self.caches.get_mut(number) else {
            return Err(Error::Argument(format!(
                "decoding: expected one that this model started, found one with {number} layers"
            )));
        };
        let (tokens, weights) = layer.forward(tokens, cache, Some(mask), source_mask, random)?;
        self.cross_attention.truncate(number); // what is left of the call before
        self.cross_attention.push(weights.detach());
        Ok(tokens)
    }

    /// The examples of the batch that `rows` `(new batch)` names, in that order: what a beam search needs.
    pub fn select(&self, rows: &Tensor) -> Result<Self> {
        let pick = |tensor: &Tensor| -> Result<Tensor> { Ok(tensor.index_select(rows, 0)?) };
        let caches = self.caches.iter().map(|cache| cache.select(rows));
        Ok(Self {
            time: self.time,
            cross_attention: self
                .cross_attention
                .iter()
                .map(pick)
                .collect::<Result<_>>()?,
            caches: caches.collect::<Result<_>>()?,
            source_mask: pick(&self.source_mask)?, // (new batch, 1, 1, source_time)
        })
    }
    /// Targets that are equally far, for sources of one length, as one batch, and without the graph behind them.
    pub(in crate::models) fn join(parts: &[Self]) -> Result<Self> {
        let sizes = |part: &Self| (part.time, part.source_mask.dims().last().copied());
        let Some(first) = parts.first() else {
            return Err(Error::Argument(
                "decoding: expected at least one target, found none".to_owned(),
            ));
        };
        if let Some(other) = parts.iter().find(|part| sizes(part) != sizes(first)) {
            return Err(Error::Argument(format!(
                "decoding: expected targets of one length for sources of one length, found {} tokens for a source {:?} and {} for one of {:?}; decode them one by one",
                first.time,
                first.source_mask.dims(),
                other.time,
                other.source_mask.dims()
            )));
        }
        let caches = (0..first.caches.len()).map(|layer| {
            let caches: Vec<&DecoderCache> = parts.iter().map(|part| &part.caches[layer]).collect();
            DecoderCache::join(&caches)
        });
        let masks: Vec<&Tensor> = parts.iter().map(|part| &part.source_mask).collect();
        Ok(Self {
            time: first.time,
            cross_attention: Vec::new(),
            caches: caches.collect::<Result<_>>()?,
            source_mask: Tensor::cat(&masks, 0)?, // (batch, 1, 1, source_time)
        })
    }
}
