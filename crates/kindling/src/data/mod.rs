//! Data sets, mini-batches and seeded random numbers.

mod augment;
mod batches;
mod cifar10;
mod digits;
mod examples;
mod idx;
mod image_folder;
mod loader;
mod mnist;
mod packed;
mod picture_loader;
mod pictures;
mod random;
mod sequence_pairs;
mod shapes;

pub use augment::Augment;
pub use batches::Batches;
pub use cifar10::Cifar10;
pub use examples::Examples;
pub use idx::parse_idx;
pub use image_folder::ImageFolder;
pub use loader::{BatchIterator, Loader};
pub use mnist::{FASHION, Mnist, Source};
pub use packed::{pack_sequences, unpack_sequences};
pub use picture_loader::PictureLoader;
pub use pictures::Pictures;
pub use random::Random;
pub use sequence_pairs::{SequencePairs, SpecialTokens, pad_sequences};
