//! The recurrent layers give PyTorch's numbers, forwards and backwards: `fixtures/recurrent.py`. Both ways through time agree.
#![allow(clippy::unwrap_used, clippy::panic)]

mod fixture;

use std::collections::HashMap;

use candle_core::{Device, Tensor, Var, backprop::GradStore};
use fixture::Numbers;
use kindling::{
    Result,
    data::Random,
    nn::{Gru, Lstm, Recurrent, RecurrentConfig, Rnn},
    ops::Cell,
};
use serde::Deserialize;

impl Numbers {
    fn compare(&self, found: &Tensor, what: &str) {
        assert_eq!(found.dims(), self.shape, "{what}");
        let found = found.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        for (place, (found, expected)) in found.iter().zip(&self.values).enumerate() {
            let allowed = 1e-5 * expected.abs().max(1.0);
            assert!(
                (found - expected).abs() <= allowed,
                "{what} at {place}: found {found}, expected {expected}"
            );
        }
    }
}

#[derive(Deserialize)]
struct Case {
    kind: String,
    hidden_size: usize,
    layers: usize,
    bidirectional: bool,
    lengths: Option<Vec<usize>>,
    parameters: HashMap<String, Numbers>,
    sequence: Numbers,
    start: Option<Numbers>,
    output: Numbers,
    last: Numbers,
    output_probe: Numbers,
    last_probe: Numbers,
    gradients: HashMap<String, Numbers>,
    to_sequence: Numbers,
    to_start: Option<Numbers>,
}

impl Case {
    fn mask(&self) -> Option<Tensor> {
        let lengths = self.lengths.as_ref()?;
        let time = self.sequence.shape[1];
        let rows = lengths
            .iter()
            .flat_map(|&length| (0..time).map(move |t| u8::from(t < length)));
        let rows: Vec<u8> = rows.collect();
        Some(Tensor::from_vec(rows, (lengths.len(), time), &Device::Cpu).unwrap())
    }

    fn check<C: Cell>(&self, forward: Forward<C>, name: &str) {
        let config = RecurrentConfig {
            inputs: self.sequence.shape[2],
            hidden_size: self.hidden_size,
            layers: self.layers,
            bidirectional: self.bidirectional,
        };
        let network = Recurrent::<C>::new(&config, &mut Random::new(0)).unwrap();
        let state = network.state("");
        assert_eq!(state.len(), self.parameters.len());
        for (name, parameter) in &state {
            parameter.set(&self.parameters[name].tensor()).unwrap();
        }
        let sequence = Var::from_tensor(&self.sequence.tensor()).unwrap();
        let start = self
            .start
            .as_ref()
            .map(|start| Var::from_tensor(&start.tensor()).unwrap());
        let (output, last) = forward(
            &network,
            &sequence,
            start.as_ref().map(Var::as_tensor),
            self.mask().as_ref(),
        )
        .unwrap();
        let what = format!(
            "{name} {} of {} layers, bidirectional {}, lengths {:?}",
            self.kind, self.layers, self.bidirectional, self.lengths
        );
        self.output.compare(&output, &format!("{what}: output"));
        self.last.compare(&last, &format!("{what}: last state"));
        let loss = probed(&[(&output, &self.output_probe), (&last, &self.last_probe)]);
        let gradients = loss.backward().unwrap();
        let gradient = |var: &Var| gradients.get(var).unwrap();
        for (name, parameter) in &state {
            self.gradients[name].compare(gradient(parameter), &format!("{what}: {name}"));
        }
        self.to_sequence
            .compare(gradient(&sequence), &format!("{what}: sequence"));
        if let (Some(start), Some(expected)) = (&start, &self.to_start) {
            expected.compare(gradient(start), &format!("{what}: start"));
        }
    }
}

type Forward<C> =
    fn(&Recurrent<C>, &Tensor, Option<&Tensor>, Option<&Tensor>) -> Result<(Tensor, Tensor)>;

fn probed(pairs: &[(&Tensor, &Numbers)]) -> Tensor {
    let sums = pairs.iter().map(|(tensor, probe)| {
        let product = *tensor * probe.tensor();
        product.unwrap().sum_all().unwrap()
    });
    sums.reduce(|a, b| (a + b).unwrap()).unwrap()
}

#[test]
fn every_layer_gives_pytorchs_numbers() {
    let cases = include_str!("../fixtures/recurrent.json");
    let cases: Vec<Case> = serde_json::from_str(cases).unwrap();
    assert_eq!(cases.len(), 12);
    for case in cases {
        match case.kind.as_str() {
            "rnn" => {
                case.check(Rnn::forward, "fused");
                case.check(Rnn::forward_by_steps, "by steps");
            }
            "lstm" => {
                case.check(Lstm::forward, "fused");
                case.check(Lstm::forward_by_steps, "by steps");
            }
            "gru" => {
                case.check(Gru::forward, "fused");
                case.check(Gru::forward_by_steps, "by steps");
            }
            kind => panic!("{kind}"),
        }
    }
}

/// Sizes that are no multiple of a vector or a tile, enough work for threads, and padding in the middle.
fn ways_agree<C: Cell>() {
    for (batch, time, inputs, hidden_size) in [(1, 1, 1, 1), (13, 9, 5, 19), (21, 12, 7, 67)] {
        let mut random = Random::new(3);
        let config = RecurrentConfig {
            bidirectional: true,
            ..RecurrentConfig::new(inputs, hidden_size)
        };
        let network = Recurrent::<C>::new(&config, &mut random).unwrap();
        let states = C::STATES * hidden_size;
        let mut draw =
            |shape: &[usize]| Var::from_tensor(&random.normal(shape, 0.0, 1.0).unwrap()).unwrap();
        let sequence = draw(&[batch, time, inputs]);
        let start = draw(&[2, batch, states]);
        let probe = draw(&[batch, time, 2 * hidden_size]);
        let mask = draw(&[batch, time]).gt(-0.5).unwrap();
        let run = |forward: Forward<C>| -> (Vec<Tensor>, GradStore) {
            let (output, last) =
                forward(&network, &sequence, Some(start.as_tensor()), Some(&mask)).unwrap();
            let loss = (&output * probe.as_tensor()).unwrap().sum_all().unwrap();
            let loss = (loss + last.sqr().unwrap().sum_all().unwrap()).unwrap();
            let gradients = loss.backward().unwrap();
            (vec![output, last], gradients)
        };
        let (fused, by_steps) = (run(Recurrent::forward), run(Recurrent::forward_by_steps));
        let mut pairs: Vec<(Tensor, Tensor)> = fused.0.into_iter().zip(by_steps.0).collect();
        let parameters = network
            .state("")
            .into_iter()
            .map(|(_, parameter)| parameter);
        for var in parameters.chain([sequence.clone(), start.clone()]) {
            let gradient = |gradients: &GradStore| gradients.get(&var).unwrap().clone();
            pairs.push((gradient(&fused.1), gradient(&by_steps.1)));
        }
        for (number, (a, b)) in pairs.iter().enumerate() {
            let size = b
                .abs()
                .unwrap()
                .max_all()
                .unwrap()
                .to_scalar::<f32>()
                .unwrap();
            let apart = (a - b).unwrap().abs().unwrap().max_all().unwrap();
            let apart = apart.to_scalar::<f32>().unwrap();
            assert!(
                apart <= 1e-5 * size.max(1.0),
                "{} {batch} {time} {hidden_size}, {number}: {apart} of {size}",
                C::NAME
            );
        }
    }
}

#[test]
fn both_ways_through_time_agree() {
    ways_agree::<kindling::nn::RnnCell>();
    ways_agree::<kindling::nn::LstmCell>();
    ways_agree::<kindling::nn::GruCell>();
}

#[test]
fn padding_changes_nothing() {
    let mut random = Random::new(1);
    let config = RecurrentConfig {
        layers: 2,
        bidirectional: true,
        ..RecurrentConfig::new(3, 6)
    };
    let network = Lstm::new(&config, &mut random).unwrap();
    let short = random.normal((2, 4, 3), 0.0, 1.0).unwrap();
    let noise = random.normal((2, 5, 3), 0.0, 100.0).unwrap();
    let long = Tensor::cat(&[&short, &noise], 1).unwrap();
    let mask = Tensor::new(&[[1_u32, 1, 1, 1, 0, 0, 0, 0, 0]; 2], &Device::Cpu).unwrap();
    let numbers = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let (alone, last) = network.forward(&short, None, None).unwrap();
    let (padded, padded_last) = network.forward(&long, None, Some(&mask)).unwrap();
    assert_eq!(numbers(&last), numbers(&padded_last));
    assert_eq!(numbers(&alone), numbers(&padded.narrow(1, 0, 4).unwrap()));
    assert!(
        numbers(&padded.narrow(1, 4, 5).unwrap())
            .iter()
            .all(|&x| x == 0.0)
    );
}

#[test]
fn a_forget_bias_is_set_once() {
    let lstm = Lstm::new(&RecurrentConfig::new(2, 3), &mut Random::new(0)).unwrap();
    let state: HashMap<_, _> = lstm
        .with_forget_bias(1.5)
        .unwrap()
        .state("x")
        .into_iter()
        .collect();
    let forget = |name: &str| state[name].to_vec1::<f32>().unwrap()[3..6].to_vec();
    assert_eq!(forget("x.bias_ih_l0"), [1.5; 3]);
    assert_eq!(forget("x.bias_hh_l0"), [0.0; 3]);
    assert_ne!(state["x.bias_ih_l0"].to_vec1::<f32>().unwrap()[0], 1.5);
}

#[test]
fn wrong_shapes_are_named() {
    let gru = Gru::new(&RecurrentConfig::new(2, 3), &mut Random::new(0)).unwrap();
    let zeros =
        |shape: &[usize]| Tensor::zeros(shape, candle_core::DType::F32, &Device::Cpu).unwrap();
    let error = |sequence: &[usize], start: Option<&[usize]>, mask: Option<&[usize]>| {
        let (start, mask) = (start.map(zeros), mask.map(zeros));
        gru.forward(&zeros(sequence), start.as_ref(), mask.as_ref())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        error(&[4, 5, 3], None, None),
        "gru: sequence: expected shape (batch, time, 2), time at least 1, found [4, 5, 3]"
    );
    assert!(error(&[4, 0, 2], None, None).contains("time at least 1"));
    assert_eq!(
        error(&[4, 5, 2], Some(&[2, 4, 3]), None),
        "gru: start: expected shape [1, 4, 3], found [2, 4, 3]"
    );
    assert_eq!(
        error(&[4, 5, 2], None, Some(&[5, 4])),
        "gru: mask: expected shape [4, 5], found [5, 4]"
    );
    let none = RecurrentConfig {
        layers: 0,
        ..RecurrentConfig::new(2, 3)
    };
    assert!(
        Gru::new(&none, &mut Random::new(0))
            .unwrap_err()
            .to_string()
            .starts_with("gru: expected at least one")
    );
}
