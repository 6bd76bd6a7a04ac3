//! What a detector should have said, compared with what it said.

use candle_core::{DType, Tensor};

use super::{
    OneStageDetectorConfig,
    assign::{Answer, Cell, assign, cells},
    postprocess::corners,
};
use crate::{Error, Result, boxes::giou_loss, data::detection::objects_of, ops::focal_loss};

/// The loss of a [`OneStageDetector`](super::OneStageDetector): focal loss for classes, generalised intersection over union for boxes, cross-entropy for centerness.
///
/// For [`Training::loss`](crate::train::Training::loss); targets `(batch, objects, 6)` come from a
/// [`DetectionLoader`](crate::data::detection::DetectionLoader).
#[derive(Debug, Clone)]
pub struct OneStageDetectorLoss {
    cells: Vec<Cell>,
    classes: usize,
}

impl OneStageDetectorLoss {
    /// For detectors of these sizes.
    pub fn new(config: &OneStageDetectorConfig) -> Result<Self> {
        Ok(Self {
            cells: cells(&config.levels()?),
            classes: config.classes,
        })
    }

    /// The sum of the three parts, a scalar: outputs `(batch, cells, classes + 5)`, targets `(batch, objects, 6)`.
    pub fn forward(&self, outputs: &Tensor, targets: &Tensor) -> Result<Tensor> {
        let (cells, size) = (self.cells.len(), self.classes + 5);
        let pictures = objects_of(targets)?;
        if outputs.dims() != [pictures.len(), cells, size] {
            return Err(Error::Shape {
                what: "outputs".to_owned(),
                expected: format!("({}, {cells}, {size})", pictures.len()),
                found: outputs.dims().to_vec(),
            });
        }
        let answers = pictures
            .iter()
            .flat_map(|objects| assign(&self.cells, objects));
        let answers: Vec<Answer> = answers.collect();
        let rows = outputs.reshape((answers.len(), size))?; // (batch · cells, classes + 5)
        let wanted = Wanted::new(&answers, &self.cells, self.classes)?;
        let count = wanted.rows.len().max(1) as f64;

        let logits = rows.narrow(1, 0, self.classes)?;
        let (classes, weights) = wanted.classes(rows.device())?;
        let losses = focal_loss(&logits, &classes, Some(0.25), 2.0)?;
        let classes = (losses.broadcast_mul(&weights)?.sum_all()? / count)?;
        if wanted.rows.is_empty() {
            return Ok(classes);
        }
        let device = rows.device();
        let chosen = rows.index_select(&Tensor::new(wanted.rows.as_slice(), device)?, 0)?;
        let shape = (wanted.rows.len(), 4);
        let boxes = Tensor::from_slice(wanted.boxes.as_flattened(), shape, device)?;
        let predicted = corners(&chosen.narrow(1, self.classes, 4)?, &wanted.cells)?;
        let central = Tensor::new(wanted.central.as_slice(), device)?;
        // Cells in the middle see the whole object: their boxes count more.
        let total = f64::from(wanted.central.iter().sum::<f32>()).max(1e-6);
        let boxes = ((giou_loss(&predicted, &boxes)? * &central)?.sum_all()? / total)?;
        let logits = chosen.narrow(1, self.classes + 4, 1)?.squeeze(1)?;
        let central = (focal_loss(&logits, &central, None, 0.0)?.sum_all()? / count)?;
        Ok(((classes + boxes)? + central)?)
    }
}

/// The cells that answer for an object, and what each should say.
struct Wanted {
    rows: Vec<u32>,
    cells: Vec<Cell>,
    boxes: Vec<[f32; 4]>,
    central: Vec<f32>,
    probabilities: Vec<f32>,
    weights: Vec<f32>,
    classes: usize,
}

impl Wanted {
    fn new(answers: &[Answer], cells: &[Cell], classes: usize) -> Result<Self> {
        let mut wanted = Self {
            rows: Vec::new(),
            cells: Vec::new(),
            boxes: Vec::new(),
            central: Vec::new(),
            probabilities: vec![0.0; answers.len() * classes],
            weights: vec![1.0; answers.len()],
            classes,
        };
        for (row, answer) in answers.iter().enumerate() {
            match *answer {
                Answer::Nothing => {}
                Answer::Ignore => wanted.weights[row] = 0.0,
                Answer::Object(class, corners) => {
                    if class >= classes {
                        return Err(Error::Argument(format!(
                            "targets: expected classes below {classes}, found {class}"
                        )));
                    }
                    let cell = cells[row % cells.len()];
                    wanted.rows.push(row as u32);
                    wanted.cells.push(cell);
                    wanted.boxes.push(corners);
                    wanted.central.push(cell.centerness(corners));
                    wanted.probabilities[row * classes + class] = 1.0;
                }
            }
        }
        Ok(wanted)
    }

    /// Probabilities `(cells, classes)`, and how much each cell counts, `(cells, 1)`.
    fn classes(&self, device: &candle_core::Device) -> Result<(Tensor, Tensor)> {
        let count = self.weights.len();
        let probabilities = Tensor::from_slice(&self.probabilities, (count, self.classes), device)?;
        let weights = Tensor::from_slice(&self.weights, (count, 1), device)?;
        Ok((probabilities.to_dtype(DType::F32)?, weights))
    }
}
