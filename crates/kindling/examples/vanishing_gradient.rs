//! How much of a gradient is left after many steps back through time: `cargo run --release -p kindling --example vanishing_gradient`.
//!
//! A layer reads 100 random inputs; the gradient of its last hidden state is taken by the input of each step. The lesson *Sequence to
//! sequence* shows these numbers.

use candle_core::Var;
use kindling::{
    Result,
    data::Random,
    nn::{Gru, Lstm, Recurrent, RecurrentConfig, Rnn},
    ops::Cell,
};

const STEPS: usize = 100;
const BACK: [usize; 6] = [0, 10, 25, 50, 75, 99];

fn main() -> Result<()> {
    let config = RecurrentConfig::new(16, 64);
    let random = || Random::new(1);
    print!("{:<26}", "steps back in time");
    BACK.iter().for_each(|back| print!("{back:>11}"));
    println!();
    show("RNN", &Rnn::new(&config, &mut random())?)?;
    show("GRU", &Gru::new(&config, &mut random())?)?;
    show("LSTM", &Lstm::new(&config, &mut random())?)?;
    for bias in [1.0, 2.0, 5.0] {
        let lstm = Lstm::new(&config, &mut random())?.with_forget_bias(bias)?;
        show(&format!("LSTM, forget bias {bias}"), &lstm)?;
    }
    Ok(())
}

fn show<C: Cell>(name: &str, layer: &Recurrent<C>) -> Result<()> {
    print!("{name:<26}");
    let norms = norms(layer)?;
    for back in BACK {
        print!("{:>11.2e}", norms[STEPS - 1 - back]);
    }
    println!();
    Ok(())
}

/// The norm of the gradient by each step's input, the mean over some sequences.
fn norms<C: Cell>(layer: &Recurrent<C>) -> Result<Vec<f32>> {
    let inputs = layer.config().inputs;
    let mut random = Random::new(2);
    let sequence = Var::from_tensor(&random.normal((32, STEPS, inputs), 0.0, 1.0)?)?;
    let (hidden, _) = layer.forward(&sequence, None, None)?;
    let last = hidden.narrow(1, STEPS - 1, 1)?; // (batch, 1, hidden_size)
    let probe = random.normal(last.dims(), 0.0, 1.0)?;
    let gradients = (last * probe)?.sum_all()?.backward()?;
    let Some(gradient) = gradients.get(&sequence) else {
        return Ok(vec![0.0; STEPS]);
    };
    Ok(gradient.sqr()?.sum(2)?.sqrt()?.mean(0)?.to_vec1()?) // (time)
}
