//! Data sets, mini-batches and seeded random numbers.

mod analogies;
mod augment;
mod batches;
mod cifar10;
mod digits;
mod examples;
mod idx;
mod image_folder;
mod loader;
mod mnist;
mod picture_loader;
mod pictures;
mod planted_text;
mod random;
mod shapes;

pub use analogies::{Analogies, AnalogySection};
pub use augment::Augment;
pub use batches::Batches;
pub use cifar10::Cifar10;
pub use examples::Examples;
pub use idx::parse_idx;
pub use image_folder::ImageFolder;
pub use loader::{BatchIterator, Loader};
pub use mnist::{FASHION, Mnist, Source};
pub use picture_loader::PictureLoader;
pub use pictures::Pictures;
pub use planted_text::{PlantedText, Topic};
pub use random::Random;
