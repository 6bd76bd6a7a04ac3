//! Summaries that pick sentences: which, how many, in English and Chinese, and what is refused.
#![allow(clippy::unwrap_used)]

use candle_core::{Device, Tensor};
use kindling::{
    Result,
    pipeline::{Extractive, SentenceVectors, Summarize, Summarizer, summarizer},
    text::words,
};

const ENGLISH: &str = "The river rose during the night. By morning the river stood in the cellars of the old town.\n\
    Nobody slept. The mayor had the cellars of the old town pumped dry by noon. It did not rain again.";
const CHINESE: &str =
    "今天早上河水涨了。河水淹没了老城区的地下室。没有人睡觉。中午以前，老城区的地下室都抽干了。";

#[test]
fn the_length_is_as_asked_and_the_order_is_the_texts() {
    for text in [ENGLISH, CHINESE] {
        let all = words(text).len();
        for engine in ["extractive", "lead"] {
            let summarizer = summarizer(engine).unwrap();
            for length in [1..2, 3..9, 10..11, 12..20, 20..30, 25..60, 0..100] {
                let summary = summarizer.summarize(text, length.clone()).unwrap();
                let count = words(&summary).len();
                let least = length.start.max(1).min(all);
                assert!(
                    (least..length.end).contains(&count),
                    "{engine} {length:?}: {summary}"
                );
                assert_eq!(summary, summarizer.summarize(text, length).unwrap());
            }
            let whole = summarizer.summarize(text, all..1000).unwrap();
            assert_eq!(words(&whole), words(text), "{engine}");
        }
    }
}

#[test]
fn central_sentences_are_picked_and_the_lead_is_the_beginning() {
    let extractive = summarizer("extractive").unwrap();
    let summary = extractive.summarize(ENGLISH, 12..14).unwrap();
    assert_eq!(
        summary,
        "By morning the river stood in the cellars of the old town."
    );
    assert_eq!(
        extractive.summarize(CHINESE, 10..14).unwrap(),
        "河水淹没了老城区的地下室。"
    );
    let lead = summarizer("lead").unwrap();
    let summary = lead.summarize(ENGLISH, 3..30).unwrap();
    assert_eq!(summary, "The river rose during the night.");
    let summary = lead.summarize(ENGLISH, 8..11).unwrap();
    assert_eq!(
        summary,
        "The river rose during the night. By morning the river…"
    );
    assert_eq!(extractive.engine(), "extractive (TF-IDF)");
    assert_eq!(
        (lead.engine().as_str(), lead.unit().to_string().as_str()),
        ("lead", "words")
    );
}

/// Vectors that call the last two sentences alike and all others unlike.
#[derive(Debug)]
struct LastTwo;

impl SentenceVectors for LastTwo {
    fn name(&self) -> String {
        "the last two".to_owned()
    }

    fn vectors(&self, sentences: &[&str]) -> Result<Tensor> {
        let count = sentences.len();
        let mut rows = vec![0_f32; count * count];
        for place in 0..count {
            rows[place * count + place.min(count - 2)] = 1.0;
        }
        Ok(Tensor::from_vec(rows, (count, count), &Device::Cpu)?)
    }
}

#[test]
fn vectors_of_ones_own_decide() {
    let summarizer = Summarizer::new(Extractive::with(LastTwo));
    assert_eq!(summarizer.engine(), "extractive (the last two)");
    let summary = summarizer.summarize(ENGLISH, 17..30).unwrap();
    assert_eq!(
        summary,
        "The mayor had the cellars of the old town pumped dry by noon. It did not rain again."
    );
}

#[test]
fn strange_texts_have_summaries_and_empty_ones_have_none() {
    for engine in [
        Box::new(Extractive::new()) as Box<dyn Summarize>,
        Box::new(kindling::pipeline::Lead),
    ] {
        for text in [
            "word",
            "... !!! word",
            "a\u{0}b",
            "🙂 ok",
            "One.\n\n\n\nTwo.",
            &"x ".repeat(3000),
        ] {
            let summary = engine.summarize(text, 1..5).unwrap();
            assert!((1..5).contains(&words(&summary).len()), "{text}: {summary}");
        }
        for text in ["", " \n", "… — !", "🙂"] {
            let error = engine.summarize(text, 1..5).unwrap_err().to_string();
            assert_eq!(error, "text: expected at least one word, found none");
        }
        #[allow(clippy::reversed_empty_ranges)]
        for length in [5..5, 7..3, 0..0, 0..1] {
            let error = engine
                .summarize("One.", length.clone())
                .unwrap_err()
                .to_string();
            assert_eq!(
                error,
                format!("length: expected limits such as 30..130, found {length:?}")
            );
        }
    }
    let error = summarizer("t5-small").unwrap_err().to_string();
    assert!(
        error.contains("`t5-small`") && error.contains("kindling-pretrained"),
        "{error}"
    );
}
