//! Whole models.
//!
//! One that is a single idea is one file that reads like its lesson: [`Mlp`], [`Cnn`], [`NormCnn`], [`ResNet`], [`Seq2Seq`], [`Gpt`]. The others are
//! several ideas, and have a folder with a file for each: [`Transformer`] and [`CopyTransformer`] (the network, decoding token by token, what is
//! remembered), [`OneStageDetector`] and [`TwoStageDetector`] (the network, which place answers for which object, the loss, what is found), [`Word2Vec`]
//! (two algorithms, sampling, the vocabulary, the file).

mod cnn;
mod copy_transformer;
mod detections;
mod feature_pyramid;
mod gpt;
mod mirrored;
mod mlp;
mod norm_cnn;
mod object_detector;
mod one_stage;
mod resnet;
mod seq2seq;
mod transformer;
mod two_stage;
mod word2vec;

use candle_core::{Tensor, Var};

pub use crate::nn::Dense;
pub use cnn::{Cnn, CnnConfig};
pub use copy_transformer::{CopyTransformer, CopyTransformerConfig, Copying};
pub use feature_pyramid::{FeaturePyramid, FeaturePyramidConfig};
pub use gpt::{Gpt, GptCache, GptConfig};
pub use mirrored::Mirrored;
pub use mlp::{Mlp, MlpConfig};
pub use norm_cnn::{NormCnn, NormCnnConfig};
pub use object_detector::{DetectionObjective, DetectorArchitecture, ObjectDetector};
pub use one_stage::{OneStageDetector, OneStageDetectorConfig, OneStageDetectorLoss};
pub use resnet::{ResNet, ResNetConfig};
pub use seq2seq::{DecoderOutput, Encoded, Seq2Seq, Seq2SeqConfig};
pub use transformer::{Decoding, Transformer, TransformerConfig};
pub use two_stage::{
    BoxSampling, TwoStageDetector, TwoStageDetectorConfig, TwoStageDetectorLoss, TwoStageLosses,
};
pub use word2vec::{Algorithm, Word2Vec, Word2VecConfig};

use crate::{Error, Result, data::Random};

/// What the training loop needs to know of a model, which reads a tensor, or a batch of another type.
pub trait Model<Input = Tensor> {
    /// From a batch of inputs to what the model says of each, for a classifier the logits `(batch, classes)`.
    fn forward(&self, inputs: &Input) -> Result<Tensor>;

    /// The same while training, for layers that then behave otherwise, such as dropout; `random` are this step's random numbers.
    fn forward_training(&self, inputs: &Input, random: &mut Random) -> Result<Tensor> {
        let _ = random;
        self.forward(inputs)
    }

    /// The tensors that training may change.
    fn parameters(&self) -> Vec<Var>;

    /// What its layers measure themselves, such as running means: kept with the parameters, and never trained.
    fn buffers(&self) -> Vec<Var> {
        Vec::new()
    }

    /// All that a checkpoint must keep, by name: parameters and buffers.
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
