//! What the Transformer that copies promises: probabilities, gradients, steps, and that it copies what it has never seen.
#![allow(clippy::unwrap_used, missing_docs)] // tests may fail loudly

use candle_core::{D, Device, Tensor};
use kindling::{
    data::{Random, SequencePair, SequencePairs, SpecialTokens, pad_sequences},
    decode::{Limits, StepModel, greedy},
    models::{
        CopyTransformer, CopyTransformerConfig, Copying, Model, Transformer, TransformerConfig,
    },
    optim::{Adam, Schedule},
    train::{Training, correct_tokens, sequence_cross_entropy},
};

const TOKENS: SpecialTokens = SpecialTokens::FIRST;

fn config() -> CopyTransformerConfig {
    CopyTransformerConfig {
        vocabulary_size: 23,
        hidden_size: 16,
        num_heads: 4,
        num_layers: 2,
        feed_forward_size: 24,
        source_length: 12,
        target_length: 8,
        dropout: 0.2,
        padding: TOKENS.padding,
    }
}

fn ids(random: &mut Random, (batch, time): (usize, usize)) -> Tensor {
    let ids = (0..batch * time).map(|_| 1 + random.below(22) as u32);
    Tensor::from_vec(ids.collect::<Vec<_>>(), (batch, time), &Device::Cpu).unwrap()
}

fn numbers(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn largest_gap(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.dims(), b.dims());
    let pairs = numbers(a).into_iter().zip(numbers(b));
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// The gate of every token at this number, whatever it is asked.
fn fix_gate(model: &CopyTransformer, bias: f32) {
    let weight = model.gate.weight.zeros_like().unwrap();
    model.gate.weight.set(&weight).unwrap();
    let bias = Tensor::new(&[bias], &Device::Cpu).unwrap();
    model.gate.bias.set(&bias).unwrap();
}

#[test]
fn probabilities_sum_to_one_and_are_those_of_both_ways() {
    let model = CopyTransformer::new(&config(), 1).unwrap();
    let mut random = Random::new(2);
    let (source, target) = (ids(&mut random, (3, 7)), ids(&mut random, (3, 5)));
    let logits = model.forward(&source, &target).unwrap();
    assert_eq!(logits.dims(), [3, 5, 23]);
    for sum in numbers(&logits.exp().unwrap().sum(D::Minus1).unwrap()) {
        assert!((sum - 1.0).abs() < 1e-5, "{sum}");
    }
    // What is kept for looking at it are probabilities as well.
    let mut copying = model.read(&source, None).unwrap();
    model.decode(&target, &mut copying, None).unwrap();
    for sum in numbers(&copying.attention.unwrap().sum(D::Minus1).unwrap()) {
        assert!((sum - 1.0).abs() < 1e-5, "{sum}");
    }
    let chances = copying.generation_probability.unwrap();
    assert_eq!(chances.dims(), [3, 5]);
    assert!(numbers(&chances).iter().all(|p| *p > 0.0 && *p < 1.0));
    // With the gate open it is the Transformer inside.
    fix_gate(&model, 1e4);
    let plain = model.transformer.mask(&source).unwrap();
    let plain = model.transformer.forward(&source, &plain, &target).unwrap();
    let plain = candle_nn::ops::log_softmax(&plain, D::Minus1).unwrap();
    assert!(largest_gap(&model.forward(&source, &target).unwrap(), &plain) < 1e-4);
}

#[test]
fn where_nothing_is_written_only_the_source_appears() {
    let model = CopyTransformer::new(&config(), 3).unwrap();
    fix_gate(&model, -1e4);
    let source = Tensor::new(&[[5_u32, 9, 5, 17, 0, 0]], &Device::Cpu).unwrap();
    let target = Tensor::new(&[[1_u32, 5, 4, 22]], &Device::Cpu).unwrap();
    let chances = model.forward(&source, &target).unwrap().exp().unwrap();
    for row in &chances.to_vec3::<f32>().unwrap()[0] {
        for (token, chance) in (0..).zip(row) {
            assert_eq!(*chance > 0.0, [5, 9, 17].contains(&token), "{token}");
        }
    }
    let limits = Limits {
        end: TOKENS.end,
        max_length: 8,
    };
    let start = model.read(&source, None).unwrap();
    let found = greedy(&model, start, TOKENS.start, &limits).unwrap();
    assert_eq!(found.tokens.len(), 8, "the end is not in the source");
    assert!(found.tokens.iter().all(|token| [5, 9, 17].contains(token)));
}

#[test]
fn it_continues_what_it_copies_before_it_has_learned_anything() {
    let config = CopyTransformerConfig {
        hidden_size: 64,
        ..config()
    };
    let model = CopyTransformer::new(&config, 12).unwrap();
    let source: Vec<u32> = (5..15).collect();
    let ids = Tensor::new(source.as_slice(), &Device::Cpu).unwrap();
    let ids = ids.unsqueeze(0).unwrap(); // (1, source_time)
    let mut behind = 0.0;
    for (place, token) in source[..9].iter().enumerate() {
        let mut copying = model.read(&ids, None).unwrap();
        let target = Tensor::new(&[[TOKENS.start, *token]], &Device::Cpu).unwrap();
        model.decode(&target, &mut copying, None).unwrap();
        let attention = copying.attention.unwrap().to_vec3::<f32>().unwrap();
        behind += attention[0][1][place + 1] / 9.0;
    }
    assert!(behind > 0.4, "{behind}, and by chance 0.1");
}

#[test]
fn padding_changes_nothing() {
    let model = CopyTransformer::new(&config(), 4).unwrap();
    let mut random = Random::new(5);
    let (source, target) = (ids(&mut random, (1, 4)), ids(&mut random, (1, 3)));
    let alone = model.forward(&source, &target).unwrap();
    let padding = Tensor::zeros((1, 3), candle_core::DType::U32, &Device::Cpu).unwrap();
    let padded = Tensor::cat(&[&source, &padding], 1).unwrap();
    let beside = model.forward(&padded, &target).unwrap();
    assert!(largest_gap(&alone, &beside) < 1e-4);
}

#[test]
fn decoding_step_by_step_is_the_full_forward() {
    let model = CopyTransformer::new(&config(), 6).unwrap();
    let mut random = Random::new(7);
    let (source, target) = (ids(&mut random, (2, 6)), ids(&mut random, (2, 5)));
    let full = model.forward(&source, &target).unwrap();
    let begin = model.read(&source, None).unwrap();
    for steps in [&[1; 5][..], &[2, 3], &[5]] {
        let (mut copying, mut first) = (begin.clone(), 0);
        for &step in steps {
            let next = target.narrow(1, first, step).unwrap();
            let logits = model.decode(&next, &mut copying, None).unwrap();
            let expected = full.narrow(1, first, step).unwrap();
            assert!(largest_gap(&logits, &expected) < 1e-4, "{steps:?} {first}");
            first += step;
        }
    }
    // As beams do it: several targets as one batch, each with a state of its own, and some of them twice.
    let alone = |row: usize| {
        let source = source.narrow(0, row, 1).unwrap();
        model.read(&source, None).unwrap()
    };
    let mut states: Vec<Copying> = vec![alone(0), alone(1)];
    let targets = target.to_vec2::<u32>().unwrap();
    for step in 0..5 {
        let tokens: Vec<u32> = targets.iter().map(|target| target[step]).collect();
        let answers = model.next_logits(&states, &tokens).unwrap();
        for (row, (_, logits)) in answers.iter().enumerate() {
            let expected = full.get(row).unwrap().get(step).unwrap();
            for (a, b) in logits.iter().zip(numbers(&expected)) {
                assert!((a - b).abs() < 1e-4, "row {row}, step {step}: {a} {b}");
            }
        }
        states = answers.into_iter().map(|(state, _)| state).collect();
    }
    let rows = Tensor::new(&[0_u32, 0], &Device::Cpu).unwrap();
    let twice = states[1].select(&rows).unwrap();
    assert_eq!(twice.attention.unwrap().dims(), [2, 1, 6]);
    let error = model.next_logits(&[states[0].clone(), alone(1)], &[3, 3]);
    let error = error.unwrap_err().to_string();
    assert!(error.starts_with("decoding: expected targets of one length"));
    assert!(model.next_logits(&[], &[]).unwrap().is_empty());
}

fn loss(model: &CopyTransformer, inputs: &SequencePair, targets: &Tensor) -> Tensor {
    let logits = Model::forward(model, inputs).unwrap();
    sequence_cross_entropy(&logits, targets, TOKENS.padding, 0.1).unwrap()
}

#[test]
fn gradients_reach_every_parameter_and_are_the_slope_of_the_loss() {
    let model = CopyTransformer::new(&config(), 8).unwrap();
    let mut random = Random::new(9);
    let source = pad_sequences(&[vec![3, 4, 5, 6], vec![7, 8]], 0).unwrap();
    let inputs = SequencePair {
        source,
        decoder_input: ids(&mut random, (2, 5)),
    };
    let targets = Tensor::new(&[[3_u32, 9, 5, 5, 2], [10, 8, 2, 0, 0]], &Device::Cpu).unwrap();
    let gradients = loss(&model, &inputs, &targets).backward().unwrap();
    let mut length = 0.0_f64;
    for (name, parameter) in model.state() {
        let gradient = numbers(gradients.get(&parameter).unwrap());
        let largest = gradient.iter().fold(0_f32, |most, g| most.max(g.abs()));
        // The same number on all scores of a query changes no softmax, so a key's bias has nothing to learn.
        let learns = !name.ends_with("key.bias") && name != "copy_previous.bias";
        assert!(
            largest.is_finite() && (largest > 1e-6) == learns,
            "{name}: {largest}"
        );
        length += gradient.iter().map(|g| f64::from(g * g)).sum::<f64>();
    }
    // Along the gradient the loss rises by its squared length.
    let before: Vec<Tensor> = model
        .parameters()
        .iter()
        .map(|var| var.copy().unwrap())
        .collect();
    let step = 1e-2 / length.sqrt();
    let moved = |by: f64| {
        for (var, before) in model.parameters().iter().zip(&before) {
            let slope = gradients.get(var).unwrap();
            var.set(&(before + (slope * by).unwrap()).unwrap()).unwrap();
        }
        f64::from(loss(&model, &inputs, &targets).to_scalar::<f32>().unwrap())
    };
    let slope = (moved(step) - moved(-step)) / (2.0 * step);
    assert!((slope / length - 1.0).abs() < 0.01, "{slope} {length}");
}

#[test]
fn dropout_takes_its_chance_from_the_seed_and_bad_sizes_are_named() {
    let model = CopyTransformer::new(&config(), 10).unwrap();
    let mut random = Random::new(11);
    let inputs = SequencePair {
        source: ids(&mut random, (2, 6)),
        decoder_input: ids(&mut random, (2, 5)),
    };
    let train = |seed| {
        let random = &mut Random::new(seed);
        numbers(&model.forward_training(&inputs, random).unwrap())
    };
    assert_eq!(train(1), train(1));
    assert_ne!(train(1), train(2));
    let odd = CopyTransformerConfig {
        num_heads: 3,
        ..config()
    };
    let error = CopyTransformer::new(&odd, 0).unwrap_err().to_string();
    assert_eq!(
        error,
        "num_heads: expected a divisor of hidden_size, 16, found 3"
    );
    let unknown = Tensor::new(&[[1_u32, 23]], &Device::Cpu).unwrap();
    let error = model.forward(&unknown, &unknown).unwrap_err().to_string();
    assert_eq!(error, "embedding: expected ids below 23, found 23");
}

/// What stands before the name that counts.
const MARK: u32 = 3;
/// What every answer begins with.
const GREETING: u32 = 4;
/// Ordinary tokens, of which a source is made.
const WORDS: std::ops::Range<u32> = 5..15;
/// Names to learn from, and others that only the test has.
const NAMES: std::ops::Range<u32> = 15..75;
const NEW_NAMES: std::ops::Range<u32> = 75..90;
const VOCABULARY: usize = 90;

/// Some words, somewhere in them the mark and a name; the answer greets who is named.
fn letters(count: usize, names: &std::ops::Range<u32>, seed: u64) -> Vec<(Vec<u32>, Vec<u32>)> {
    let mut random = Random::new(seed);
    let mut one_of =
        |tokens: &std::ops::Range<u32>| tokens.start + random.below(tokens.len()) as u32;
    let mut letter = || {
        let mut source: Vec<u32> = (0..6).map(|_| one_of(&WORDS)).collect();
        let (place, name) = (one_of(&(0..7)) as usize, one_of(names));
        source.splice(place..place, [MARK, name]);
        (source, vec![GREETING, name])
    };
    (0..count).map(|_| letter()).collect()
}

/// The share of letters that a model answers without a mistake after learning from others.
fn correct_answers<M: Model<SequencePair> + StepModel>(
    model: &M,
    read: impl Fn(&Tensor) -> M::State,
    names: &std::ops::Range<u32>,
) -> f64 {
    let loader = SequencePairs::new(letters(3_000, &NAMES, 1), TOKENS, 50, 0).unwrap();
    let validation = SequencePairs::new(letters(100, &NAMES, 2), TOKENS, 50, 0).unwrap();
    Training::new(Box::new(Adam::new(model.parameters(), 0.005).unwrap()))
        .epochs(6)
        .schedule(Schedule::ONE_CYCLE)
        .loss(|logits, targets| sequence_cross_entropy(logits, targets, TOKENS.padding, 0.0))
        .correct(|logits, targets| correct_tokens(logits, targets, TOKENS.padding))
        .fit(model, &loader, &validation)
        .unwrap();
    let limits = Limits {
        end: TOKENS.end,
        max_length: 5,
    };
    let test = letters(200, names, 3);
    let right = test.iter().filter(|(source, target)| {
        let ids = Tensor::new(source.as_slice(), &Device::Cpu).unwrap();
        let start = read(&ids.unsqueeze(0).unwrap());
        let found = greedy(model, start, TOKENS.start, &limits).unwrap();
        found.tokens == *target
    });
    right.count() as f64 / test.len() as f64
}

#[test]
fn it_copies_names_that_it_has_never_seen_and_a_plain_transformer_does_not() {
    let config = CopyTransformerConfig {
        vocabulary_size: VOCABULARY,
        hidden_size: 32,
        num_layers: 1,
        feed_forward_size: 64,
        dropout: 0.0,
        ..config()
    };
    let copying = CopyTransformer::new(&config, 1).unwrap();
    let with_copying = correct_answers(
        &copying,
        |source| copying.read(source, None).unwrap(),
        &NEW_NAMES,
    );
    let plain = Transformer::new(
        &TransformerConfig {
            source_vocabulary: VOCABULARY,
            target_vocabulary: VOCABULARY,
            hidden_size: 32,
            num_heads: 4,
            num_layers: 1,
            feed_forward_size: 64,
            max_length: 12,
            dropout: 0.0,
            ..TransformerConfig::default()
        },
        1,
    )
    .unwrap();
    let read = |source: &Tensor| {
        let mask = plain.mask(source).unwrap();
        let encoded = plain.encode(source, &mask, None).unwrap();
        plain.start(&encoded, &mask).unwrap()
    };
    let without = correct_answers(&plain, read, &NEW_NAMES);
    println!("new names: {with_copying} with copying, {without} without");
    assert!(with_copying > 0.7, "{with_copying}");
    assert!(without < 0.1, "{without}");
}
