//! TF-IDF is scikit-learn's and PageRank is networkx's, as these gave them: `fixtures/extractive.py`.
#![allow(clippy::unwrap_used)]

use candle_core::{Device, Tensor};
use kindling::pipeline::{TfIdf, page_rank, text_rank};
use serde_json::Value;

fn fixture() -> Value {
    serde_json::from_str(include_str!("../fixtures/extractive.json")).unwrap()
}

fn read<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

fn close(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (a, b) in found.iter().zip(expected) {
        assert!(
            (a - b).abs() <= tolerance,
            "{what}: found {found:?}, expected {expected:?}"
        );
    }
}

fn rows(vectors: &Tensor) -> Vec<f64> {
    let numbers = vectors.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    numbers.into_iter().map(f64::from).collect()
}

#[test]
fn sentence_vectors_are_scikit_learns() {
    let fixture = fixture();
    let texts = fixture["texts"].as_array().unwrap();
    assert!(texts.len() > 4);
    for text in texts {
        let name = text["name"].as_str().unwrap();
        let sentences: Vec<Vec<String>> = read(&text["sentences"]);
        let tf_idf = TfIdf::fit(&sentences).unwrap();
        let vocabulary: Vec<String> = read(&text["vocabulary"]);
        assert!(tf_idf.vocabulary().eq(vocabulary.iter()), "{name}");
        let weights: Vec<f64> = tf_idf.inverse_document_frequencies().collect();
        close(&weights, &read::<Vec<f64>>(&text["idf"]), 1e-9, name);
        for (sentences, vectors) in [("sentences", "vectors"), ("unseen", "unseen_vectors")] {
            let sentences: Vec<Vec<String>> = read(&text[sentences]);
            let expected: Vec<Vec<f64>> = read(&text[vectors]);
            let vectors = tf_idf.transform(&sentences, &Device::Cpu).unwrap();
            assert_eq!(vectors.dims(), [sentences.len(), vocabulary.len()]);
            close(&rows(&vectors), &expected.concat(), 1e-7, name);
        }
        let vectors = tf_idf.transform(&sentences, &Device::Cpu).unwrap();
        let similarities = vectors.matmul(&vectors.t().unwrap()).unwrap(); // (sentences, sentences)
        let found = text_rank(&similarities).unwrap();
        close(&found, &read::<Vec<f64>>(&text["text_rank"]), 1e-6, name);
    }
}

#[test]
fn page_ranks_are_networkxs() {
    let fixture = fixture();
    let graphs = fixture["graphs"].as_array().unwrap();
    assert!(graphs.len() > 30);
    for graph in graphs {
        let (weights, damping): (Vec<Vec<f64>>, f64) =
            (read(&graph["weights"]), read(&graph["damping"]));
        let nodes = weights.len();
        let weights = Tensor::from_vec(weights.concat(), (nodes, nodes), &Device::Cpu).unwrap();
        let what = format!("{} {damping}", graph["name"]);
        let found = page_rank(&weights, damping).unwrap();
        close(&found, &read::<Vec<f64>>(&graph["ranks"]), 1e-9, &what);
        close(&[found.iter().sum()], &[1.0], 1e-9, &what);
    }
}

#[test]
fn a_sentence_does_not_vote_for_itself() {
    let similarities = Tensor::new(
        &[[1_f64, 0.2, 0.1], [0.2, 1.0, 0.6], [0.1, 0.6, 1.0]],
        &Device::Cpu,
    );
    let without = Tensor::new(
        &[[0_f64, 0.2, 0.1], [0.2, 0.0, 0.6], [0.1, 0.6, 0.0]],
        &Device::Cpu,
    );
    let ranks = text_rank(&similarities.unwrap()).unwrap();
    close(
        &ranks,
        &page_rank(&without.unwrap(), 0.85).unwrap(),
        1e-15,
        "",
    );
}

#[test]
fn what_is_no_similarity_is_refused() {
    let wide = Tensor::new(&[[0_f32, 1.0]], &Device::Cpu).unwrap();
    assert_eq!(
        text_rank(&wide).unwrap_err().to_string(),
        "similarities: expected shape (sentences, sentences), found [1, 2]"
    );
    let opposed = Tensor::new(&[[1_f32, -0.5], [-0.5, 1.0]], &Device::Cpu).unwrap();
    assert_eq!(
        text_rank(&opposed).unwrap_err().to_string(),
        "similarities: expected finite numbers of at least 0, found -0.5"
    );
}

#[test]
fn sentences_without_words_cannot_be_weighed() {
    let none: [Vec<&str>; 2] = [vec![], vec![]];
    let problem = TfIdf::fit(&none).unwrap_err().to_string();
    assert_eq!(
        problem,
        "sentences: expected at least one word, found none in 2 sentences"
    );
    let tf_idf = TfIdf::fit(&[["word"]]).unwrap();
    let vectors = tf_idf.transform::<Vec<&str>, _>(&[], &Device::Cpu).unwrap();
    assert_eq!(vectors.dims(), [0, 1]);
}
