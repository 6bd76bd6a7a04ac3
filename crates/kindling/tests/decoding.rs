//! Greedy decoding, beam search and sampling on a tiny model whose every probability is known.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, HashSet};

use kindling::{
    Result,
    data::Random,
    decode::{BeamConfig, Decoded, Limits, SampleConfig, StepModel, beam, greedy, sample},
};

/// The probabilities of what comes next, for each beginning; the state is the beginning itself.
struct Tree(BTreeMap<Vec<u32>, Vec<f64>>);

const START: u32 = 9;
const END: u32 = 0;

fn limits(max_length: usize) -> Limits {
    Limits {
        end: END,
        max_length,
    }
}

impl Tree {
    fn probabilities(&self, tokens: &[u32]) -> &[f64] {
        &self.0[tokens]
    }

    /// Every beginning of up to `depth` tokens of `vocabulary` with chances of its own.
    fn random(vocabulary: u32, depth: usize, random: &mut Random) -> Self {
        let (mut tree, mut beginnings) = (BTreeMap::new(), vec![vec![]]);
        for _ in 0..depth {
            let mut longer = Vec::new();
            for beginning in beginnings {
                let chances: Vec<f64> =
                    (0..vocabulary).map(|_| random.next_f64().powi(3)).collect();
                let total: f64 = chances.iter().sum();
                longer.extend((1..vocabulary).map(|token| [&beginning[..], &[token]].concat()));
                tree.insert(
                    beginning,
                    chances.iter().map(|chance| chance / total).collect(),
                );
            }
            beginnings = longer;
        }
        Self(tree)
    }

    /// All sequences of at most this length with their log-probabilities.
    fn all(&self, max_length: usize) -> Vec<Decoded> {
        let (mut found, mut open) = (Vec::new(), vec![(vec![], 0.0)]);
        for _ in 0..max_length {
            let mut longer = Vec::new();
            for (tokens, log) in open {
                for (token, chance) in (0..).zip(self.probabilities(&tokens)) {
                    let log_probability = log + chance.ln();
                    if token == END {
                        let tokens = tokens.clone();
                        found.push(Decoded {
                            tokens,
                            log_probability,
                            finished: true,
                        });
                    } else {
                        longer.push(([&tokens[..], &[token]].concat(), log_probability));
                    }
                }
            }
            open = longer;
        }
        found
    }
}

impl StepModel for Tree {
    type State = Vec<u32>;

    fn next_logits(
        &self,
        states: &[Vec<u32>],
        tokens: &[u32],
    ) -> Result<Vec<(Vec<u32>, Vec<f32>)>> {
        let next = states.iter().zip(tokens).map(|(state, &token)| {
            let mut state = state.clone();
            if token != START {
                state.push(token);
            }
            // Logits are only known up to a constant: any will do.
            let logits = self
                .probabilities(&state)
                .iter()
                .map(|chance| chance.ln() as f32 + 3.0);
            let logits = logits.collect();
            (state, logits)
        });
        Ok(next.collect())
    }
}

/// The likeliest first token, 1, leads to three equals; 2 leads to one good sequence.
fn garden_path() -> Tree {
    let rows: [(&[u32], [f64; 4]); 13] = [
        (&[], [0.0, 0.5, 0.4, 0.1]),
        (&[1], [0.1, 0.3, 0.3, 0.3]),
        (&[2], [0.05, 0.0, 0.05, 0.9]),
        (&[3], [0.4, 0.2, 0.2, 0.2]),
        (&[1, 1], [1.0, 0.0, 0.0, 0.0]),
        (&[1, 2], [1.0, 0.0, 0.0, 0.0]),
        (&[1, 3], [1.0, 0.0, 0.0, 0.0]),
        (&[2, 1], [1.0, 0.0, 0.0, 0.0]),
        (&[2, 2], [1.0, 0.0, 0.0, 0.0]),
        (&[2, 3], [1.0, 0.0, 0.0, 0.0]),
        (&[3, 1], [1.0, 0.0, 0.0, 0.0]),
        (&[3, 2], [1.0, 0.0, 0.0, 0.0]),
        (&[3, 3], [1.0, 0.0, 0.0, 0.0]),
    ];
    Tree(
        rows.map(|(tokens, chances)| (tokens.to_vec(), chances.to_vec()))
            .into(),
    )
}

fn config(width: usize, length_penalty: f64, max_length: usize) -> BeamConfig {
    BeamConfig {
        width,
        length_penalty,
        limits: limits(max_length),
    }
}

/// The best of these sequences by the score of this search.
fn best(all: &[Decoded], config: &BeamConfig) -> Decoded {
    let better = |a: &&Decoded, b: &&Decoded| config.score(a).total_cmp(&config.score(b));
    all.iter().max_by(better).unwrap().clone()
}

#[test]
fn greedy_decoding_is_led_astray_and_beam_search_is_not() {
    let tree = garden_path();
    let found = greedy(&tree, vec![], START, &limits(3)).unwrap();
    assert_eq!(found.tokens, [1, 1]);
    assert!((found.log_probability - 0.15_f64.ln()).abs() < 1e-6);
    let best = best(&tree.all(3), &config(2, 0.0, 3));
    assert_eq!(best.tokens, [2, 3]);
    for width in 2..6 {
        let found = &beam(&tree, vec![], START, &config(width, 0.0, 3)).unwrap()[0];
        assert_eq!(
            (&found.tokens, found.finished),
            (&best.tokens, true),
            "width {width}"
        );
        assert!((found.log_probability - 0.36_f64.ln()).abs() < 1e-6);
    }
}

#[test]
fn a_beam_that_holds_everything_finds_the_best_of_all() {
    let mut random = Random::new(7);
    for round in 0..40 {
        let tree = Tree::random(4, 4, &mut random);
        let all = tree.all(4);
        for length_penalty in [0.0, 0.6, 1.0, 2.0] {
            let config = config(1_000, length_penalty, 4);
            let found = beam(&tree, vec![], START, &config).unwrap();
            let best = best(&all, &config);
            assert_eq!(
                found[0].tokens, best.tokens,
                "round {round}, {length_penalty}"
            );
            assert!((found[0].log_probability - best.log_probability).abs() < 1e-5);
            let finished = found.iter().filter(|decoded| decoded.finished).count();
            assert_eq!(finished, all.len());
        }
    }
}

#[test]
fn a_beam_of_one_is_greedy_and_none_has_duplicates() {
    let mut random = Random::new(8);
    for round in 0..60 {
        let tree = Tree::random(5, 4, &mut random);
        let single = beam(&tree, vec![], START, &config(1, 0.7, 4)).unwrap();
        assert_eq!(
            single,
            [greedy(&tree, vec![], START, &limits(4)).unwrap()],
            "round {round}"
        );
        for width in 2..9 {
            let config = config(width, 0.7, 4);
            let found = beam(&tree, vec![], START, &config).unwrap();
            assert!(found.len() == width, "{found:?}");
            let different: HashSet<_> = found
                .iter()
                .map(|one| (&one.tokens, one.finished))
                .collect();
            assert_eq!(different.len(), found.len(), "{found:?}");
            let pairs = found.windows(2);
            assert!(pairs.into_iter().all(|pair| {
                let scores = (config.score(&pair[0]), config.score(&pair[1]));
                (pair[0].finished && !pair[1].finished)
                    || (pair[0].finished == pair[1].finished && scores.0 >= scores.1)
            }));
        }
    }
}

#[test]
fn the_length_penalty_is_that_of_its_paper() {
    let short = Decoded {
        tokens: vec![1],
        log_probability: -2.0,
        finished: true,
    };
    let long = Decoded {
        tokens: vec![1; 6],
        log_probability: -2.6,
        finished: true,
    };
    let score = |decoded: &Decoded, alpha| config(1, alpha, 9).score(decoded);
    assert_eq!((score(&short, 0.0), score(&long, 0.0)), (-2.0, -2.6));
    assert!((score(&short, 1.0) + 2.0 * 6.0 / 7.0).abs() < 1e-12);
    assert!((score(&long, 0.5) + 2.6 / 2_f64.sqrt()).abs() < 1e-12);
    assert!(score(&long, 1.0) > score(&short, 1.0));
}

#[test]
fn samples_are_as_frequent_as_they_are_likely() {
    let tree = garden_path();
    let config = SampleConfig::new(limits(3));
    let (mut random, mut counts) = (Random::new(3), BTreeMap::new());
    let rounds = 40_000;
    for _ in 0..rounds {
        let found = sample(&tree, vec![], START, &config, &mut random).unwrap();
        assert!(found.finished);
        *counts.entry(found.tokens).or_insert(0_usize) += 1;
    }
    for expected in tree.all(3) {
        let chance = expected.log_probability.exp();
        let share = counts.get(&expected.tokens).copied().unwrap_or(0) as f64 / f64::from(rounds);
        // Five standard deviations: once in two million such numbers by chance, and the seed is fixed.
        let allowed = 5.0 * (chance * (1.0 - chance) / f64::from(rounds)).sqrt();
        assert!(
            (share - chance).abs() <= allowed,
            "{expected:?}: {share} of {chance}"
        );
    }
}

#[test]
fn temperature_top_k_and_top_p_change_the_chances() {
    let chances: [f64; 4] = [0.1, 0.5, 0.15, 0.25];
    let logits = chances.map(|chance| chance.ln() as f32);
    let with = |change: &dyn Fn(&mut SampleConfig)| {
        let mut config = SampleConfig::new(limits(1));
        change(&mut config);
        config.probabilities(&logits).unwrap()
    };
    let same = |found: Vec<(u32, f64)>, expected: &[(u32, f64)]| {
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(
                found.0 == expected.0 && (found.1 - expected.1).abs() < 1e-6,
                "{found:?} {expected:?}"
            );
        }
    };
    same(with(&|_| ()), &[(1, 0.5), (3, 0.25), (2, 0.15), (0, 0.1)]);
    same(
        with(&|config| config.top_k = Some(2)),
        &[(1, 2.0 / 3.0), (3, 1.0 / 3.0)],
    );
    same(
        with(&|config| config.top_p = Some(0.75 - 1e-4)),
        &[(1, 2.0 / 3.0), (3, 1.0 / 3.0)],
    );
    same(
        with(&|config| config.top_p = Some(0.75 + 1e-4)),
        &[(1, 0.5 / 0.9), (3, 0.25 / 0.9), (2, 0.15 / 0.9)],
    );
    same(with(&|config| config.top_p = Some(1e-9)), &[(1, 1.0)]);
    let total = 0.25 + 0.0625 + 0.0225 + 0.01;
    same(
        with(&|config| config.temperature = 0.5),
        &[
            (1, 0.25 / total),
            (3, 0.0625 / total),
            (2, 0.0225 / total),
            (0, 0.01 / total),
        ],
    );
    same(with(&|config| config.temperature = 1e-4), &[(1, 1.0)]);
}

#[test]
fn the_seed_decides_and_one_choice_is_greedy() {
    let tree = Tree::random(5, 4, &mut Random::new(1));
    let mut config = SampleConfig::new(limits(4));
    let draw = |config: &SampleConfig, seed| {
        let mut random = Random::new(seed);
        (0..20)
            .map(|_| sample(&tree, vec![], START, config, &mut random).unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(draw(&config, 1), draw(&config, 1));
    assert_ne!(draw(&config, 1), draw(&config, 2));
    config.top_k = Some(1);
    let likeliest = greedy(&tree, vec![], START, &limits(4)).unwrap();
    assert!(draw(&config, 3).iter().all(|found| *found == likeliest));
}

/// Answers with these logits, whatever it is asked, or not at all.
struct Fixed(Option<Vec<f32>>);

impl StepModel for Fixed {
    type State = ();

    fn next_logits(&self, states: &[()], _: &[u32]) -> Result<Vec<((), Vec<f32>)>> {
        Ok(states
            .iter()
            .filter_map(|()| Some(((), self.0.clone()?)))
            .collect())
    }
}

#[test]
fn what_cannot_be_is_named() {
    let all = |model: &Fixed| {
        let sampled = sample(
            model,
            (),
            START,
            &SampleConfig::new(limits(2)),
            &mut Random::new(0),
        );
        let errors = [
            greedy(model, (), START, &limits(2)).unwrap_err(),
            beam(model, (), START, &config(2, 0.0, 2)).unwrap_err(),
            sampled.unwrap_err(),
        ];
        errors.map(|error| error.to_string())
    };
    for logits in [vec![0.0, f32::NAN], vec![f32::NEG_INFINITY; 2], vec![]] {
        for error in all(&Fixed(Some(logits))) {
            assert!(
                error.starts_with("expected a possible next token"),
                "{error}"
            );
        }
    }
    for error in all(&Fixed(None)) {
        assert!(
            error.starts_with("next_logits: expected an answer for each of 1"),
            "{error}"
        );
    }
    let model = Fixed(Some(vec![0.0; 3]));
    let error = |result: Result<Vec<Decoded>>| result.unwrap_err().to_string();
    assert!(error(beam(&model, (), START, &config(0, 0.0, 2))).starts_with("width"));
    assert!(error(beam(&model, (), START, &config(2, -1.0, 2))).starts_with("length_penalty"));
    assert!(error(beam(&model, (), START, &config(2, 0.0, 0))).starts_with("max_length"));
    for (temperature, top_k, top_p, name) in [
        (0.0, None, None, "temperature"),
        (1.0, Some(0), None, "top_k"),
        (1.0, None, Some(0.0), "top_p"),
        (1.0, None, Some(1.5), "top_p"),
    ] {
        let config = SampleConfig {
            temperature,
            top_k,
            top_p,
            limits: limits(2),
        };
        let found = sample(&model, (), START, &config, &mut Random::new(0));
        assert!(found.unwrap_err().to_string().starts_with(name));
    }
}

#[test]
fn what_never_ends_is_cut() {
    let model = Fixed(Some(vec![f32::NEG_INFINITY, 0.0]));
    let found = greedy(&model, (), START, &limits(7)).unwrap();
    assert_eq!((found.tokens.len(), found.finished), (7, false));
    // One sequence alone is possible, so a wider beam has one as well.
    assert_eq!(
        beam(&model, (), START, &config(3, 1.0, 7)).unwrap(),
        [found]
    );
}
