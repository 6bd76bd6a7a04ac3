//! Text from a file, or from whoever writes to this program.

use std::{
    fs,
    io::{self, Read},
    path::Path,
};

use anyhow::{Context, Result, bail};

/// The text of a file, or for `-` of standard input.
pub fn read(file: &Path) -> Result<String> {
    let is_stdin = file.as_os_str() == "-";
    let name = if is_stdin {
        "standard input".to_owned()
    } else {
        file.display().to_string()
    };
    let mut bytes = Vec::new();
    if is_stdin {
        let read = io::stdin().lock().read_to_end(&mut bytes);
        read.with_context(|| name.clone())?;
    } else {
        bytes = fs::read(file).with_context(|| name.clone())?;
    }
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => bail!(
            "{name}: expected text in UTF-8, found something else at byte {}",
            error.utf8_error().valid_up_to()
        ),
    };
    // Some editors begin a file with a mark that is no part of the text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    if text.trim().is_empty() {
        bail!("{name}: expected some text, found none");
    }
    Ok(text.to_owned())
}
