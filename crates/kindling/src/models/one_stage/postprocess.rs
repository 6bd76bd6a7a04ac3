//! From the output of a detector to boxes.

use candle_core::{DType, Tensor};

use super::{
    OneStageDetector,
    assign::{Cell, cells},
};
use crate::{
    Result,
    boxes::Detection,
    models::{
        Model,
        detections::{candidates, detections},
    },
    ops::select_rows,
};

/// The largest logarithm of a distance in strides: beyond it a bad prediction would overflow.
const LARGEST: f64 = 5.0;

impl OneStageDetector {
    /// What is in each of the images `(batch, height, width, 3)`, surest first.
    ///
    /// A box needs a score above `threshold`; of boxes of one class that overlap by more than `overlap` the surest stays. A score is the root of
    /// the probabilities of class and centre (Tian et al., 2022, section 3.2).
    pub fn detect(
        &self,
        images: &Tensor,
        threshold: f64,
        overlap: f64,
    ) -> Result<Vec<Vec<Detection>>> {
        let outputs = self.forward(images)?.detach(); // (batch, cells, classes + 5)
        let cells = cells(self.pyramid.levels());
        (0..outputs.dim(0)?)
            .map(|picture| self.read(&outputs.get(picture)?, &cells, threshold, overlap))
            .collect()
    }

    /// One picture, `(cells, classes + 5)`.
    fn read(
        &self,
        output: &Tensor,
        cells: &[Cell],
        threshold: f64,
        overlap: f64,
    ) -> Result<Vec<Detection>> {
        let classes = self.config.classes;
        let sure = candle_nn::ops::sigmoid(&output.narrow(1, 0, classes)?)?;
        let central = candle_nn::ops::sigmoid(&output.narrow(1, classes + 4, 1)?)?;
        let scores = sure.broadcast_mul(&central)?.sqrt()?; // (cells, classes)
        let found = candidates(&scores, threshold)?;
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let places: Vec<usize> = found.iter().map(|candidate| candidate.row).collect();
        let chosen: Vec<Cell> = places.iter().map(|&cell| cells[cell]).collect();
        let distances = select_rows(&output.narrow(1, classes, 4)?.contiguous()?, &places)?;
        let boxes = corners(&distances, &chosen)?;
        detections(&found, &boxes, self.config.pyramid.image, overlap)
    }
}

/// Boxes `(cells, 4)` from the logarithms of distances in strides `(cells, 4)`, and the cells that they are measured from.
pub(super) fn corners(distances: &Tensor, cells: &[Cell]) -> Result<Tensor> {
    let device = distances.device();
    let strides: Vec<f32> = cells.iter().map(|cell| cell.stride).collect();
    let strides = Tensor::from_vec(strides, (cells.len(), 1), device)?;
    let centres: Vec<f32> = cells.iter().flat_map(|cell| cell.centre).collect();
    let centres = Tensor::from_vec(centres, (cells.len(), 2), device)?;
    let distances = distances.to_dtype(DType::F32)?.minimum(LARGEST)?.exp()?;
    let distances = distances.broadcast_mul(&strides)?; // (cells, 4): left, up, right, down
    let first = (&centres - distances.narrow(1, 0, 2)?)?;
    let last = (centres + distances.narrow(1, 2, 2)?)?;
    Ok(Tensor::cat(&[first, last], 1)?)
}
