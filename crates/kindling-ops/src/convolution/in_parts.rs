//! The gradients of a batch, summed over parts of it that threads share.

use rayon::prelude::*;

use super::Passes;
use crate::{parts::add, tile::SLACK};

/// Gradients of the weight are summed in at most this many parts, whatever the number of threads, so that the result is too.
const PARTS: usize = 8;

impl Passes {
    /// A backward pass over a few images at a time: `pass` is given some scratch memory, which images, these with their zeros around
    /// them, and where to add the gradients of all three: of the padded images (empty if not `wanted`), of weight and bias.
    pub(crate) fn in_parts<Scratch: Default>(
        &self,
        images: &[f32],
        weight_len: usize,
        wanted: bool,
        pass: impl Fn(&mut Scratch, Range, &[f32], &mut [f32], &mut Sums) + Sync,
    ) -> Gradients {
        let geometry = &self.geometry;
        let image_len = geometry.image_len();
        let mut grad_images = vec![0.0; if wanted { images.len() } else { 0 }];
        let a_part = geometry.batch.div_ceil(PARTS).max(1);
        let parts: Vec<Range> = (0..geometry.batch)
            .step_by(a_part)
            .map(|first| first..geometry.batch.min(first + a_part))
            .collect();
        let pieces: Vec<&mut [f32]> = if wanted {
            grad_images
                .chunks_mut((a_part * image_len).max(1))
                .collect()
        } else {
            parts.iter().map(|_| Default::default()).collect()
        };
        let empty = || Sums {
            weight: vec![0.0; weight_len],
            bias: vec![0.0; geometry.out_channels],
        };
        let sums: Vec<Sums> = parts
            .into_par_iter()
            .zip(pieces)
            .map(|(part, grad_images)| {
                let mut sums = empty();
                let (mut scratch, mut padded, mut grad_padded) =
                    (Scratch::default(), vec![], vec![]);
                for first in part.clone().step_by(self.images_at_once) {
                    let few = first..part.end.min(first + self.images_at_once);
                    let place = few.start * image_len..few.end * image_len;
                    geometry.pad(&images[place], &mut padded);
                    if wanted {
                        grad_padded.clear();
                        grad_padded.resize(few.len() * geometry.padded_len() + SLACK, 0.0);
                    }
                    pass(
                        &mut scratch,
                        few.clone(),
                        &padded,
                        &mut grad_padded,
                        &mut sums,
                    );
                    if wanted {
                        let offset = first - part.start;
                        let place = offset * image_len..(offset + few.len()) * image_len;
                        geometry.unpad(&grad_padded, &mut grad_images[place]);
                    }
                }
                sums
            })
            .collect();
        let mut parts = sums.into_iter();
        let mut sums = parts.next().unwrap_or_else(empty);
        for part in parts {
            add(&mut sums.weight, &part.weight);
            add(&mut sums.bias, &part.bias);
        }
        Gradients {
            weight: sums.weight,
            bias: sums.bias,
            images: wanted.then_some(grad_images),
        }
    }
}

pub(super) type Range = std::ops::Range<usize>;

/// What is added up over the images.
pub(crate) struct Sums {
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
}

/// The gradients of one convolution, each in the layout of what it belongs to.
pub(crate) struct Gradients {
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
    pub images: Option<Vec<f32>>,
}
