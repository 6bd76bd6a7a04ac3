//! Many dimensions on paper: points in the plane that lie as the vectors do, as far as that is possible.
//!
//! Principal component analysis looks from the direction in which the vectors are widest apart; distances shrink, but nothing is
//! bent. t-SNE keeps neighbours together at the price of all else: the distance between two groups in its picture, and
//! their size, mean nothing.

use candle_core::{DType, Device, Tensor};
use linfa::DatasetBase;
use linfa::traits::{Fit, Predict, Transformer};
use linfa_reduction::Pca;
use linfa_tsne::TSneParams;
use ndarray::{Array2, Axis};
use rand::SeedableRng;
use rand::rngs::SmallRng;

use crate::{Error, Result};

/// More vectors would take minutes, for a picture in which nothing can be told apart.
const LARGEST: usize = 1_000;

/// How exact a component must be, as a share of the whole variance: finer than a picture shows.
const NEARLY: f64 = 1e-3;

/// The two principal components of vectors `(words, features)`: `(words, 2)`, the widest first, and the share of the
/// variance that each shows.
///
/// The sign of a component is not determined; here the coordinate of the largest size is positive. Linfa finds the
/// components step by step; where it does not get there, as it may with vectors that lie on one line, this fails.
///
/// ```
/// use kindling::data::Random;
/// let vectors = Random::new(1).normal((50, 8), 0.0, 1.0)?; // (words, features)
/// let (points, shares) = kindling_tables::pca(&vectors)?;
/// assert_eq!(points.dims(), [50, 2]);
/// assert!(shares[0] >= shares[1] && shares[0] + shares[1] < 1.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn pca(vectors: &Tensor) -> Result<(Tensor, [f64; 2])> {
    let rows = rows("pca", vectors)?;
    let failed = |error: &dyn std::fmt::Display| Error::Argument(format!("pca: {error}"));
    let mean = rows.mean_axis(Axis(0)).unwrap_or_default();
    let centred = &rows - &mean; // (words, features)
    let all: f64 = centred.iter().map(|number| number * number).sum();
    if all == 0.0 {
        return Err(failed(
            &"expected vectors that differ, found the same one in each row",
        ));
    }
    let data = DatasetBase::from(rows);
    let model = Pca::params(2).fit(&data).map_err(|error| failed(&error))?;
    for component in model.components().rows() {
        // A component is an eigenvector of XᵀX: that only stretches it, by its variance.
        let along = centred.dot(&component); // (words)
        let stretched = centred.t().dot(&along); // (features)
        let wrong = &stretched - &(&component * along.dot(&along));
        if wrong.dot(&wrong).sqrt() > NEARLY * all {
            return Err(failed(
                &"the components were not found; do the vectors lie on a line, or are there too few?",
            ));
        }
    }
    let found: Array2<f64> = model.predict(data.records()); // (words, 1 or 2): a line has only one component
    let mut points: Array2<f64> = Array2::zeros((found.nrows(), 2));
    let mut shares = [0.0; 2];
    for ((found, mut column), share) in (found.columns().into_iter())
        .zip(points.columns_mut())
        .zip(&mut shares)
    {
        *share = found.iter().map(|number| number * number).sum::<f64>() / all;
        let largest =
            found.iter().copied().reduce(
                |one, other| {
                    if other.abs() > one.abs() { other } else { one }
                },
            );
        let sign = largest.unwrap_or_default().signum();
        column.assign(&(&found * sign));
    }
    Ok((tensor(points)?, shares))
}

/// How [`tsne`] works.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TsneConfig {
    /// About how many neighbours each point has; at most a third of the number of points.
    pub perplexity: f64,
    /// How many steps of gradient descent.
    pub iterations: usize,
    /// Decides where the points start.
    pub seed: u64,
}

impl Default for TsneConfig {
    fn default() -> Self {
        Self {
            perplexity: 15.0,
            iterations: 1_000,
            seed: 0,
        }
    }
}

/// Places vectors `(words, features)` in the plane, `(words, 2)`, so that neighbours stay neighbours (van der Maaten and
/// Hinton, 2008). Every pair is looked at, so that a seed gives the same picture each time: for at most 1,000 vectors.
///
/// ```
/// use kindling::data::Random;
/// use kindling_tables::{TsneConfig, tsne};
/// let vectors = Random::new(1).normal((30, 5), 0.0, 1.0)?; // (words, features)
/// let config = TsneConfig { perplexity: 5.0, iterations: 50, seed: 1 };
/// assert_eq!(tsne(&vectors, &config)?.dims(), [30, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn tsne(vectors: &Tensor, config: &TsneConfig) -> Result<Tensor> {
    let rows = rows("tsne", vectors)?;
    let (count, perplexity) = (rows.nrows(), config.perplexity);
    let most = (count - 1) as f64 / 3.0;
    // A single neighbour is the least that a group can be.
    if !(1.0..=most).contains(&perplexity) {
        return Err(Error::Argument(format!(
            "tsne: expected a perplexity from 1 to {most:.1}, a third of the {count} vectors, found {perplexity}"
        )));
    }
    let random = SmallRng::seed_from_u64(config.seed);
    let settings = TSneParams::embedding_size_with_rng(2, random)
        .perplexity(perplexity)
        .approx_threshold(0.0) // exact: the approximate way sums in an order that threads decide
        .max_iter(config.iterations);
    let points = settings.transform(rows);
    tensor(points.map_err(|error| Error::Argument(format!("tsne: {error}")))?)
}

/// Vectors as rows: at least two, of two finite numbers or more.
fn rows(what: &str, vectors: &Tensor) -> Result<Array2<f64>> {
    let (count, features) = match *vectors.dims() {
        [count, features] if (2..=LARGEST).contains(&count) && features >= 2 => (count, features),
        _ => {
            return Err(Error::Argument(format!(
                "{what}: expected vectors of shape (words, features), 2 to {LARGEST} words and at least 2 features, found {:?}",
                vectors.dims()
            )));
        }
    };
    let numbers: Vec<f64> = vectors.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
    if let Some(bad) = numbers.iter().position(|number| !number.is_finite()) {
        let (row, value) = (bad / features, numbers[bad]);
        return Err(Error::Argument(format!(
            "{what}: expected finite numbers, found {value} in row {row}"
        )));
    }
    let rows = Array2::from_shape_vec((count, features), numbers);
    rows.map_err(|error| Error::Argument(error.to_string()))
}

/// Points as a tensor `(words, 2)`.
fn tensor(points: Array2<f64>) -> Result<Tensor> {
    let shape = points.dim();
    let numbers: Vec<f32> = points.iter().map(|number| *number as f32).collect();
    if numbers.iter().any(|number| !number.is_finite()) {
        let message = "projection: the points are not finite; are many vectors the same?";
        return Err(Error::Argument(message.to_owned()));
    }
    Ok(Tensor::from_vec(numbers, shape, &Device::Cpu)?)
}

#[cfg(test)]
mod tests {
    use kindling::data::Random;

    use super::*;

    /// Three clouds of `size` points each, in ten dimensions.
    fn clouds(size: usize) -> Tensor {
        let mut random = Random::new(1);
        let centres = random.normal((3, 1, 10), 0.0, 4.0).unwrap();
        let noise = random.normal((3, size, 10), 0.0, 0.5).unwrap();
        let points = noise.broadcast_add(&centres).unwrap();
        points.reshape((3 * size, 10)).unwrap() // (words, features)
    }

    /// The share of points whose nearest other point is of the same cloud.
    fn together(points: &Tensor, size: usize) -> f64 {
        let points = points.to_vec2::<f32>().unwrap();
        let right = (0..points.len()).filter(|&one| {
            let distance = |other: &usize| {
                let [x, y] = [0, 1].map(|axis| points[one][axis] - points[*other][axis]);
                x * x + y * y
            };
            let others = (0..points.len()).filter(|other| *other != one);
            let nearest = others.min_by(|a, b| distance(a).total_cmp(&distance(b)));
            nearest.unwrap() / size == one / size
        });
        right.count() as f64 / points.len() as f64
    }

    fn numbers(points: &Tensor) -> Vec<f32> {
        points.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn both_keep_planted_clouds_apart() {
        let vectors = clouds(30);
        let (points, shares) = pca(&vectors).unwrap();
        assert_eq!(together(&points, 30), 1.0);
        assert!(
            shares[0] > shares[1] && shares[0] + shares[1] > 0.9,
            "{shares:?}"
        );
        let points = tsne(&vectors, &TsneConfig::default()).unwrap();
        assert_eq!(together(&points, 30), 1.0);
        let noise = Random::new(2).normal((90, 10), 0.0, 1.0).unwrap();
        assert!(
            together(&pca(&noise).unwrap().0, 30) < 0.6,
            "the measure can fail"
        );
    }

    #[test]
    fn components_are_those_of_an_ellipse() {
        // Along (3, 4) / 5 the points reach from -10 to 10, across it from -1 to 1.
        let points: Vec<Vec<f32>> = (0..100)
            .map(|step| {
                let (sin, cos) = (step as f32 * std::f32::consts::TAU / 100.0).sin_cos();
                vec![6.0 * cos - 0.8 * sin, 8.0 * cos + 0.6 * sin]
            })
            .collect();
        let (found, shares) = pca(&Tensor::new(points, &Device::Cpu).unwrap()).unwrap();
        for (step, point) in found.to_vec2::<f32>().unwrap().into_iter().enumerate() {
            let (sin, cos) = (step as f32 * std::f32::consts::TAU / 100.0).sin_cos();
            assert!(
                (point[0].abs() - 10.0 * cos.abs()).abs() < 1e-4,
                "{point:?}"
            );
            assert!((point[1].abs() - sin.abs()).abs() < 1e-4, "{point:?}");
        }
        assert!((shares[0] - 100.0 / 101.0).abs() < 1e-6, "{shares:?}");
    }

    #[test]
    fn the_seed_decides_the_picture() {
        for size in [10, 100] {
            let vectors = clouds(size);
            let draw = |seed| {
                let config = TsneConfig {
                    perplexity: 5.0,
                    iterations: 20,
                    seed,
                };
                numbers(&tsne(&vectors, &config).unwrap())
            };
            assert_eq!(draw(1), draw(1), "{size}");
            assert_ne!(draw(1), draw(2), "{size}");
        }
        let vectors = clouds(10);
        assert_eq!(
            numbers(&pca(&vectors).unwrap().0),
            numbers(&pca(&vectors).unwrap().0)
        );
    }

    #[test]
    fn what_cannot_be_drawn_is_named() {
        let vectors = clouds(10);
        let config = TsneConfig::default();
        let error = tsne(&vectors, &config).unwrap_err().to_string();
        assert_eq!(
            error,
            "tsne: expected a perplexity from 1 to 9.7, a third of the 30 vectors, found 15"
        );
        for shape in [vec![1, 5], vec![5, 1], vec![1_001, 2], vec![4]] {
            let wrong = Tensor::zeros(shape.clone(), DType::F32, &Device::Cpu).unwrap();
            for error in [pca(&wrong).map(drop), tsne(&wrong, &config).map(drop)] {
                let error = error.unwrap_err().to_string();
                assert!(error.contains(&format!("found {shape:?}")), "{error}");
            }
        }
        let same = Tensor::ones((9, 3), DType::F32, &Device::Cpu).unwrap();
        assert!(
            pca(&same)
                .unwrap_err()
                .to_string()
                .contains("vectors that differ")
        );
        let bad = Tensor::new(&[[0_f32, 1.0], [f32::NAN, 1.0]], &Device::Cpu).unwrap();
        assert!(
            pca(&bad)
                .unwrap_err()
                .to_string()
                .contains("found NaN in row 1")
        );
    }
}
