//! What holds for every optimiser.

use candle_core::{DType, Device, Var};

use super::{
    elementwise::{UpdateRule, by_tensors},
    *,
};
use crate::{data::Random, ops::in_place};

fn var(values: &[f64]) -> Var {
    Var::new(values, &Device::Cpu).unwrap()
}

/// A bowl that is ten times steeper one way than the other; its lowest point is (1, -2).
fn bowl(w: &Var) -> Tensor {
    let bottom = Tensor::new(&[1.0, -2.0], &Device::Cpu).unwrap();
    let steepness = Tensor::new(&[1.0, 10.0], &Device::Cpu).unwrap();
    let squares = (w.as_tensor() - bottom).unwrap().sqr().unwrap();
    (squares * steepness).unwrap().sum_all().unwrap()
}

fn boxed<R, const N: usize>(optimizer: Result<ElementwiseOptimizer<R, N>>) -> Box<dyn Optimizer>
where
    R: UpdateRule<N> + 'static,
{
    Box::new(optimizer.unwrap())
}

/// Each optimiser, in the order of the course.
fn all(parameters: &[Var], rate: f64) -> Vec<Box<dyn Optimizer>> {
    let vars = || parameters.to_vec();
    vec![
        boxed(Sgd::new(vars(), rate)),
        boxed(Momentum::new(vars(), rate, 0.9)),
        boxed(Nesterov::new(vars(), rate, 0.9)),
        boxed(AdaGrad::new(vars(), rate)),
        boxed(RmsProp::new(vars(), rate)),
        boxed(Adam::new(vars(), rate)),
        boxed(AdamW::new(vars(), rate)),
        boxed(Lion::new(vars(), rate)),
        Box::new(Adafactor::new(vars(), rate).unwrap()),
    ]
}

#[test]
fn every_optimizer_finds_the_bottom() {
    // Those whose steps do not shrink with the slope need a rate that does.
    let schedule = Schedule::Cosine { lowest: 0.0 };
    let rates = [0.04, 0.01, 0.01, 2.0, 0.05, 0.1, 0.1, 0.006, 0.05];
    for (index, rate) in rates.into_iter().enumerate() {
        let w = var(&[5.0, 5.0]);
        let mut optimizer = all(std::slice::from_ref(&w), rate).swap_remove(index);
        for step in 0..3_000 {
            let now = schedule.at(step, 3_000, rate);
            optimizer.set_learning_rate(now).unwrap();
            optimizer.backward_step(&bowl(&w)).unwrap();
        }
        let height: f64 = bowl(&w).to_scalar().unwrap();
        // AdamW pulls towards zero a little, away from the bottom.
        assert!(height < 1e-2, "{index}: {height}");
    }
}

/// Numbers at places that no loop treats alike: whole pieces, odd halves, and a rest.
fn noise(random: &mut Random, count: usize) -> Tensor {
    random.normal(count, 0.0, 1.0).unwrap()
}

fn agree<R: UpdateRule<N> + std::fmt::Debug, const N: usize>(rule: R) {
    for count in [1, 7, 1_000, 100_003] {
        let mut random = Random::new(count as u64);
        let quick = Var::from_tensor(&noise(&mut random, count)).unwrap();
        let slow = Var::from_tensor(&quick.copy().unwrap()).unwrap();
        let mut states = [&quick, &slow].map(|var| state::zeros::<N>(var).unwrap());
        for step in 1..=5 {
            let gradient = noise(&mut random, count);
            let [fast, plain] = &mut states;
            in_place::update(&quick, &gradient, fast, rule.element(step)).unwrap();
            by_tensors(&rule, step, &slow, &gradient, plain).unwrap();
        }
        let mut pairs = vec![(quick.as_tensor(), slow.as_tensor())];
        pairs.extend(states[0].iter().zip(&states[1]));
        for (fast, plain) in pairs {
            let (fast, plain) = (fast.to_vec1::<f32>().unwrap(), plain.to_vec1().unwrap());
            for (place, (a, b)) in fast.iter().zip(&plain).enumerate() {
                let scale = 1.0_f32.max(f32::abs(*b));
                assert!((a - b).abs() <= 2e-6 * scale, "{rule:?} {place}: {a} {b}");
            }
        }
    }
}

#[test]
fn one_pass_and_tensor_operations_agree() {
    let (learning_rate, weight_decay) = (0.01, 0.1);
    agree(SgdConfig {
        learning_rate,
        weight_decay,
    });
    agree(MomentumConfig {
        learning_rate,
        momentum: 0.8,
        weight_decay,
    });
    agree(NesterovConfig {
        learning_rate,
        momentum: 0.8,
        weight_decay,
    });
    agree(AdaGradConfig {
        learning_rate,
        weight_decay,
        epsilon: 1e-3,
    });
    agree(RmsPropConfig {
        learning_rate,
        weight_decay,
        epsilon: 1e-3,
        decay: 0.9,
    });
    let (beta1, beta2, epsilon) = (0.9, 0.99, 1e-3);
    agree(AdamConfig {
        learning_rate,
        beta1,
        beta2,
        epsilon,
        weight_decay,
    });
    agree(AdamWConfig {
        learning_rate,
        beta1,
        beta2,
        epsilon,
        weight_decay,
    });
    agree(LionConfig {
        learning_rate,
        beta1,
        beta2,
        weight_decay,
    });
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let with_threads = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(|| {
            let mut random = Random::new(3);
            let w = Var::from_tensor(&noise(&mut random, 200_001)).unwrap();
            let mut adam = Adam::new(vec![w.clone()], 0.01).unwrap();
            for _ in 0..3 {
                let slope = noise(&mut random, 200_001);
                adam.backward_step(&(w.as_tensor() * slope).unwrap().sum_all().unwrap())
                    .unwrap();
            }
            w.to_vec1::<f32>().unwrap()
        })
    };
    assert_eq!(with_threads(1), with_threads(3));
}

/// Train 10 steps, save, 10 more; restore, 10 more: the same bits, for both ways to compute.
#[test]
fn a_restored_optimizer_goes_on_bit_for_bit() {
    for dtype in [DType::F32, DType::F64] {
        let start = Random::new(1).normal((3, 2), 0.0, 1.0).unwrap();
        for index in 0..all(&[], 0.1).len() {
            let w = Var::from_tensor(&start.to_dtype(dtype).unwrap()).unwrap();
            let make = || all(std::slice::from_ref(&w), 0.01).swap_remove(index);
            let train = |optimizer: &mut Box<dyn Optimizer>| {
                for _ in 0..10 {
                    let loss = (w.sqr().unwrap() + w.sin().unwrap()).unwrap();
                    optimizer.backward_step(&loss.sum_all().unwrap()).unwrap();
                }
                w.copy().unwrap()
            };
            let mut first = make();
            let middle = train(&mut first);
            let saved: HashMap<String, Tensor> = first.state().unwrap().into_iter().collect();
            let end = train(&mut first);
            w.set(&middle).unwrap();
            let mut second = make();
            second.load_state(&saved).unwrap();
            let again = train(&mut second);
            assert_eq!(bits(&end), bits(&again), "{index} {dtype:?}");
            assert_ne!(bits(&end), bits(&middle));
        }
    }
}

fn bits(tensor: &Tensor) -> Vec<u64> {
    let numbers = tensor.flatten_all().unwrap().to_dtype(DType::F64).unwrap();
    let numbers: Vec<f64> = numbers.to_vec1().unwrap();
    numbers.into_iter().map(f64::to_bits).collect()
}

#[test]
fn state_has_readable_names_and_its_own_numbers() {
    let w = Var::zeros((2, 3), DType::F32, &Device::Cpu).unwrap();
    let b = Var::ones(3, DType::F32, &Device::Cpu).unwrap();
    let mut adam = Adam::new(vec![w, b.clone()], 0.1).unwrap();
    let before = adam.state().unwrap();
    let names: Vec<&str> = before.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "adam.steps",
            "adam.first_moment.0",
            "adam.second_moment.0",
            "adam.first_moment.1",
            "adam.second_moment.1"
        ]
    );
    adam.backward_step(&b.sum_all().unwrap()).unwrap();
    // A step changes neither what was saved before …
    assert_eq!(bits(&before[3].1), [0; 3]);
    // … nor what another optimiser has loaded.
    let saved: HashMap<String, Tensor> = adam.state().unwrap().into_iter().collect();
    assert_eq!(saved["adam.steps"].to_vec1::<u32>().unwrap(), [0, 1]);
    let kept = bits(&saved["adam.first_moment.1"]);
    adam.load_state(&saved).unwrap();
    adam.backward_step(&b.sum_all().unwrap()).unwrap();
    assert_eq!(bits(&saved["adam.first_moment.1"]), kept);
}

#[test]
fn state_that_does_not_fit_is_refused_and_changes_nothing() {
    let w = var(&[1.0, 2.0]);
    let mut adam = Adam::new(vec![w.clone()], 0.1).unwrap();
    adam.backward_step(&bowl(&w)).unwrap();
    let good: HashMap<String, Tensor> = adam.state().unwrap().into_iter().collect();
    let mut error = |change: &dyn Fn(&mut HashMap<String, Tensor>)| {
        let mut saved = good.clone();
        change(&mut saved);
        let error = adam.load_state(&saved).unwrap_err().to_string();
        let now: HashMap<String, Tensor> = adam.state().unwrap().into_iter().collect();
        assert!(
            good.iter()
                .all(|(name, tensor)| bits(tensor) == bits(&now[name]))
        );
        error
    };
    assert_eq!(
        error(&|saved| drop(saved.remove("adam.second_moment.0"))),
        "optimiser state adam.second_moment.0: expected, but missing; the checkpoint holds the state of adam"
    );
    let other = Tensor::zeros(3, DType::F64, &Device::Cpu).unwrap();
    assert_eq!(
        error(&|saved| drop(saved.insert("adam.first_moment.0".to_owned(), other.clone()))),
        "optimiser state adam.first_moment.0: expected f64 of shape [2], found f64 of shape [3]; is it from another model?"
    );
    assert_eq!(
        error(&|saved| drop(saved.insert("adam.steps".to_owned(), other.clone()))),
        "optimiser state adam.steps: expected u32 of shape [1], found f64 of shape [3]; is it from another model?"
    );
    let lion = Lion::new(vec![w.clone()], 0.1).unwrap().state().unwrap();
    let error = adam.load_state(&lion.into_iter().collect()).unwrap_err();
    assert!(error.to_string().ends_with("holds the state of lion"));
}

#[test]
fn a_parameter_without_a_gradient_stays_and_does_not_age() {
    let (used, rested) = (var(&[5.0, 5.0]), var(&[5.0, 5.0]));
    let mut adam = Adam::new(vec![used.clone(), rested.clone()], 0.1).unwrap();
    adam.backward_step(&bowl(&used)).unwrap();
    assert_eq!(rested.to_vec1::<f64>().unwrap(), [5.0, 5.0]);
    adam.backward_step(&bowl(&rested)).unwrap();
    assert_eq!(bits(&rested), bits(&used)); // this is its first step, too
}

#[test]
fn no_slope_no_step() {
    let w = Var::from_tensor(&noise(&mut Random::new(2), 50)).unwrap();
    let before = bits(&w);
    for mut optimizer in all(std::slice::from_ref(&w), 0.1) {
        if optimizer.state().unwrap()[0].0 != "adamw.steps" {
            let flat = (w.as_tensor() * 0.0).unwrap().sum_all().unwrap();
            optimizer.backward_step(&flat).unwrap();
            assert_eq!(bits(&w), before);
        }
    }
}

#[test]
fn a_rate_of_zero_moves_nothing() {
    let w = var(&[5.0, 5.0]);
    for mut optimizer in all(std::slice::from_ref(&w), 0.1) {
        optimizer.set_learning_rate(0.0).unwrap();
        optimizer.backward_step(&bowl(&w)).unwrap();
        assert_eq!(w.to_vec1::<f64>().unwrap(), [5.0, 5.0]);
    }
}

#[test]
fn the_first_step_of_adam_does_not_depend_on_the_scale_of_the_loss() {
    let mut random = Random::new(8);
    let (start, slope) = (noise(&mut random, 100), noise(&mut random, 100));
    let moved = |scale: f64| {
        let w = Var::from_tensor(&start.copy().unwrap()).unwrap();
        let loss = (w.as_tensor() * (&slope * scale).unwrap()).unwrap();
        Adam::new(vec![w.clone()], 0.1)
            .unwrap()
            .backward_step(&loss.sum_all().unwrap())
            .unwrap();
        w.to_vec1::<f32>().unwrap()
    };
    let (small, large) = (moved(1.0), moved(1e4));
    for (index, (a, b)) in small.iter().zip(&large).enumerate() {
        assert!((a - b).abs() < 1e-5, "{index}: {a} {b}");
    }
}

#[test]
fn the_order_of_the_parameters_does_not_matter() {
    for index in 0..all(&[], 0.1).len() {
        let walk = |turned: bool| {
            let mut random = Random::new(4);
            let mut draw = |count| Var::from_tensor(&noise(&mut random, count)).unwrap();
            let pair = [draw(40), draw(3)];
            let mut order = pair.to_vec();
            if turned {
                order.reverse();
            }
            let mut optimizer = all(&order, 0.01).swap_remove(index);
            for _ in 0..5 {
                let sums = pair.each_ref().map(|w| w.sqr().unwrap().sum_all().unwrap());
                optimizer
                    .backward_step(&(&sums[0] * &sums[1]).unwrap())
                    .unwrap();
            }
            pair.map(|w| bits(&w))
        };
        assert_eq!(walk(false), walk(true), "{index}");
    }
}

#[test]
fn gradients_of_any_layout_are_taken() {
    // The gradient of a sum is one number repeated, that of a transposed product lies across, that of a halved
    // parameter is the parameter itself.
    let w = Var::ones((2, 3), DType::F32, &Device::Cpu).unwrap();
    let mut sgd = Sgd::new(vec![w.clone()], 0.5).unwrap();
    sgd.backward_step(&w.sum_all().unwrap()).unwrap();
    assert_eq!(w.to_vec2::<f32>().unwrap(), [[0.5; 3]; 2]);
    let mut gradients = w.sum_all().unwrap().backward().unwrap();
    let across = Tensor::new(&[[1.0_f32, 2.0], [3.0, 4.0], [5.0, 6.0]], &Device::Cpu).unwrap();
    gradients.insert(&w, across.t().unwrap());
    sgd.step(&gradients).unwrap();
    assert_eq!(
        w.to_vec2::<f32>().unwrap(),
        [[0.0, -1.0, -2.0], [-0.5, -1.5, -2.5]]
    );
    gradients.insert(&w, w.as_tensor().clone());
    sgd.step(&gradients).unwrap();
    assert_eq!(
        w.to_vec2::<f32>().unwrap(),
        [[0.0, -0.5, -1.0], [-0.25, -0.75, -1.25]]
    );
    gradients.insert(&w, across);
    assert_eq!(
        sgd.step(&gradients).unwrap_err().to_string(),
        "gradient: expected shape that of its parameter, [2, 3], found [3, 2]"
    );
}

#[test]
fn senseless_settings_are_named() {
    let error = |result: Result<()>| result.unwrap_err().to_string();
    assert_eq!(
        error(Sgd::new(vec![], -0.1).map(drop)),
        "learning_rate: expected zero or a positive number, found -0.1"
    );
    assert!(
        error(Momentum::new(vec![], 0.1, 1.0).map(drop))
            .starts_with("momentum: expected a number from 0")
    );
    let config = AdamConfig {
        beta2: f64::NAN,
        ..AdamConfig::default()
    };
    assert!(error(Adam::with_config(vec![], config).map(drop)).contains("beta2"));
    let config = LionConfig {
        weight_decay: -1.0,
        ..LionConfig::default()
    };
    assert!(error(Lion::with_config(vec![], config).map(drop)).contains("weight_decay"));
    for mut optimizer in all(&[], 0.1) {
        for rate in [f64::INFINITY, f64::NAN, -0.1] {
            let message = error(optimizer.set_learning_rate(rate));
            assert!(message.starts_with("learning_rate: "), "{message}");
        }
        assert_eq!(optimizer.learning_rate(), 0.1);
    }
    let w = var(&[1.0]);
    assert!(
        error(Sgd::new(vec![w.clone(), w], 0.1).map(drop))
            .starts_with("parameters: number 1 is the same tensor as number 0")
    );
}
