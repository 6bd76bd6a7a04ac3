//! What vectors are asked: which words are near, and which word completes an analogy.

use candle_core::{D, DType, Tensor};

use super::Word2Vec;
use crate::{Error, Result};

impl Word2Vec {
    /// The vector of a word: `(features)`. Fails when the word is not in the vocabulary.
    pub fn vector(&self, word: &str) -> Result<Tensor> {
        Ok(self.embeddings.get(self.place(word)?)?)
    }

    /// The cosine of the angle between the vectors of two words: 1 in the same direction, 0 at a right angle.
    pub fn similarity(&self, one: &str, other: &str) -> Result<f64> {
        let [one, other] = [one, other].map(|word| self.direction(word));
        let product = (one? * other?)?.sum_all()?;
        Ok(f64::from(product.to_scalar::<f32>()?))
    }

    /// The `count` words whose vectors have the smallest angle to that of `word`, nearest first, each with its cosine.
    pub fn nearest(&self, word: &str, count: usize) -> Result<Vec<(String, f64)>> {
        self.nearest_to(&self.direction(word)?, &[word], count)
    }

    /// What is to `c` as `b` is to `a`: the words nearest to `b − a + c` among unit vectors, without the three themselves.
    ///
    /// With `a` = man, `b` = king, `c` = woman it should be queen (2013a, section 4).
    pub fn analogy(&self, a: &str, b: &str, c: &str, count: usize) -> Result<Vec<(String, f64)>> {
        let [from, to, other] = [a, b, c].map(|word| self.direction(word));
        let query = ((to? - from?)? + other?)?; // (features)
        self.nearest_to(&query, &[a, b, c], count)
    }

    /// The words whose vectors have the smallest angle to `query` `(features)`, without those of `except`.
    pub fn nearest_to(
        &self,
        query: &Tensor,
        except: &[&str],
        count: usize,
    ) -> Result<Vec<(String, f64)>> {
        if query.dims() != [self.embeddings.dim(1)?] {
            return Err(Error::Shape {
                what: "query".to_owned(),
                expected: format!("({})", self.embeddings.dim(1)?),
                found: query.dims().to_vec(),
            });
        }
        let query = directions(&query.unsqueeze(0)?)?; // (1, features)
        let cosines = self.directions.matmul(&query.t()?)?.squeeze(1)?; // (vocabulary)
        let mut found: Vec<(usize, f32)> =
            cosines.to_vec1::<f32>()?.into_iter().enumerate().collect();
        found.retain(|(place, _)| !except.contains(&self.words[*place].as_str()));
        // Of equals, the more frequent word: it comes first.
        found.sort_by(|one, other| other.1.total_cmp(&one.1));
        let named = found.into_iter().take(count);
        Ok(named
            .map(|(place, cosine)| (self.words[place].clone(), f64::from(cosine)))
            .collect())
    }

    /// All vectors, each divided by its length: `(vocabulary, features)`.
    #[must_use]
    pub fn directions(&self) -> &Tensor {
        &self.directions
    }

    /// The row of a word.
    fn place(&self, word: &str) -> Result<usize> {
        let place = self.index.get(word);
        place.map(|place| *place as usize).ok_or_else(|| {
            let count = self.words.len();
            Error::Argument(format!(
                "`{word}` is not among the {count} words that have a vector; rare words have none, and capitals matter"
            ))
        })
    }

    fn direction(&self, word: &str) -> Result<Tensor> {
        Ok(self.directions.get(self.place(word)?)?) // (features)
    }
}

/// Each row divided by its length; a row of zeros stays one.
pub(super) fn directions(rows: &Tensor) -> Result<Tensor> {
    let rows = rows.to_dtype(DType::F32)?;
    let lengths = rows.sqr()?.sum_keepdim(D::Minus1)?.sqrt()?; // (rows, 1)
    Ok(rows.broadcast_div(&lengths.maximum(f32::MIN_POSITIVE)?)?)
}
