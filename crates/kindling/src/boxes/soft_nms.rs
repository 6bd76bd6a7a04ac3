//! Soft non-maximum suppression: a box that overlaps a surer one loses score instead of going at once (Bodla et al., 2017).

use candle_core::Tensor;

use super::corners::{one_each, overlap, rows};
use crate::{Error, Result};

/// What is left of a score after an overlap with a surer box.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Decay {
    /// The score times `1 - iou` where the overlap is at least `threshold` (equation 2).
    Linear {
        /// Smaller overlaps cost nothing.
        threshold: f64,
    },
    /// The score times `exp(-iou² / sigma)` (equation 3).
    Gaussian {
        /// The larger, the milder.
        sigma: f64,
    },
}

impl Decay {
    fn check(self) -> Result<()> {
        let problem = match self {
            Self::Linear { threshold } if !(0.0..=1.0).contains(&threshold) => {
                format!("threshold: expected a number from 0 to 1, found {threshold}")
            }
            Self::Gaussian { sigma } if !(sigma.is_finite() && sigma > 0.0) => {
                format!("sigma: expected a number above 0, found {sigma}")
            }
            _ => return Ok(()),
        };
        Err(Error::Argument(problem))
    }

    fn factor(self, overlap: f64) -> f64 {
        match self {
            Self::Linear { threshold } if overlap < threshold => 1.0,
            Self::Linear { .. } => 1.0 - overlap,
            Self::Gaussian { sigma } => (-overlap * overlap / sigma).exp(),
        }
    }
}

/// The positions of the boxes `(boxes, 4)` whose score stays above `smallest`, with these scores, surest first.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use kindling::boxes::{Decay, soft_nms};
/// let boxes = Tensor::new(&[[0_f32, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 5.0]], &Device::Cpu)?; // (2, 4)
/// let scores = Tensor::new(&[0.9_f32, 0.8], &Device::Cpu)?; // (2)
/// let kept = soft_nms(&boxes, &scores, Decay::Linear { threshold: 0.3 }, 0.001)?;
/// assert_eq!(kept, [(0, 0.9), (1, 0.4)]);
/// # Ok::<(), kindling::Error>(())
/// ```
pub fn soft_nms(
    boxes: &Tensor,
    scores: &Tensor,
    decay: Decay,
    smallest: f64,
) -> Result<Vec<(usize, f32)>> {
    decay.check()?;
    if smallest.is_nan() {
        return Err(Error::Argument(
            "smallest: expected a score, found NaN".to_owned(),
        ));
    }
    let rows = rows(boxes, "boxes")?;
    let scores = one_each(scores, rows.len(), "scores")?;
    let mut left: Vec<(usize, f32)> = scores.into_iter().enumerate().collect();
    let mut kept = Vec::new();
    loop {
        left.retain(|(_, score)| f64::from(*score) > smallest);
        // Of equal scores the first, as `max_by` from behind finds it.
        let surest = left.iter().enumerate().rev();
        let Some((place, _)) = surest.max_by(|one, other| one.1.1.total_cmp(&other.1.1)) else {
            return Ok(kept);
        };
        let (surest, score) = left.remove(place);
        kept.push((surest, score));
        for (position, score) in &mut left {
            let overlap = f64::from(overlap(rows[surest], rows[*position]));
            *score = (f64::from(*score) * decay.factor(overlap)) as f32;
        }
    }
}
