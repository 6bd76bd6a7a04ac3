//! Where a training run is: all that must be known to go on from there.

use std::collections::{BTreeMap, HashMap};

use candle_core::{DType, Device, Tensor, Var};

use super::{
    Epoch, History,
    measures::Measures,
    weights::{mismatch, put, tensors},
};
use crate::{Error, Result, models::Model, optim::Optimizer, tensor_file::TensorFile};

/// How many numbers an epoch of the history is.
const COLUMNS: usize = 6;

/// The position in a run, and what was measured on the way.
#[derive(Debug)]
pub(super) struct State {
    /// The epoch that is under way, from 1.
    pub(super) epoch: usize,
    /// How many of its steps are done.
    pub(super) step: usize,
    /// What those steps measured.
    pub(super) measures: Measures,
    /// How long they took.
    pub(super) seconds: f64,
    pub(super) history: History,
    /// A copy of the best weights, when they are to be restored.
    pub(super) best: BTreeMap<String, Tensor>,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            epoch: 1,
            step: 0,
            measures: Measures::default(),
            seconds: 0.0,
            history: History::default(),
            best: BTreeMap::new(),
        }
    }

    /// Ends the epoch that was under way.
    pub(super) fn close_epoch(&mut self, measured: Epoch) {
        self.history.epochs.push(measured);
        self.epoch += 1;
        self.step = 0;
        self.measures = Measures::default();
        self.seconds = 0.0;
    }

    /// Keeps a copy of the model as it is now.
    pub(super) fn keep_best<Input>(&mut self, model: &dyn Model<Input>) -> Result<()> {
        for (name, tensor) in tensors(&model.state(), "best.") {
            self.best.insert(name, tensor.copy()?);
        }
        Ok(())
    }

    /// Gives the model the copy back.
    pub(super) fn restore_best<Input>(&self, model: &dyn Model<Input>) -> Result<()> {
        put(&model.state(), &self.best, "best.")
    }

    /// Everything as one file. The model's numbers must be finite: a broken state is not worth keeping.
    pub(super) fn to_file<Input>(
        &self,
        model: &dyn Model<Input>,
        optimizer: &dyn Optimizer,
    ) -> Result<TensorFile> {
        let mut file = TensorFile {
            tensors: tensors(&model.state(), "model."),
            metadata: BTreeMap::new(),
        };
        for (name, tensor) in &file.tensors {
            if !tensor
                .sum_all()?
                .to_dtype(DType::F64)?
                .to_scalar::<f64>()?
                .is_finite()
            {
                return Err(Error::Training(format!(
                    "after step {} of epoch {} `{name}` holds NaN or infinity; try a smaller learning rate than {:e}",
                    self.step,
                    self.epoch,
                    optimizer.learning_rate()
                )));
            }
        }
        for (name, tensor) in optimizer.state()? {
            file.tensors.insert(format!("optimizer.{name}"), tensor);
        }
        file.tensors.extend(self.best.clone());
        let Measures {
            loss,
            examples,
            right,
            answers,
            ..
        } = self.measures;
        let running = [loss, examples, right, answers, self.seconds];
        file.put_numbers("run.measures", &running)?;
        let epochs = self.history.epochs.iter();
        let history: Vec<f64> = epochs.flat_map(columns).collect();
        file.put_numbers("run.history", &history)?;
        let best = self.history.best.map_or(0, |index| index + 1);
        for (key, value) in [("epoch", self.epoch), ("step", self.step), ("best", best)] {
            file.metadata.insert(key.to_owned(), value.to_string());
        }
        Ok(file)
    }

    /// The state that the file holds; fails with what is wrong, before anything was changed.
    pub(super) fn from_file<Input>(
        file: &TensorFile,
        model: &dyn Model<Input>,
        optimizer: &mut dyn Optimizer,
    ) -> Result<Self> {
        let names: Vec<(String, Var)> = model.state();
        if let Some(problem) = mismatch(&names, &file.tensors, "model.") {
            return Err(Error::Training(problem));
        }
        let kept = file.tensors.iter().filter_map(|(name, tensor)| {
            let name = name.strip_prefix("optimizer.")?;
            Some((name.to_owned(), tensor.clone()))
        });
        let kept: HashMap<String, Tensor> = kept.collect();
        let known = optimizer.state()?;
        if let Some(name) = kept
            .keys()
            .find(|name| !known.iter().any(|(known, _)| known == *name))
        {
            return Err(Error::Training(format!(
                "it has `{name}` of another optimizer"
            )));
        }
        optimizer.load_state(&kept)?;
        put(&names, &file.tensors, "model.")?;
        let mut state = Self::new();
        (state.epoch, state.step) = (file.count("epoch")?, file.count("step")?);
        state.history.best = file.count("best")?.checked_sub(1);
        if let [loss, examples, right, answers, seconds] = file.numbers("run.measures")?[..] {
            (state.measures.loss, state.measures.examples) = (loss, examples);
            (state.measures.right, state.measures.answers) = (right, answers);
            state.seconds = seconds;
        }
        for row in file.numbers("run.history")?.chunks_exact(COLUMNS) {
            state.history.epochs.push(epoch(row));
        }
        let best = file.tensors.iter();
        let best = best.filter(|(name, _)| name.starts_with("best."));
        state.best = best
            .map(|(name, tensor)| (name.clone(), tensor.clone()))
            .collect();
        Ok(state)
    }
}

fn columns(epoch: &Epoch) -> [f64; COLUMNS] {
    [
        epoch.loss,
        epoch.accuracy,
        epoch.validation_loss,
        epoch.validation_accuracy,
        epoch.learning_rate,
        epoch.seconds,
    ]
}

fn epoch(row: &[f64]) -> Epoch {
    Epoch {
        loss: row[0],
        accuracy: row[1],
        validation_loss: row[2],
        validation_accuracy: row[3],
        learning_rate: row[4],
        seconds: row[5],
    }
}

impl TensorFile {
    fn put_numbers(&mut self, name: &str, numbers: &[f64]) -> Result<()> {
        let tensor = Tensor::from_slice(numbers, numbers.len(), &Device::Cpu)?;
        self.tensors.insert(name.to_owned(), tensor);
        Ok(())
    }

    fn numbers(&self, name: &str) -> Result<Vec<f64>> {
        let tensor = self.tensors.get(name);
        let tensor = tensor.ok_or_else(|| Error::Training(format!("there is no `{name}`")))?;
        Ok(tensor.to_vec1()?)
    }

    fn count(&self, key: &str) -> Result<usize> {
        let number = self.metadata.get(key).and_then(|words| words.parse().ok());
        number.ok_or_else(|| Error::Training(format!("there is no number `{key}`")))
    }
}
