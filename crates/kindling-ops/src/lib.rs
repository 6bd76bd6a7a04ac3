//! Operations that Candle lacks or does slowly when it trains on a processor, each with its own backward pass.
//!
//! All are channels-last: images are `(batch, height, width, channels)`, because then a processor reads and writes whole vectors
//! of channels that lie side by side. On CPUs and for `f32` they run the loops in [`tile`](self); on other devices and number
//! types the same is composed of Candle's operations.

mod add_relu;
mod arch;
mod attention;
mod attention_softmax;
mod batch_norm;
mod bias_relu;
mod conv2d;
mod conv_relu_pool;
mod convolution;
mod copy_mixture;
mod cross_entropy;
mod depthwise;
mod dropout;
mod exponential;
mod focal_loss;
mod geometry;
pub mod in_place;
mod layer_norm;
mod linear;
mod norm;
mod packed_linear;
mod panels;
mod parts;
mod pool_backward;
mod pooling;
mod product;
mod recurrence;
mod relu;
mod rms_norm;
mod roi_align;
mod rope;
mod select_rows;
mod smooth_l1;
mod sums;
mod swiglu;
mod tile;
mod values;
mod vectorized;

pub use add_relu::add_relu;
pub use arch::{SIMD, arch};
pub use attention::attention;
pub use attention_softmax::attention_softmax;
pub use batch_norm::{Statistics, batch_norm};
pub use bias_relu::bias_relu;
pub use conv_relu_pool::{conv_pool, conv_relu_pool};
pub use conv2d::conv2d;
pub use copy_mixture::copy_mixture;
pub use cross_entropy::{cross_entropy, one_hot, token_cross_entropy};
pub use dropout::{DropoutMask, dropout};
pub use exponential::{exp, exp_by_series};
pub use focal_loss::focal_loss;
pub use geometry::Conv2dConfig;
pub use layer_norm::layer_norm;
pub use linear::{linear, linear_relu};
pub use packed_linear::PackedLinear;
pub use pooling::max_pool2d;
pub use recurrence::{Cell, recurrence, recurrence_by_steps};
pub use rms_norm::rms_norm;
pub use roi_align::{RoiAlignConfig, roi_align};
pub use rope::rope;
pub use select_rows::select_rows;
pub use smooth_l1::smooth_l1;
pub use swiglu::swiglu;

use kindling_base::{Error, Result};
