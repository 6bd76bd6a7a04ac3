//! The optimisers, schedules and clippings go where PyTorch's go, as it printed them: `fixtures/optimizers.py`.
#![allow(clippy::unwrap_used)]

use candle_core::{DType, Device, Tensor, Var, backprop::GradStore};
use kindling::optim::{
    AdaGrad, AdaGradConfig, Adafactor, AdafactorConfig, Adam, AdamConfig, AdamW, AdamWConfig, Lion,
    LionConfig, Momentum, MomentumConfig, Muon, MuonConfig, MuonScale, Nesterov, NesterovConfig,
    Optimizer, RmsProp, RmsPropConfig, Schedule, Sgd, SgdConfig, clip_norm, clip_value,
};
use serde_json::Value;

fn fixture() -> Value {
    serde_json::from_str(include_str!("../fixtures/optimizers.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    let items = value.as_array().unwrap().iter();
    items.map(|number| number.as_f64().unwrap()).collect()
}

/// The matrix `(2, 3)` and the vector `(3,)` where every walk starts.
fn start(fixture: &Value, dtype: DType) -> [Var; 2] {
    let matrix: Vec<f64> = fixture["matrix"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(numbers)
        .collect();
    let var = |numbers: Vec<f64>, shape: &[usize]| {
        let tensor = Tensor::from_vec(numbers, shape, &Device::Cpu).unwrap();
        Var::from_tensor(&tensor.to_dtype(dtype).unwrap()).unwrap()
    };
    [var(matrix, &[2, 3]), var(numbers(&fixture["vector"]), &[3])]
}

/// A bowl with bumps; the script has the same one.
fn loss_of([matrix, vector]: &[Var; 2]) -> candle_core::Result<Tensor> {
    let target = Tensor::new(&[1.0, -0.5], &Device::Cpu)?.to_dtype(matrix.dtype())?;
    let product = matrix.broadcast_mul(vector)?.sum(1)?; // (2,)
    let bowl = (product - target)?.sqr()?.sum_all()?;
    let bumps = ((matrix.as_tensor() * 3.0)?.sin()?.sum_all()? * 0.5)?;
    let waves = (vector.as_tensor() * 2.0)?.cos()?.sum_all()?;
    ((bowl + bumps)? + waves)? + (matrix.sqr()?.sum_all()? * 0.1)?
}

fn flat(tensors: &[Tensor]) -> Vec<f64> {
    let numbers = tensors.iter().flat_map(|tensor| {
        let tensor = tensor.flatten_all().unwrap().to_dtype(DType::F64).unwrap();
        tensor.to_vec1::<f64>().unwrap()
    });
    numbers.collect()
}

fn places(parameters: &[Var; 2]) -> Vec<f64> {
    flat(
        &parameters
            .each_ref()
            .map(|parameter| parameter.copy().unwrap()),
    )
}

fn make(run: &Value, parameters: Vec<Var>) -> Box<dyn Optimizer> {
    let set = |name: &str| run["settings"][name].as_f64().unwrap();
    let (learning_rate, weight_decay) = (set("learning_rate"), set("weight_decay"));
    match run["optimizer"].as_str().unwrap() {
        "sgd" => {
            let config = SgdConfig {
                learning_rate,
                weight_decay,
            };
            Box::new(Sgd::with_config(parameters, config).unwrap())
        }
        "momentum" => {
            let config = MomentumConfig {
                learning_rate,
                momentum: set("momentum"),
                weight_decay,
            };
            Box::new(Momentum::with_config(parameters, config).unwrap())
        }
        "nesterov" => {
            let config = NesterovConfig {
                learning_rate,
                momentum: set("momentum"),
                weight_decay,
            };
            Box::new(Nesterov::with_config(parameters, config).unwrap())
        }
        "adagrad" => {
            let config = AdaGradConfig {
                learning_rate,
                epsilon: set("epsilon"),
                weight_decay,
            };
            Box::new(AdaGrad::with_config(parameters, config).unwrap())
        }
        "rmsprop" => {
            let (decay, epsilon) = (set("decay"), set("epsilon"));
            let config = RmsPropConfig {
                learning_rate,
                decay,
                epsilon,
                weight_decay,
            };
            Box::new(RmsProp::with_config(parameters, config).unwrap())
        }
        "adafactor" => {
            let config = AdafactorConfig {
                learning_rate,
                decay: set("decay"),
                epsilon: set("epsilon"),
                smallest_size: set("smallest_size"),
                largest_step: set("largest_step"),
                weight_decay,
            };
            Box::new(Adafactor::with_config(parameters, config).unwrap())
        }
        "muon" => {
            let scale = match run["settings"]["scale"].as_str().unwrap() {
                "original" => MuonScale::Spectral,
                _ => MuonScale::AdamW,
            };
            let config = MuonConfig {
                learning_rate,
                momentum: set("momentum"),
                nesterov: run["settings"]["nesterov"].as_bool().unwrap(),
                weight_decay,
                scale,
                ..MuonConfig::default()
            };
            Box::new(Muon::with_config(parameters[..1].to_vec(), config).unwrap())
        }
        name => {
            let (beta1, beta2, epsilon) = (set("beta1"), set("beta2"), set("epsilon"));
            if name == "adam" {
                let config = AdamConfig {
                    learning_rate,
                    beta1,
                    beta2,
                    epsilon,
                    weight_decay,
                };
                Box::new(Adam::with_config(parameters, config).unwrap())
            } else {
                assert_eq!(name, "adamw");
                let config = AdamWConfig {
                    learning_rate,
                    beta1,
                    beta2,
                    epsilon,
                    weight_decay,
                };
                Box::new(AdamW::with_config(parameters, config).unwrap())
            }
        }
    }
}

fn close(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!(
            (a - b).abs() <= tolerance,
            "{what}: found {found:?}, expected {expected:?}"
        );
    }
}

/// In `f32`, which takes the pass in place, to 1e-5; in `f64`, which takes tensor operations, to 1e-9.
#[test]
fn every_optimizer_walks_as_pytorch_does() {
    let fixture = fixture();
    let marks = numbers(&fixture["marks"]);
    let mut seen = std::collections::BTreeSet::new();
    for run in fixture["runs"].as_array().unwrap() {
        seen.insert(run["optimizer"].as_str().unwrap());
        for (dtype, tolerance) in [(DType::F32, 1e-5), (DType::F64, 1e-9)] {
            let parameters = start(&fixture, dtype);
            let mut optimizer = make(run, parameters.to_vec());
            let mut step = 0.0;
            for (mark, expected) in marks.iter().zip(run["places"].as_array().unwrap()) {
                while step < *mark {
                    optimizer
                        .backward_step(&loss_of(&parameters).unwrap())
                        .unwrap();
                    step += 1.0;
                }
                let what = format!(
                    "{} {} {dtype:?} step {step}",
                    run["optimizer"], run["settings"]
                );
                close(&places(&parameters), &numbers(expected), tolerance, &what);
            }
        }
    }
    assert_eq!(seen.len(), 9, "{seen:?}");
}

/// Lion, which PyTorch lacks: against its algorithm 2, written out for plain numbers.
#[test]
fn lion_walks_as_its_paper_says() {
    for (learning_rate, beta1, beta2, weight_decay) in
        [(0.003, 0.9, 0.99, 0.0), (0.01, 0.95, 0.98, 0.3)]
    {
        for dtype in [DType::F32, DType::F64] {
            let parameters = start(&fixture(), DType::F64);
            let config = LionConfig {
                learning_rate,
                beta1,
                beta2,
                weight_decay,
            };
            let ours = parameters.each_ref().map(|parameter| {
                Var::from_tensor(&parameter.to_dtype(dtype).unwrap().copy().unwrap()).unwrap()
            });
            let mut lion = Lion::with_config(ours.to_vec(), config).unwrap();
            let mut theta = places(&parameters);
            let mut momentum = vec![0.0; theta.len()];
            for step in 0..60 {
                // Both get the gradient at the place of the reference.
                let gradients = loss_of(&parameters).unwrap().backward().unwrap();
                let slopes = gradients_of(&gradients, &parameters);
                let mut given = loss_of(&ours).unwrap().backward().unwrap();
                for (parameter, own) in parameters.iter().zip(&ours) {
                    let gradient = gradients.get(parameter).unwrap();
                    given.insert(own, gradient.to_dtype(dtype).unwrap());
                }
                lion.step(&given).unwrap();
                for ((theta, momentum), g) in theta.iter_mut().zip(&mut momentum).zip(&slopes) {
                    let c = beta1 * *momentum + (1.0 - beta1) * g;
                    let sign = if c > 0.0 {
                        1.0
                    } else if c < 0.0 {
                        -1.0
                    } else {
                        0.0
                    };
                    *theta -= learning_rate * (sign + weight_decay * *theta);
                    *momentum = beta2 * *momentum + (1.0 - beta2) * g;
                }
                let matrix = Tensor::from_slice(&theta[..6], (2, 3), &Device::Cpu).unwrap();
                parameters[0].set(&matrix).unwrap();
                parameters[1]
                    .set(&Tensor::new(&theta[6..], &Device::Cpu).unwrap())
                    .unwrap();
                close(
                    &places(&ours),
                    &theta,
                    1e-5,
                    &format!("{dtype:?} step {step}"),
                );
            }
        }
    }
}

fn gradients_of(gradients: &GradStore, parameters: &[Var; 2]) -> Vec<f64> {
    flat(
        &parameters
            .each_ref()
            .map(|parameter| gradients.get(parameter).unwrap().clone()),
    )
}

#[test]
fn schedules_are_pytorchs() {
    for item in fixture()["schedules"].as_array().unwrap() {
        let settings = numbers(&item["settings"]);
        let schedule = match item["schedule"].as_str().unwrap() {
            "step" => Schedule::Step {
                every: settings[0] as usize,
                factor: settings[1],
            },
            "cosine" => Schedule::Cosine {
                lowest: settings[0],
            },
            _ => Schedule::OneCycle {
                rise: settings[0],
                first_divisor: settings[1],
                last_divisor: settings[2],
            },
        };
        schedule.check().unwrap();
        let expected = numbers(&item["rates"]);
        let base = item["base_rate"].as_f64().unwrap();
        let rates = (0..expected.len()).map(|step| schedule.at(step, expected.len(), base));
        close(
            &rates.collect::<Vec<_>>(),
            &expected,
            1e-12,
            &format!("{schedule:?}"),
        );
    }
}

#[test]
fn clipping_is_pytorchs() {
    let fixture = fixture();
    for item in fixture["clippings"].as_array().unwrap() {
        let limit = item["limit"].as_f64().unwrap();
        for (dtype, tolerance) in [(DType::F32, 1e-5), (DType::F64, 1e-10)] {
            let parameters = start(&fixture, dtype);
            let mut gradients = loss_of(&parameters).unwrap().backward().unwrap();
            if item["kind"] == "norm" {
                let norm = clip_norm(&mut gradients, &parameters, limit).unwrap();
                close(
                    &[norm],
                    &[item["norm"].as_f64().unwrap()],
                    tolerance,
                    "norm",
                );
            } else {
                clip_value(&mut gradients, &parameters, limit).unwrap();
            }
            let clipped = gradients_of(&gradients, &parameters);
            close(
                &clipped,
                &numbers(&item["gradients"]),
                tolerance,
                &item.to_string(),
            );
        }
    }
}
