//! Matrices cut into panels, as the tiles of a product read them.

use pulp::Simd;
use rayon::prelude::*;

use super::parts::each_part;

/// How many vectors a panel is wide: two, so that a tile of 12 rows fills 24 of AVX-512's 32 registers.
pub(super) const PANEL_VECTORS: usize = 2;

/// Numbers below which a second thread that packs costs more than it brings.
const WORTH_A_THREAD: usize = 1 << 18;

/// How many columns a panel has on this processor.
pub(super) fn panel_width() -> usize {
    struct Width;
    impl pulp::WithSimd for Width {
        type Output = usize;
        fn with_simd<S: Simd>(self, _: S) -> usize {
            PANEL_VECTORS * S::F32_LANES
        }
    }
    crate::arch().dispatch(Width)
}

/// A matrix cut into panels of [`panel_width`] columns, each stored row after row, for [`multiply`] to read in one sweep.
#[derive(Debug, Clone, Default)]
pub(super) struct Panels {
    values: Vec<f32>,
    depth: usize,
    columns: usize,
    width: usize,
}

impl Panels {
    /// Packs a matrix `(depth, columns)`; `copy` writes some columns, beginning with `first`, of one of its rows.
    pub(super) fn pack(
        depth: usize,
        columns: usize,
        copy: impl Fn(usize, usize, &mut [f32]) + Sync,
    ) -> Self {
        let width = panel_width();
        let size = (depth * width).max(1);
        let mut values = vec![0.0; columns.div_ceil(width) * depth * width];
        let in_a_part = WORTH_A_THREAD.div_ceil(size);
        let parts = values.par_chunks_mut(in_a_part * size).enumerate();
        each_part(parts, |(part, panels)| {
            for (number, panel) in panels.chunks_exact_mut(size).enumerate() {
                let first = (part * in_a_part + number) * width;
                let used = width.min(columns - first);
                for (k, line) in panel.chunks_exact_mut(width).enumerate() {
                    copy(k, first, &mut line[..used]);
                }
            }
        });
        Self {
            values,
            depth,
            columns,
            width,
        }
    }

    /// Packs the transpose of a layer's weight `(outputs, inputs)`: a panel has the weights of some outputs, those of one input side by side.
    pub(super) fn of_weight(weight: &[f32], outputs: usize, inputs: usize) -> Self {
        Self::pack(inputs, outputs, |input, first, line| {
            let rows = weight[first * inputs..].chunks_exact(inputs);
            for (place, row) in line.iter_mut().zip(rows) {
                *place = row[input];
            }
        })
    }

    /// The panels with the first column of each and how many of its columns are used.
    #[inline]
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, usize, &[f32])> {
        let panels = self.values.chunks_exact((self.depth * self.width).max(1));
        panels.enumerate().map(|(number, panel)| {
            let first = number * self.width;
            (first, self.width.min(self.columns - first), panel)
        })
    }

    /// Depth and columns of the matrix.
    #[inline]
    pub(super) fn size(&self) -> (usize, usize) {
        (self.depth, self.columns)
    }

    /// How wide the panels are.
    #[inline]
    pub(super) fn width(&self) -> usize {
        self.width
    }
}
