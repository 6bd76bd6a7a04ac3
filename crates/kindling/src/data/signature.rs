//! What a file is by its first bytes, for errors that say what was found instead.

/// First bytes, and what begins with them.
const BEGINNINGS: [(&[u8], &str); 25] = [
    (b"\x1f\x8b", "a gzip file"),
    (b"PK\x03\x04", "a zip archive"),
    (b"PK\x05\x06", "a zip archive"),
    (b"\xfd7zXZ\0", "an xz file"),
    (b"BZh", "a bzip2 file"),
    (b"\x28\xb5\x2f\xfd", "a zstd file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"II*\0", "a TIFF picture"),
    (b"MM\0*", "a TIFF picture"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"8BPS", "a Photoshop picture"),
    (b"%PDF", "a PDF"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x80\x02", "a Python pickle"),
    (b"\x80\x03", "a Python pickle"),
    (b"\x80\x04", "a Python pickle"),
    (b"\0\0\x08", "an IDX file"),
    // A Mac writes one beside each file on a disk that is not its own.
    (b"\0\x05\x16\x07", "the notes of a Mac about another file"),
    (
        b"version https://git-lfs",
        "a Git LFS pointer (`git lfs pull` fetches the file itself)",
    ),
];

/// What these bytes are, in words such as `a gzip file`, if they are one of the kinds that people mix up.
pub(super) fn known(bytes: &[u8]) -> Option<&'static str> {
    let begins = |start: &[u8]| bytes.starts_with(start);
    let found = BEGINNINGS.iter().find(|(start, _)| begins(start));
    if let Some((_, words)) = found {
        return Some(words);
    }
    if bytes.is_empty() {
        return Some("an empty file");
    }
    if bytes.get(257..262) == Some(b"ustar") {
        return Some("a tar");
    }
    if bytes.get(4..8) == Some(b"ftyp") {
        return Some(match bytes.get(8..12) {
            Some(b"avif" | b"avis") => "an AVIF picture",
            Some(b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"mif1" | b"msf1") => {
                "a HEIC picture"
            }
            _ => "a video",
        });
    }
    let beginning = &bytes[..bytes.len().min(512)];
    if beginning.len() > 8 && beginning.iter().all(|&byte| byte == 0) {
        return Some("nothing but zeros, as a download that was cut leaves them");
    }
    let words = String::from_utf8_lossy(beginning).to_lowercase();
    let words = words.trim_start_matches(|c: char| c == '\u{feff}' || c.is_whitespace());
    match words {
        words if words.starts_with("<!doctype html") || words.starts_with("<html") => {
            Some("an HTML page")
        }
        words if words.starts_with("<svg") || words.contains("<svg ") => Some("an SVG drawing"),
        _ => None,
    }
}

/// The same for any bytes.
pub(super) fn found(bytes: &[u8]) -> String {
    if let Some(words) = known(bytes) {
        return words.to_owned();
    }
    let start = &bytes[..bytes.len().min(64)];
    match std::str::from_utf8(start) {
        Ok(text) if !text.contains(|c: char| c.is_control() && !c.is_whitespace()) => {
            "text".to_owned()
        }
        _ => format!("the first bytes {:?}", &bytes[..bytes.len().min(4)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_mix_up_is_named() {
        for (bytes, expected) in [
            (&b""[..], "an empty file"),
            (b"\x1f\x8b\x08\0", "a gzip file"),
            (b"\n <!DOCTYPE HTML><html>", "an HTML page"),
            (b"\xef\xbb\xbf<html>", "an HTML page"),
            (b"\0\0\0\x18ftypheic\0\0", "a HEIC picture"),
            (b"\0\0\0\x18ftypavif\0\0", "an AVIF picture"),
            (b"\0\0\0\x18ftypisom\0\0", "a video"),
            (b"<?xml version='1.0'?><svg width='1'/>", "an SVG drawing"),
            (
                &[0; 40],
                "nothing but zeros, as a download that was cut leaves them",
            ),
            (b"some words", "text"),
            (b"\x01\x02\x03\x04\x05", "the first bytes [1, 2, 3, 4]"),
        ] {
            assert_eq!(found(bytes), expected);
        }
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(0);
        tar.append_data(&mut header, "a", &b""[..]).unwrap();
        assert_eq!(found(&tar.into_inner().unwrap()), "a tar");
    }
}
