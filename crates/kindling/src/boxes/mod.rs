//! Boxes around things: how much two overlap, which to keep, and how a network writes them as numbers.
//!
//! A box is `(x1, y1, x2, y2)` in pixels: its left, upper, right and lower edge, with the corner of the picture at 0. A tensor of boxes
//! is `(boxes, 4)`. A box whose edges are the wrong way round has the area 0 and overlaps nothing. What is no number is an error.
//!
//! | question | functions |
//! |---|---|
//! | how large, how far inside the picture | [`areas`], [`clip`], [`large_enough`] |
//! | how much do two overlap | [`iou`], [`giou`], [`giou_loss`] |
//! | which to keep of many that show the same | [`nms`], [`batched_nms`], [`soft_nms`] |
//! | where a network looks | [`anchors`], [`points`], [`pyramid_levels`] |
//! | what it says of a box | [`BoxCoder`] |

mod anchors;
mod areas;
mod coding;
mod corners;
mod giou;
mod iou;
mod nms;
mod points;
mod pyramid;
mod soft_nms;

pub use anchors::anchors;
pub use areas::{areas, clip, large_enough};
pub use coding::BoxCoder;
pub use giou::{giou, giou_loss};
pub use iou::iou;
pub use kindling_base::boxes::{Detection, Object, Role};
pub use nms::{batched_nms, nms};
pub use points::points;
pub use pyramid::{Level, pyramid_levels};
pub use soft_nms::{Decay, soft_nms};

pub(crate) use corners::{area, intersection, overlap, rows};

#[cfg(test)]
mod tests;
