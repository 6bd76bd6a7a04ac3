//! Finds a data set: cached file, mirror folder, or a checked and resumable download.
//!
//! The manifest `data/datasets.toml` says what exists; a [`Store`] knows where to look. Whatever the place, a file is
//! used only when the SHA-256 of its decompressed bytes is the manifest's:
//!
//! ```no_run
//! use kindling_fetch::{Manifest, Store};
//! let manifest = Manifest::builtin()?;
//! let mnist = manifest.dataset("mnist")?;
//! let labels = Store::from_env().read(mnist, &mnist.files[1])?;
//! println!("{} bytes from the {}", labels.bytes.len(), labels.source);
//! # Ok::<(), kindling_fetch::Error>(())
//! ```
//!
//! | variable | meaning |
//! |---|---|
//! | `KINDLING_CACHE` | where files are kept; by default the platform's cache folder |
//! | `KINDLING_MIRROR` | a folder that holds `<data set>/<file>`, read in place |
//! | `KINDLING_DOWNLOAD_BASE` | the address of a server of your own that holds `<data set>/<file>`, instead of the public ones |
//! | `KINDLING_COURSE` | the `course` command, which downloads for a program built without the feature `download` |

#[cfg(feature = "download")]
mod download;
mod error;
#[cfg(feature = "download")]
mod lock;
mod manifest;
mod place;
mod store;
mod unpack;

pub use error::{Error, Result};
pub use manifest::{DataFile, Dataset, Manifest};
pub use place::{Source, cache_folder};
pub use store::{Found, Store};
