//! Dropout: in training some features are left out at random (Srivastava et al., 2014).

use candle_core::Tensor;

use crate::{
    Error, Result,
    data::Random,
    ops::{DropoutMask, dropout},
};

/// Sets each number to zero with this probability, and makes the others larger so that their mean stays.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use kindling::{data::Random, nn::Dropout};
/// let features = Tensor::ones((1, 1000), DType::F32, &Device::Cpu)?;
/// let dropped = Dropout::new(0.5)?.forward_training(&features, &mut Random::new(0))?;
/// let mean = dropped.mean_all()?.to_scalar::<f32>()?;
/// assert!((mean - 1.0).abs() < 0.1, "half are 0, half are 2");
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    probability: f64,
}

impl Dropout {
    /// Fails unless `probability` lies in `0..1`.
    pub fn new(probability: f64) -> Result<Self> {
        if (0.0..1.0).contains(&probability) {
            return Ok(Self { probability });
        }
        Err(Error::Argument(format!(
            "dropout: expected a probability from 0 up to, but not including, 1, found {probability}"
        )))
    }

    /// Only while training; in use nothing is left out, so there is nothing to call.
    pub fn forward_training(&self, features: &Tensor, random: &mut Random) -> Result<Tensor> {
        match self.draw(features.elem_count(), Some(random)) {
            Some(kept) => dropout(features, kept),
            None => Ok(features.clone()),
        }
    }

    /// Which of `count` numbers are kept; nothing where all are.
    pub(crate) fn draw(&self, count: usize, random: Option<&mut Random>) -> Option<DropoutMask> {
        let random = random.filter(|_| self.probability > 0.0)?;
        Some(DropoutMask::draw(self.probability, count, random))
    }

    /// [`Dropout::forward_training`] if there is a chance to take, else the features as they are.
    pub(crate) fn apply(&self, features: &Tensor, random: Option<&mut Random>) -> Result<Tensor> {
        match random {
            Some(random) => self.forward_training(features, random),
            None => Ok(features.clone()),
        }
    }
}
