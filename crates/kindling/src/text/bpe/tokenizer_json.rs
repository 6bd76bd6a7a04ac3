//! Hugging Face's `tokenizer.json`: everything of a tokenizer in one file, as long as it describes what [`super::Bpe`] does.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;
use serde_json::{Value, json};

use super::files::{Parts, parse};
use crate::{Error, Result, tensor_file::read_text};

#[derive(Deserialize)]
struct Whole {
    #[serde(default)]
    normalizer: Value,
    pre_tokenizer: Value,
    #[serde(default)]
    added_tokens: Vec<Added>,
    model: Value,
}

#[derive(Deserialize)]
struct Added {
    id: u32,
    content: String,
    #[serde(default)]
    single_word: bool,
    #[serde(default)]
    lstrip: bool,
    #[serde(default)]
    rstrip: bool,
}

/// A merge was a string once and is a pair today.
#[derive(Deserialize)]
#[serde(untagged)]
enum MergeEntry {
    Pair(String, String),
    Line(String),
}

/// A `tokenizer.json`, as long as it describes what [`Bpe`] does.
pub(super) fn whole(path: &Path) -> Result<Parts> {
    let wrong = |problem: String| Error::Format {
        file: path.display().to_string(),
        problem,
    };
    let file: Whole = parse(path, &read_text(path)?)?;
    let model = &file.model;
    let (digits_alone, byte_level) = steps(&file.pre_tokenizer);
    let nothing = |value: &Value| matches!(value, Value::Null | Value::Bool(false)) || value == "";
    let expected = [
        (file.normalizer.is_null(), "no normalizer"),
        // GPT-2's own file is older than the types, and what has merges is byte-pair encoding.
        (
            model["type"] == "BPE" || (model["type"].is_null() && model["merges"].is_array()),
            "a model of type BPE",
        ),
        (
            byte_level["type"] == "ByteLevel",
            "the pre_tokenizer ByteLevel, alone or after Digits that are cut one by one",
        ),
        (
            byte_level["add_prefix_space"] == false,
            "add_prefix_space false",
        ),
        (byte_level["use_regex"] != false, "use_regex true"),
        (nothing(&model["dropout"]), "no dropout"),
        (
            nothing(&model["continuing_subword_prefix"]),
            "no continuing_subword_prefix",
        ),
        (
            nothing(&model["end_of_word_suffix"]),
            "no end_of_word_suffix",
        ),
        (nothing(&model["byte_fallback"]), "byte_fallback false"),
        (nothing(&model["ignore_merges"]), "ignore_merges false"),
        (
            !file
                .added_tokens
                .iter()
                .any(|t| t.single_word || t.lstrip || t.rstrip),
            "added tokens without single_word, lstrip and rstrip",
        ),
    ];
    if let Some((_, expected)) = expected.iter().find(|(holds, _)| !holds) {
        return Err(wrong(format!(
            "expected {expected}, as GPT-2's tokenizer has it; another kind is read by the crate `tokenizers`"
        )));
    }
    let entries: Vec<MergeEntry> = Deserialize::deserialize(&model["merges"])
        .map_err(|error| wrong(format!("merges: {error}")))?;
    let merges: Option<Vec<(String, String)>> = entries
        .into_iter()
        .map(|entry| match entry {
            MergeEntry::Pair(left, right) => Some((left, right)),
            MergeEntry::Line(line) => {
                let (left, right) = line.split_once(' ')?;
                Some((left.to_owned(), right.to_owned()))
            }
        })
        .collect();
    Ok(Parts {
        file: path.display().to_string(),
        vocabulary: Deserialize::deserialize(&model["vocab"])
            .map_err(|error| wrong(format!("vocab: {error}")))?,
        merges: merges.ok_or_else(|| wrong("merges: expected two tokens each".to_owned()))?,
        special: file
            .added_tokens
            .into_iter()
            .map(|t| (t.content, t.id))
            .collect(),
        digits_alone,
        unknown: model["unk_token"].as_str().map(str::to_owned),
    })
}

/// Whether digits are cut out first, and the step that cuts the rest.
fn steps(pre_tokenizer: &Value) -> (bool, &Value) {
    let steps = pre_tokenizer["pretokenizers"].as_array();
    match steps.map(Vec::as_slice) {
        Some([digits, rest])
            if digits["type"] == "Digits" && digits["individual_digits"] == true =>
        {
            (true, rest)
        }
        Some([only]) => (false, only),
        _ => (false, pre_tokenizer),
    }
}

/// A `tokenizer.json` that cuts digits out.
pub(super) fn to_whole(
    vocabulary: BTreeMap<String, u32>,
    merges: &[[String; 2]],
    special: &[(&str, u32)],
    unknown: Option<String>,
) -> String {
    let special = special.iter().map(|(content, id)| {
        json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
            "special": true})
    });
    let byte_level = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    let whole = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": special.collect::<Vec<_>>(),
        "normalizer": null,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": true}, byte_level]},
        "post_processor": null,
        "decoder": byte_level,
        "model": {"type": "BPE", "dropout": null, "unk_token": unknown, "continuing_subword_prefix": null, "end_of_word_suffix": null,
            "fuse_unk": false, "byte_fallback": false, "ignore_merges": false, "vocab": vocabulary, "merges": merges},
    });
    format!("{whole:#}\n")
}

#[cfg(test)]
mod tests {
    use super::super::Bpe;

    /// All bytes and one merge, with a setting of the model or of the file changed.
    fn load(from: &str, to: &str) -> crate::Result<Bpe> {
        let folder = tempfile::tempdir().unwrap();
        let bpe = Bpe::train(["ab ab"], 257)?;
        bpe.save(folder.path())?;
        let vocabulary = std::fs::read_to_string(folder.path().join("vocab.json")).unwrap();
        let json = format!(
            r#"{{"normalizer": null, "pre_tokenizer": {{"type": "ByteLevel", "add_prefix_space": false, "use_regex": true}},
            "added_tokens": [{{"id": 257, "content": "<end>", "special": true, "lstrip": false}}],
            "model": {{"type": "BPE", "dropout": null, "unk_token": null, "vocab": {vocabulary}, "merges": ["a b"]}}}}"#
        );
        assert!(json.contains(from), "{from}");
        let path = folder.path().join("tokenizer.json");
        std::fs::write(&path, json.replace(from, to)).unwrap();
        Bpe::load(&path)
    }

    #[test]
    fn both_ways_to_write_merges_are_read() {
        let bpe = load("null", "null").unwrap();
        assert_eq!(bpe.encode("ab<end>").len(), 2);
        assert_eq!(load("\"a b\"", "[\"a\", \"b\"]").unwrap(), bpe);
    }

    #[test]
    fn digits_that_are_cut_out_are_read_and_written() {
        let byte_level = r#"{"type": "ByteLevel", "add_prefix_space": false, "use_regex": true}"#;
        let digits = r#"{"type": "Digits", "individual_digits": true}"#;
        let sequence =
            format!(r#"{{"type": "Sequence", "pretokenizers": [{digits}, {byte_level}]}}"#);
        let bpe = load(byte_level, &sequence).unwrap();
        assert_ne!(bpe, load("null", "null").unwrap());
        assert_eq!(bpe.encode("ab 12").len(), 4);
        let folder = tempfile::tempdir().unwrap();
        bpe.save(folder.path()).unwrap();
        assert_eq!(Bpe::load(folder.path()).unwrap(), bpe);
        assert_eq!(
            Bpe::load(folder.path().join("tokenizer.json")).unwrap(),
            bpe
        );
    }

    #[test]
    fn what_would_encode_differently_is_refused() {
        for (from, to, expected) in [
            ("\"BPE\"", "\"WordPiece\"", "a model of type BPE"),
            (
                "\"ByteLevel\"",
                "\"Whitespace\"",
                "the pre_tokenizer ByteLevel",
            ),
            (
                "\"add_prefix_space\": false",
                "\"add_prefix_space\": true",
                "add_prefix_space false",
            ),
            (
                "\"normalizer\": null",
                "\"normalizer\": {\"type\": \"NFC\"}",
                "no normalizer",
            ),
            ("\"dropout\": null", "\"dropout\": 0.1", "no dropout"),
            ("\"lstrip\": false", "\"lstrip\": true", "lstrip"),
            (
                "\"unk_token\": null",
                "\"ignore_merges\": true",
                "ignore_merges false",
            ),
            ("\"a b\"", "\"ab\"", "two tokens each"),
            ("\"a b\"", "7", "merges: "),
        ] {
            let error = load(from, to).unwrap_err().to_string();
            assert!(error.contains(expected), "{from}: {error}");
        }
    }
}
