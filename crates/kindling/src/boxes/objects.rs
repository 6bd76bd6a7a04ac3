//! What is in a picture, and what a model says is in it.

/// How a thing counts when a model is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// It has to be found.
    #[default]
    Counted,
    /// It may be found or not, as a `difficult` thing of Pascal VOC.
    Ignored,
    /// A box around many things, as `iscrowd` in COCO: any number of boxes inside it is neither right nor wrong.
    Crowd,
}

/// A thing in a picture, as a person marked it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Object {
    /// `(x1, y1, x2, y2)` in pixels.
    pub corners: [f32; 4],
    /// The number of its class.
    pub class: usize,
    /// Whether it has to be found.
    pub role: Role,
}

impl Object {
    /// A thing that has to be found.
    #[must_use]
    pub fn new(corners: [f32; 4], class: usize) -> Self {
        Self {
            corners,
            class,
            role: Role::Counted,
        }
    }
}

/// A thing in a picture, as a model found it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// `(x1, y1, x2, y2)` in pixels.
    pub corners: [f32; 4],
    /// The number of its class.
    pub class: usize,
    /// How sure the model is, from 0 to 1.
    pub score: f32,
}
