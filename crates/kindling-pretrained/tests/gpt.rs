//! A published language model, read from its GGUF file, goes on with a text.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use candle_core::{Device, Tensor};
use kindling::{
    models::{Gpt, GptCache},
    text::Bpe,
};
use kindling_pretrained::read_gguf;

/// The likeliest tokens after a text.
fn goes_on(model: &Gpt, tokenizer: &Bpe, text: &str, count: usize) -> String {
    let mut cache = GptCache::default();
    let mut next = tokenizer.encode(text);
    let mut found = Vec::new();
    for _ in 0..count {
        let ids = Tensor::new(vec![next], &Device::Cpu).unwrap(); // (batch, time)
        let logits = model.read(&ids, &mut cache).unwrap(); // (batch, vocabulary_size)
        let best = logits.squeeze(0).unwrap().argmax(0).unwrap();
        next = vec![best.to_scalar::<u32>().unwrap()];
        found.extend(&next);
    }
    tokenizer.decode(&found).unwrap()
}

#[test]
fn a_published_model_goes_on_with_a_text_and_answers_in_a_chat() {
    let Some(file) = kindling_skip::smollm2() else {
        return;
    };
    let (model, tokenizer) = read_gguf(file).unwrap();
    let config = model.config();
    assert_eq!((config.num_layers, config.hidden_size), (30, 576));
    assert_eq!(tokenizer.len(), config.vocabulary_size);

    let found = goes_on(&model, &tokenizer, "The capital of France is", 3);
    assert!(found.contains("Paris"), "{found}");
    let chat = "<|im_start|>user\nWhat is the capital of Italy?<|im_end|>\n<|im_start|>assistant\n";
    let found = goes_on(&model, &tokenizer, chat, 12);
    assert!(found.contains("Rome"), "{found}");

    // Digits are tokens of their own, special tokens are one each.
    assert_eq!(tokenizer.encode("1984").len(), 4);
    assert_eq!(tokenizer.encode("<|im_end|>").len(), 1);
    assert!(tokenizer.encode_plain("<|im_end|>").len() > 1);
}
