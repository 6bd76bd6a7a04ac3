//! Pictures with boxes around things: what an object detector learns from.
//!
//! A [`DetectionSet`] holds pictures of one size as bytes, and the [`Object`](crate::boxes::Object)s in each. It comes from [`Scenes`], the built-in
//! generator, or from annotated photographs: the crate `kindling-detection` reads Pascal VOC and COCO. A [`DetectionLoader`] makes
//! mini-batches of it.

mod augment;
mod letterbox;
mod loader;
mod scenes;
mod set;
mod sprites;
mod targets;
mod zoom;

pub use augment::DetectionAugment;
pub use letterbox::Letterbox;
pub use loader::DetectionLoader;
pub use scenes::{SceneObjects, Scenes};
pub use set::DetectionSet;
pub use targets::{TARGET_SIZE, objects_of, targets};
