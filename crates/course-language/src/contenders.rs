//! The sides of the benchmark that are written in Rust: our BERT, and that of candle-transformers.

use std::{fs, path::Path};

use anyhow::{Context, Result, anyhow, bail};
use candle_core::{D, DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};
use course_program::bench;
use kindling::{data::Random, text::pad};
use kindling_pretrained::Embedder;
use serde_json::{Value, json};
use tokenizers::{Tokenizer, TruncationParams};

/// What is measured, in milliseconds: all sentences, and one alone.
pub const TASKS: [&str; 2] = ["many_ms", "one_ms"];

/// How many sentences there are.
const SENTENCES: usize = 256;

/// How many of them candle-transformers reads together, as sentence-transformers does.
const BATCH: usize = 32;

/// The length to which sentence-transformers cuts all-MiniLM-L6-v2.
const MAX_LENGTH: usize = 256;

/// How often each measurement is made before it counts.
const WARM_UPS: usize = 2;

/// Common words of one or two tokens; how long a sentence takes depends on their number alone.
const WORDS: [&str; 24] = [
    "river", "night", "morning", "the", "cellar", "water", "of", "bridge", "letter", "teacher",
    "and", "engine", "gradient", "window", "a", "garden", "winter", "in", "station", "bread",
    "market", "music", "is", "mountain",
];

/// Random sentences, the same each time: most have some 5 to 30 words, one in sixteen is a paragraph.
pub fn sentences() -> Vec<String> {
    let mut random = Random::new(1);
    let mut sentence = |number: usize| {
        let length = match number % 16 {
            15 => 60 + random.below(60),
            _ => 5 + random.below(26),
        };
        let words = (0..length).map(|_| WORDS[random.below(WORDS.len())]);
        words.collect::<Vec<&str>>().join(" ") + "."
    };
    (0..SENTENCES).map(&mut sentence).collect()
}

/// From sentences to vectors.
type Embed = dyn Fn(&[&str]) -> Result<Tensor>;

/// Times one side in this process.
pub fn turn(side: &str, model: &Path, sentences: &Path, repeats: usize) -> Result<Value> {
    let text = fs::read_to_string(sentences).with_context(|| sentences.display().to_string())?;
    let sentences: Vec<&str> = text.lines().collect();
    let embed: Box<Embed> = match side {
        "ours" => {
            let embedder = Embedder::open(model)?;
            Box::new(move |sentences: &[&str]| -> Result<Tensor> { Ok(embedder.embed(sentences)?) })
        }
        "candle_transformers" => {
            let stock = Stock::open(model)?;
            Box::new(move |sentences: &[&str]| stock.embed(sentences))
        }
        _ => bail!("--side: expected ours or candle_transformers, found {side}"),
    };
    let first = embed(&sentences[..1])?.squeeze(0)?.to_vec1::<f32>()?;
    let first_vector_s = bench::since_start();
    let many = bench::median(repeats, WARM_UPS, || embed(&sentences).map(drop))?;
    let one = bench::median(4 * repeats, WARM_UPS, || embed(&sentences[..1]).map(drop))?;
    Ok(json!({
        "many_ms": many,
        "one_ms": one,
        "first_vector_s": first_vector_s,
        "peak_mb": bench::peak_memory(),
        "vector": first,
    }))
}

/// candle-transformers' BERT as its examples use it, with sentences sorted by length.
struct Stock {
    tokenizer: Tokenizer,
    bert: BertModel,
}

impl Stock {
    fn open(folder: &Path) -> Result<Self> {
        let wrong = |error: tokenizers::Error| anyhow!("tokenizer.json: {error}");
        let config: Config = serde_json::from_slice(&fs::read(folder.join("config.json"))?)?;
        let tensors =
            candle_core::safetensors::load(folder.join("model.safetensors"), &Device::Cpu)?;
        let weights = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
        let mut tokenizer = Tokenizer::from_file(folder.join("tokenizer.json")).map_err(wrong)?;
        let truncation = TruncationParams {
            max_length: MAX_LENGTH,
            ..TruncationParams::default()
        };
        tokenizer
            .with_padding(None)
            .with_truncation(Some(truncation))
            .map_err(wrong)?;
        Ok(Self {
            tokenizer,
            bert: BertModel::load(weights, &config)?,
        })
    }

    fn embed(&self, sentences: &[&str]) -> Result<Tensor> {
        let encodings = self.tokenizer.encode_batch(sentences.to_vec(), true);
        let encodings = encodings.map_err(|error| anyhow!("{error}"))?;
        let mut order: Vec<usize> = (0..encodings.len()).collect();
        order.sort_by_key(|place| std::cmp::Reverse(encodings[*place].len()));
        let mut vectors = Vec::new();
        for places in order.chunks(BATCH) {
            let ids: Vec<&[u32]> = places
                .iter()
                .map(|place| encodings[*place].get_ids())
                .collect();
            let batch = pad(&ids, 0, None)?; // (batch, time)
            let kinds = batch.ids.zeros_like()?;
            let mask = batch.mask.to_dtype(DType::U32)?;
            let tokens = self.bert.forward(&batch.ids, &kinds, Some(&mask))?; // (batch, time, hidden_size)
            let weights = batch.mask.unsqueeze(2)?; // (batch, time, 1)
            let sums = tokens.broadcast_mul(&weights)?.sum(1)?; // (batch, hidden_size)
            vectors.push(sums.broadcast_div(&weights.sum(1)?)?);
        }
        let vectors = Tensor::cat(&vectors, 0)?; // (sentences, hidden_size)
        let length = vectors.sqr()?.sum_keepdim(D::Minus1)?.sqrt()?;
        let vectors = vectors.broadcast_div(&length)?;
        let mut places = vec![0_u32; order.len()];
        for (row, place) in order.into_iter().enumerate() {
            places[place] = row as u32;
        }
        let places = Tensor::from_vec(places, sentences.len(), &Device::Cpu)?;
        Ok(vectors.index_select(&places, 0)?)
    }
}
