//! Our byte-pair encoding beside Hugging Face's: the same pieces, the same ids, the same merges learned.
#![allow(clippy::unwrap_used)]

use std::{fs, path::Path, time::Instant};

use kindling::{
    data::{Corpus, Random, Translations},
    text::Bpe,
};
use tokenizers::{
    AddedToken, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer, Tokenizer,
    TokenizerBuilder,
    decoders::byte_level::ByteLevel as Decoder,
    models::bpe::{BPE, BpeTrainer},
    normalizers::NormalizerWrapper,
    pre_tokenizers::byte_level::ByteLevel,
    processors::PostProcessorWrapper,
};

/// English, Chinese, and what breaks splitters.
const TEXTS: [&str; 24] = [
    "",
    " ",
    "x",
    "Hello, world! It's 3.14 o'clock; we've said they'll, I'm, you'd, don't, SHE'S.",
    "The cat sat on the mat. The cat's hat is flat, and that is that.",
    "你好，世界！今天天气很好，我们去公园散步吧。他们说：“好的。”",
    "Mixed 中文 and English混在一起, 2024年3月15日",
    "👩‍👩‍👧 🐟🐟 👍🏽 ❤️ 🇨🇭",
    "   three before, two  between,   ",
    "tabs\t\tand\nlines\n\n\n and \r\n both \n\t\n end\n",
    "a\u{a0}b\u{2003}\u{2003}c\u{3000}d\u{85}e\u{200b}f\u{feff}",
    "\u{0}\u{1}\u{1f}\u{7f}\u{80}\u{9f} controls \u{0}",
    "cafe\u{301} A\u{345} ন\u{9be} हिन्दी ไทย العربية עברית",
    "Ⅳ ² ½ ٣ 五 Ⓐ 🄰 ʰ ª ゛ ー",
    "''''s's''t 're'RE 'll'L ' s 'd",
    "!!!???...;;; --- === <<<>>> <|endoftext|> <|end|>",
    "\u{fffd}\u{fffd} replaced \u{ffff}\u{10ffff}\u{e000}",
    "x\u{301}\u{302}\u{303}y \u{301}z",
    "12345 67,890 1e10 0x1F 3rd v2.0",
    "snake_case camelCase kebab-case path/to/file.rs fn main() { println!(\"{x:?}\"); }",
    " \u{2028} \u{2029} \u{c}\u{b} ",
    "ǅ ß ſ İ ı Σς Straße naïve résumé",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbb ababababab",
    "\n\n\n",
];

fn corpus() -> Vec<String> {
    TEXTS.map(|text| text.repeat(3)).to_vec()
}

/// Hugging Face's tokenizer with the same files.
fn reference(folder: &Path, special: &[&str]) -> Tokenizer {
    let [vocabulary, merges] =
        ["vocab.json", "merges.txt"].map(|name| folder.join(name).display().to_string());
    let model = BPE::from_file(&vocabulary, &merges).build().unwrap();
    let mut tokenizer = Tokenizer::new(model);
    tokenizer.with_pre_tokenizer(Some(ByteLevel::new(false, false, true)));
    tokenizer.with_decoder(Some(Decoder::new(false, false, true)));
    let special = special.iter().map(|text| AddedToken::from(*text, true));
    tokenizer
        .add_special_tokens(special.collect::<Vec<_>>())
        .unwrap();
    tokenizer
}

fn check(bpe: &Bpe, reference: &Tokenizer, text: &str) {
    let expected = reference.encode_fast(text, false).unwrap();
    let ids = bpe.encode(text);
    assert_eq!(ids, expected.get_ids(), "{text:?}");
    assert_eq!(bpe.decode(&ids).unwrap(), text);
    assert_eq!(reference.decode(&ids, false).unwrap(), text);
}

/// Characters of all kinds, the odd ones much more often than in real text.
fn random_text(random: &mut Random) -> String {
    let length = random.below(30);
    let alphabets = [
        " \t\n\r\u{a0}\u{3000}\u{2003}",
        "'stredvml'S ",
        "abcABC  ",
        "012٣²Ⅳ½",
        "你好世界，。！",
        "!?.,-_<>|\"",
        "\u{301}\u{345}\u{9be}\u{200d}\u{fe0f}\u{200b}\u{feff}",
        "\u{0}\u{7f}\u{85}\u{9f}",
        "🐟👩👍🏽🇨",
    ]
    .map(|alphabet| alphabet.chars().collect::<Vec<char>>());
    (0..length)
        .map(|_| match random.below(12) {
            9 => char::from_u32(random.below(0x3000) as u32).unwrap_or('x'),
            10 | 11 => char::from_u32(random.below(0x11_0000) as u32).unwrap_or(' '),
            kind => alphabets[kind][random.below(alphabets[kind].len())],
        })
        .collect()
}

#[test]
fn encodes_and_decodes_as_the_reference_does() {
    let special = ["<|endoftext|>", "<|end|>", "<|end|>x", "终"];
    let folder = tempfile::tempdir().unwrap();
    let trained = Bpe::train_with_special(corpus(), 900, &special).unwrap();
    trained.save(folder.path()).unwrap();
    let bpe = Bpe::load(folder.path()).unwrap();
    assert_eq!(bpe, trained);
    let reference = reference(folder.path(), &special);
    for text in TEXTS {
        check(&bpe, &reference, text);
    }
    check(
        &bpe,
        &reference,
        "a<|end|>x<|end|> <|endoftext|>终终\u{0} <|end",
    );
    let mut random = Random::new(42);
    for _ in 0..20_000 {
        check(&bpe, &reference, &random_text(&mut random));
    }
}

#[test]
fn arbitrary_bytes_made_text_encode_alike() {
    let folder = tempfile::tempdir().unwrap();
    let bpe = Bpe::train(corpus(), 600).unwrap();
    bpe.save(folder.path()).unwrap();
    let reference = reference(folder.path(), &[]);
    let mut random = Random::new(7);
    for _ in 0..5_000 {
        let bytes: Vec<u8> = (0..random.below(40))
            .map(|_| random.below(256) as u8)
            .collect();
        check(&bpe, &reference, &String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn every_character_is_split_as_the_reference_splits_it() {
    let splitter = ByteLevel::new(false, false, true);
    let mut different = Vec::new();
    for character in (0..=0x10_ffff).filter_map(char::from_u32) {
        let text = format!("a{character}1{character}!{character} {character}{character} b");
        let mut split = PreTokenizedString::from(text.as_str());
        splitter.pre_tokenize(&mut split).unwrap();
        let expected: Vec<usize> = split
            .get_splits(OffsetReferential::Original, OffsetType::Byte)
            .into_iter()
            .map(|(_, offsets, _)| offsets.1)
            .collect();
        if ends(&text) != expected {
            different.push(character);
        }
    }
    assert!(
        different.is_empty(),
        "{} characters: {different:?}",
        different.len()
    );
}

/// Where our pieces of this text end.
fn ends(text: &str) -> Vec<usize> {
    let mut end = 0;
    let pieces = kindling::text::gpt2_pieces(text).into_iter();
    pieces
        .map(|piece| {
            end += piece.len();
            end
        })
        .collect()
}

#[test]
fn learns_the_merges_that_the_reference_learns() {
    for (texts, size) in [
        (corpus(), 700),
        (vec!["ab abab ababab aaaa aaaaa".repeat(3)], 300),
        (vec!["one two two three three three ".repeat(5)], 290),
    ] {
        compare_training(&texts, size);
    }
}

fn compare_training(texts: &[String], size: usize) {
    let special = ["<pad>", "<eos>"];
    let bpe = Bpe::train_with_special(texts, size, &special).unwrap();
    let mut trainer = BpeTrainer::builder()
        .show_progress(false)
        .vocab_size(size)
        .min_frequency(2)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .special_tokens(special.map(|text| AddedToken::from(text, true)).to_vec())
        .build();
    let mut tokenizer =
        TokenizerBuilder::<BPE, NormalizerWrapper, ByteLevel, PostProcessorWrapper, Decoder>::new()
            .with_model(BPE::default())
            .with_normalizer(None)
            .with_pre_tokenizer(Some(ByteLevel::new(false, false, true)))
            .with_post_processor(None)
            .with_decoder(Some(Decoder::new(false, false, true)))
            .build()
            .unwrap();
    tokenizer.train(&mut trainer, texts.iter()).unwrap();
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    bpe.save(ours.path()).unwrap();
    tokenizers::Model::save(tokenizer.get_model(), theirs.path(), None).unwrap();
    let read = |folder: &Path, name: &str| fs::read_to_string(folder.join(name)).unwrap();
    assert_eq!(
        read(ours.path(), "merges.txt"),
        read(theirs.path(), "merges.txt")
    );
    let ids = |folder: &Path| -> serde_json::Value {
        serde_json::from_str(&read(folder, "vocab.json")).unwrap()
    };
    assert_eq!(ids(ours.path()), ids(theirs.path()));
    // Their whole file, which holds the same in another form.
    let whole = theirs.path().join("tokenizer.json");
    tokenizer.save(&whole, true).unwrap();
    assert_eq!(Bpe::load(&whole).unwrap(), bpe);
    // Beside the other two, it says which tokens are special.
    assert_eq!(Bpe::load(theirs.path()).unwrap(), bpe);
}

#[test]
fn real_texts_are_learned_and_encoded_alike() {
    let Some(mirror) = kindling_skip::mirror("tinyshakespeare/ and tatoeba-cmn-eng/") else {
        return;
    };
    let cache = tempfile::tempdir().unwrap();
    let store = kindling_fetch::Store::at(cache.path())
        .with_mirror(mirror)
        .without_download();
    let plays = Corpus::find_tiny_shakespeare(&store).unwrap();
    let start = Instant::now();
    let bpe = Bpe::train([&plays.train], 4_000).unwrap();
    let trained = start.elapsed();
    let ids = bpe.encode(&plays.validation);
    println!(
        "{trained:.1?} to learn 4,000 tokens from a megabyte, {:.1?} more to encode a tenth",
        start.elapsed() - trained
    );
    assert!(2 * ids.len() < plays.validation.len());
    compare_training(std::slice::from_ref(&plays.train), 1_500);
    let pairs = Translations::find_tatoeba(&store).unwrap();
    let lines = pairs
        .train
        .iter()
        .flat_map(|pair| [&pair.source, &pair.target]);
    let bpe = Bpe::train(lines, 3_000).unwrap();
    let folder = tempfile::tempdir().unwrap();
    bpe.save(folder.path()).unwrap();
    let reference = reference(folder.path(), &[]);
    for text in pairs
        .test
        .iter()
        .flat_map(|pair| [&pair.source, &pair.target])
    {
        check(&bpe, &reference, text);
    }
    check(&bpe, &reference, &plays.validation);
}

#[test]
fn gpt2s_published_files_give_its_published_ids() {
    let Some(mirror) = kindling_skip::mirror("gpt2-bpe/") else {
        return;
    };
    let bpe = Bpe::load(mirror.join("gpt2-bpe")).unwrap();
    assert_eq!(bpe.len(), 50_257);
    assert_eq!(bpe.encode("Hello world"), [15_496, 995]);
    assert_eq!(bpe.encode("a<|endoftext|>b"), [64, 50_256, 65]);
    assert_eq!(bpe.encode_plain("<|endoftext|>").len(), 7);
    assert_eq!(bpe.decode(&[15_496, 995]).unwrap(), "Hello world");
}
