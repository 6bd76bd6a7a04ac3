//! The classifiers that can be trained by name, one constant each; the registry lists them.

use kindling::{
    data::Augment,
    models::{
        Cnn, CnnConfig, Mirrored, Mlp, MlpConfig, NormCnn, NormCnnConfig, ResNet, ResNetConfig,
    },
    optim::Schedule,
};

use super::{Classifier, data::Subject};
use crate::recipe::{OptimizerKind, Recipe};

/// The network of the lesson Handwritten digits.
pub static MNIST_MLP: Classifier = Classifier {
    name: "mnist-mlp",
    subject: Subject::Digits,
    validation: 1.0 / 12.0,
    recipe: Recipe {
        epochs: 10,
        batch_size: 128,
        learning_rate: 0.001,
        schedule: Schedule::Constant,
        optimizer: OptimizerKind::Adam,
        label_smoothing: 0.0,
        clip_norm: None,
        patience: None,
    },
    model: |seed| Ok(Box::new(Mlp::new(&MlpConfig::default(), seed)?)),
    augment: Augment::default,
};

/// Two stages of normalised convolutions; the learning rate rises and falls once.
pub static MNIST_CNN: Classifier = Classifier {
    name: "mnist-cnn",
    subject: Subject::Digits,
    validation: 1.0 / 12.0,
    recipe: Recipe {
        epochs: 10,
        batch_size: 128,
        learning_rate: 0.005,
        schedule: Schedule::ONE_CYCLE,
        optimizer: OptimizerKind::Adam,
        label_smoothing: 0.05,
        clip_norm: None,
        patience: None,
    },
    model: |seed| Ok(Box::new(NormCnn::new(&NormCnnConfig::default(), seed)?)),
    augment: || Augment::default().crop(2).rotate(10.0).zoom(0.1),
};

/// The network of the lesson Image classification at work, as it is before any improvement.
pub static CIFAR_CNN: Classifier = Classifier {
    name: "cifar-cnn",
    subject: Subject::Photographs,
    validation: 1.0 / 12.0,
    recipe: Recipe {
        epochs: 10,
        batch_size: 64,
        learning_rate: 0.001,
        schedule: Schedule::Constant,
        optimizer: OptimizerKind::Adam,
        label_smoothing: 0.0,
        clip_norm: None,
        patience: None,
    },
    model: |seed| Ok(Box::new(Cnn::new(&CnnConfig::default(), seed)?)),
    augment: Augment::default,
};

/// Residual blocks, everything that the lesson measures, and two looks at each picture that is asked about.
pub static CIFAR_RESNET: Classifier = Classifier {
    name: "cifar-resnet",
    subject: Subject::Photographs,
    validation: 1.0 / 50.0,
    recipe: Recipe {
        epochs: 24,
        batch_size: 128,
        learning_rate: 0.1,
        schedule: Schedule::ONE_CYCLE,
        optimizer: OptimizerKind::Nesterov {
            momentum: 0.9,
            weight_decay: 0.0005,
        },
        label_smoothing: 0.1,
        clip_norm: None,
        patience: None,
    },
    model: |seed| {
        // Half as wide again as the lesson's, and no block where images are large.
        let config = ResNetConfig {
            stages: vec![(48, false), (96, true), (192, true)],
            ..ResNetConfig::default()
        };
        Ok(Box::new(Mirrored::new(ResNet::new(&config, seed)?)))
    },
    augment: || Augment::default().crop(4).flip().cutout(8),
};
