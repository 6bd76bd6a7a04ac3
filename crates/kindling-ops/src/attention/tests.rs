use candle_core::{DType, Device, Var};

use super::*;
use kindling_base::Random;

fn numbers(tensor: &Tensor) -> Vec<f64> {
    let flat = tensor.flatten_all().unwrap().to_dtype(DType::F64).unwrap();
    flat.to_vec1().unwrap()
}

/// Queries, keys and values of some sizes, and a mask that hides some of the keys, but never the first.
fn inputs(random: &mut Random, sizes: [usize; 4], mask: &[usize]) -> ([Tensor; 3], Option<Tensor>) {
    let [batch, query_time, key_time, hidden_size] = sizes;
    let tokens = [query_time, key_time, key_time];
    let tokens = tokens.map(|time| random.normal((batch, time, hidden_size), 0.0, 1.0).unwrap());
    let mask = (!mask.is_empty()).then(|| {
        let chance = random.uniform(mask, 0.0, 1.0).unwrap();
        let hidden = chance.gt(0.6_f32).unwrap().to_dtype(DType::F32).unwrap();
        let later: Vec<f32> = (0..key_time)
            .map(|key| if key == 0 { 0.0 } else { -1e9 })
            .collect();
        let later = Tensor::from_vec(later, key_time, hidden.device()).unwrap();
        hidden.broadcast_mul(&later).unwrap()
    });
    (tokens, mask)
}

/// Answers and weights, and the gradients of the answers' sum weighted by `probe`.
fn both_ways(
    tokens: &[Tensor; 3],
    num_heads: usize,
    mask: Option<&Tensor>,
    kept: Option<DropoutMask>,
    probe: &Tensor,
    dtype: DType,
) -> Vec<Vec<f64>> {
    let vars = tokens
        .each_ref()
        .map(|tensor| Var::from_tensor(&tensor.to_dtype(dtype).unwrap()).unwrap());
    let tensors = vars.each_ref().map(|var| var.as_tensor());
    let (answers, weights) = attention(tensors, num_heads, mask, kept).unwrap();
    let loss = (&answers * probe.to_dtype(dtype).unwrap()).unwrap();
    let gradients = loss.sum_all().unwrap().backward().unwrap();
    let mut results = vec![numbers(&answers), numbers(&weights)];
    results.extend(vars.iter().map(|var| numbers(gradients.get(var).unwrap())));
    results
}

/// `f64` takes the composed way, `f32` the fused one, where a head is made of whole vectors.
#[test]
fn the_fused_way_is_the_composed_one() {
    let mut random = Random::new(1);
    for (sizes, num_heads, mask) in [
        ([3, 7, 5, 64], 4, &[3, 1, 1, 5][..]),
        ([2, 14, 14, 96], 2, &[14, 14]),
        ([1, 1, 9, 80], 1, &[]),
        ([2, 8, 26, 192], 3, &[2, 3, 8, 26]),
        ([2, 3, 4, 20], 4, &[4]), // no whole vectors on most processors
    ] {
        for probability in [0.0, 0.3] {
            let (tokens, mask) = inputs(&mut random, sizes, mask);
            let probe = random.normal(tokens[0].shape(), 0.0, 1.0).unwrap();
            let scores = sizes[0] * num_heads * sizes[1] * sizes[2];
            let kept =
                (probability > 0.0).then(|| DropoutMask::draw(probability, scores, &mut random));
            let way = |dtype| {
                both_ways(
                    &tokens,
                    num_heads,
                    mask.as_ref(),
                    kept.clone(),
                    &probe,
                    dtype,
                )
            };
            let (fused, composed) = (way(DType::F32), way(DType::F64));
            for (what, (fused, composed)) in fused.iter().zip(&composed).enumerate() {
                assert_eq!(fused.len(), composed.len());
                for (a, b) in fused.iter().zip(composed) {
                    assert!(
                        (a - b).abs() < 1e-5 * (1.0 + b.abs()),
                        "{sizes:?} {what}: {a} {b}"
                    );
                }
            }
        }
    }
}

#[test]
fn gradients_agree_with_finite_differences() {
    let mut random = Random::new(2);
    let (tokens, mask) = inputs(&mut random, [1, 3, 4, 32], &[3, 4]);
    let probe = random.normal(tokens[0].shape(), 0.0, 1.0).unwrap();
    let kept = DropoutMask::draw(0.25, 2 * 12, &mut random);
    let results = both_ways(
        &tokens,
        2,
        mask.as_ref(),
        Some(kept.clone()),
        &probe,
        DType::F32,
    );
    let value = |tokens: &[Tensor; 3]| {
        let (answers, _) =
            attention(tokens.each_ref(), 2, mask.as_ref(), Some(kept.clone())).unwrap();
        numbers(&(answers * &probe).unwrap()).iter().sum::<f64>()
    };
    for which in 0..3 {
        for place in (0..tokens[which].elem_count()).step_by(5) {
            let moved = |step: f32| {
                let mut tokens = tokens.clone();
                let mut flat = tokens[which]
                    .flatten_all()
                    .unwrap()
                    .to_vec1::<f32>()
                    .unwrap();
                flat[place] += step;
                let shape = tokens[which].shape().clone();
                tokens[which] = Tensor::from_vec(flat, shape, &Device::Cpu).unwrap();
                value(&tokens)
            };
            let slope = (moved(0.01) - moved(-0.01)) / 0.02;
            let found = results[2 + which][place];
            assert!(
                (slope - found).abs() < 2e-3 * (1.0 + slope.abs()),
                "{which} {place}: {slope} {found}"
            );
        }
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let mut random = Random::new(3);
    let (tokens, mask) = inputs(&mut random, [7, 14, 13, 64], &[7, 1, 1, 13]);
    let probe = random.normal(tokens[0].shape(), 0.0, 1.0).unwrap();
    let kept = DropoutMask::draw(0.2, 7 * 2 * 14 * 13, &mut random);
    let way = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            both_ways(
                &tokens,
                2,
                mask.as_ref(),
                Some(kept.clone()),
                &probe,
                DType::F32,
            )
        })
    };
    let one = way(1);
    assert!(one == way(2) && one == way(5));
}

#[test]
fn what_does_not_fit_is_named() {
    let mut random = Random::new(4);
    let (tokens, _) = inputs(&mut random, [2, 3, 4, 64], &[]);
    let message = |tokens: [&Tensor; 3], num_heads, mask: Option<&Tensor>| {
        attention(tokens, num_heads, mask, None)
            .unwrap_err()
            .to_string()
    };
    let [queries, keys, values] = &tokens;
    let few = values.narrow(1, 0, 2).unwrap();
    assert_eq!(
        message([queries, keys, &few], 4, None),
        "values: expected shape (2, 4, 64), found [2, 2, 64]"
    );
    assert_eq!(
        message([queries, keys, values], 5, None),
        "num_heads: expected a divisor of hidden_size, 64, found 5"
    );
    let mask = Tensor::zeros(3, DType::F32, &Device::Cpu).unwrap();
    assert_eq!(
        message([queries, keys, values], 4, Some(&mask)),
        "mask: expected shape (2 or 1, 4 or 1, 3 or 1, 4), found [3]"
    );
}
