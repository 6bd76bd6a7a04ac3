//! From raw input to an answer: so far the parts of a summary that picks whole sentences.
//!
//! [`TfIdf`] turns tokenised sentences into vectors, [`text_rank`](fn@text_rank) gives each sentence a score by the sentences that resemble it;
//! it is [`page_rank`](fn@page_rank) on the graph of their similarities.

mod page_rank;
mod text_rank;
mod tf_idf;

pub use page_rank::page_rank;
pub use text_rank::text_rank;
pub use tf_idf::TfIdf;
