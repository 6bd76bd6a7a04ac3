//! How long a step of each optimiser takes on the first layer of an MNIST network, `(128, 784)`:
//! `cargo run --release -p kindling --example optimizer_speed`; with `RAYON_NUM_THREADS=1`, on one thread.
//!
//! In one pass in place, as this crate does it, and in tensor operations: the fastest tenth of many rounds, as
//! whatever else the machine does can only add to a time.

use std::time::Instant;

use candle_core::Var;
use kindling::{
    Result,
    data::Random,
    optim::{
        AdaGradConfig, AdamConfig, AdamWConfig, ElementwiseOptimizer, LionConfig, MomentumConfig,
        NesterovConfig, Optimizer, RmsPropConfig, SgdConfig, UpdateRule,
    },
};

fn main() -> Result<()> {
    println!("optimiser   in place   in tensor operations   ratio");
    compare(SgdConfig::default())?;
    compare(MomentumConfig::default())?;
    compare(NesterovConfig::default())?;
    compare(AdaGradConfig::default())?;
    compare(RmsPropConfig::default())?;
    compare(AdamConfig::default())?;
    compare(AdamWConfig::default())?;
    compare(LionConfig::default())
}

fn compare<R: UpdateRule<N>, const N: usize>(rule: R) -> Result<()> {
    let mut random = Random::new(1);
    let weights = Var::from_tensor(&random.normal((128, 784), 0.0, 0.05)?)?;
    let slope = random.normal((128, 784), 0.0, 0.01)?;
    let gradients = (weights.as_tensor() * &slope)?.sum_all()?.backward()?;
    let mut optimizer = ElementwiseOptimizer::with_config(vec![weights.clone()], rule)?;

    let other = Var::from_tensor(&weights.copy()?)?;
    let mut state = std::array::from_fn(|_| slope.clone());
    for remembered in &mut state {
        *remembered = other.zeros_like()?;
    }
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..1_000 {
        ours.push(timed(|| optimizer.step(&gradients))?);
    }
    for round in 1..=300 {
        theirs.push(timed(|| {
            let (weight, step) = (other.as_detached_tensor(), round);
            let (moved, remembered) = rule.tensors(step, &weight, &slope, state.each_ref())?;
            state = remembered;
            Ok(other.set(&moved)?)
        })?);
    }
    let (ours, theirs) = (fastest(ours), fastest(theirs));
    let name = R::NAME;
    println!(
        "{name:<9} {ours:>8.1} µs {theirs:>16.1} µs {:>12.1} ×",
        theirs / ours
    );
    Ok(())
}

fn timed(work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed().as_secs_f64() * 1e6)
}

fn fastest(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 10]
}
