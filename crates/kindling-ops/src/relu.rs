//! The way back through ReLU.

use super::{parts::made_from_two, vectorized::vectorized};

/// Numbers a thread takes at a time.
const PART: usize = 1 << 16;

/// The gradient where ReLU let something through; zero where its output is.
pub(super) fn relu_gradient(gradient: &[f32], output: &[f32]) -> Vec<f32> {
    made_from_two([gradient, output], PART, passed)
}

vectorized! {
    fn passed(grad_sums: &mut [f32], gradient: &[f32], output: &[f32]) {
        for (grad_sum, (gradient, output)) in grad_sums.iter_mut().zip(gradient.iter().zip(output)) {
            *grad_sum = if *output == 0.0 { 0.0 } else { *gradient };
        }
    }
}
