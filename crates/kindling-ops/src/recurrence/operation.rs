//! Both ways through a recurrent layer: what is shared out to threads, and the gradient of the weights.

use candle_core::{CpuStorage, CustomOp3, Layout, Shape, Tensor};
use rayon::prelude::*;

use super::{
    Cell,
    layer::Recurrence,
    through_time::{Backward, Forward},
};
use crate::{
    panels::Panels,
    parts::each_part,
    tile::in_wide_tiles,
    values::{Values, slice},
};

impl<C: Cell> CustomOp3 for Recurrence<C> {
    fn name(&self) -> &'static str {
        C::NAME
    }

    fn cpu_fwd(
        &self,
        projected: &CpuStorage,
        projected_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        start: &CpuStorage,
        start_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (projected, weight) = (
            slice(projected, projected_layout)?,
            slice(weight, weight_layout)?,
        );
        let start = slice(start, start_layout)?;
        let (rows, depth) = (self.rows(), self.hidden + 1);
        let panels = Panels::pack(depth, self.gates(), |k, first, line| {
            for (place, row) in line.iter_mut().zip(weight[first * depth..].chunks(depth)) {
                *place = row[k];
            }
        });
        let mut output = vec![0.0; self.batch * self.time * self.states()];
        let mut kept = vec![0.0; self.batch * self.time * self.kept()];
        let parts = output
            .par_chunks_mut(rows * self.time * self.states())
            .zip(kept.par_chunks_mut(rows * self.time * self.kept()));
        each_part(parts.enumerate(), |(part, (output, kept))| {
            let first = part * rows;
            in_wide_tiles(Forward {
                layer: self,
                first,
                projected: &projected[first * self.time * self.gates()..],
                panels: &panels,
                start: &start[first * self.states()..],
                output,
                kept,
            });
        });
        let _ = self.kept.set(kept);
        let shape = (self.batch, self.time, self.states());
        Ok((CpuStorage::F32(output), shape.into()))
    }

    fn bwd(
        &self,
        projected: &Tensor,
        weight: &Tensor,
        start: &Tensor,
        output: &Tensor,
        gradient: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let gradient = gradient.contiguous()?;
        let (gradient, output) = (Values::of(&gradient)?, Values::of(output)?);
        let (weights, starts) = (Values::of(weight)?, Values::of(start)?);
        let kept = self.kept.get().map_or(&[][..], Vec::as_slice);
        let (rows, depth) = (self.rows(), self.hidden + 1);
        let panels = Panels::pack(self.gates(), self.hidden, |gate, first, line| {
            line.copy_from_slice(&weights[gate * depth + first..][..line.len()]);
        });
        let mut grad_projected = vec![0.0; self.batch * self.time * self.gates()];
        let mut grad_recurrent = vec![0.0; self.batch * self.time * self.gates()];
        let mut grad_start = vec![0.0; self.batch * self.states()];
        let parts = grad_projected
            .par_chunks_mut(rows * self.time * self.gates())
            .zip(grad_recurrent.par_chunks_mut(rows * self.time * self.gates()))
            .zip(grad_start.par_chunks_mut(rows * self.states()));
        each_part(
            parts.enumerate(),
            |(part, ((grad_projected, grad_recurrent), grad_start))| {
                let first = part * rows;
                in_wide_tiles(Backward {
                    layer: self,
                    first,
                    panels: &panels,
                    start: &starts[first * self.states()..],
                    output: &output[first * self.time * self.states()..],
                    kept: &kept[first * self.time * self.kept()..],
                    gradient: &gradient[first * self.time * self.states()..],
                    grad_projected,
                    grad_recurrent,
                    grad_start,
                });
            },
        );
        let device = projected.device();
        let moments = self.batch * self.time;
        let grad_recurrent = Tensor::from_vec(grad_recurrent, (moments, self.gates()), device)?;
        let hidden = self.hidden_before(&output, &starts);
        let hidden = Tensor::from_vec(hidden, (moments, depth), device)?;
        let grad_weight = grad_recurrent.t()?.matmul(&hidden)?; // (gates, hidden_size + 1)
        Ok((
            Some(Tensor::from_vec(grad_projected, projected.shape(), device)?),
            Some(grad_weight),
            Some(Tensor::from_vec(grad_start, start.shape(), device)?),
        ))
    }
}
