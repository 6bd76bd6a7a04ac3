//! The encoder-decoder learns to turn sequences around, and does what its attention and padding promise.
#![allow(clippy::unwrap_used, clippy::panic)]

use candle_core::{DType, Device, Tensor};
use kindling::{
    data::{Random, SequencePair, SequencePairs, SpecialTokens, pad_sequences},
    decode::{BeamConfig, Limits, beam, greedy},
    models::{Model, Seq2Seq, Seq2SeqConfig},
    optim::{Adam, Schedule},
    train::{Training, correct_tokens, load_weights, save_weights, sequence_cross_entropy},
};

const TOKENS: SpecialTokens = SpecialTokens {
    padding: 0,
    start: 1,
    end: 2,
};
/// Ten digits after the special tokens.
const VOCABULARY: usize = 13;
const LONGEST: usize = 6;

fn small() -> Seq2SeqConfig {
    Seq2SeqConfig {
        source_vocabulary: VOCABULARY,
        target_vocabulary: VOCABULARY,
        features: 24,
        hidden_size: 64,
        layers: 1,
        dropout: 0.0,
        padding: TOKENS.padding,
    }
}

/// Digits, and the same from the end, each different from all others.
fn reversals(count: usize, random: &mut Random) -> Vec<(Vec<u32>, Vec<u32>)> {
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < count {
        let length = 3 + random.below(LONGEST - 2);
        seen.insert(
            (0..length)
                .map(|_| 3 + random.below(10) as u32)
                .collect::<Vec<_>>(),
        );
    }
    let mut pairs: Vec<_> = seen
        .into_iter()
        .map(|digits| {
            let reversed = digits.iter().rev().copied().collect();
            (digits, reversed)
        })
        .collect();
    random.shuffle(&mut pairs);
    pairs
}

fn limits() -> Limits {
    Limits {
        end: TOKENS.end,
        max_length: LONGEST + 2,
    }
}

#[test]
fn it_learns_to_reverse_digits() {
    let mut pairs = reversals(2_300, &mut Random::new(1));
    let held_out = pairs.split_off(2_000);
    let validation = SequencePairs::new(held_out.clone(), TOKENS, 100, 0).unwrap();
    let loader = SequencePairs::new(pairs, TOKENS, 32, 0).unwrap();
    let model = Seq2Seq::new(&small(), 1).unwrap();
    let history = Training::new(Box::new(Adam::new(model.parameters(), 0.005).unwrap()))
        .epochs(8)
        .schedule(Schedule::ONE_CYCLE)
        .clip_norm(1.0)
        .loss(|logits, targets| sequence_cross_entropy(logits, targets, TOKENS.padding, 0.0))
        .correct(|logits, targets| correct_tokens(logits, targets, TOKENS.padding))
        .fit(&model, &loader, &validation)
        .unwrap();
    let (mut exact, mut agree) = (0, 0);
    for (source, target) in &held_out {
        let ids = pad_sequences(std::slice::from_ref(source), TOKENS.padding).unwrap();
        let encoded = model
            .encode(&ids, &model.mask(&ids).unwrap(), None)
            .unwrap();
        let found = greedy(&model, encoded.clone(), TOKENS.start, &limits()).unwrap();
        exact += usize::from(found.finished && found.tokens == *target);
        let config = BeamConfig {
            width: 3,
            length_penalty: 0.6,
            limits: limits(),
        };
        let best = beam(&model, encoded, TOKENS.start, &config)
            .unwrap()
            .remove(0);
        agree += usize::from(best.finished && best.tokens == *target);
    }
    let total = held_out.len();
    println!("exact: {exact} of {total}, with beam search {agree}\n{history:?}");
    assert!(exact * 100 >= total * 95, "greedy: {exact} of {total}");
    assert!(agree * 100 >= total * 95, "beam: {agree} of {total}");

    // The attention map has a row for each step and a column for each token.
    let source = Tensor::new(&[[3_u32, 4, 5, 6, 7, 8]], &Device::Cpu).unwrap();
    let target = Tensor::new(&[[1_u32, 8, 7, 6, 5, 4, 3]], &Device::Cpu).unwrap();
    let steps = model
        .forward(&source, &model.mask(&source).unwrap(), &target)
        .unwrap();
    assert_eq!(steps.attention.dims(), [1, 7, 6]);

    // The weights survive a file.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("seq2seq.safetensors");
    save_weights(&model, &file, &[]).unwrap();
    let other = Seq2Seq::new(&small(), 2).unwrap();
    load_weights(&other, &file).unwrap();
    let inputs = SequencePair {
        source,
        decoder_input: target,
    };
    let logits = |model: &Seq2Seq| {
        let logits = Model::forward(model, &inputs).unwrap();
        logits.flatten_all().unwrap().to_vec1::<f32>().unwrap()
    };
    assert_eq!(logits(&model), logits(&other));
}

#[test]
fn padding_and_teacher_forcing_change_nothing() {
    let config = Seq2SeqConfig {
        layers: 2,
        ..small()
    };
    let model = Seq2Seq::new(&config, 3).unwrap();
    let sources = [vec![5, 6, 7], vec![4, 9, 3, 8, 12]];
    let target = Tensor::new(&[[1_u32, 7, 6, 5]; 2], &Device::Cpu).unwrap();
    let together = pad_sequences(&sources, 0).unwrap();
    let steps = model
        .forward(&together, &model.mask(&together).unwrap(), &target)
        .unwrap();
    assert_eq!(steps.logits.dims(), [2, 4, VOCABULARY]);
    let numbers = |tensor: Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let close = |a: Tensor, b: Tensor| {
        for (a, b) in numbers(a).iter().zip(numbers(b)) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
    };
    for (row, source) in sources.iter().enumerate() {
        let alone = pad_sequences(std::slice::from_ref(source), 0).unwrap();
        let mask = model.mask(&alone).unwrap();
        let one = target.narrow(0, row, 1).unwrap();
        let expected = model.forward(&alone, &mask, &one).unwrap();
        close(
            steps.logits.narrow(0, row, 1).unwrap(),
            expected.logits.clone(),
        );
        let weights = steps.attention.narrow(0, row, 1).unwrap();
        close(
            weights.narrow(2, 0, source.len()).unwrap(),
            expected.attention,
        );
        let rest = weights.narrow(2, source.len(), 5 - source.len()).unwrap();
        assert!(numbers(rest).iter().all(|&weight| weight == 0.0));
        assert!(
            numbers(weights.sum(2).unwrap())
                .iter()
                .all(|sum| (sum - 1.0).abs() < 1e-6)
        );

        // Token by token, as in use, it says the same.
        let mut encoded = model.encode(&alone, &mask, None).unwrap();
        for step in 0..4 {
            let token = one.narrow(1, step, 1).unwrap();
            let said = model.decode(&encoded, &token, None).unwrap();
            close(said.logits, expected.logits.narrow(1, step, 1).unwrap());
            encoded.state = said.state;
        }
    }
}

#[test]
fn every_parameter_learns() {
    let config = Seq2SeqConfig {
        layers: 2,
        dropout: 0.3,
        ..small()
    };
    let model = Seq2Seq::new(&config, 4).unwrap();
    let source = Tensor::new(&[[3_u32, 4, 5], [6, 7, 0]], &Device::Cpu).unwrap();
    let target = Tensor::new(&[[1_u32, 5, 4], [1, 7, 0]], &Device::Cpu).unwrap();
    let inputs = SequencePair {
        source,
        decoder_input: target,
    };
    let run = |seed| {
        model
            .forward_training(&inputs, &mut Random::new(seed))
            .unwrap()
    };
    let logits = run(1);
    let numbers = |logits: &Tensor| logits.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert_eq!(numbers(&logits), numbers(&run(1)));
    assert_ne!(numbers(&logits), numbers(&run(2)), "dropout");
    let said = Tensor::new(&[[5_u32, 4, 2], [7, 2, 0]], &Device::Cpu).unwrap();
    let loss = sequence_cross_entropy(&logits, &said, 0, 0.0).unwrap();
    let gradients = loss.backward().unwrap();
    let state = model.state();
    assert_eq!(state.len(), 2 + 4 * 4 + 2 * 4 + 1 + 4);
    for (name, parameter) in state {
        let gradient = gradients
            .get(&parameter)
            .unwrap_or_else(|| panic!("{name}"));
        let size = gradient
            .abs()
            .unwrap()
            .sum_all()
            .unwrap()
            .to_dtype(DType::F32)
            .unwrap();
        assert!(size.to_scalar::<f32>().unwrap() > 0.0, "{name}");
    }
}

#[test]
fn an_odd_hidden_size_is_named() {
    let config = Seq2SeqConfig {
        hidden_size: 7,
        ..small()
    };
    let error = Seq2Seq::new(&config, 0).unwrap_err().to_string();
    assert_eq!(error, "hidden_size: expected an even number, found 7");
}
