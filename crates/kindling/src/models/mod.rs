//! Whole models.
//!
//! One that is a single idea is one file that reads like its lesson: [`Mlp`], [`Cnn`], [`NormCnn`], [`ResNet`], [`Seq2Seq`]. The others are
//! several ideas, and have a folder with a file for each: [`Transformer`] and [`CopyTransformer`] (the network, decoding token by token, what is
//! remembered), [`Detector`] and [`TwoStageDetector`] (the network, which place answers for which object, the loss, what is found), [`Word2Vec`]
//! (two algorithms, sampling, the vocabulary, the file).

mod cnn;
mod copy_transformer;
mod detections;
mod detector;
mod feature_pyramid;
mod mirrored;
mod mlp;
mod norm_cnn;
mod object_detector;
mod resnet;
mod seq2seq;
mod transformer;
mod two_stage;
mod word2vec;

use candle_core::{Tensor, Var};

pub use crate::nn::Dense;
pub use cnn::{Cnn, CnnConfig};
pub use copy_transformer::{CopyTransformer, CopyTransformerConfig, Copying};
pub use detector::{Detector, DetectorConfig, DetectorLoss};
pub use feature_pyramid::{FeaturePyramid, FeaturePyramidConfig};
pub use mirrored::Mirrored;
pub use mlp::{Mlp, MlpConfig};
pub use norm_cnn::{NormCnn, NormCnnConfig};
pub use object_detector::{DetectionObjective, DetectorArchitecture, ObjectDetector};
pub use resnet::{ResNet, ResNetConfig};
pub use seq2seq::{DecoderOutput, Encoded, Seq2Seq, Seq2SeqConfig};
pub use transformer::{Decoding, Transformer, TransformerConfig};
pub use two_stage::{
    BoxSampling, TwoStageDetector, TwoStageDetectorConfig, TwoStageDetectorLoss, TwoStageLosses,
};
pub use word2vec::{Algorithm, Word2Vec, Word2VecConfig};

use crate::{Error, Result, data::Random};

/// What the training loop needs to know of a model.
pub trait Model {
    /// From a batch of inputs to what the model says of each, for a classifier the logits `(batch, classes)`.
    fn forward(&self, inputs: &Tensor) -> Result<Tensor>;

    /// The same while training, for layers that then behave otherwise, such as dropout; `random` is this step's chance.
    fn forward_training(&self, inputs: &Tensor, random: &mut Random) -> Result<Tensor> {
        let _ = random;
        self.forward(inputs)
    }

    /// The tensors that training may change.
    fn parameters(&self) -> Vec<Var>;

    /// All that a checkpoint must keep, by name: the parameters, and what a layer has measured, such as running means.
    fn state(&self) -> Vec<(String, Var)> {
        let numbered = self.parameters().into_iter().enumerate();
        numbered
            .map(|(number, parameter)| (format!("parameter.{number}"), parameter))
            .collect()
    }

    /// What to call it in a checkpoint and in messages.
    fn name(&self) -> String {
        "model".to_owned()
    }
}

/// Images as `(batch, height, width, channels)`; pictures of one channel may come without that dimension, as MNIST's do.
fn channels_last(
    images: &Tensor,
    (height, width, channels): (usize, usize, usize),
) -> Result<Tensor> {
    match *images.dims() {
        [_, rows, columns, depth] if (rows, columns, depth) == (height, width, channels) => {
            Ok(images.clone())
        }
        [_, rows, columns] if (rows, columns, 1) == (height, width, channels) => {
            Ok(images.unsqueeze(3)?) // (batch, height, width, 1)
        }
        _ => Err(Error::Shape {
            what: "images".to_owned(),
            expected: format!("(batch, {height}, {width}, {channels})"),
            found: images.dims().to_vec(),
        }),
    }
}
