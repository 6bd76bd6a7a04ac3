//! What can be drawn as a series.

use candle_core::{DType, Tensor};

use crate::{Error, Result};

/// The points of a series, made from whatever a lesson has at hand.
///
/// From pairs `(x, y)`; from numbers alone, which are the `y` at `x` = 0, 1, 2 …; from a tensor `(points,)` of `y` or
/// `(points, 2)` of pairs; from two tensors `(x, y)`, each `(points,)`.
#[derive(Debug, Clone)]
pub struct Points(std::result::Result<Vec<(f64, f64)>, String>);

impl Points {
    /// The points, once every coordinate is known to be a finite number.
    pub(super) fn checked(&self, chart: &str, series: &str) -> Result<Vec<(f64, f64)>> {
        let fail = |problem: String| {
            Err(Error::Plot(format!(
                "{chart}, series {series:?}: {problem}"
            )))
        };
        let points = match &self.0 {
            Ok(points) => points,
            Err(problem) => return fail(problem.clone()),
        };
        if points.is_empty() {
            return fail("expected at least one point, found none".to_owned());
        }
        let bad = points
            .iter()
            .position(|(x, y)| !(x.is_finite() && y.is_finite()));
        if let Some(index) = bad {
            let (x, y) = points[index];
            return fail(format!(
                "point {index} is ({x}, {y}), expected finite numbers; leave it out, or find out where it comes from"
            ));
        }
        Ok(points.clone())
    }
}

impl From<Vec<(f64, f64)>> for Points {
    fn from(points: Vec<(f64, f64)>) -> Self {
        Self(Ok(points))
    }
}

impl From<&[(f64, f64)]> for Points {
    fn from(points: &[(f64, f64)]) -> Self {
        points.to_vec().into()
    }
}

impl From<&Vec<(f64, f64)>> for Points {
    fn from(points: &Vec<(f64, f64)>) -> Self {
        points.clone().into()
    }
}

impl<const N: usize> From<[(f64, f64); N]> for Points {
    fn from(points: [(f64, f64); N]) -> Self {
        points.to_vec().into()
    }
}

impl<const N: usize> From<&[(f64, f64); N]> for Points {
    fn from(points: &[(f64, f64); N]) -> Self {
        points.to_vec().into()
    }
}

/// A number that can be drawn.
trait Real: Copy {
    fn real(self) -> f64;
}

impl Real for f64 {
    fn real(self) -> f64 {
        self
    }
}

impl Real for f32 {
    fn real(self) -> f64 {
        f64::from(self)
    }
}

fn numbered<T: Real>(values: &[T]) -> Points {
    Points(Ok(values
        .iter()
        .enumerate()
        .map(|(index, value)| (index as f64, value.real()))
        .collect()))
}

macro_rules! from_numbers {
    ($number:ty) => {
        impl From<Vec<$number>> for Points {
            fn from(values: Vec<$number>) -> Self {
                numbered(&values)
            }
        }

        impl From<&Vec<$number>> for Points {
            fn from(values: &Vec<$number>) -> Self {
                numbered(values)
            }
        }

        impl From<&[$number]> for Points {
            fn from(values: &[$number]) -> Self {
                numbered(values)
            }
        }

        impl<const N: usize> From<[$number; N]> for Points {
            fn from(values: [$number; N]) -> Self {
                numbered(&values)
            }
        }

        impl<const N: usize> From<&[$number; N]> for Points {
            fn from(values: &[$number; N]) -> Self {
                numbered(values)
            }
        }
    };
}

from_numbers!(f64);
from_numbers!(f32);

impl From<&Tensor> for Points {
    fn from(tensor: &Tensor) -> Self {
        Self(match tensor.dims() {
            [_] => values(tensor).map(|values| {
                values
                    .into_iter()
                    .enumerate()
                    .map(|(index, y)| (index as f64, y))
                    .collect()
            }),
            [_, 2] => values(tensor)
                .map(|values| values.chunks(2).map(|pair| (pair[0], pair[1])).collect()),
            dims => Err(format!(
                "expected a tensor (points,) or (points, 2), found shape {dims:?}"
            )),
        })
    }
}

impl From<(&Tensor, &Tensor)> for Points {
    fn from((x, y): (&Tensor, &Tensor)) -> Self {
        Self(match (x.dims(), y.dims()) {
            ([left], [right]) if left == right => {
                values(x).and_then(|x| Ok(x.into_iter().zip(values(y)?).collect()))
            }
            (left, right) => Err(format!(
                "expected two tensors (points,) of one length, found shapes {left:?} and {right:?}"
            )),
        })
    }
}

/// All numbers of a tensor, row by row.
pub(super) fn values(tensor: &Tensor) -> std::result::Result<Vec<f64>, String> {
    let numbers = tensor
        .to_dtype(DType::F64)
        .and_then(|tensor| tensor.flatten_all()?.to_vec1());
    numbers.map_err(|error| error.to_string())
}

/// At most about `limit` of the points of a line, in which every peak remains.
///
/// The line is cut into equal runs; of each run the first, the lowest, the highest and the last point are kept.
pub(super) fn thin_line(points: &[(f64, f64)], limit: usize) -> Vec<(f64, f64)> {
    if points.len() <= limit {
        return points.to_vec();
    }
    let run = points.len().div_ceil(limit / 4).max(1);
    let mut kept = Vec::with_capacity(limit);
    for run in points.chunks(run) {
        let by_height = |left: &usize, right: &usize| run[*left].1.total_cmp(&run[*right].1);
        let lowest = (0..run.len()).min_by(by_height).unwrap_or(0);
        let highest = (0..run.len()).max_by(by_height).unwrap_or(0);
        let mut places = [0, lowest, highest, run.len() - 1];
        places.sort_unstable();
        for (index, &place) in places.iter().enumerate() {
            if index == 0 || place != places[index - 1] {
                kept.push(run[place]);
            }
        }
    }
    kept
}
