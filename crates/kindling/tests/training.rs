//! A training run that is interrupted and resumed ends with the same bits as one that is not.
#![allow(clippy::unwrap_used)]

use std::{
    cell::{Cell, RefCell},
    fs,
    path::Path,
    rc::Rc,
};

use candle_core::{Tensor, Var};
use kindling::{
    Error, Result,
    data::{BatchIterator, Batches, Examples, Loader, Mnist, Random},
    models::{Mlp, MlpConfig, Model},
    ops::cross_entropy,
    optim::{Adam, Schedule, Sgd},
    train::{
        Every, History, Settings, Training, evaluate, load_weights, read_details, save_weights,
    },
};

/// Shuffled mini-batches of built-in digits.
struct Digits(Examples);

const BATCH: usize = 20;

impl Loader for Digits {
    fn steps(&self) -> usize {
        self.0.len().div_ceil(BATCH)
    }

    fn examples(&self) -> usize {
        self.0.len()
    }

    fn batches(&self, epoch: usize, skip: usize) -> Result<BatchIterator<'_>> {
        Ok(Box::new(
            Batches::new(&self.0, BATCH, epoch as u64)?.skip(skip),
        ))
    }
}

/// A network whose training depends on chance, as with dropout, and which counts its steps, as batch norm does.
struct Noisy {
    mlp: Mlp,
    steps: Var,
}

impl Noisy {
    fn new() -> Self {
        let config = MlpConfig {
            hidden: 16,
            ..MlpConfig::default()
        };
        let steps = Tensor::zeros(1, candle_core::DType::F32, &candle_core::Device::Cpu).unwrap();
        Self {
            mlp: Mlp::new(&config, 5).unwrap(),
            steps: Var::from_tensor(&steps).unwrap(),
        }
    }

    fn bits(&self) -> Vec<u32> {
        let state = self.state();
        let numbers = state
            .iter()
            .flat_map(|(_, var)| var.flatten_all().unwrap().to_vec1::<f32>().unwrap());
        numbers.map(f32::to_bits).collect()
    }
}

impl Model for Noisy {
    fn forward(&self, inputs: &Tensor) -> Result<Tensor> {
        self.mlp.forward(inputs)
    }

    fn forward_training(&self, inputs: &Tensor, random: &mut Random) -> Result<Tensor> {
        self.steps.set(&(self.steps.as_tensor() + 1.0)?)?;
        let noise = random.normal(inputs.dims(), 0.0, 0.3)?;
        self.mlp.forward(&(inputs + noise)?)
    }

    fn parameters(&self) -> Vec<Var> {
        self.mlp.parameters()
    }

    fn state(&self) -> Vec<(String, Var)> {
        let mut state = self.mlp.state();
        state.push(("steps".to_owned(), self.steps.clone()));
        state
    }

    fn name(&self) -> String {
        "noisy".to_owned()
    }
}

fn digits() -> (Digits, Examples) {
    let mnist = Mnist::builtin(190, 50, 0).unwrap(); // 10 steps, the last of 10 examples
    (Digits(mnist.train), mnist.test)
}

fn training(model: &Noisy) -> Training {
    Training::new(Box::new(Adam::new(model.parameters(), 0.002).unwrap()))
        .epochs(4)
        .seed(7)
        .schedule(Schedule::ONE_CYCLE)
        .clip_norm(1.0)
        .label_smoothing(0.1)
}

/// Trains for at most `limit` steps; says how it ended.
fn train_until(folder: &Path, limit: usize, every: Every) -> (Noisy, History) {
    let model = Noisy::new();
    let (loader, validation) = digits();
    let steps = Rc::new(Cell::new(0));
    let stop = move || {
        steps.set(steps.get() + 1);
        steps.get() > limit
    };
    let history = training(&model)
        .patience(100)
        .checkpoint(folder, every)
        .resume(true)
        .log(folder.join("log.jsonl"))
        .stop_when(stop)
        .fit(&model, &loader, &validation);
    (model, history.unwrap())
}

#[test]
fn interrupted_anywhere_it_ends_with_the_same_bits() {
    let whole = tempfile::tempdir().unwrap();
    let (expected, history) = train_until(whole.path(), usize::MAX, Every::Steps(1_000));
    assert_eq!(history.epochs.len(), 4);
    for pause in [1, 3, 7, 10, 13, 39] {
        let folder = tempfile::tempdir().unwrap();
        let (model, resumed) = loop {
            let (model, history) = train_until(folder.path(), pause, Every::Steps(1_000));
            if !history.stopped {
                break (model, history);
            }
        };
        assert_eq!(model.bits(), expected.bits(), "{pause} steps at a time");
        for (one, other) in history.epochs.iter().zip(&resumed.epochs) {
            assert_eq!((one.loss, one.accuracy), (other.loss, other.accuracy));
            assert_eq!(one.validation_loss, other.validation_loss);
        }
        assert_eq!(history.best, resumed.best);
        let log = fs::read_to_string(folder.path().join("log.jsonl")).unwrap();
        let epochs: Vec<u64> = log
            .lines()
            .map(|line| {
                serde_json::from_str::<serde_json::Value>(line).unwrap()["epoch"]
                    .as_u64()
                    .unwrap()
            })
            .collect();
        assert_eq!(epochs, [1, 2, 3, 4]);
    }
}

/// Makes the checkpoint one of the first form, with settings as Rust's `Debug` wrote them.
fn turn_into_first_form(file: &Path, schedule: &str) {
    let tensors = candle_core::safetensors::load(file, &candle_core::Device::Cpu).unwrap();
    let mut words: std::collections::HashMap<_, _> =
        read_details(file).unwrap().into_iter().collect();
    words.remove("settings").unwrap();
    for (name, value) in [
        ("format", "kindling checkpoint 1"),
        ("setting.clip_norm", "1"),
        ("setting.epochs", "4"),
        ("setting.examples", "190"),
        ("setting.label_smoothing", "0.1"),
        ("setting.learning_rate", "0.002"),
        ("setting.schedule", schedule),
        ("setting.seed", "7"),
        ("setting.steps", "10"),
    ] {
        words.insert(name.to_owned(), value.to_owned());
    }
    fs::write(file, safetensors::serialize(tensors, Some(words)).unwrap()).unwrap();
}

#[test]
fn a_checkpoint_of_the_first_form_goes_on_bit_for_bit() {
    let whole = tempfile::tempdir().unwrap();
    let (expected, _) = train_until(whole.path(), usize::MAX, Every::Steps(5));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("checkpoint.safetensors");
    train_until(folder.path(), 17, Every::Steps(5));
    turn_into_first_form(
        &file,
        "OneCycle { rise: 0.3, first_divisor: 25.0, last_divisor: 10000.0 }",
    );
    let (model, _) = train_until(folder.path(), usize::MAX, Every::Steps(5));
    assert_eq!(model.bits(), expected.bits());
    // The next one is of today's form.
    let settings = read_details(&file).unwrap().remove("settings").unwrap();
    let settings = Settings::from_json(&settings).unwrap();
    assert_eq!(settings.get("epochs"), Some(&4.into()));

    turn_into_first_form(&file, "Cosine { lowest: 0.0 }");
    let (loader, validation) = digits();
    let model = Noisy::new();
    let other = training(&model).checkpoint(folder.path(), Every::Steps(5));
    let other = other.resume(true).fit(&model, &loader, &validation);
    let told = other.unwrap_err().to_string();
    assert!(
        told.contains("its schedule is {\"Cosine\":{\"lowest\":0.0}}, here it is "),
        "{told}"
    );
}

#[test]
fn a_finished_run_is_not_trained_again() {
    let folder = tempfile::tempdir().unwrap();
    let (first, _) = train_until(folder.path(), usize::MAX, Every::Seconds(60.0));
    let (second, history) = train_until(folder.path(), 0, Every::Seconds(60.0));
    assert!(!history.stopped && history.epochs.len() == 4);
    assert_eq!(first.bits(), second.bits());
}

#[test]
fn a_damaged_checkpoint_gives_way_to_the_one_before() {
    let whole = tempfile::tempdir().unwrap();
    let (expected, _) = train_until(whole.path(), usize::MAX, Every::Steps(5));
    let folder = tempfile::tempdir().unwrap();
    train_until(folder.path(), 17, Every::Steps(5));
    let newest = folder.path().join("checkpoint.safetensors");
    let good = fs::read(&newest).unwrap();
    for damage in [
        |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() / 2),
        |bytes: &mut Vec<u8>| {
            let middle = bytes.len() - 1_000;
            bytes[middle] ^= 4;
        },
        |bytes: &mut Vec<u8>| bytes.clear(),
    ] {
        let mut bytes = good.clone();
        damage(&mut bytes);
        fs::write(&newest, bytes).unwrap();
        let (model, _) = train_until(folder.path(), usize::MAX, Every::Steps(5));
        assert_eq!(model.bits(), expected.bits());
        fs::remove_dir_all(folder.path()).unwrap();
        train_until(folder.path(), 17, Every::Steps(5));
    }
    // With both damaged there is one error, and nothing is trained.
    fs::write(&newest, "no").unwrap();
    fs::write(folder.path().join("checkpoint.previous.safetensors"), "no").unwrap();
    let model = Noisy::new();
    let before = model.bits();
    let (loader, validation) = digits();
    let error = training(&model)
        .checkpoint(folder.path(), Every::Steps(5))
        .resume(true)
        .fit(&model, &loader, &validation)
        .unwrap_err()
        .to_string();
    assert!(error.contains("checkpoint.safetensors: damaged"), "{error}");
    assert_eq!(model.bits(), before);
}

#[test]
fn a_checkpoint_of_something_else_is_one_error() {
    let folder = tempfile::tempdir().unwrap();
    train_until(folder.path(), 5, Every::Steps(5));
    let (loader, validation) = digits();
    let error = |training: Training, model: &dyn Model| {
        let training = training
            .checkpoint(folder.path(), Every::Steps(5))
            .resume(true);
        let error = training
            .fit(model, &loader, &validation)
            .unwrap_err()
            .to_string();
        assert_eq!(error.lines().count(), 1);
        error
    };
    let model = Noisy::new();
    let before = model.bits();
    let other = error(training(&model).seed(8), &model);
    assert!(other.contains("its seed is 7, here it is 8"), "{other}");
    let other = error(training(&model).setting("batch_size", 20), &model);
    assert!(
        other.contains("it has no batch_size, here it is 20"),
        "{other}"
    );
    let other = error(training(&model), &model.mlp);
    assert!(
        other.contains("it is of the model `noisy`, this is `"),
        "{other}"
    );
    let sgd = Training::new(Box::new(Sgd::new(model.parameters(), 0.002).unwrap()));
    let other = error(
        sgd.epochs(4)
            .seed(7)
            .schedule(Schedule::ONE_CYCLE)
            .clip_norm(1.0)
            .label_smoothing(0.1),
        &model,
    );
    assert!(other.contains("optimizer"), "{other}");
    let wide = Noisy {
        mlp: Mlp::new(&MlpConfig::default(), 0).unwrap(),
        ..Noisy::new()
    };
    let other = error(training(&wide), &wide);
    assert!(
        other.contains("is [16, 784] f32, expected [128, 784] f32"),
        "{other}"
    );
    assert_eq!(model.bits(), before, "nothing was changed");
}

#[test]
fn patience_ends_early_and_gives_the_best_weights_back() {
    let model = Noisy::new();
    let (loader, validation) = digits();
    let optimizer = Adam::new(model.parameters(), 0.05).unwrap(); // too large: soon it gets worse
    let history = Training::new(Box::new(optimizer))
        .epochs(60)
        .patience(3)
        .fit(&model, &loader, &validation)
        .unwrap();
    let best = history.best.unwrap();
    assert_eq!(history.epochs.len(), best + 4, "{history:?}");
    let smallest = history.epochs.iter().map(|epoch| epoch.validation_loss);
    assert_eq!(
        smallest.fold(f64::INFINITY, f64::min),
        evaluate(&model, &validation).unwrap().0
    );
}

#[test]
fn a_loss_that_is_no_number_leaves_the_last_good_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let model = Noisy::new();
    let (loader, validation) = digits();
    let calls = Cell::new(0);
    let error = training(&model)
        .loss(move |outputs, targets| {
            calls.set(calls.get() + 1);
            let loss = candle_nn::loss::cross_entropy(outputs, targets)?;
            Ok(if calls.get() == 8 {
                (loss * f64::NAN)?
            } else {
                loss
            })
        })
        .checkpoint(folder.path(), Every::Steps(5))
        .fit(&model, &loader, &validation)
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("training stopped: the loss is NaN at step 8 of epoch 1; try a learning rate smaller than 1.44e-3;"),
        "{error}"
    );
    assert!(error.contains("checkpoint.safetensors"), "{error}");
    let details = read_details(folder.path().join("checkpoint.safetensors")).unwrap();
    assert_eq!(
        (details["epoch"].as_str(), details["step"].as_str()),
        ("1", "5")
    );
}

#[test]
fn a_loss_of_ones_own_measures_what_it_is_told() {
    let (loader, validation) = digits();
    let squares = |outputs: &Tensor, targets: &Tensor| {
        let targets = targets.to_dtype(candle_core::DType::F32)?.unsqueeze(1)?;
        Ok(outputs.broadcast_sub(&targets)?.sqr()?.mean_all()?)
    };
    let model = Noisy::new();
    let history = training(&model)
        .loss(squares)
        .fit(&model, &loader, &validation)
        .unwrap();
    assert!(history.epochs[0].accuracy.is_nan());
    assert!(format!("{history:?}").contains('–'));
    let none =
        |outputs: &Tensor, _: &Tensor| Ok::<_, Error>(outputs.narrow(1, 0, 1)?.zeros_like()?);
    let model = Noisy::new();
    let history = training(&model)
        .loss(squares)
        .correct(none)
        .fit(&model, &loader, &validation)
        .unwrap();
    assert_eq!(
        (
            history.epochs[0].accuracy,
            history.epochs[3].validation_accuracy
        ),
        (0.0, 0.0)
    );
}

#[test]
fn a_sampled_loss_has_another_chance_in_each_step_and_always_one_in_validation() {
    let drawn = || {
        let (loader, validation) = digits();
        let model = Noisy::new();
        let draws = Rc::new(RefCell::new(Vec::new()));
        let record = Rc::clone(&draws);
        let loss = move |outputs: &Tensor, targets: &Tensor, random: &mut Random| {
            record.borrow_mut().push(random.next_u64());
            cross_entropy(outputs, targets, 0.0)
        };
        training(&model)
            .sampled_loss(loss)
            .fit(&model, &loader, &validation)
            .unwrap();
        draws.take()
    };
    let draws = drawn();
    assert_eq!(draws, drawn());
    let (mut in_steps, mut in_validation) = (Vec::new(), Vec::new());
    for epoch in draws.chunks(11) {
        in_steps.extend_from_slice(&epoch[..10]);
        in_validation.push(epoch[10]);
    }
    assert_eq!(in_validation.len(), 4);
    assert!(in_validation.iter().all(|draw| *draw == in_validation[0]));
    in_steps.sort_unstable();
    in_steps.dedup();
    assert_eq!(in_steps.len(), 40);
}

#[test]
fn a_loader_can_be_the_validation() {
    let (loader, _) = digits();
    let model = Noisy::new();
    let history = training(&model).fit(&model, &loader, &loader).unwrap();
    let (loss, accuracy) = evaluate(&model, &loader.0).unwrap();
    let last = history.epochs[3];
    assert!((last.validation_loss - loss).abs() < 1e-6);
    assert_eq!(last.validation_accuracy, accuracy);
}

#[test]
fn settings_that_make_no_sense_are_named() {
    let (loader, validation) = digits();
    let model = Noisy::new();
    let error = |change: fn(Training) -> Training| {
        change(training(&model))
            .fit(&model, &loader, &validation)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        error(|t| t.epochs(0)),
        "epochs: expected at least 1, found 0"
    );
    assert!(error(|t| t.label_smoothing(1.0)).starts_with("label_smoothing: "));
    assert!(error(|t| t.clip_norm(-1.0)).starts_with("clip_norm: "));
    assert!(error(|t| t.patience(0)).starts_with("patience: "));
    assert!(error(|t| t.resume(true)).starts_with("resume: "));
}

#[test]
fn weights_fit_only_their_own_model() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weights.safetensors");
    let (loader, validation) = digits();
    let model = Noisy::new();
    training(&model).fit(&model, &loader, &validation).unwrap();
    save_weights(&model, &file, &[("command", "a test")]).unwrap();
    let other = Noisy::new();
    assert_eq!(load_weights(&other, &file).unwrap()["command"], "a test");
    assert_eq!(other.bits(), model.bits());
    let error = load_weights(&model.mlp, &file).unwrap_err().to_string();
    assert!(
        error.contains("weights.safetensors: weights of `noisy`"),
        "{error}"
    );
    fs::write(&file, "no").unwrap();
    assert!(
        load_weights(&other, &file)
            .unwrap_err()
            .to_string()
            .contains("damaged")
    );
    let error = load_weights(&other, folder.path().join("none"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("none: "), "{error}");
}
