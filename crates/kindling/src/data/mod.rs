//! Data sets of pictures and texts, mini-batches and seeded random numbers.

mod augment;
mod batches;
mod cifar10;
mod corpus;
mod digits;
mod emails;
mod examples;
mod idx;
mod image_folder;
mod loader;
mod mnist;
mod picture_loader;
mod pictures;
mod random;
mod shapes;
mod split_pairs;
mod text_file;
mod toy_sentences;
mod translations;

pub use augment::Augment;
pub use batches::Batches;
pub use cifar10::Cifar10;
pub use corpus::Corpus;
pub use emails::{Email, Emails};
pub use examples::Examples;
pub use idx::parse_idx;
pub use image_folder::ImageFolder;
pub use loader::{BatchIterator, Loader};
pub use mnist::{FASHION, Mnist, Source};
pub use picture_loader::PictureLoader;
pub use pictures::Pictures;
pub use random::Random;
pub use text_file::{SentencePair, parse_lines, parse_pairs, parse_parallel, parse_text};
pub use translations::Translations;
