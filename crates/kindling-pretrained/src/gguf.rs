//! A GPT and its tokenizer from a GGUF file, the one file in which llama.cpp keeps a model; its weights are given back their full precision.

use std::{fs::File, io::BufReader, path::Path};

use candle_core::{
    Device, Tensor,
    quantized::gguf_file::{Content, Value},
};
use kindling::{
    Error, Result,
    models::{Gpt, GptConfig},
    text::{Bpe, BpeParts},
};

use crate::folder::first_line;

/// The kind of model that this reads; GGUF has one for each.
const ARCHITECTURE: &str = "llama";

/// How texts are split before a byte-pair encoding, by the name that GGUF has for it: whether each digit is cut out first.
const SPLITS: [(&str, bool); 2] = [("gpt-2", false), ("smollm", true)];

/// What GGUF calls a token that stands for no text.
const CONTROL: i64 = 3;

/// Reads a model of Llama's kind and its tokenizer from a GGUF file, of any type of quantisation that Candle knows.
///
/// Fails when the file is damaged, of another kind of model or tokenizer, or lacks a tensor, and says which.
///
/// ```no_run
/// use candle_core::{Device, Tensor};
/// use kindling::models::GptCache;
/// let (model, tokenizer) = kindling_pretrained::read_gguf("SmolLM2-135M-Instruct.Q4_1.gguf")?;
/// let ids = Tensor::new(vec![tokenizer.encode("The capital of France is")], &Device::Cpu)?; // (batch, time)
/// let logits = model.read(&ids, &mut GptCache::default())?; // (batch, vocabulary_size)
/// # Ok::<(), kindling::Error>(())
/// ```
pub fn read_gguf(path: impl AsRef<Path>) -> Result<(Gpt, Bpe)> {
    let path = path.as_ref();
    let problem = |problem: String| Error::Format {
        file: path.display().to_string(),
        problem,
    };
    let file = File::open(path).map_err(|source| Error::File {
        path: path.display().to_string(),
        source,
    })?;
    let mut file = BufReader::new(file);
    let content = Content::read(&mut file).map_err(|error| {
        problem(format!(
            "damaged, or not a GGUF file: {}",
            first_line(&error)
        ))
    })?;
    let config = config(&content).map_err(problem)?;
    let tokenizer = tokenizer(&content, &path.display().to_string()).map_err(problem)??;
    let model = Gpt::from_tensors(&config, |name, _| {
        let theirs = their_name(name);
        let tensor = content.tensor(&mut file, &theirs, &Device::Cpu);
        let tensor = tensor.and_then(|tensor| tensor.dequantize(&Device::Cpu));
        let tensor =
            tensor.map_err(|error| problem(format!("tensor {theirs}: {}", first_line(&error))))?;
        let heads = match theirs.rsplit('.').nth(1) {
            Some("attn_q") => config.num_heads,
            Some("attn_k") => config.num_key_value_heads,
            _ => return Ok(tensor),
        };
        Ok(halves(&tensor, heads)?)
    })?;
    Ok((model, tokenizer))
}

/// The tokenizer that the metadata hold; the inner error is that of its parts.
fn tokenizer(content: &Content, source: &str) -> std::result::Result<Result<Bpe>, String> {
    let get = |key: &str| {
        let key = format!("tokenizer.ggml.{key}");
        let value = content.metadata.get(&key);
        value.ok_or_else(|| format!("expected the metadata {key}, found none"))
    };
    let text = |key: &str| {
        let value = get(key)?.to_string();
        value.map_err(|_| format!("tokenizer.ggml.{key}: expected a text"))
    };
    let kind = text("model")?;
    if kind != "gpt2" {
        return Err(format!(
            "expected a tokenizer of the kind gpt2, found {kind}"
        ));
    }
    let split = text("pre")?;
    let known = SPLITS.iter().find(|(name, _)| name == split);
    let (_, digits_alone) = known.ok_or_else(|| {
        let known = SPLITS.map(|(name, _)| name).join(" or ");
        format!("expected a tokenizer that splits as {known}, found {split}")
    })?;
    let list = |key: &str| {
        let value = get(key)?.to_vec();
        value.map_err(|_| format!("tokenizer.ggml.{key}: expected a list"))
    };
    let texts = |key: &str| -> std::result::Result<Vec<String>, String> {
        let texts = list(key)?.iter().map(|value| value.to_string().cloned());
        let texts: candle_core::Result<Vec<String>> = texts.collect();
        texts.map_err(|_| format!("tokenizer.ggml.{key}: expected texts"))
    };
    let merges = texts("merges")?.into_iter().map(|merge| {
        let two = merge.split_once(' ');
        let two = two.map(|(left, right)| (left.to_owned(), right.to_owned()));
        two.ok_or_else(|| format!("tokenizer.ggml.merges: expected two tokens, found {merge:?}"))
    });
    let merges = merges.collect::<std::result::Result<_, _>>()?;
    let types = list("token_type")?
        .iter()
        .map(|value| value.to_i32().map(i64::from));
    let special = (0_u32..)
        .zip(types)
        .filter(|(_, kind)| kind.as_ref().is_ok_and(|kind| *kind == CONTROL));
    let special: Vec<u32> = special.map(|(id, _)| id).collect();
    let parts = BpeParts {
        tokens: texts("tokens")?,
        merges,
        special,
        unknown: get("unknown_token_id").ok().and_then(|id| id.to_u32().ok()),
        digits_alone: *digits_alone,
    };
    Ok(Bpe::from_named_parts(source, &parts))
}

/// The sizes that the metadata state.
fn config(content: &Content) -> std::result::Result<GptConfig, String> {
    let get = |key: &str| {
        let value = content.metadata.get(key);
        value.ok_or_else(|| format!("expected the metadata {key}, found none"))
    };
    let architecture = get("general.architecture")?.to_string();
    match architecture {
        Ok(name) if name == ARCHITECTURE => {}
        Ok(name) => {
            return Err(format!(
                "expected a model of the architecture {ARCHITECTURE}, found {name}"
            ));
        }
        Err(_) => return Err("general.architecture: expected a text".to_owned()),
    }
    let count = |key: &str| {
        let key = format!("{ARCHITECTURE}.{key}");
        whole(get(&key)?).ok_or_else(|| format!("{key}: expected a whole number"))
    };
    let number = |key: &str| {
        let key = format!("{ARCHITECTURE}.{key}");
        get(&key)?
            .to_f32()
            .map_err(|_| format!("{key}: expected a number"))
    };
    let table = content.tensor_infos.get("token_embd.weight");
    let table = table.ok_or("expected the tensor token_embd.weight, found none")?;
    let num_heads = count("attention.head_count")?;
    Ok(GptConfig {
        vocabulary_size: table.shape.dims().first().copied().unwrap_or(0),
        hidden_size: count("embedding_length")?,
        num_layers: count("block_count")?,
        num_heads,
        num_key_value_heads: count("attention.head_count_kv").unwrap_or(num_heads),
        feed_forward_size: count("feed_forward_length")?,
        max_length: count("context_length")?,
        rope_theta: number("rope.freq_base").map_or(10_000.0, f64::from),
        norm_epsilon: f64::from(number("attention.layer_norm_rms_epsilon")?),
        tied_embeddings: !content.tensor_infos.contains_key("output.weight"),
    })
}

fn whole(value: &Value) -> Option<usize> {
    let number = value.to_u64().or_else(|_| value.to_u32().map(u64::from));
    usize::try_from(number.ok()?).ok()
}

/// What GGUF calls a tensor that `transformers` calls so.
fn their_name(name: &str) -> String {
    let name = name.strip_prefix("model.").unwrap_or(name);
    let name = name.replace("layers.", "blk.");
    let parts = [
        ("embed_tokens", "token_embd"),
        ("lm_head", "output"),
        ("post_attention_layernorm", "ffn_norm"),
        ("input_layernorm", "attn_norm"),
        ("self_attn.q_proj", "attn_q"),
        ("self_attn.k_proj", "attn_k"),
        ("self_attn.v_proj", "attn_v"),
        ("self_attn.o_proj", "attn_output"),
        ("mlp.gate_proj", "ffn_gate"),
        ("mlp.up_proj", "ffn_up"),
        ("mlp.down_proj", "ffn_down"),
    ];
    if name == "norm.weight" {
        return "output_norm.weight".to_owned();
    }
    let found = parts.iter().find(|(ours, _)| name.contains(ours));
    found.map_or(name.clone(), |(ours, theirs)| name.replace(ours, theirs))
}

/// The weight of queries or keys with the two numbers that turn together half a head apart.
///
/// llama.cpp keeps them side by side: of each head it has first both numbers of the first pair.
fn halves(weight: &Tensor, heads: usize) -> candle_core::Result<Tensor> {
    let (outputs, inputs) = weight.dims2()?;
    let pairs = weight.reshape((heads, (), 2, inputs))?; // (heads, head_size / 2, 2, inputs)
    pairs.transpose(1, 2)?.reshape((outputs, inputs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_llama_cpp() {
        for (ours, theirs) in [
            ("model.embed_tokens.weight", "token_embd.weight"),
            ("model.norm.weight", "output_norm.weight"),
            ("lm_head.weight", "output.weight"),
            (
                "model.layers.12.input_layernorm.weight",
                "blk.12.attn_norm.weight",
            ),
            (
                "model.layers.0.post_attention_layernorm.weight",
                "blk.0.ffn_norm.weight",
            ),
            (
                "model.layers.3.self_attn.q_proj.weight",
                "blk.3.attn_q.weight",
            ),
            (
                "model.layers.3.mlp.down_proj.weight",
                "blk.3.ffn_down.weight",
            ),
        ] {
            assert_eq!(their_name(ours), theirs);
        }
    }

    #[test]
    fn pairs_that_lie_side_by_side_come_half_a_head_apart() {
        let weight = Tensor::arange(0_f32, 8.0, &Device::Cpu).unwrap();
        let weight = weight.reshape((8, 1)).unwrap(); // two heads of four
        let found = halves(&weight, 2).unwrap().flatten_all().unwrap();
        assert_eq!(
            found.to_vec1::<f32>().unwrap(),
            [0.0, 2.0, 1.0, 3.0, 4.0, 6.0, 5.0, 7.0]
        );
    }

    #[test]
    fn a_file_that_is_none_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.gguf");
        let problem = || read_gguf(&file).unwrap_err().to_string();
        assert!(problem().contains("a.gguf"));
        for bytes in [&b""[..], b"GGUF", b"no model at all, and some more bytes"] {
            std::fs::write(&file, bytes).unwrap();
            assert!(
                problem().contains("damaged, or not a GGUF file"),
                "{}",
                problem()
            );
        }
        // A header that promises 2⁶⁰ tensors.
        let mut bytes = b"GGUF\x03\0\0\0".to_vec();
        bytes.extend((1_u64 << 60).to_le_bytes());
        bytes.extend(0_u64.to_le_bytes());
        std::fs::write(&file, bytes).unwrap();
        assert!(
            problem().contains("damaged, or not a GGUF file"),
            "{}",
            problem()
        );
    }
}
