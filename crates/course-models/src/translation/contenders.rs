//! What all sides of `cargo course bench seq2seq` learn from, and our side.

use std::{fs, path::Path, time::Instant};

use anyhow::{Context, Result, bail};
use candle_core::{Device, Tensor};
use course_program::bench;
use kindling::{
    data::{Loader, Random, SequencePair, SpecialTokens},
    models::{Model, Transformer},
    optim::{Adam, Optimizer, clip_norm},
    train::{load_weights, save_weights, sequence_cross_entropy},
};
use serde_json::{Value, json};

use super::recipes;
use crate::{recipe::Recipe, sequences::Pairs};

/// How many steps are taken before time is measured.
pub const WARM_UPS: usize = 3;

/// The files of the folder.
const WORK: &str = "work.json";
const WEIGHTS: &str = "weights.safetensors";

/// Batches, and everything else that decides what is computed.
#[derive(Debug)]
pub struct Work {
    vocabulary: usize,
    learning_rate: f64,
    label_smoothing: f64,
    clip_norm: f64,
    batches: Vec<Batch>,
}

/// Padded ids, each `(batch, time)`.
#[derive(Debug)]
struct Batch {
    inputs: SequencePair,
    /// What the decoder is to say.
    labels: Tensor,
    /// How many ids of sources and labels are no padding.
    tokens: u64,
}

impl Work {
    /// The first batches that the recipe would train on.
    pub fn new(pairs: &Pairs, recipe: &Recipe, count: usize) -> Result<Self> {
        let (loader, _) = pairs.loaders(recipe.batch_size, 0)?;
        let mut batches = Vec::with_capacity(count);
        for epoch in 1.. {
            let left = count - batches.len();
            if left == 0 {
                break;
            }
            for batch in loader.batches(epoch, 0)?.take(left) {
                let (inputs, labels) = batch?;
                batches.push(Batch::new(inputs, labels)?);
            }
        }
        Ok(Self {
            vocabulary: pairs.tokenizer.len(),
            learning_rate: recipe.learning_rate,
            label_smoothing: recipe.label_smoothing,
            clip_norm: recipe.clip_norm.unwrap_or(f64::MAX),
            batches,
        })
    }

    /// Writes the folder, with weights to start from.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let config = recipes::transformer(self.vocabulary, SpecialTokens::FIRST.padding);
        let batches: Result<Vec<Value>> = self.batches.iter().map(Batch::json).collect();
        let work = json!({
            "vocabulary": self.vocabulary,
            "padding": config.padding,
            "hidden_size": config.hidden_size,
            "num_heads": config.num_heads,
            "num_layers": config.num_layers,
            "feed_forward_size": config.feed_forward_size,
            "max_length": config.max_length,
            "dropout": config.dropout,
            "learning_rate": self.learning_rate,
            "label_smoothing": self.label_smoothing,
            "clip_norm": self.clip_norm,
            "warm_ups": WARM_UPS,
            "batches": batches?,
        });
        fs::write(folder.join(WORK), work.to_string()).context(WORK)?;
        let model = Transformer::new(&config, 0)?;
        Ok(save_weights(&model, folder.join(WEIGHTS), &[])?)
    }

    fn read(folder: &Path) -> Result<Self> {
        let file = folder.join(WORK);
        let bytes = fs::read(&file).with_context(|| file.display().to_string())?;
        let work: Value = serde_json::from_slice(&bytes).context(WORK)?;
        let number = |key: &str| work[key].as_f64().with_context(|| format!("{WORK}: {key}"));
        let batches = work["batches"].as_array().context("no batches")?;
        let rows = |batch: &Value, key: &str| ids(&batch[key]).context(key.to_owned());
        let batches = batches.iter().map(|batch| {
            let inputs = SequencePair {
                source: rows(batch, "source")?,
                decoder_input: rows(batch, "decoder_input")?,
            };
            Batch::new(inputs, rows(batch, "labels")?)
        });
        Ok(Self {
            vocabulary: number("vocabulary")? as usize,
            learning_rate: number("learning_rate")?,
            label_smoothing: number("label_smoothing")?,
            clip_norm: number("clip_norm")?,
            batches: batches.collect::<Result<_>>()?,
        })
    }

    /// The network with the weights of the folder.
    fn model(&self, folder: &Path) -> Result<Transformer> {
        let model = Transformer::new(
            &recipes::transformer(self.vocabulary, SpecialTokens::FIRST.padding),
            1,
        )?;
        load_weights(&model, folder.join(WEIGHTS))?;
        Ok(model)
    }
}

impl Batch {
    fn new(inputs: SequencePair, labels: Tensor) -> Result<Self> {
        let mut tokens = 0;
        for ids in [&inputs.source, &labels] {
            let ids = ids.flatten_all()?.to_vec1::<u32>()?;
            tokens += ids
                .iter()
                .filter(|id| **id != SpecialTokens::FIRST.padding)
                .count() as u64;
        }
        Ok(Self {
            inputs,
            labels,
            tokens,
        })
    }

    fn json(&self) -> Result<Value> {
        Ok(json!({
            "source": self.inputs.source.to_vec2::<u32>()?,
            "decoder_input": self.inputs.decoder_input.to_vec2::<u32>()?,
            "labels": self.labels.to_vec2::<u32>()?,
            "tokens": self.tokens,
        }))
    }
}

fn ids(rows: &Value) -> Result<Tensor> {
    let rows: Vec<Vec<u32>> = serde_json::from_value(rows.clone())?;
    Ok(Tensor::new(rows, &Device::Cpu)?) // (batch, time)
}

/// Times our side in this process.
pub fn turn(side: &str, folder: &Path) -> Result<Value> {
    if side != "ours" {
        bail!("--side: expected ours, found {side}");
    }
    let work = Work::read(folder)?;
    let model = work.model(folder)?;
    let mut optimizer = Adam::new(model.parameters(), work.learning_rate)?;
    let parameters = model.parameters();
    let mut random = Random::new(0);
    let (mut first_step, mut started, mut tokens) = (None, Instant::now(), 0);
    for (number, batch) in work.batches.iter().enumerate() {
        if number == WARM_UPS {
            (started, tokens) = (Instant::now(), 0);
        }
        let logits = Model::forward_training(&model, &batch.inputs, &mut random)?; // (batch, time, vocabulary)
        let loss = loss(&work, &logits, batch)?;
        let mut gradients = loss.backward()?;
        clip_norm(&mut gradients, &parameters, work.clip_norm)?;
        optimizer.step(&gradients)?;
        tokens += batch.tokens;
        first_step = first_step.or_else(bench::since_start);
    }
    let speed = tokens as f64 / started.elapsed().as_secs_f64();
    let first = work.batches.first().context("no batches")?;
    let logits = Model::forward(&work.model(folder)?, &first.inputs)?; // (batch, time, vocabulary)
    Ok(json!({
        "tokens_per_s": speed,
        "loss": loss(&work, &logits, first)?.to_scalar::<f32>()?,
        "first_step_s": first_step,
        "peak_mb": bench::peak_memory(),
    }))
}

fn loss(work: &Work, logits: &Tensor, batch: &Batch) -> Result<Tensor> {
    Ok(sequence_cross_entropy(
        logits,
        &batch.labels,
        SpecialTokens::FIRST.padding,
        work.label_smoothing,
    )?)
}
