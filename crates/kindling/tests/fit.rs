//! The training loop from outside: it learns, repeats, stops and fails as it says.
#![allow(clippy::unwrap_used)]

use std::process::Command;

use candle_core::{Device, Tensor};
use kindling::{
    data::{Examples, Mnist},
    models::{Mlp, MlpConfig, Model},
    train::{FitConfig, History, evaluate, fit, predict},
};

fn train(config: &FitConfig, seed: u64) -> (Mlp, Mnist, kindling::Result<History>) {
    let mnist = Mnist::builtin(2_000, 500, 0).unwrap();
    let model = Mlp::new(
        &MlpConfig {
            hidden: 32,
            ..MlpConfig::default()
        },
        seed,
    )
    .unwrap();
    let history = fit(&model, &mnist.train, &mnist.test, config);
    (model, mnist, history)
}

const SHORT: FitConfig = FitConfig {
    epochs: 3,
    batch_size: 50,
    learning_rate: 0.002,
    seed: 0,
};

#[test]
fn a_model_learns_and_the_history_is_true() {
    let (model, mnist, history) = train(&FitConfig { epochs: 6, ..SHORT }, 1);
    let history = history.unwrap();
    assert_eq!(history.epochs.len(), 6);
    let (first, last) = (history.epochs[0], history.epochs[5]);
    assert!(
        last.loss < 0.3 * first.loss && last.validation_accuracy > 0.95,
        "{history:?}"
    );
    assert_eq!(
        evaluate(&model, &mnist.test).unwrap(),
        (last.validation_loss, last.validation_accuracy)
    );
    assert_eq!(
        predict(&model, &mnist.train.images).unwrap().dims(),
        [2_000, 10]
    );
}

#[test]
fn the_seeds_decide_everything() {
    let losses =
        |config: &FitConfig, seed| train(config, seed).2.unwrap().epochs.last().unwrap().loss;
    let reference = losses(&SHORT, 1);
    assert_eq!(losses(&SHORT, 1), reference);
    assert_ne!(losses(&SHORT, 2), reference, "the weights have a seed");
    assert_ne!(
        losses(&FitConfig { seed: 9, ..SHORT }, 1),
        reference,
        "the order has a seed"
    );
}

#[test]
fn a_loss_that_is_no_number_names_epoch_and_step() {
    let error = train(
        &FitConfig {
            learning_rate: 1e30,
            ..SHORT
        },
        0,
    )
    .2
    .unwrap_err()
    .to_string();
    let expected = "training stopped: the loss is NaN at step 2 of epoch 1; try a learning rate smaller than 1e30";
    assert_eq!(error, expected);
}

#[test]
fn inputs_that_are_no_numbers_are_refused() {
    let mnist = Mnist::builtin(100, 10, 0).unwrap();
    let images = (&mnist.train.images * f64::NAN).unwrap();
    let broken = Examples::new(images, mnist.train.labels.clone()).unwrap();
    let model = Mlp::new(&MlpConfig::default(), 0).unwrap();
    let error = fit(&model, &broken, &mnist.test, &SHORT)
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "training: expected finite numbers, found NaN or infinity among the images"
    );
}

#[test]
fn bad_arguments_are_named() {
    let error = |config| train(&config, 0).2.unwrap_err().to_string();
    assert!(
        error(FitConfig {
            batch_size: 0,
            ..SHORT
        })
        .contains("batch_size")
    );
    assert!(
        error(FitConfig {
            learning_rate: -1.0,
            ..SHORT
        })
        .contains("learning_rate: expected zero or a positive number, found -1")
    );
    let mnist = Mnist::builtin(10, 0, 0).unwrap();
    let model = Mlp::new(&MlpConfig::default(), 0).unwrap();
    let error = fit(&model, &mnist.train, &mnist.test, &SHORT)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("validation: expected at least one example"),
        "{error}"
    );
}

#[test]
fn a_stop_request_ends_training_and_keeps_what_was_learned() {
    if std::env::var_os("KINDLING_STOP_FILE").is_some() {
        let (model, _, history) = train(
            &FitConfig {
                epochs: 1_000,
                ..SHORT
            },
            0,
        );
        let history = history.unwrap();
        assert!(history.stopped && history.epochs.len() < 1_000);
        assert!(
            model
                .forward(
                    &Tensor::zeros((1, 28, 28), candle_core::DType::F32, &Device::Cpu).unwrap()
                )
                .is_ok()
        );
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stop");
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args([
            "--exact",
            "a_stop_request_ends_training_and_keeps_what_was_learned",
        ])
        .env("KINDLING_STOP_FILE", &file);
    let mut child = child.spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_secs(1));
    std::fs::write(file, "").unwrap();
    assert!(child.wait().unwrap().success());
}
