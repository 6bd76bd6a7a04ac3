//! Words as vectors: rows of a table, chosen by number.

use candle_core::{DType, Device, Tensor, Var};

use crate::{Error, Result, data::Random};

// ANCHOR: embedding
/// A table with a row of features for each token.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use kindling::{data::Random, nn::Embedding};
/// let embedding = Embedding::new(10, 4, &mut Random::new(0))?;
/// let ids = Tensor::new(&[[3_u32, 9, 3], [0, 1, 2]], &Device::Cpu)?; // (batch, time)
/// assert_eq!(embedding.forward(&ids)?.dims(), [2, 3, 4]); // (batch, time, features)
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Embedding {
    /// `(vocabulary, features)`.
    pub weight: Var,
    /// The token that only fills up short sequences: its features are zero and learn nothing.
    pub padding: Option<u32>,
}

impl Embedding {
    /// Rows drawn from the normal distribution, as PyTorch does.
    pub fn new(vocabulary: usize, features: usize, random: &mut Random) -> Result<Self> {
        if vocabulary == 0 || features == 0 {
            return Err(Error::Argument(format!(
                "embedding: expected at least one token and one feature, found {vocabulary} and {features}"
            )));
        }
        let weight = Var::from_tensor(&random.normal((vocabulary, features), 0.0, 1.0)?)?;
        Ok(Self {
            weight,
            padding: None,
        })
    }

    /// Sets the row of this token to zero and keeps it there. Fails when the table has no such row.
    pub fn with_padding(mut self, padding: u32) -> Result<Self> {
        self.check(&[padding])?;
        let kept = Tensor::arange(0, self.weight.dim(0)? as u32, &Device::Cpu)?;
        let kept = kept.ne(padding)?.to_dtype(DType::F32)?.unsqueeze(1)?; // (vocabulary, 1)
        self.weight.set(&self.weight.broadcast_mul(&kept)?)?;
        self.padding = Some(padding);
        Ok(self)
    }

    /// From ids of any shape, such as `(batch, time)`, to `(batch, time, features)`; an unknown id is named.
    pub fn forward(&self, ids: &Tensor) -> Result<Tensor> {
        let flat = ids.flatten_all()?.to_dtype(DType::U32)?;
        self.check(&flat.to_vec1()?)?;
        let mut rows = self.weight.index_select(&flat, 0)?; // (batch · time, features)
        if let Some(padding) = self.padding {
            let kept = flat.ne(padding)?.to_dtype(rows.dtype())?;
            rows = rows.broadcast_mul(&kept.unsqueeze(1)?)?;
        }
        let mut shape = ids.dims().to_vec();
        shape.push(self.weight.dim(1)?);
        Ok(rows.reshape(shape)?)
    }

    fn check(&self, ids: &[u32]) -> Result<()> {
        let vocabulary = self.weight.dim(0)?;
        match ids.iter().find(|&&id| id as usize >= vocabulary) {
            Some(id) => Err(Error::Argument(format!(
                "embedding: expected ids below {vocabulary}, found {id}"
            ))),
            None => Ok(()),
        }
    }

    /// The table by name.
    #[must_use]
    pub fn state(&self, name: &str) -> Vec<(String, Var)> {
        vec![(format!("{name}.weight"), self.weight.clone())]
    }
}
// ANCHOR_END: embedding

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(ids: &[u32]) -> Tensor {
        Tensor::new(ids, &Device::Cpu)
            .unwrap()
            .reshape((1, ids.len()))
            .unwrap()
    }

    #[test]
    fn rows_are_those_of_the_table() {
        let embedding = Embedding::new(5, 3, &mut Random::new(1)).unwrap();
        let table = embedding.weight.to_vec2::<f32>().unwrap();
        let rows = embedding.forward(&ids(&[4, 0, 4])).unwrap();
        let expected = [&table[4], &table[0], &table[4]].map(Clone::clone);
        assert_eq!(rows.to_vec3::<f32>().unwrap(), [expected.to_vec()]);
    }

    #[test]
    fn only_used_rows_learn_and_padding_never_does() {
        let embedding = Embedding::new(5, 2, &mut Random::new(1)).unwrap();
        let embedding = embedding.with_padding(0).unwrap();
        assert_eq!(embedding.weight.to_vec2::<f32>().unwrap()[0], [0.0; 2]);
        let rows = embedding.forward(&ids(&[3, 0, 1, 3])).unwrap();
        assert_eq!(rows.to_vec3::<f32>().unwrap()[0][1], [0.0; 2]);
        let gradients = rows.sum_all().unwrap().backward().unwrap();
        let gradient = gradients.get(&embedding.weight).unwrap();
        assert_eq!(
            gradient.to_vec2::<f32>().unwrap(),
            [[0.0; 2], [1.0; 2], [0.0; 2], [2.0; 2], [0.0; 2]]
        );
    }

    #[test]
    fn unknown_ids_are_named() {
        let embedding = Embedding::new(5, 2, &mut Random::new(1)).unwrap();
        assert_eq!(
            embedding.forward(&ids(&[1, 5])).unwrap_err().to_string(),
            "embedding: expected ids below 5, found 5"
        );
        assert!(embedding.with_padding(9).is_err());
        assert!(Embedding::new(0, 2, &mut Random::new(1)).is_err());
    }
}
