//! From raw input to an answer: summaries, boxes around things, and the parts they are made of.
//!
//! [`summarizer`] gives an engine by name, [`Summarize`] is what all engines can do. [`Extractive`] picks the sentences that matter:
//! [`TfIdf`] turns tokenised sentences into vectors, [`text_rank`](fn@text_rank) gives each sentence a score by the sentences that resemble it;
//! it is [`page_rank`](fn@page_rank) on the graph of their similarities. [`Abstractive`] writes words of its own with the model that the course trains.
//! [`summarize_in_parts`] is for models that read only so much at a time, and [`rouge_of_subjects`] measures any engine on e-mails.
//!
//! [`detector`](fn@detector) finds objects in a picture's file: a [`DetectedPicture`] shows itself with its boxes, and counts them. [`Counting`] turns scores, through a
//! [`ScoreCurve`], into numbers of objects and says how sure they are.

mod abstractive;
mod chosen_sentences;
mod detection;
mod extractive;
mod guarded;
mod joined;
mod letter_case;
mod long_text;
mod many_sentences;
mod page_rank;
mod subjects;
mod summarize;
mod text_rank;
mod tf_idf;

pub use abstractive::Abstractive;
pub use detection::{
    Count, Counting, DetectedPicture, DetectionPipeline, LARGEST_OVERLAP, LOWEST_SCORE, ScoreCurve,
    detector,
};
pub use extractive::{Extractive, Lead, SentenceVectors, WordVectors};
pub use long_text::summarize_in_parts;
pub use page_rank::page_rank;
pub use subjects::{SUBJECT_LENGTH, rouge_of_subjects};
pub use summarize::{Summarize, Summarizer, Unit, check_request, summarizer};
pub use text_rank::text_rank;
pub use tf_idf::TfIdf;
