//! Regions of feature maps as small maps of one size, read between the cells (He et al., 2017, section 3).

use candle_core::{CpuStorage, CustomOp1, Layout, Shape, Tensor};
use kindling_base::boxes;
use rayon::prelude::*;

use super::{
    values::{Values, on_cpu, slice},
    vectorized::vectorized,
};
use crate::{Error, Result};

/// A region may reach this many times the size of the feature map; one far beyond it would need samples without end.
const LARGEST: f32 = 16.0;

/// How regions are read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RoiAlignConfig {
    /// Rows and columns of each result.
    pub output: (usize, usize),
    /// Cells of the feature map per pixel of the picture, such as 1 / 16.
    pub spatial_scale: f64,
    /// Points that are read in each cell of the result, each way; 0 for about one per cell of the feature map.
    pub sampling_ratio: usize,
    /// Whether a cell's value stands at its centre: half a cell is then taken off all edges. Older networks were trained without.
    pub aligned: bool,
}

impl Default for RoiAlignConfig {
    /// 7 × 7 cells, 2 × 2 points in each, aligned, on a map as large as the picture.
    fn default() -> Self {
        Self {
            output: (7, 7),
            spatial_scale: 1.0,
            sampling_ratio: 2,
            aligned: true,
        }
    }
}

/// Cuts the `regions` `(regions, 4)` out of `features` `(batch, height, width, channels)`: gives `(regions, rows, columns, channels)`.
///
/// `images` says for each region which feature map of the batch it lies on. Regions are boxes in pixels of the picture. Each result is the mean of
/// a few points, each read between four cells; points outside are 0. Gradients go to the features, none to the regions.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use kindling_ops::{RoiAlignConfig, roi_align};
/// let features = Tensor::arange(0_f32, 16.0, &Device::Cpu)?.reshape((1, 4, 4, 1))?;
/// let region = Tensor::new(&[[0_f32, 0.0, 4.0, 4.0]], &Device::Cpu)?; // (1, 4): all of it
/// let config = RoiAlignConfig { output: (2, 2), ..RoiAlignConfig::default() };
/// let cut = roi_align(&features, &region, &[0], &config)?; // (1, 2, 2, 1)
/// assert_eq!(cut.flatten_all()?.to_vec1::<f32>()?, [2.5, 4.5, 10.5, 12.5]);
/// # Ok::<(), kindling_base::Error>(())
/// ```
pub fn roi_align(
    features: &Tensor,
    regions: &Tensor,
    images: &[usize],
    config: &RoiAlignConfig,
) -> Result<Tensor> {
    let &[batch, height, width, channels] = features.dims() else {
        return Err(Error::Shape {
            what: "features".to_owned(),
            expected: "(batch, height, width, channels)".to_owned(),
            found: features.dims().to_vec(),
        });
    };
    let regions = boxes::rows(regions, "regions")?;
    check(&regions, images, batch, config)?;
    let (rows, columns) = config.output;
    if regions.is_empty() || features.elem_count() == 0 {
        let shape = (regions.len(), rows, columns, channels);
        return Ok(Tensor::zeros(shape, features.dtype(), features.device())?);
    }
    let largest = LARGEST * height.max(width) as f32;
    let scale = config.spatial_scale as f32;
    let reach = |region: &[f32; 4]| (region[2] - region[0]).max(region[3] - region[1]) * scale;
    if let Some(row) = regions.iter().position(|region| reach(region) > largest) {
        return Err(Error::Argument(format!(
            "regions: row {row}, {:?}, is more than {LARGEST} times as large as the feature map; clip boxes to the picture first",
            regions[row]
        )));
    }
    let operation = RoiAlign {
        height,
        width,
        channels,
        images: images.to_vec(),
        samples: regions
            .par_iter()
            .map(|region| samples(*region, (height, width), config))
            .collect(),
        config: *config,
    };
    if !on_cpu(&[features]) {
        return operation.composed(features);
    }
    Ok(features.contiguous()?.apply_op1(operation)?)
}

fn check(
    regions: &[[f32; 4]],
    images: &[usize],
    batch: usize,
    config: &RoiAlignConfig,
) -> Result<()> {
    let problem = if images.len() != regions.len() {
        format!(
            "images: expected one for each of the {} regions, found {}",
            regions.len(),
            images.len()
        )
    } else if let Some(image) = images.iter().find(|image| **image >= batch) {
        format!("images: expected numbers below {batch}, found {image}")
    } else if config.output.0 * config.output.1 == 0 {
        format!("output: expected at least 1 × 1, found {:?}", config.output)
    } else if !(config.spatial_scale.is_finite() && config.spatial_scale > 0.0) {
        format!(
            "spatial_scale: expected a number above 0, found {}",
            config.spatial_scale
        )
    } else {
        return Ok(());
    };
    Err(Error::Argument(problem))
}

/// A cell of the feature map, counted row by row, and how much of it is taken.
type Share = (usize, f32);

/// For each cell of a result, what it is the sum of.
type Samples = Vec<Vec<Share>>;

fn samples(region: [f32; 4], size: (usize, usize), config: &RoiAlignConfig) -> Samples {
    let scale = config.spatial_scale as f32;
    let shift = if config.aligned { 0.5 } else { 0.0 };
    let [left, top, right, bottom] = region.map(|edge| edge * scale - shift);
    let (rows, columns) = config.output;
    let along = |from: f32, to: f32, cells: usize, limit: usize| {
        // Without alignment a region has at least the size of a cell.
        let length = (to - from).max(if config.aligned { 0.0 } else { 1.0 });
        line(
            from,
            length / cells as f32,
            cells,
            config.sampling_ratio,
            limit,
        )
    };
    let down = along(top, bottom, rows, size.0);
    let across = along(left, right, columns, size.1);
    let cell = |row: &Vec<Share>, column: &Vec<Share>| {
        let pairs = row.iter().flat_map(|&(y, share)| {
            let pair = move |&(x, other): &Share| (y * size.1 + x, share * other);
            column.iter().map(pair)
        });
        pairs.collect::<Vec<Share>>()
    };
    down.iter()
        .flat_map(|row| across.iter().map(move |column| cell(row, column)))
        .collect()
}

/// The shares along one direction: a point between four cells is one between two, each way.
fn line(
    from: f32,
    step: f32,
    cells: usize,
    sampling_ratio: usize,
    limit: usize,
) -> Vec<Vec<Share>> {
    let points = match sampling_ratio {
        0 => step.ceil() as usize,
        ratio => ratio,
    };
    let shares = |cell: usize| {
        let point = |number: usize| {
            from + cell as f32 * step + (number as f32 + 0.5) * step / points as f32
        };
        let points_inside = (0..points).map(point);
        let points_inside = points_inside.filter(|at| (-1.0..=limit as f32).contains(at));
        let mut shares: Vec<Share> = Vec::new();
        for at in points_inside {
            let at = at.max(0.0);
            let low = (at as usize).min(limit - 1);
            let part = if low == limit - 1 {
                0.0
            } else {
                at - low as f32
            };
            for (place, share) in [(low, 1.0 - part), (low + 1, part)] {
                let share = share / points as f32;
                match shares.iter_mut().find(|(known, _)| *known == place) {
                    Some((_, sum)) => *sum += share,
                    None if share > 0.0 => shares.push((place, share)),
                    None => {}
                }
            }
        }
        shares
    };
    (0..cells).map(shares).collect()
}

struct RoiAlign {
    height: usize,
    width: usize,
    channels: usize,
    images: Vec<usize>,
    /// For each region.
    samples: Vec<Samples>,
    config: RoiAlignConfig,
}

impl RoiAlign {
    fn region_len(&self) -> usize {
        self.config.output.0 * self.config.output.1 * self.channels
    }

    fn image_len(&self) -> usize {
        self.height * self.width * self.channels
    }

    fn shape(&self) -> (usize, usize, usize, usize) {
        let (rows, columns) = self.config.output;
        (self.samples.len(), rows, columns, self.channels)
    }

    /// The same, composed of Candle's operations, for other devices and number types.
    fn composed(&self, features: &Tensor) -> Result<Tensor> {
        let cells = self.height * self.width;
        let table = features.reshape(((), self.channels))?; // (batch · height · width, channels)
        let results: Vec<(usize, &Vec<Share>)> = self
            .images
            .iter()
            .zip(&self.samples)
            .flat_map(|(&image, samples)| samples.iter().map(move |shares| (image, shares)))
            .collect();
        // All sums have as many parts as the longest; what is missing counts 0.
        let most = results.iter().map(|(_, shares)| shares.len()).max();
        let most = most.unwrap_or(0).max(1);
        let (mut places, mut parts) = (Vec::new(), Vec::new());
        for (image, shares) in &results {
            for number in 0..most {
                let (place, share) = shares.get(number).copied().unwrap_or((0, 0.0));
                places.push((image * cells + place) as u32);
                parts.push(share);
            }
        }
        let device = features.device();
        let rows = table.index_select(&Tensor::new(places, device)?, 0)?;
        let rows = rows.reshape((results.len(), most, self.channels))?;
        let parts = Tensor::from_vec(parts, (results.len(), most, 1), device)?;
        let sums = rows
            .broadcast_mul(&parts.to_dtype(features.dtype())?)?
            .sum(1)?; // (results, channels)
        Ok(sums.reshape(self.shape())?)
    }
}

impl CustomOp1 for RoiAlign {
    fn name(&self) -> &'static str {
        "roi-align"
    }

    fn cpu_fwd(
        &self,
        features: &CpuStorage,
        layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let features = slice(features, layout)?;
        let mut output = vec![0.0; self.samples.len() * self.region_len()];
        output
            .par_chunks_mut(self.region_len())
            .zip(self.samples.par_iter().zip(&self.images))
            .for_each(|(output, (samples, image))| {
                let image = &features[image * self.image_len()..][..self.image_len()];
                gather(output, image, samples, self.channels);
            });
        Ok((CpuStorage::F32(output), self.shape().into()))
    }

    fn bwd(
        &self,
        features: &Tensor,
        _output: &Tensor,
        gradient: &Tensor,
    ) -> candle_core::Result<Option<Tensor>> {
        let gradient = gradient.contiguous()?;
        let gradient = Values::of(&gradient)?;
        let mut grad_features = vec![0.0; features.elem_count()];
        // Regions of one image overlap: one thread adds them up, always in the same order.
        let images = grad_features.par_chunks_mut(self.image_len()).enumerate();
        images.for_each(|(image, grad_image)| {
            let regions = self.samples.iter().zip(&self.images).enumerate();
            for (number, (samples, _)) in regions.filter(|(_, (_, of))| **of == image) {
                let gradient = &gradient[number * self.region_len()..][..self.region_len()];
                scatter(grad_image, gradient, samples, self.channels);
            }
        });
        Ok(Some(Tensor::from_vec(
            grad_features,
            features.shape(),
            features.device(),
        )?))
    }
}

vectorized! {
    fn gather(output: &mut [f32], image: &[f32], samples: &Samples, channels: usize) {
        for (output, shares) in output.chunks_exact_mut(channels).zip(samples) {
            for &(place, share) in shares {
                let cell = &image[place * channels..][..channels];
                for (output, number) in output.iter_mut().zip(cell) {
                    *output += share * number;
                }
            }
        }
    }
}

vectorized! {
    fn scatter(grad_image: &mut [f32], gradient: &[f32], samples: &Samples, channels: usize) {
        for (gradient, shares) in gradient.chunks_exact(channels).zip(samples) {
            for &(place, share) in shares {
                let cell = &mut grad_image[place * channels..][..channels];
                for (grad_cell, gradient) in cell.iter_mut().zip(gradient) {
                    *grad_cell += share * gradient;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Var};

    use super::*;
    use kindling_base::Random;

    fn regions() -> Tensor {
        let regions = [
            [3_f32, 2.0, 17.0, 30.0],
            [-9.0, -9.0, 60.0, 21.0],     // beyond the edges
            [10.0, 10.0, 10.0, 10.0],     // no area
            [20.0, 20.0, 10.0, 12.0],     // the wrong way round
            [200.0, 200.0, 240.0, 240.0], // far outside
        ];
        Tensor::new(&regions, &Device::Cpu).unwrap()
    }

    const IMAGES: [usize; 5] = [1, 0, 1, 0, 1];

    fn configs() -> Vec<RoiAlignConfig> {
        let all = [true, false].into_iter().flat_map(|aligned| {
            [0, 1, 3].map(|sampling_ratio| RoiAlignConfig {
                output: (3, 2),
                spatial_scale: 0.25,
                sampling_ratio,
                aligned,
            })
        });
        all.collect()
    }

    /// The result, and the gradient of its sum weighted by `probe`.
    fn both_ways(
        features: &Tensor,
        probe: &Tensor,
        config: &RoiAlignConfig,
        dtype: DType,
    ) -> [Vec<f64>; 2] {
        let features = Var::from_tensor(&features.to_dtype(dtype).unwrap()).unwrap();
        let output = roi_align(&features, &regions(), &IMAGES, config).unwrap();
        let loss = (&output * probe.to_dtype(dtype).unwrap()).unwrap();
        let gradients = loss.sum_all().unwrap().backward().unwrap();
        [&output, gradients.get(&features).unwrap()].map(|tensor| {
            let flat = tensor.flatten_all().unwrap().to_dtype(DType::F64).unwrap();
            flat.to_vec1::<f64>().unwrap()
        })
    }

    /// `f64` takes the composed way, `f32` the fused one.
    #[test]
    fn the_fused_way_is_the_composed_one() {
        let mut random = Random::new(1);
        let features = random.normal((2, 9, 11, 5), 0.0, 1.0).unwrap();
        let probe = random.normal((5, 3, 2, 5), 0.0, 1.0).unwrap();
        for config in configs() {
            let fused = both_ways(&features, &probe, &config, DType::F32);
            let composed = both_ways(&features, &probe, &config, DType::F64);
            for (fused, composed) in fused.iter().flatten().zip(composed.iter().flatten()) {
                assert!((fused - composed).abs() < 1e-5, "{config:?}");
            }
        }
    }

    /// The result is linear in the features, so that a finite difference is exact up to rounding.
    #[test]
    fn the_gradient_is_the_finite_difference() {
        let mut random = Random::new(2);
        let features = random.normal((2, 9, 11, 1), 0.0, 1.0).unwrap();
        let probe = random.normal((5, 3, 2, 1), 0.0, 1.0).unwrap();
        for config in configs() {
            let [output, gradient] = both_ways(&features, &probe, &config, DType::F32);
            let probe_values = probe.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            for place in (0..198).step_by(7) {
                let mut moved = features.flatten_all().unwrap().to_vec1::<f32>().unwrap();
                moved[place] += 1.0;
                let moved = Tensor::from_vec(moved, (2, 9, 11, 1), &Device::Cpu).unwrap();
                let [other, _] = both_ways(&moved, &probe, &config, DType::F32);
                let pairs = other.iter().zip(&output).zip(&probe_values);
                let change: f64 = pairs
                    .map(|((a, b), probe)| (a - b) * f64::from(*probe))
                    .sum();
                assert!((change - gradient[place]).abs() < 1e-4, "{config:?}");
            }
        }
    }

    #[test]
    fn nothing_gives_nothing_and_what_cannot_be_is_named() {
        let features = Tensor::zeros((2, 4, 4, 3), DType::F32, &Device::Cpu).unwrap();
        let none = Tensor::zeros((0, 4), DType::F32, &Device::Cpu).unwrap();
        let config = RoiAlignConfig::default();
        let empty = roi_align(&features, &none, &[], &config).unwrap();
        assert_eq!(empty.dims(), [0, 7, 7, 3]);
        let fails = |regions: [f32; 4], image: usize, config: &RoiAlignConfig| {
            let regions = Tensor::new(&[regions], &Device::Cpu).unwrap();
            let error = roi_align(&features, &regions, &[image], config).unwrap_err();
            error.to_string()
        };
        let good = [0.0, 0.0, 4.0, 4.0];
        assert!(fails([f32::NAN, 0.0, 1.0, 1.0], 0, &config).contains("NaN"));
        assert!(fails([0.0, 0.0, 1e9, 1.0], 0, &config).contains("clip boxes"));
        assert!(fails(good, 2, &config).contains("below 2, found 2"));
        let nothing = RoiAlignConfig {
            output: (0, 7),
            ..config
        };
        assert!(fails(good, 0, &nothing).contains("output"));
        let nowhere = RoiAlignConfig {
            spatial_scale: f64::NAN,
            ..config
        };
        assert!(fails(good, 0, &nowhere).contains("spatial_scale"));
    }
}
