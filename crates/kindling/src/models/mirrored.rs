//! A model that is asked twice: about the picture, and about its mirror image.

use candle_core::{Tensor, Var};

use super::Model;
use crate::{Result, data::Random};

/// Answers with the mean of the logits for a picture and for its mirror image; trains as the model inside does.
///
/// A photograph and its mirror image show the same thing, so two answers to one question are averaged, and what is wrong in only
/// one of them counts half (Krizhevsky, Sutskever and Hinton, 2012, section 4.1). It takes twice the time.
///
/// ```
/// use kindling::{data::Random, models::{Mirrored, Model, ResNet, ResNetConfig}};
/// let model = Mirrored::new(ResNet::new(&ResNetConfig::default(), 0)?);
/// let images = Random::new(0).uniform((2, 32, 32, 3), 0.0, 1.0)?; // (batch, height, width, channels)
/// let (logits, mirrored) = (model.forward(&images)?, model.forward(&images.flip(&[2])?)?);
/// let difference = (logits - mirrored)?.abs()?.max_all()?.to_scalar::<f32>()?;
/// assert!(difference < 1e-5);
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Mirrored<M> {
    model: M,
}

impl<M: Model> Mirrored<M> {
    /// Around a model of images `(batch, height, width, channels)`.
    pub fn new(model: M) -> Self {
        Self { model }
    }
}

impl<M: Model> Model for Mirrored<M> {
    fn forward(&self, images: &Tensor) -> Result<Tensor> {
        let mirrored = images.flip(&[2])?; // (batch, height, width, channels), the width the other way round
        let logits = (self.model.forward(images)? + self.model.forward(&mirrored)?)?; // (batch, classes)
        Ok((logits / 2.0)?)
    }

    fn forward_training(&self, images: &Tensor, random: &mut Random) -> Result<Tensor> {
        self.model.forward_training(images, random)
    }

    fn parameters(&self) -> Vec<Var> {
        self.model.parameters()
    }

    fn buffers(&self) -> Vec<Var> {
        self.model.buffers()
    }

    fn state(&self) -> Vec<(String, Var)> {
        self.model.state()
    }

    fn name(&self) -> String {
        self.model.name()
    }
}
