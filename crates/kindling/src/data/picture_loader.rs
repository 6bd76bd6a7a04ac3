//! Mini-batches of pictures, the next ones prepared while this one trains.

use candle_core::{Device, Tensor};

use super::{
    Augment, BatchIterator, Loader, Pictures, Random, pictures::brightness, prefetch::Prefetch,
};
use crate::{Error, Result};

/// Pictures in an order of their own in each epoch, changed at random as [`Augment`] says.
///
/// What a batch holds depends on seed, epoch and step alone: not on threads, and not on what came before.
///
/// ```
/// use kindling::data::{Augment, Cifar10, Loader, PictureLoader};
/// let pictures = Cifar10::builtin(10, 0, 0)?.train;
/// let loader = PictureLoader::new(&pictures, 4, 1)?.augment(Augment::default().crop(2))?;
/// let sizes = loader.batches(1, 0)?.map(|batch| Ok(batch?.0.dim(0)?));
/// assert_eq!(sizes.collect::<kindling::Result<Vec<_>>>()?, [4, 4, 2]);
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct PictureLoader {
    pictures: Pictures,
    batch_size: usize,
    seed: u64,
    augment: Augment,
}

impl PictureLoader {
    /// `batch_size` pictures at a time; the seed decides the orders and all other chance.
    pub fn new(pictures: &Pictures, batch_size: usize, seed: u64) -> Result<Self> {
        if batch_size == 0 {
            return Err(Error::Argument(
                "batch_size: expected at least 1, found 0".to_owned(),
            ));
        }
        Ok(Self {
            pictures: pictures.clone(),
            batch_size,
            seed,
            augment: Augment::default(),
        })
    }

    /// Changes each picture each time it is shown.
    pub fn augment(self, augment: Augment) -> Result<Self> {
        augment.check()?;
        Ok(Self { augment, ..self })
    }

    /// Images `(batch, height, width, channels)` from 0 to 1; labels `(batch)`, or when blended `(batch, classes)`.
    fn assemble(&self, chosen: &[usize], random: &mut Random) -> Result<(Tensor, Tensor)> {
        let (height, width, channels) = self.pictures.shape();
        let size = height * width * channels;
        let mut pixels = vec![0.0; chosen.len() * size];
        for (&position, place) in chosen.iter().zip(pixels.chunks_exact_mut(size)) {
            let picture = self.pictures.picture(position);
            if self.augment == Augment::default() {
                for (place, &byte) in place.iter_mut().zip(picture) {
                    *place = brightness(byte);
                }
            } else {
                self.augment
                    .apply(picture, self.pictures.shape(), random, place);
            }
        }
        let labels = self.pictures.labels();
        let labels: Vec<u32> = chosen.iter().map(|&position| labels[position]).collect();
        let shape = (chosen.len(), height, width, channels);
        if let Some(share) = self.augment.blend(random) {
            let partners = random.permutation(chosen.len());
            return self.blended(&pixels, shape, &labels, &partners, share);
        }
        let images = Tensor::from_vec(pixels, shape, &Device::Cpu)?;
        let count = labels.len();
        Ok((images, Tensor::from_vec(labels, count, &Device::Cpu)?))
    }

    /// Each picture keeps its share, the rest is its partner's; probabilities likewise.
    fn blended(
        &self,
        pixels: &[f32],
        shape: (usize, usize, usize, usize),
        labels: &[u32],
        partners: &[usize],
        share: f32,
    ) -> Result<(Tensor, Tensor)> {
        let (classes, size) = (self.pictures.classes().len(), pixels.len() / labels.len());
        let mut mixed = Vec::with_capacity(pixels.len());
        let mut targets = vec![0.0; labels.len() * classes];
        for (position, &partner) in partners.iter().enumerate() {
            let own = &pixels[position * size..][..size];
            let other = &pixels[partner * size..][..size];
            mixed.extend(
                own.iter()
                    .zip(other)
                    .map(|(a, b)| share * a + (1.0 - share) * b),
            );
            let target = &mut targets[position * classes..][..classes];
            target[labels[position] as usize] += share;
            target[labels[partner] as usize] += 1.0 - share;
        }
        let images = Tensor::from_vec(mixed, shape, &Device::Cpu)?;
        let targets = Tensor::from_vec(targets, (labels.len(), classes), &Device::Cpu)?;
        Ok((images, targets))
    }
}

impl Loader for PictureLoader {
    fn steps(&self) -> usize {
        self.pictures.len().div_ceil(self.batch_size)
    }

    fn examples(&self) -> usize {
        self.pictures.len()
    }

    fn batches(&self, epoch: usize, skip: usize) -> Result<BatchIterator<'_>> {
        let prefetch = Prefetch {
            examples: self.pictures.len(),
            batch_size: self.batch_size,
            seed: self.seed,
            epoch,
            skip,
        };
        let loader = self.clone();
        prefetch.batches(move |chosen, random| loader.assemble(chosen, random))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Batches, Cifar10, Mnist};

    fn batches(loader: &PictureLoader, epoch: usize, skip: usize) -> Vec<(Vec<f32>, Vec<f32>)> {
        let numbers = |tensor: Tensor| {
            let tensor = tensor.to_dtype(candle_core::DType::F32).unwrap();
            tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        let batches = loader.batches(epoch, skip).unwrap();
        batches
            .map(|batch| {
                batch
                    .map(|(images, labels)| (numbers(images), numbers(labels)))
                    .unwrap()
            })
            .collect()
    }

    #[test]
    fn what_is_skipped_changes_nothing_of_the_rest() {
        let pictures = Cifar10::builtin(20, 0, 1).unwrap().train;
        let augment = Augment::default().crop(3).flip().cutout(6).mixup(0.5);
        let loader = PictureLoader::new(&pictures, 6, 7)
            .unwrap()
            .augment(augment)
            .unwrap();
        let all = batches(&loader, 2, 0);
        assert_eq!(all.len(), loader.steps());
        assert_eq!(all[1..], batches(&loader, 2, 1));
        assert_ne!(all, batches(&loader, 3, 0));
    }

    #[test]
    fn without_changes_the_batches_are_those_of_the_examples() {
        let mnist = Mnist::builtin(50, 0, 0).unwrap();
        let classes = (0..10).map(|digit| digit.to_string()).collect();
        let pictures = Pictures::from_examples(&mnist.train, classes).unwrap();
        let loader = PictureLoader::new(&pictures, 16, 3).unwrap();
        let plain = Batches::new(&pictures.examples().unwrap(), 16, 4).unwrap();
        for (one, other) in batches(&loader, 1, 0).into_iter().zip(plain) {
            let (images, labels) = other.unwrap();
            assert_eq!(
                one.0,
                images.flatten_all().unwrap().to_vec1::<f32>().unwrap()
            );
            let labels = labels.to_vec1::<u32>().unwrap();
            assert!(one.1.iter().zip(labels).all(|(a, b)| *a == b as f32));
        }
    }

    #[test]
    fn blended_labels_are_probabilities() {
        let pictures = Cifar10::builtin(10, 0, 1).unwrap().train;
        let loader = PictureLoader::new(&pictures, 10, 7).unwrap();
        let loader = loader.augment(Augment::default().mixup(1.0)).unwrap();
        let (images, targets) = batches(&loader, 1, 0).remove(0);
        assert!(images.iter().all(|pixel| (0.0..=1.0).contains(pixel)));
        for target in targets.chunks(10) {
            assert!((target.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        }
        assert!(targets.iter().any(|share| (0.01..0.99).contains(share)));
    }

    #[test]
    fn stopping_early_ends_the_thread_behind() {
        let pictures = Cifar10::builtin(50, 0, 1).unwrap().train;
        let loader = PictureLoader::new(&pictures, 1, 7).unwrap();
        let mut batches = loader.batches(1, 0).unwrap();
        assert!(batches.next().is_some());
        drop(batches);
        assert!(PictureLoader::new(&pictures, 0, 7).is_err());
        assert!(loader.augment(Augment::default().zoom(2.0)).is_err());
    }
}
