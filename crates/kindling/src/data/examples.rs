//! Inputs and what they should give, kept together.

use std::{fmt, ops::Range};

use candle_core::{DType, Tensor};

use crate::{Error, Result, ops::select_rows};

/// Labelled images, or any other inputs with their targets: the first dimension counts the examples.
#[derive(Clone)]
pub struct Examples {
    /// What the model sees; for MNIST `(examples, 28, 28)`, each pixel from 0 (background) to 1 (ink).
    pub images: Tensor,
    /// What it should say; for MNIST `(examples)`, the digit as `u32`.
    pub labels: Tensor,
}

impl Examples {
    /// Puts inputs and targets together; there must be as many of one as of the other.
    pub fn new(images: Tensor, labels: Tensor) -> Result<Self> {
        let (inputs, targets) = (images.dims().first(), labels.dims().first());
        if inputs.is_none() || inputs != targets {
            return Err(Error::Shape {
                what: "labels".to_owned(),
                expected: format!("as many examples as the inputs {:?}", images.dims()),
                found: labels.dims().to_vec(),
            });
        }
        Ok(Self { images, labels })
    }

    /// How many examples there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.dims().first().copied().unwrap_or(0)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The labels as text, for a figure.
    pub fn names(&self) -> Result<Vec<String>> {
        let labels = self.labels.to_dtype(DType::U32)?.to_vec1::<u32>()?;
        Ok(labels.iter().map(u32::to_string).collect())
    }

    /// The examples of this range, such as `0..1_000`.
    pub fn subset(&self, range: Range<usize>) -> Result<Self> {
        if range.start > range.end || range.end > self.len() {
            return Err(Error::Argument(format!(
                "subset: expected a range within 0..{}, found {range:?}",
                self.len()
            )));
        }
        let (start, length) = (range.start, range.end - range.start);
        Ok(Self {
            images: self.images.narrow(0, start, length)?,
            labels: self.labels.narrow(0, start, length)?,
        })
    }

    /// The examples at these positions, in this order.
    pub fn select(&self, positions: &[usize]) -> Result<Self> {
        Ok(Self {
            images: select_rows(&self.images, positions)?,
            labels: select_rows(&self.labels, positions)?,
        })
    }
}

impl fmt::Debug for Examples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Examples {{ images: {:?}, labels: {:?} }}",
            self.images.dims(),
            self.labels.dims()
        )
    }
}

impl TryFrom<&Examples> for Examples {
    type Error = Error;

    /// Cheap: the tensors are shared, not copied.
    fn try_from(examples: &Examples) -> Result<Self> {
        Ok(examples.clone())
    }
}

impl TryFrom<(&Tensor, &Tensor)> for Examples {
    type Error = Error;

    fn try_from((inputs, targets): (&Tensor, &Tensor)) -> Result<Self> {
        Self::new(inputs.clone(), targets.clone())
    }
}
