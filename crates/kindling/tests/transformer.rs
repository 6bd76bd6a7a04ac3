//! What attention and the Transformer promise, each promise with a test that fails when it is broken; and that the model learns.
#![allow(clippy::unwrap_used, missing_docs)] // tests may fail loudly

use std::collections::BTreeSet;

use candle_core::{D, DType, Device, Tensor};
use kindling::{
    data::{Random, SequencePair, SequencePairs, SpecialTokens, pad_sequences},
    decode::{BeamConfig, Limits, StepModel, beam, greedy},
    models::{Decoding, Model, Transformer, TransformerConfig},
    nn::{MultiHeadAttention, PositionKind, Positions, sinusoidal_positions},
    ops::cross_entropy,
    optim::{Adam, Optimizer, Schedule},
    text::{causal_mask, padding_mask},
    train::{Training, correct_tokens, sequence_cross_entropy},
};

fn small(positions: PositionKind) -> Transformer {
    let config = TransformerConfig {
        source_vocabulary: 11,
        target_vocabulary: 13,
        shared_embedding: false,
        hidden_size: 16,
        num_heads: 4,
        num_layers: 2,
        feed_forward_size: 24,
        positions,
        max_length: 12,
        dropout: 0.2,
        padding: 0,
    };
    Transformer::new(&config, 3).unwrap()
}

fn ids(random: &mut Random, (batch, time): (usize, usize), vocabulary: usize) -> Tensor {
    let numbers: Vec<u32> = (0..batch * time)
        .map(|_| random.below(vocabulary) as u32)
        .collect();
    Tensor::from_vec(numbers, (batch, time), &Device::Cpu).unwrap()
}

fn all_real(batch: usize, time: usize) -> Tensor {
    Tensor::ones((batch, time), DType::F32, &Device::Cpu).unwrap()
}

fn numbers(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn largest_gap(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.dims(), b.dims());
    let pairs = numbers(a).into_iter().zip(numbers(b));
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn attention_shares_itself_out_and_gives_hidden_keys_nothing() {
    let mut random = Random::new(1);
    let attention = MultiHeadAttention::new(12, 3, 0.0, &mut random).unwrap();
    let queries = random.normal((2, 6, 12), 0.0, 30.0).unwrap(); // wide: scores differ by hundreds
    let mask = Tensor::new(&[[1_f32; 6], [1.0, 1.0, 0.0, 1.0, 0.0, 0.0]], &Device::Cpu).unwrap();
    let padding = padding_mask(&mask).unwrap(); // (2, 1, 1, 6)
    let both = padding.broadcast_add(&causal_mask(6).unwrap()).unwrap(); // (2, 1, 6, 6)
    let weights = attention.weights(&queries, &queries, Some(&both)).unwrap();
    assert_eq!(weights.dims(), [2, 3, 6, 6]);
    let rows = weights.flatten_to(2).unwrap().to_vec2::<f32>().unwrap();
    for (row, weights) in rows.iter().enumerate() {
        let (example, query) = (row / 18, row % 6);
        assert!(
            (weights.iter().sum::<f32>() - 1.0).abs() < 1e-6,
            "{weights:?}"
        );
        for (key, &weight) in weights.iter().enumerate() {
            let hidden = key > query || example == 1 && [2, 4, 5].contains(&key);
            assert!(
                !hidden || weight == 0.0,
                "{example} {query} {key}: {weight}"
            );
            assert!((0.0..=1.0).contains(&weight));
        }
    }
    // What is hidden does not matter, whatever it is.
    let other = queries.copy().unwrap();
    let noise = random.normal((2, 1, 12), 0.0, 1e3).unwrap();
    let other = other.slice_assign(&[0..2, 4..5, 0..12], &noise).unwrap();
    let only_last_hidden =
        padding_mask(&Tensor::new(&[[1_f32, 1.0, 1.0, 1.0, 0.0, 1.0]; 2], &Device::Cpu).unwrap())
            .unwrap();
    let answers = [&queries, &other].map(|memory| {
        let output = attention
            .forward(&queries, memory, Some(&only_last_hidden))
            .unwrap();
        numbers(&output)
    });
    assert_eq!(answers[0], answers[1]);
}

/// With weights that copy, a score is the dot product over √head_size; the test recomputes it for plain numbers.
#[test]
fn scores_are_scaled_by_the_root_of_the_head_size() {
    let (hidden, heads) = (32, 2);
    let mut random = Random::new(2);
    let attention = MultiHeadAttention::new(hidden, heads, 0.0, &mut random).unwrap();
    let identity = Tensor::eye(hidden, DType::F32, &Device::Cpu).unwrap();
    attention.query.weight.set(&identity).unwrap();
    attention.key.weight.set(&identity).unwrap();
    let tokens = random.normal((1, 4, hidden), 0.0, 1.0).unwrap();
    let found = attention.weights(&tokens, &tokens, None).unwrap();
    let rows = tokens.squeeze(0).unwrap().to_vec2::<f32>().unwrap();
    for head in 0..heads {
        let part = |token: usize| &rows[token][head * 16..][..16];
        for query in 0..4 {
            let exponentials: Vec<f32> = (0..4)
                .map(|key| {
                    let product: f32 = part(query).iter().zip(part(key)).map(|(a, b)| a * b).sum();
                    (product / 4.0).exp() // √16
                })
                .collect();
            let total: f32 = exponentials.iter().sum();
            let weights = found.get(0).unwrap().get(head).unwrap().get(query).unwrap();
            for (weight, exponential) in numbers(&weights).iter().zip(&exponentials) {
                assert!((weight - exponential / total).abs() < 1e-5);
            }
        }
    }
    // Random tokens of many features: without the scale, one key would take nearly all.
    let wide = MultiHeadAttention::new(512, 1, 0.0, &mut random).unwrap();
    let identity = Tensor::eye(512, DType::F32, &Device::Cpu).unwrap();
    wide.query.weight.set(&identity).unwrap();
    wide.key.weight.set(&identity).unwrap();
    let (queries, keys) = (
        random.normal((1, 50, 512), 0.0, 1.0).unwrap(),
        random.normal((1, 20, 512), 0.0, 1.0).unwrap(),
    );
    let weights = wide.weights(&queries, &keys, None).unwrap();
    let most = weights.max(D::Minus1).unwrap().mean_all().unwrap();
    assert!(most.to_scalar::<f32>().unwrap() < 0.5, "{most}");
}

#[test]
fn no_token_looks_ahead() {
    let model = small(PositionKind::Sinusoidal);
    let mut random = Random::new(4);
    let (source, target) = (ids(&mut random, (2, 5), 11), ids(&mut random, (2, 9), 13));
    let mask = all_real(2, 5);
    let logits = model.forward(&source, &mask, &target).unwrap();
    for changed in 0..9 {
        let other = ids(&mut random, (2, 1), 13);
        let before = target.narrow(1, 0, changed).unwrap();
        let after = target.narrow(1, changed + 1, 8 - changed).unwrap();
        let parts: Vec<&Tensor> = [&before, &other, &after]
            .into_iter()
            .filter(|part| part.elem_count() > 0)
            .collect();
        let found = model
            .forward(&source, &mask, &Tensor::cat(&parts, 1).unwrap())
            .unwrap();
        let early = |logits: &Tensor| numbers(&logits.narrow(1, 0, changed.max(1)).unwrap());
        if changed > 0 {
            assert_eq!(early(&found), early(&logits), "{changed}"); // bit for bit
        }
        let late = |logits: &Tensor| numbers(&logits.narrow(1, changed, 1).unwrap());
        if numbers_u32(&other) != numbers_u32(&target.narrow(1, changed, 1).unwrap()) {
            assert_ne!(late(&found), late(&logits), "{changed}");
        }
    }
}

fn numbers_u32(tensor: &Tensor) -> Vec<u32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn padding_changes_nothing() {
    let model = small(PositionKind::Learned);
    let mut random = Random::new(5);
    let (source, target) = (ids(&mut random, (1, 4), 11), ids(&mut random, (1, 3), 13));
    let alone = model.forward(&source, &all_real(1, 4), &target).unwrap();
    let padded = Tensor::cat(&[&source, &ids(&mut random, (1, 3), 11)], 1).unwrap();
    let mask = Tensor::new(&[[1_f32, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0]], &Device::Cpu).unwrap();
    let beside = model.forward(&padded, &mask, &target).unwrap();
    assert!(largest_gap(&alone, &beside) < 1e-5);
}

#[test]
fn without_positions_the_source_is_a_set() {
    let mut random = Random::new(6);
    let source = ids(&mut random, (2, 7), 11);
    let order: Vec<u32> = random
        .permutation(7)
        .into_iter()
        .map(|at| at as u32)
        .collect();
    let order = Tensor::new(order, &Device::Cpu).unwrap();
    let shuffled = source.index_select(&order, 1).unwrap();
    let gap = |kind| {
        let model = small(kind);
        let encode = |source: &Tensor| model.encode(source, &all_real(2, 7), None).unwrap();
        let expected = encode(&source).index_select(&order, 1).unwrap();
        largest_gap(&encode(&shuffled), &expected)
    };
    assert!(gap(PositionKind::None) < 1e-5);
    assert!(gap(PositionKind::Sinusoidal) > 0.1);
    assert!(gap(PositionKind::Learned) > 1e-3);
}

/// One token at a time, some at a time, and after the rows of the batch have changed places.
#[test]
fn decoding_step_by_step_is_the_full_forward() {
    for kind in [
        PositionKind::Sinusoidal,
        PositionKind::Learned,
        PositionKind::None,
    ] {
        let model = small(kind);
        let mut random = Random::new(7);
        let (source, target) = (ids(&mut random, (3, 5), 11), ids(&mut random, (3, 8), 13));
        let mask = Tensor::new(
            &[
                [1_f32, 1.0, 1.0, 1.0, 0.0],
                [1.0; 5],
                [1.0, 0.0, 0.0, 0.0, 0.0],
            ],
            &Device::Cpu,
        )
        .unwrap();
        let full = model.forward(&source, &mask, &target).unwrap();
        let encoded = model.encode(&source, &mask, None).unwrap();
        let begin = model.start(&encoded, &mask).unwrap();
        for steps in [&[1; 8][..], &[3, 1, 4], &[8]] {
            let mut decoding = begin.clone();
            for &step in steps {
                let first = decoding.time;
                let next = target.narrow(1, first, step).unwrap();
                let logits = model.decode(&next, &mut decoding, None).unwrap();
                let expected = full.narrow(1, first, step).unwrap();
                assert!(
                    largest_gap(&logits, &expected) < 1e-5,
                    "{kind:?} {steps:?} {first}"
                );
                assert_eq!(decoding.cross_attention.len(), 2);
                assert_eq!(decoding.cross_attention[1].dims(), [3, 4, step, 5]);
            }
            assert_eq!(decoding.time, 8);
        }
        // As a beam search does: the third example, and the first one twice.
        let rows = Tensor::new(&[2_u32, 0, 0], &Device::Cpu).unwrap();
        let mut decoding = begin.clone();
        model
            .decode(&target.narrow(1, 0, 5).unwrap(), &mut decoding, None)
            .unwrap();
        let mut decoding = decoding.select(&rows).unwrap();
        let next = target.index_select(&rows, 0).unwrap().narrow(1, 5, 3);
        let next = next.unwrap();
        let logits = model.decode(&next, &mut decoding, None).unwrap();
        let expected = full.index_select(&rows, 0).unwrap().narrow(1, 5, 3);
        let expected = expected.unwrap();
        assert!(largest_gap(&logits, &expected) < 1e-5);
    }
}

#[test]
fn gradients_reach_every_parameter() {
    for kind in [PositionKind::Sinusoidal, PositionKind::Learned] {
        let model = small(kind);
        let mut random = Random::new(8);
        let source = Tensor::arange(0_u32, 11, &Device::Cpu)
            .unwrap()
            .unsqueeze(0)
            .unwrap();
        let target = ids(&mut random, (1, 12), 13);
        let logits = model
            .forward_training(&source, &all_real(1, 11), &target, &mut random)
            .unwrap();
        let targets = ids(&mut random, (1, 12), 13).flatten_all().unwrap();
        let loss = cross_entropy(&logits.flatten_to(1).unwrap(), &targets, 0.0).unwrap();
        let gradients = loss.backward().unwrap();
        let state = model.state();
        assert_eq!(state.len(), model.parameters().len());
        for (name, parameter) in &state {
            let gradient = numbers(gradients.get(parameter).unwrap());
            let largest = gradient.iter().fold(0_f32, |most, g| most.max(g.abs()));
            assert!(largest.is_finite());
            // The same number on all scores of a query changes no softmax, so the key's bias has nothing to learn.
            if name.ends_with("key.bias") {
                assert!(largest < 1e-6, "{name}: {largest}");
            } else {
                assert!(largest > 1e-6, "{name}: {largest}");
            }
        }
    }
}

#[test]
fn a_shared_table_is_one_parameter() {
    let config = TransformerConfig {
        source_vocabulary: 9,
        target_vocabulary: 9,
        hidden_size: 8,
        num_heads: 2,
        num_layers: 1,
        feed_forward_size: 8,
        ..TransformerConfig::default()
    };
    let shared = Transformer::new(&config, 0).unwrap();
    let apart = Transformer::new(
        &TransformerConfig {
            shared_embedding: false,
            ..config.clone()
        },
        0,
    )
    .unwrap();
    let count = |model: &Transformer| -> usize {
        model.parameters().iter().map(|var| var.elem_count()).sum()
    };
    assert_eq!(count(&apart) - count(&shared), 2 * 9 * 8);
    let mut names: Vec<String> = shared.state().into_iter().map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), shared.parameters().len());
    // One step moves source, target and output together.
    let mut optimizer = Adam::new(shared.parameters(), 0.01).unwrap();
    let tokens = Tensor::new(&[[1_u32, 2]], &Device::Cpu).unwrap();
    let logits = shared.forward(&tokens, &all_real(1, 2), &tokens).unwrap();
    optimizer
        .backward_step(&logits.sqr().unwrap().sum_all().unwrap())
        .unwrap();
    let table = numbers(&shared.source_embedding.weight);
    assert_eq!(table, numbers(&shared.target_embedding.weight));
    assert_eq!(table, numbers(&shared.output.weight));
    let two = TransformerConfig {
        target_vocabulary: 10,
        ..config
    };
    assert_eq!(
        Transformer::new(&two, 0).unwrap_err().to_string(),
        "shared_embedding: expected one vocabulary for source and target, found 9 and 10 tokens"
    );
}

#[test]
fn dropout_takes_its_chance_from_the_seed_and_only_in_training() {
    let model = small(PositionKind::Sinusoidal);
    let mut random = Random::new(9);
    let (source, target) = (ids(&mut random, (2, 5), 11), ids(&mut random, (2, 4), 13));
    let mask = all_real(2, 5);
    let train = |seed| {
        let random = &mut Random::new(seed);
        numbers(
            &model
                .forward_training(&source, &mask, &target, random)
                .unwrap(),
        )
    };
    let plain = numbers(&model.forward(&source, &mask, &target).unwrap());
    assert_eq!(train(1), train(1));
    assert_ne!(train(1), train(2));
    assert_ne!(train(1), plain);
    assert_eq!(
        plain,
        numbers(&model.forward(&source, &mask, &target).unwrap())
    );
}

#[test]
fn positions_are_the_papers() {
    let table = sinusoidal_positions(50, 6)
        .unwrap()
        .to_vec2::<f32>()
        .unwrap();
    for (position, row) in table.iter().enumerate() {
        for (column, &found) in row.iter().enumerate() {
            let angle = position as f64 / 10_000_f64.powf((column - column % 2) as f64 / 6.0);
            let expected = if column % 2 == 0 {
                angle.sin()
            } else {
                angle.cos()
            };
            assert!((f64::from(found) - expected).abs() < 1e-6);
        }
    }
    // Moving by one position turns each pair of columns by the same angle, wherever one stands.
    let turn = |row: usize, pair: usize| {
        let [a, b] = [row, row + 1].map(|row| (table[row][2 * pair], table[row][2 * pair + 1]));
        a.0 * b.0 + a.1 * b.1 // the cosine of the angle between them
    };
    for pair in 0..3 {
        assert!((turn(0, pair) - turn(33, pair)).abs() < 1e-5);
    }
    let positions = Positions::new(PositionKind::Learned, 4, 6, &mut Random::new(0)).unwrap();
    let tokens = Tensor::zeros((1, 3, 6), DType::F32, &Device::Cpu).unwrap();
    assert!(positions.forward(&tokens, 1).is_ok());
    assert_eq!(
        positions.forward(&tokens, 2).unwrap_err().to_string(),
        "tokens: expected shape (batch, time, 6) with at most 4 tokens, 2 of them before, found [1, 3, 6]"
    );
}

#[test]
fn bad_input_is_named() {
    let problem = |heads| {
        MultiHeadAttention::new(10, heads, 0.0, &mut Random::new(0))
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        problem(4),
        "num_heads: expected a divisor of hidden_size, 10, found 4"
    );
    assert_eq!(
        problem(0),
        "num_heads: expected a divisor of hidden_size, 10, found 0"
    );
    let model = small(PositionKind::Sinusoidal);
    let ids = Tensor::new(&[[1_u32, 2, 3]], &Device::Cpu).unwrap();
    let error =
        |source: &Tensor, mask: &Tensor| model.forward(source, mask, &ids).unwrap_err().to_string();
    let flat = ids.flatten_all().unwrap();
    assert_eq!(
        error(&flat, &all_real(1, 3)),
        "token ids: expected shape (batch, time), found [3]"
    );
    assert_eq!(
        error(&ids, &flat),
        "mask: expected shape (batch, time), found [3]"
    );
    assert!(
        error(&ids, &all_real(1, 4))
            .starts_with("mask: expected shape (1 or 1, 4 or 1, 3 or 1, 3)")
    );
    assert!(
        error(
            &Tensor::new(&[[99_u32, 2, 3]], &Device::Cpu).unwrap(),
            &all_real(1, 3)
        )
        .contains("99")
    );
    let attention = MultiHeadAttention::new(8, 2, 0.0, &mut Random::new(0)).unwrap();
    assert!(attention.forward(&flat, &flat, None).is_err());
}

const TOKENS: SpecialTokens = SpecialTokens {
    padding: 0,
    start: 1,
    end: 2,
};
/// Ten digits after the special tokens.
const VOCABULARY: usize = 13;
const LONGEST: usize = 6;

fn limits() -> Limits {
    Limits {
        end: TOKENS.end,
        max_length: LONGEST + 2,
    }
}

/// Three to six digits, and the same from the end, each different from all others.
fn reversals(count: usize, random: &mut Random) -> Vec<(Vec<u32>, Vec<u32>)> {
    let mut seen = BTreeSet::new();
    while seen.len() < count {
        let length = 3 + random.below(LONGEST - 2);
        let digits = (0..length).map(|_| 3 + random.below(10) as u32);
        seen.insert(digits.collect::<Vec<_>>());
    }
    let turn = |digits: Vec<u32>| (digits.clone(), digits.into_iter().rev().collect());
    let mut pairs: Vec<_> = seen.into_iter().map(turn).collect();
    random.shuffle(&mut pairs);
    pairs
}

/// A source, read and ready to be answered.
fn read(model: &Transformer, source: &[u32]) -> Decoding {
    let ids = Tensor::new(source, &Device::Cpu).unwrap();
    let ids = ids.unsqueeze(0).unwrap(); // (1, source time)
    let mask = model.mask(&ids).unwrap();
    let encoded = model.encode(&ids, &mask, None).unwrap();
    model.start(&encoded, &mask).unwrap()
}

#[test]
fn it_learns_to_reverse_digits() {
    let config = TransformerConfig {
        source_vocabulary: VOCABULARY,
        target_vocabulary: VOCABULARY,
        hidden_size: 32,
        num_heads: 4,
        num_layers: 1,
        feed_forward_size: 64,
        max_length: LONGEST + 2,
        dropout: 0.0,
        ..TransformerConfig::default()
    };
    let mut pairs = reversals(4_200, &mut Random::new(1));
    let held_out = pairs.split_off(4_000);
    let loader = SequencePairs::new(pairs, TOKENS, 64, 0).unwrap();
    let validation = SequencePairs::new(held_out.clone(), TOKENS, 100, 0).unwrap();
    let model = Transformer::new(&config, 1).unwrap();
    let history = Training::new(Box::new(Adam::new(model.parameters(), 0.005).unwrap()))
        .epochs(10)
        .schedule(Schedule::ONE_CYCLE)
        .loss(|logits, targets| sequence_cross_entropy(logits, targets, TOKENS.padding, 0.0))
        .correct(|logits, targets| correct_tokens(logits, targets, TOKENS.padding))
        .fit(&model, &loader, &validation)
        .unwrap();
    let (mut exact, mut with_beam) = (0, 0);
    for (source, target) in &held_out {
        let start = read(&model, source);
        let found = greedy(&model, start.clone(), TOKENS.start, &limits()).unwrap();
        exact += usize::from(found.finished && found.tokens == *target);
        let config = BeamConfig {
            width: 3,
            length_penalty: 0.6,
            limits: limits(),
        };
        let best = &beam(&model, start, TOKENS.start, &config).unwrap()[0];
        with_beam += usize::from(best.finished && best.tokens == *target);
    }
    println!("{exact} and {with_beam} of 200 reversed without a mistake\n{history:?}");
    assert!(exact >= 190 && with_beam >= 190, "{exact} and {with_beam}");
}

/// In the loop's one tensor of ids, and in beams of several targets, the model says what it says by itself.
#[test]
fn padded_and_joined_sequences_give_the_same_logits() {
    let model = small(PositionKind::Sinusoidal);
    let sources = [vec![3_u32, 4, 5], vec![6, 7, 8]];
    let targets = [[1_u32, 9, 10], [1, 11, 12]];
    let expected: Vec<Vec<f32>> = (0..2)
        .map(|row| {
            let source = Tensor::new(vec![sources[row].clone()], &Device::Cpu).unwrap();
            let target = Tensor::new(&[targets[row]], &Device::Cpu).unwrap();
            let logits = model.forward(&source, &all_real(1, 3), &target).unwrap();
            numbers(&logits)
        })
        .collect();

    let padded = pad_sequences(&[sources[0].clone(), vec![6, 7, 8, 9, 10]], 0).unwrap();
    let inputs = SequencePair {
        source: padded,
        decoder_input: Tensor::new(&targets, &Device::Cpu).unwrap(),
    };
    let padded = Model::forward(&model, &inputs).unwrap().get(0).unwrap();
    for (a, b) in numbers(&padded).iter().zip(&expected[0]) {
        assert!((a - b).abs() < 1e-5, "padding is hidden: {a} {b}");
    }

    let mut states: Vec<Decoding> = sources.iter().map(|source| read(&model, source)).collect();
    for step in 0..3 {
        let tokens = targets.map(|target| target[step]);
        let answers = model.next_logits(&states, &tokens).unwrap();
        for (row, (_, logits)) in answers.iter().enumerate() {
            let expected = &expected[row][13 * step..][..13];
            for (a, b) in logits.iter().zip(expected) {
                assert!((a - b).abs() < 1e-5, "row {row}, step {step}: {a} {b}");
            }
        }
        states = answers.into_iter().map(|(state, _)| state).collect();
    }
    assert_eq!(states[1].time, 3);

    let error = |other: Decoding| {
        let states = [states[0].clone(), other];
        let error = model.next_logits(&states, &[1, 1]).unwrap_err();
        error.to_string()
    };
    for other in [read(&model, &[3, 4, 5]), read(&model, &[3, 4])] {
        assert!(error(other).starts_with("decoding: expected targets of one length"));
    }
    assert!(model.next_logits(&[], &[]).unwrap().is_empty());
}
