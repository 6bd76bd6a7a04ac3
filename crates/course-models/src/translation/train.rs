//! `cargo course train` for the recipes that translate.

use std::{
    path::Path,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use anyhow::Result;
use kindling::{
    data::Loader,
    metrics::bleu,
    optim::Adam,
    train::{Every, Training, right_tokens, save_weights, sequence_cross_entropy},
};

use super::{
    network::Network,
    pairs::{Pairs, TOKENS},
    recipes::Recipe,
    translate::{BEAM_WIDTH, Translator, tokenizer_beside},
};
use crate::{places, train::Args};

/// Trains with each seed, and measures BLEU on the test set.
pub fn train(recipe: Recipe, args: &Args, stop: &Arc<AtomicBool>) -> Result<ExitCode> {
    let recipe = Recipe {
        epochs: args.epochs.unwrap_or(recipe.epochs),
        batch_size: args.batch_size.unwrap_or(recipe.batch_size),
        learning_rate: args.learning_rate.unwrap_or(recipe.learning_rate),
        ..recipe
    };
    let out = args.out.clone();
    let out = out.unwrap_or_else(|| places::runs(recipe.name));
    crate::train::writable(&out)?;
    let pairs = Pairs::load(&recipe, &args.languages, &args.data)?;
    let mut scores = Vec::new();
    for seed in args.seed..args.seed.saturating_add(args.seeds) {
        let Some(score) = one(&recipe, args, &pairs, &out, seed, stop)? else {
            return Ok(crate::train::stopped());
        };
        scores.push(score);
    }
    if scores.len() > 1 {
        let mean = scores.iter().sum::<f64>() / scores.len() as f64;
        println!(
            "\nBLEU of {} seeds: mean {mean:.2}, each {scores:.2?}",
            scores.len()
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Trains with one seed and keeps the weights; returns BLEU, or nothing when stopped.
fn one(
    recipe: &Recipe,
    args: &Args,
    pairs: &Pairs,
    out: &Path,
    seed: u64,
    stop: &Arc<AtomicBool>,
) -> Result<Option<f64>> {
    let vocabulary = pairs.tokenizer.len();
    let network = Network::new(recipe.architecture, vocabulary, TOKENS.padding, seed)?;
    let model = network.model();
    let training = pairs.loader(&pairs.translations.train, recipe.batch_size, seed)?;
    let validation = pairs.loader(&pairs.translations.validation, recipe.batch_size, seed)?;
    let parameters: usize = model.parameters().iter().map(|var| var.elem_count()).sum();
    println!(
        "{}, seed {seed}: {parameters} parameters, {vocabulary} tokens; {} training, {} validation and {} test pairs of {}",
        recipe.name,
        training.examples(),
        validation.examples(),
        pairs.translations.test.len(),
        pairs.name,
    );
    let started = Instant::now();
    let smoothing = recipe.label_smoothing;
    let stop = stop.clone();
    let optimizer = Adam::new(model.parameters(), recipe.learning_rate)?;
    let history = Training::new(Box::new(optimizer))
        .epochs(recipe.epochs)
        .seed(seed)
        .schedule(recipe.schedule.clone())
        .clip_norm(recipe.clip_norm)
        .loss(move |logits, targets| {
            sequence_cross_entropy(logits, targets, TOKENS.padding, smoothing)
        })
        .right(|logits, targets| right_tokens(logits, targets, TOKENS.padding))
        .checkpoint(
            out.join(format!("seed-{seed}")),
            Every::Seconds(args.checkpoint_seconds),
        )
        .resume(args.resume)
        .log(out.join(format!("seed-{seed}.jsonl")))
        .setting("model", recipe.name)
        .setting("batch_size", recipe.batch_size)
        .setting("data", &pairs.name)
        .stop_when(move || stop.load(Ordering::Relaxed))
        .fit(model, &training, &validation)?;
    println!("{history:?}");
    if history.stopped {
        return Ok(None);
    }
    let seconds = started.elapsed().as_secs_f64();
    let file = places::weights(out, seed);
    pairs.tokenizer.save(tokenizer_beside(&file))?;
    let translator = Translator {
        network,
        tokenizer: pairs.tokenizer.clone(),
    };
    let test = &pairs.translations.test;
    let said: Result<Vec<String>> = test
        .iter()
        .map(|pair| translator.translate(&pair.source, BEAM_WIDTH))
        .collect();
    let references: Vec<[&str; 1]> = test.iter().map(|pair| [pair.target.as_str()]).collect();
    let bleu = bleu(&said?, &references)?;
    println!("{bleu}, {seconds:.1} s of training");
    let details = [
        ("recipe", recipe.name),
        ("config", &format!("{recipe:?}")),
        (
            "score",
            &format!("{bleu} on the test set, beam {BEAM_WIDTH}"),
        ),
        ("data", &pairs.name),
        ("licence", pairs.licence),
        ("command", &crate::train::command()),
    ];
    save_weights(translator.network.model(), &file, &details)?;
    println!("weights: {}", file.display());
    Ok(Some(bleu.score))
}
