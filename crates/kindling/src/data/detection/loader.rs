//! Mini-batches of pictures with boxes, the next ones prepared while this one trains.

use candle_core::{Device, Tensor};

use super::{DetectionAugment, DetectionSet, targets};
use crate::{
    Error, Result,
    boxes::Object,
    data::{BatchIterator, Loader, Random, pictures::brightness, prefetch::Prefetch},
};

/// Pictures in an order of their own in each epoch, changed at random as [`DetectionAugment`] says.
///
/// A batch is images `(batch, height, width, 3)` from 0 to 1 and targets `(batch, objects, 6)`, as [`targets`](fn@super::targets) makes them. What it holds depends
/// on seed, epoch and step alone.
///
/// ```
/// use kindling::data::{Loader, detection::{DetectionAugment, DetectionLoader, Scenes}};
/// let scenes = Scenes::default().draw(10, 0)?;
/// let loader = DetectionLoader::new(&scenes, 4, 1)?.augment(DetectionAugment::default().flip())?;
/// let sizes = loader.batches(1, 0)?.map(|batch| Ok(batch?.0.dim(0)?));
/// assert_eq!(sizes.collect::<kindling::Result<Vec<_>>>()?, [4, 4, 2]);
/// # Ok::<(), kindling::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct DetectionLoader {
    set: DetectionSet,
    batch_size: usize,
    seed: u64,
    augment: DetectionAugment,
    most: usize,
}

impl DetectionLoader {
    /// `batch_size` pictures at a time; the seed decides the orders and all other chance.
    pub fn new(set: &DetectionSet, batch_size: usize, seed: u64) -> Result<Self> {
        if batch_size == 0 {
            return Err(Error::Argument(
                "batch_size: expected at least 1, found 0".to_owned(),
            ));
        }
        Ok(Self {
            set: set.clone(),
            batch_size,
            seed,
            augment: DetectionAugment::default(),
            most: set.most_objects().max(1),
        })
    }

    /// Changes each picture each time it is shown.
    pub fn augment(self, augment: DetectionAugment) -> Result<Self> {
        augment.check()?;
        Ok(Self { augment, ..self })
    }

    fn assemble(&self, chosen: &[usize], random: &mut Random) -> Result<(Tensor, Tensor)> {
        let (height, width) = self.set.size();
        let size = height * width * 3;
        let mut pixels = vec![0.0; chosen.len() * size];
        let mut objects: Vec<Vec<Object>> = chosen
            .iter()
            .map(|&picture| self.set.objects(picture).to_vec())
            .collect();
        // One after the other: this thread only has to be as quick as the training, and while that waits for the first batch, the
        // threads that compute may all be waiting with it.
        let places = pixels.chunks_exact_mut(size).zip(&mut objects);
        for ((place, objects), &picture) in places.zip(chosen) {
            let mut chance = Random::new(random.next_u64());
            for (place, &byte) in place.iter_mut().zip(self.set.picture(picture)) {
                *place = brightness(byte);
            }
            self.augment
                .apply(place, (height, width), objects, &mut chance);
        }
        let images = Tensor::from_vec(pixels, (chosen.len(), height, width, 3), &Device::Cpu)?;
        let objects: Vec<&[Object]> = objects.iter().map(Vec::as_slice).collect();
        Ok((images, targets(&objects, self.most)?))
    }
}

impl Loader for DetectionLoader {
    fn steps(&self) -> usize {
        self.set.len().div_ceil(self.batch_size)
    }

    fn examples(&self) -> usize {
        self.set.len()
    }

    fn batches(&self, epoch: usize, skip: usize) -> Result<BatchIterator<'_>> {
        let prefetch = Prefetch {
            examples: self.set.len(),
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
    use crate::data::detection::{Scenes, objects_of};

    type Batch = (Vec<f32>, Vec<Vec<Object>>);

    fn batches(loader: &DetectionLoader, epoch: usize, skip: usize) -> Vec<Batch> {
        let batches = loader.batches(epoch, skip).unwrap();
        let read = batches.map(|batch| {
            let (images, targets) = batch.unwrap();
            let pixels = images.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            (pixels, objects_of(&targets).unwrap())
        });
        read.collect()
    }

    #[test]
    fn what_is_skipped_changes_nothing_of_the_rest() {
        let set = Scenes::default().sizes(8.0..=40.0).draw(10, 3).unwrap();
        let augment = DetectionAugment::default().flip().brightness(0.3);
        let loader = DetectionLoader::new(&set, 4, 7).unwrap();
        let loader = loader.augment(augment).unwrap();
        let all = batches(&loader, 2, 0);
        assert_eq!(all.len(), loader.steps());
        assert_eq!(all[1..], batches(&loader, 2, 1));
        assert_ne!(all, batches(&loader, 3, 0));
    }

    #[test]
    fn each_picture_comes_once_with_its_own_objects() {
        let set = Scenes::default().draw(9, 3).unwrap();
        let loader = DetectionLoader::new(&set, 4, 7).unwrap();
        let (mut shown, mut expected) = (Vec::new(), Vec::new());
        for (pixels, objects) in batches(&loader, 1, 0) {
            let size = pixels.len() / objects.len();
            let pictures = pixels.chunks(size).map(<[f32]>::to_vec);
            shown.extend(pictures.zip(objects));
        }
        for picture in 0..9 {
            let pixels = set.images(picture..picture + 1).unwrap();
            let pixels = pixels.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            expected.push((pixels, set.objects(picture).to_vec()));
        }
        assert_eq!(shown.len(), 9);
        assert!(expected.iter().all(|picture| shown.contains(picture)));
        assert!(DetectionLoader::new(&set, 0, 7).is_err());
    }
}
