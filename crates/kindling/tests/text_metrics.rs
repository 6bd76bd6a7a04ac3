//! BLEU, chrF and ROUGE are those of sacrebleu and rouge-score, as these gave them: `fixtures/text_metrics.py`.
#![allow(clippy::unwrap_used)]

use kindling::{
    data::Random,
    metrics::{
        BleuConfig, BleuScore, BleuTokenizer, ChrfConfig, Rouge, RougeConfig, RougeScore, bleu,
        chrf, rouge, sentence_bleu,
    },
};
use serde_json::Value;

const TOKENIZERS: [(&str, BleuTokenizer); 4] = [
    ("13a", BleuTokenizer::V13a),
    ("zh", BleuTokenizer::Chinese),
    ("char", BleuTokenizer::Character),
    ("none", BleuTokenizer::None),
];

fn fixture() -> Value {
    serde_json::from_str(include_str!("../fixtures/text_metrics.json")).unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    list(value).iter().map(|n| n.as_f64().unwrap()).collect()
}

fn texts(value: &Value) -> Vec<&str> {
    list(value).iter().map(|t| t.as_str().unwrap()).collect()
}

/// Texts and what the packages said of them.
struct Corpus<'a> {
    name: &'a str,
    hypotheses: Vec<&'a str>,
    references: Vec<Vec<&'a str>>,
    results: &'a Value,
}

fn corpora(fixture: &Value) -> Vec<Corpus<'_>> {
    let corpora = list(&fixture["corpora"]).iter().map(|corpus| Corpus {
        name: corpus["name"].as_str().unwrap(),
        hypotheses: texts(&corpus["hypotheses"]),
        references: list(&corpus["references"]).iter().map(texts).collect(),
        results: corpus,
    });
    let corpora: Vec<_> = corpora.collect();
    assert!(corpora.len() > 20);
    corpora
}

fn close(found: &[f64], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (a, b) in found.iter().zip(expected) {
        assert!(
            (a - b).abs() <= 1e-8,
            "{what}: found {found:?}, expected {expected:?}"
        );
    }
}

#[test]
fn sentences_are_cut_as_sacrebleu_cuts_them() {
    for item in list(&fixture()["tokens"]) {
        for (name, tokenizer) in TOKENIZERS {
            let text = item["text"].as_str().unwrap();
            let tokens = tokenizer.tokenize(text);
            assert_eq!(tokens, texts(&item[name]), "{name}: {text:?}");
        }
    }
}

#[test]
fn bleu_is_sacrebleus() {
    for Corpus {
        name,
        hypotheses,
        references,
        results,
    } in corpora(&fixture())
    {
        for result in list(&results["bleu"]) {
            let called = result["tokenizer"].as_str().unwrap();
            let tokenizer = TOKENIZERS.iter().find(|(name, _)| *name == called).unwrap();
            let config = BleuConfig {
                tokenizer: tokenizer.1,
                lowercase: result["lowercase"].as_bool().unwrap(),
            };
            let what = format!("{name} {config:?}");
            let found = config.corpus(&hypotheses, &references).unwrap();
            let expected = &result["corpus"];
            let wanted = [&expected["score"], &expected["brevity_penalty"]];
            let wanted = wanted.map(|number| number.as_f64().unwrap());
            close(&[found.score, found.brevity_penalty], &wanted, &what);
            close(&found.precisions, &numbers(&expected["precisions"]), &what);
            let lengths = [found.hypothesis_length, found.reference_length];
            let lengths = lengths.map(|length| length as f64);
            close(&lengths, &numbers(&expected["lengths"]), &what);
            assert_eq!(found.to_string(), expected["text"].as_str().unwrap());
            let pairs = hypotheses.iter().zip(&references);
            let sentences = pairs.map(|(text, list)| config.sentence(text, list).unwrap().score);
            let sentences: Vec<f64> = sentences.collect();
            close(&sentences, &numbers(&result["sentences"]), &what);
        }
    }
}

#[test]
fn chrf_is_sacrebleus() {
    for Corpus {
        name,
        hypotheses,
        references,
        results,
    } in corpora(&fixture())
    {
        for result in list(&results["chrf"]) {
            let settings = numbers(&result["settings"]);
            let config = ChrfConfig {
                character_order: settings[0] as usize,
                word_order: settings[1] as usize,
                beta: settings[2] as u32,
                lowercase: result["lowercase"].as_bool().unwrap(),
            };
            let what = format!("{name} {config:?}");
            let found = config.corpus(&hypotheses, &references).unwrap();
            close(&[found], &[result["corpus"].as_f64().unwrap()], &what);
            let pairs = hypotheses.iter().zip(&references);
            let sentences = pairs.map(|(text, list)| config.sentence(text, list).unwrap());
            let sentences: Vec<f64> = sentences.collect();
            close(&sentences, &numbers(&result["sentences"]), &what);
        }
    }
}

fn measures(rouge: &Rouge) -> [(&str, RougeScore); 4] {
    [
        ("rouge1", rouge.rouge1),
        ("rouge2", rouge.rouge2),
        ("rouge_l", rouge.rouge_l),
        ("rouge_lsum", rouge.rouge_lsum),
    ]
}

#[test]
fn rouge_is_googles() {
    for Corpus {
        name,
        hypotheses,
        references,
        results,
    } in corpora(&fixture())
    {
        for result in list(&results["rouge"]) {
            let config = RougeConfig {
                stemmed: result["stemmed"].as_bool().unwrap(),
                chinese: result["chinese"].as_bool().unwrap(),
                unicode: false,
            };
            let found = config.mean(&hypotheses, &references).unwrap();
            for (measure, found) in measures(&found) {
                let what = format!("{name} {config:?} {measure}");
                let found = [found.precision, found.recall, found.f1];
                close(&found, &numbers(&result["mean"][measure]), &what);
            }
        }
    }
}

/// Random sentences of a few words, some of them empty.
fn sentences(random: &mut Random, number: usize) -> Vec<String> {
    let words = [
        "the", "cat,", "2.5", "Dog", "—", "猫", "running", ".", "\n", "&amp;",
    ];
    let mut pick = |below: usize| (random.next_u64() % below as u64) as usize;
    let mut sentence = || {
        let length = pick(12);
        let words: Vec<_> = (0..length).map(|_| words[pick(words.len())]).collect();
        words.join(" ")
    };
    (0..number).map(|_| sentence()).collect()
}

#[test]
fn scores_stay_in_their_range_and_do_not_depend_on_the_order_of_sentences() {
    let mut random = Random::new(11);
    for _ in 0..100 {
        let hypotheses = sentences(&mut random, 5);
        let references: Vec<_> = (0..5).map(|_| sentences(&mut random, 2)).collect();
        let turned = |by: usize| {
            let (mut texts, mut lists) = (hypotheses.clone(), references.clone());
            texts.rotate_left(by);
            lists.rotate_left(by);
            for list in &mut lists {
                list.reverse();
            }
            (texts, lists)
        };
        let (texts, lists) = turned(2);
        for (_, tokenizer) in TOKENIZERS {
            let config = BleuConfig {
                tokenizer,
                lowercase: true,
            };
            let score = config.corpus(&hypotheses, &references).unwrap();
            assert_eq!(score, config.corpus(&texts, &lists).unwrap());
            let parts = [score.score, score.brevity_penalty * 100.0];
            let inside = |part: &f64| (0.0..=100.0 + 1e-9).contains(part);
            assert!(
                parts.iter().chain(&score.precisions).all(inside),
                "{score:?}"
            );
        }
        let score = chrf(&hypotheses, &references).unwrap();
        assert!((0.0..=100.0 + 1e-9).contains(&score), "{score}");
        for (stemmed, chinese, unicode) in [
            (false, false, false),
            (true, true, false),
            (true, false, true),
        ] {
            let config = RougeConfig {
                stemmed,
                chinese,
                unicode,
            };
            let mean = config.mean(&hypotheses, &references).unwrap();
            let turned = config.mean(&texts, &lists).unwrap();
            for ((name, one), (_, other)) in measures(&mean).into_iter().zip(measures(&turned)) {
                assert!((one.f1 - other.f1).abs() < 1e-12, "{name}");
                for part in [one.precision, one.recall, one.f1] {
                    assert!((0.0..=1.0).contains(&part), "{name} {one:?}");
                }
            }
        }
    }
}

#[test]
fn a_perfect_match_has_the_full_score() {
    let mut random = Random::new(12);
    for text in sentences(&mut random, 100) {
        let references = [["something else", &text]];
        let tokens = BleuTokenizer::V13a.tokenize(&text).len();
        let full = if tokens == 0 { 0.0 } else { 100.0 };
        close(&[chrf(&[&text], &references).unwrap()], &[full], &text);
        let sentence = sentence_bleu(&text, &references[0]).unwrap().score;
        close(&[sentence], &[full], &text);
        // A corpus without a single run of four tokens has no BLEU.
        let full = if tokens < 4 { 0.0 } else { 100.0 };
        close(
            &[bleu(&[&text], &references).unwrap().score],
            &[full],
            &text,
        );
        let score = RougeConfig::default().score(&text, &text);
        let full = f64::from(score.rouge1.f1 > 0.0);
        assert_eq!(
            [score.rouge_l.f1, score.rouge_lsum.precision],
            [full; 2],
            "{text}"
        );
        assert!(text.chars().any(|c| c.is_ascii_alphanumeric()) == (full == 1.0));
    }
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let none: [Vec<&str>; 0] = [];
    let problems = |hypotheses: &[&str], references: &[Vec<&str>]| {
        [
            bleu(hypotheses, references).map(|score: BleuScore| score.score),
            chrf(hypotheses, references),
            rouge(hypotheses, references).map(|rouge| rouge.rouge1.f1),
        ]
        .map(|result| result.unwrap_err().to_string())
    };
    for problem in problems(&[], &none) {
        assert!(problem.contains("at least one, found none"), "{problem}");
    }
    for problem in problems(&["a", "b"], &[vec!["a"]]) {
        assert!(problem.contains("expected 2 lists"), "{problem}");
    }
    for problem in problems(&["a", "b"], &[vec!["a"], vec![]]) {
        assert!(problem.starts_with("references[1]: "), "{problem}");
    }
    assert!(sentence_bleu::<&str>("a", &[]).is_err());
}
