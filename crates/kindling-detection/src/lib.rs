//! Annotated photographs for object detection: [`VocFolder`] reads Pascal VOC, [`CocoFile`] reads COCO, [`Bccd`] finds a small real set.
//!
//! Each gives [`Annotations`]: what people marked, checked against the pictures. All that is wrong (a box outside its picture or without area, an
//! unknown class, a missing picture, a broken file) is collected with file and line, and named in one error before anything is trained.
//! [`Annotations::decode`] makes a [`DetectionSet`](kindling::data::detection::DetectionSet) of them.

mod annotations;
mod bccd;
mod check;
mod coco;
mod entries;
mod files;
mod instead;
mod loose;
mod problem;
mod shelf;
mod text;
mod upright;
mod voc;

pub use annotations::{AnnotatedPicture, Annotations};
pub use bccd::Bccd;
pub use coco::CocoFile;
pub use problem::Problem;
pub use voc::VocFolder;
