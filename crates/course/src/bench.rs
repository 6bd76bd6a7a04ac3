//! `course bench`: measures, in one run, what the preparation is worth.

use anyhow::{Context, Result, ensure};
use kindling_kernel::{Home, Outcome, Session};
use kindling_pages::settle;
use nbformat::v4::Output;
use serde::Serialize;
use std::time::{Duration, Instant};

/// Measure.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// How long a notebook waits: evcxr as it comes beside the course's kernel
    Kernel {
        /// Print one JSON object instead of a table
        #[arg(long)]
        json: bool,
    },
    /// How long a training step takes: ours beside stock Candle, PyTorch and Keras
    Train(crate::models::Args),
    /// How long vectors of sentences take: ours beside candle-transformers, sentence-transformers and ONNX Runtime
    Embedder(crate::models::Args),
    /// How many tokens a second a translator learns from: our Transformer beside PyTorch's
    #[command(name = "seq2seq")]
    Seq2seq(crate::models::Args),
    /// How many pictures a second a detector learns from and looks at: ours beside PyTorch's
    Detect(crate::models::Args),
    /// How many words a second word vectors learn from: ours beside gensim's
    Embeddings(crate::models::Args),
}

/// Runs `course bench`.
pub fn run(args: Args) -> Result<()> {
    match args.what {
        What::Kernel { json } => kernel(json),
        What::Train(args) => crate::models::run("bench-train", &args),
        What::Embedder(args) => crate::models::run("bench-embedder", &args),
        What::Seq2seq(args) => crate::models::run("bench-seq2seq", &args),
        What::Detect(args) => crate::models::run("bench-detect", &args),
        What::Embeddings(args) => crate::models::run("bench-embeddings", &args),
    }
}

/// The first cell of a lesson, as somebody writes it.
const FIRST: &str = "use candle_core::{DType, Device, Tensor};\n\
     let x = Tensor::arange(0f32, 6f32, &Device::Cpu)?.reshape((2, 3))?;\n\
     println!(\"{x}\");";

/// Cells as they follow in a lesson: variables, functions, loops, results.
const LATER: [&str; 9] = [
    "let w = Tensor::ones((3, 4), DType::F32, &Device::Cpu)?;\nlet y = x.matmul(&w)?;\nprintln!(\"{y}\");",
    "fn square(x: f64) -> f64 {\n    x * x\n}",
    "println!(\"{}\", square(3.0));",
    "let total = y.sum_all()?.to_scalar::<f32>()?;\nprintln!(\"{total:.2}\");",
    "let mut losses = Vec::new();\nfor step in 1..=5 {\n    losses.push(square(1.0 / step as f64));\n}\nlosses.len()",
    "let shifted = (&y - 1.0)?.relu()?;\nprintln!(\"{:?}\", shifted.dims());",
    "struct Layer {\n    weight: Tensor,\n}\nimpl Layer {\n    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {\n        x.matmul(&self.weight)\n    }\n}",
    "let layer = Layer { weight: w.clone() };\nprintln!(\"{}\", layer.forward(&x)?);",
    "losses.iter().sum::<f64>()",
];

/// The seconds that a learner waits; the names are the keys of `--json`.
#[derive(Debug, Serialize)]
struct Waits {
    /// From the start of an unprepared kernel to the first printed tensor.
    stock_first_result_s: f64,
    /// The same with the course's kernel.
    cold_first_result_s: f64,
    /// From running the first cell to its output, on a kernel that was started ahead.
    warm_first_result_s: f64,
    /// A cell after that, the median.
    later_cell_median_s: f64,
}

fn kernel(json: bool) -> Result<()> {
    let home = crate::kernel::home()?;
    ensure!(
        kindling_kernel::is_prepared(&home),
        "the kernel is not prepared; run `cargo course kernel prepare`"
    );
    let runtime = tokio::runtime::Runtime::new()?;
    let waits = runtime.block_on(measure(&home))?;
    if json {
        println!("{}", serde_json::to_string(&waits)?);
        return Ok(());
    }
    let ratio = |seconds: f64| waits.stock_first_result_s / seconds;
    println!("                                                  seconds");
    println!(
        "stock evcxr, start to first printed tensor      {:9.2}",
        waits.stock_first_result_s
    );
    println!(
        "course, start to first printed tensor           {:9.2}   {:.0} times as quick",
        waits.cold_first_result_s,
        ratio(waits.cold_first_result_s)
    );
    println!(
        "course, first cell of a kernel started ahead    {:9.2}   {:.0} times as quick",
        waits.warm_first_result_s,
        ratio(waits.warm_first_result_s)
    );
    println!(
        "course, a later cell (median of {})              {:9.2}",
        LATER.len(),
        waits.later_cell_median_s
    );
    Ok(())
}

async fn measure(home: &Home) -> Result<Waits> {
    eprintln!("course's kernel, cold …");
    let start = Instant::now();
    let mut session = Session::start(home).await?;
    cell(&mut session, FIRST, "[[").await?;
    let cold = start.elapsed();
    eprintln!("  first result after {:.2} s", cold.as_secs_f64());
    let mut later = Vec::new();
    for code in LATER {
        later.push(cell(&mut session, code, "").await?);
    }
    later.sort();
    let median = later[later.len() / 2];
    eprintln!("  later cells: median {:.2} s", median.as_secs_f64());
    session.shutdown().await;

    eprintln!("course's kernel, started ahead …");
    let mut session = Session::start(home).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let warm = cell(&mut session, FIRST, "[[").await?;
    eprintln!("  first result after {:.2} s", warm.as_secs_f64());
    session.shutdown().await;

    eprintln!("stock evcxr (it compiles Candle: minutes) …");
    let start = Instant::now();
    let mut session = Session::start_stock(home).await?;
    let version = kindling_kernel::locked_version(home, "candle-core")?;
    for name in ["candle-core", "candle-nn"] {
        let dependency = format!(":dep {name} = \"={version}\"");
        cell(&mut session, &dependency, "").await?;
    }
    cell(&mut session, FIRST, "[[").await?;
    let stock = start.elapsed();
    session.shutdown().await;

    Ok(Waits {
        stock_first_result_s: stock.as_secs_f64(),
        cold_first_result_s: cold.as_secs_f64(),
        warm_first_result_s: warm.as_secs_f64(),
        later_cell_median_s: median.as_secs_f64(),
    })
}

/// Runs a cell that must succeed and print `expected`; a quick failure must not count as a quick cell.
async fn cell(session: &mut Session, code: &str, expected: &str) -> Result<Duration> {
    let mut shown = String::new();
    let start = Instant::now();
    let outcome = session
        .execute(code, &mut |output| match output {
            Output::Stream { text, .. } => shown.push_str(&text.0),
            Output::Error(error) => shown.push_str(&error.evalue),
            Output::ExecuteResult(_) | Output::DisplayData(_) => {}
        })
        .await
        .with_context(|| format!("while running `{code}`"))?;
    let took = start.elapsed();
    let shown = settle(&shown);
    ensure!(
        outcome == Outcome::Ok && shown.contains(expected) && !shown.contains("panicked"),
        "the cell `{code}` failed: {shown}"
    );
    Ok(took)
}
