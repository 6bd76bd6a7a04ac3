//! [`text_rank`](fn@super::text_rank) of very many sentences, for which a matrix of all their similarities has no room.

use candle_core::{Device, Tensor};

use super::{page_rank::walk, text_rank::DAMPING};
use crate::{Error, Result};

/// With how many of the most similar others a sentence is linked, where not all are.
const NEIGHBOURS: usize = 64;

/// Sentences that are compared with all others in one go.
const BLOCK: usize = 128;

/// The most sentences whose vectors are compared each with each: with 384 numbers a vector, some minutes of work.
const MOST: usize = 100_000;

/// The weight of each sentence by vectors without their zeros, whose numbers are at least 0; the same as by a matrix, up to rounding.
///
/// The similarities of a sentence with all others add up to its product with the sum of their vectors, so no two sentences have to be
/// compared: time and memory grow with the number of words.
pub(super) fn rank_sparse(rows: &[Vec<(usize, f64)>]) -> Vec<f64> {
    let columns = rows.iter().flatten().map(|(column, _)| column + 1).max();
    let columns = columns.unwrap_or(0);
    let product = |row: &[(usize, f64)], sum: &[f64], own: f64| -> f64 {
        // A sentence is not linked with itself. What nobody else has is exactly zero.
        let parts = row.iter().map(|(column, value)| {
            let others = sum[*column] - own * value;
            value * others.max(0.0)
        });
        parts.sum()
    };
    let mut sum = vec![0.0; columns];
    for (column, value) in rows.iter().flatten() {
        sum[*column] += value;
    }
    let links: Vec<f64> = rows.iter().map(|row| product(row, &sum, 1.0)).collect();
    let dangling: Vec<bool> = links.iter().map(|links| *links == 0.0).collect();
    walk(&dangling, DAMPING, |ranks, next| {
        let chances = ranks.iter().zip(&links);
        let chances: Vec<f64> = chances
            .map(|(rank, links)| if *links == 0.0 { 0.0 } else { rank / links })
            .collect();
        let mut sum = vec![0.0; columns];
        for (row, chance) in rows.iter().zip(&chances) {
            for (column, value) in row {
                sum[*column] += chance * value;
            }
        }
        for ((row, chance), next) in rows.iter().zip(&chances).zip(next) {
            *next += product(row, &sum, *chance);
        }
    })
}

/// Fails when there are too many sentences for [`rank_nearest`].
pub(super) fn few_enough(sentences: usize) -> Result<()> {
    if sentences > MOST {
        return Err(Error::Text(format!(
            "text: expected at most {MOST} sentences to compare by a model's vectors, found {sentences}; summarise its parts, or take the engine `tf-idf`"
        )));
    }
    Ok(())
}

/// The weight of each sentence by vectors `(sentences, features)` of length 1, each linked with those that resemble it most.
///
/// A link leads both ways, and its weight is the cosine. Memory grows with the number of sentences, time with its square.
pub(super) fn rank_nearest(vectors: &Tensor) -> Result<Vec<f64>> {
    let (sentences, _) = vectors.dims2()?;
    let vectors = vectors.to_device(&Device::Cpu)?;
    let turned = vectors.t()?.contiguous()?; // (features, sentences)
    let mut links: Vec<(u32, u32, f32)> = Vec::new();
    for start in (0..sentences).step_by(BLOCK) {
        let some = vectors.narrow(0, start, BLOCK.min(sentences - start))?;
        let cosines = some.matmul(&turned)?.to_vec2::<f32>()?; // (some, sentences)
        for (own, cosines) in (start as u32..).zip(cosines) {
            for (other, cosine) in nearest(own, &cosines) {
                links.extend([(own, other, cosine), (other, own, cosine)]);
            }
        }
    }
    links.sort_unstable_by_key(|(from, to, _)| (*from, *to));
    links.dedup_by_key(|(from, to, _)| (*from, *to));
    let mut totals = vec![0.0; sentences];
    for (from, _, weight) in &links {
        totals[*from as usize] += f64::from(*weight);
    }
    let dangling: Vec<bool> = totals.iter().map(|total| *total == 0.0).collect();
    Ok(walk(&dangling, DAMPING, |ranks, next| {
        for (from, to, weight) in &links {
            let from = *from as usize;
            next[*to as usize] += ranks[from] / totals[from] * f64::from(*weight);
        }
    }))
}

/// The others with the highest positive cosines; of equals the first.
fn nearest(own: u32, cosines: &[f32]) -> Vec<(u32, f32)> {
    // Opposed sentences have nothing to say about each other.
    let others = (0..).zip(cosines.iter().copied());
    let others = others.filter(|(other, cosine)| *other != own && *cosine > 0.0);
    let mut others: Vec<(u32, f32)> = others.collect();
    if others.len() > NEIGHBOURS {
        let order = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        others.select_nth_unstable_by(NEIGHBOURS - 1, order);
        others.truncate(NEIGHBOURS);
    }
    others
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        data::Random,
        pipeline::{TfIdf, text_rank},
    };

    /// Random sentences: few words stand in many, some in one alone.
    fn sentences(number: usize) -> Vec<Vec<String>> {
        let mut random = Random::new(5);
        let mut word = || {
            let most = [8, 60, 2_000][random.below(3)];
            format!("w{}", random.below(most))
        };
        let mut some: Vec<Vec<String>> = (0..number)
            .map(|number| (0..3 + number % 9).map(|_| word()).collect())
            .collect();
        some.push(vec!["alone".to_owned(), "here".to_owned()]);
        some
    }

    fn close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        let total: f64 = found.iter().sum();
        assert!((total - 1.0).abs() < 1e-9, "{total}");
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-7, "{found} {expected}");
        }
    }

    #[test]
    fn without_a_matrix_weights_are_the_same() {
        let sentences = sentences(400);
        let tf_idf = TfIdf::fit(&sentences).unwrap();
        let vectors = tf_idf.transform(&sentences, &Device::Cpu).unwrap();
        let similarities = vectors.matmul(&vectors.t().unwrap()).unwrap();
        let expected = text_rank(&similarities).unwrap();
        close(&rank_sparse(&tf_idf.sparse(&sentences)), &expected);
        assert_eq!(rank_sparse(&[]), [0.0; 0]);
    }

    #[test]
    fn with_few_sentences_all_are_neighbours() {
        let mut random = Random::new(6);
        let vectors = random.normal((NEIGHBOURS + 1, 8), 0.0, 1.0).unwrap();
        let length = vectors.sqr().unwrap().sum_keepdim(1).unwrap();
        let vectors = vectors.broadcast_div(&length.sqrt().unwrap()).unwrap();
        let similarities = vectors.matmul(&vectors.t().unwrap()).unwrap();
        let expected = text_rank(&similarities.relu().unwrap()).unwrap();
        close(&rank_nearest(&vectors).unwrap(), &expected);
        let problem = few_enough(MOST + 1).unwrap_err().to_string();
        assert!(problem.contains("at most 100000 sentences"), "{problem}");
    }

    #[test]
    fn only_the_nearest_are_neighbours() {
        let cosines: Vec<f32> = (0..200)
            .map(|place| (place as f32 - 50.0) / 200.0)
            .collect();
        let found = nearest(199, &cosines);
        assert_eq!(found.len(), NEIGHBOURS);
        assert!(found.iter().all(|(place, _)| (135..199).contains(place)));
        assert_eq!(nearest(0, &cosines[..51]), []);
    }
}
