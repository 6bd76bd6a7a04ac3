//! Under what a model may be used that was trained on data which are not published ones.

/// Of somebody's own pictures.
pub const OWN_PICTURES: &str = "as your pictures";

/// Of somebody's own text.
pub const OWN_TEXT: &str = "as your text";

/// Of somebody's own texts and their summaries.
pub const OWN_TEXTS: &str = "as your texts";

/// Of somebody's own sentence pairs.
pub const OWN_SENTENCES: &str = "as your sentences";

/// Of what a program drew or wrote.
pub const BUILTIN: &str = "MIT OR Apache-2.0, as the course's code";
