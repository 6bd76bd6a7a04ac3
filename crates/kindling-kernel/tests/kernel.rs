//! Cells on a real kernel. Each test needs the prepared home (`cargo course kernel prepare`) and says so
//! when it is not there.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use kindling_kernel::{Home, KernelKind, Outcome, Pool, PoolState, Session, Stopper, is_prepared};
use kindling_pages::settle;
use nbformat::v4::Output;
use std::path::Path;
use std::time::{Duration, Instant};

/// The home of this repository, or `None` with a note that the test is skipped.
#[track_caller]
fn home() -> Option<Home> {
    let home = Home::locate(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    if is_prepared(&home) {
        return Some(home);
    }
    kindling_skip::skip(
        kindling_skip::Need::Kernel,
        "the kernel is not prepared; run `cargo course kernel prepare`",
    );
    None
}

/// One kernel at a time: what is measured here must not wait for another test's compiler.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Runs a cell; returns how it ended and everything that it showed, as text.
async fn run(session: &mut Session, code: &str) -> (Outcome, String) {
    let mut shown = String::new();
    let outcome = session
        .execute(code, &mut |output| shown.push_str(&as_text(&output)))
        .await
        .unwrap();
    (outcome, settle(&shown))
}

fn as_text(output: &Output) -> String {
    match output {
        Output::Stream { text, .. } => text.0.clone(),
        Output::Error(error) => format!("{}\n{}\n", error.evalue, error.traceback.join("\n")),
        other => serde_json::to_string(other).unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kernel_keeps_variables_shows_errors_and_survives() {
    let Some(home) = home() else { return };
    let _alone = ALONE.lock().await;
    let mut session = Session::start(&home).await.unwrap();
    let (outcome, shown) = run(
        &mut session,
        "let a = vec![1.5f64, 2.5]; println!(\"{:?}\", a);",
    )
    .await;
    assert_eq!((outcome, shown.as_str()), (Outcome::Ok, "[1.5, 2.5]\n"));

    let (_, shown) = run(&mut session, "a.iter().sum::<f64>()").await;
    assert!(
        shown.contains("text/plain") && shown.contains("4.0"),
        "{shown}"
    );

    let (outcome, shown) = run(&mut session, "let b: u8 = \"x\";").await;
    assert_eq!(outcome, Outcome::Error);
    assert!(shown.contains("mismatched types"), "{shown}");

    let (outcome, shown) = run(&mut session, "let c = 1; panic!(\"no further\");").await;
    assert_eq!(
        outcome,
        Outcome::Ok,
        "evcxr reports a panic on standard error: {shown}"
    );
    assert!(shown.contains("no further"), "{shown}");
    let (_, shown) = run(&mut session, "println!(\"{}\", a.len());").await;
    assert_eq!(shown, "2\n", "a panic keeps the variables of earlier cells");

    let lines = "for i in 1..=3 { println!(\"\\rstep {i} of 3\"); } println!(\"done\");";
    let mut raw = String::new();
    session
        .execute(lines, &mut |output| raw.push_str(&as_text(&output)))
        .await
        .unwrap();
    // Of the steps within one moment only the last may be sent.
    assert!(raw.starts_with('\r'), "{raw:?}");
    assert_eq!(settle(&raw), "step 3 of 3\ndone\n");

    let (_, shown) = run(&mut session, "kindling::plot::Lines::new(\"t\").axes(\"x\", \"y\").series(\"s\", &[(0.0, 1.0), (1.0, 2.0)]).draw()?").await;
    assert!(
        shown.contains("image/svg+xml"),
        "{}",
        &shown[..shown.len().min(300)]
    );
    session.shutdown().await;
}

/// Each cell is a library of its own; Candle's counter of tensor ids must be one for all, or gradients are mixed.
#[tokio::test(flavor = "multi_thread")]
async fn tensors_of_several_cells_are_told_apart() {
    let Some(home) = home() else { return };
    let _alone = ALONE.lock().await;
    let mut session = Session::start(&home).await.unwrap();
    for name in ["a", "b"] {
        let cell = format!(
            "let {name} = candle_core::Var::new(&[1f32, 2.0], &candle_core::Device::Cpu)?;"
        );
        let (outcome, shown) = run(&mut session, &cell).await;
        assert_eq!(outcome, Outcome::Ok, "{shown}");
    }
    let (_, shown) = run(&mut session, "println!(\"{}\", a.id() == b.id());").await;
    assert_eq!(shown, "false\n");
    let (_, shown) = run(
        &mut session,
        "{ let gradients = (a.as_tensor() * 2.0)?.add(&(b.as_tensor() * 3.0)?)?.backward()?;\nfor variable in [&a, &b] { println!(\"{:?}\", gradients.get(variable).map(|gradient| gradient.to_vec1::<f32>()).transpose()?); } }",
    )
    .await;
    assert_eq!(shown, "Some([2.0, 2.0])\nSome([3.0, 3.0])\n");
    session.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runaway_cell_is_stopped_and_the_kernel_answers_again() {
    let Some(home) = home() else { return };
    let _alone = ALONE.lock().await;
    let mut session = Session::start(&home).await.unwrap();
    let stopper = Stopper::new(&session);
    // Stopped as soon as it runs: how long it takes to compile is another matter.
    let mut started = Instant::now();
    let runaway = "println!(\"running\"); loop { std::hint::black_box(0); }";
    let outcome = session
        .execute_stoppable(runaway, &stopper, &mut |output| {
            if as_text(&output).contains("running") {
                started = Instant::now();
                stopper.stop();
            }
        })
        .await
        .unwrap();
    assert_eq!(outcome, Outcome::Stopped);
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "stopped after {:?}",
        started.elapsed()
    );
    assert_eq!(
        run(&mut session, "println!(\"still here\");").await.1,
        "still here\n"
    );

    // A loop that looks for the request ends by itself, and its variables stay.
    let polite = "let stop = std::path::PathBuf::from(std::env::var(\"KINDLING_STOP_FILE\")?);\nlet mut rounds = 0u64;\nprintln!(\"running\");\nloop { rounds += 1; std::thread::sleep(std::time::Duration::from_millis(5)); if stop.exists() { break; } }";
    let outcome = session
        .execute_stoppable(polite, &stopper, &mut |_| stopper.stop())
        .await
        .unwrap();
    assert_eq!(outcome, Outcome::Ok);
    assert_eq!(
        run(&mut session, "println!(\"{}\", rounds > 0);").await.1,
        "true\n"
    );
    session.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cell_that_prints_without_end_is_bounded_and_stopped() {
    let Some(home) = home() else { return };
    let _alone = ALONE.lock().await;
    let mut session = Session::start(&home).await.unwrap();
    for (code, end) in [
        ("for i in 0..100_000 { println!(\"{i}\"); }", "99999"),
        ("for i in 0..20_000 { eprintln!(\"{i}\"); }", "19999"),
    ] {
        let (mut shown, mut started) = (String::new(), None);
        let outcome = session
            .execute(code, &mut |output| {
                started.get_or_insert_with(Instant::now);
                shown.push_str(&as_text(&output));
            })
            .await
            .unwrap();
        let took = started.unwrap().elapsed();
        println!("{code} took {took:?}");
        assert_eq!(outcome, Outcome::Ok);
        assert!(took < Duration::from_secs(30), "took {took:?}");
        assert!(
            shown.starts_with("0\n1\n") && shown.contains(end) && shown.contains("lines left out")
        );
        assert!(shown.len() < 1_500_000, "{} bytes", shown.len());
    }
    // One line, and a value. (Of a line of a hundred megabytes nothing is shown: evcxr sends it after it has called the cell ended.)
    for code in [
        "println!(\"{}\", \"x\".repeat(2_000_000));",
        "\"x\".repeat(20_000_000)",
    ] {
        let (outcome, shown) = run(&mut session, code).await;
        assert_eq!(outcome, Outcome::Ok);
        assert!(
            shown.len() < 1_500_000 && shown.contains("characters left out"),
            "{} bytes",
            shown.len()
        );
    }

    let stopper = Stopper::new(&session);
    let (mut bytes, mut asked) = (0, None);
    let stop = stopper.clone();
    let outcome = session
        .execute_stoppable(
            "let mut i = 0u64; loop { println!(\"{i}\"); i += 1; }",
            &stopper,
            &mut |output| {
                bytes += as_text(&output).len();
                asked.get_or_insert_with(|| {
                    let stop = stop.clone();
                    tokio::spawn(async move {
                        tokio::time::sleep(Duration::from_secs(3)).await;
                        stop.stop();
                        Instant::now()
                    })
                });
            },
        )
        .await
        .unwrap();
    let took = asked.unwrap().await.unwrap().elapsed();
    println!("stopped after {took:?}, {bytes} bytes");
    assert_eq!(outcome, Outcome::Stopped);
    assert!(took < Duration::from_secs(4), "stopped after {took:?}");
    assert!(bytes < 1_500_000, "{bytes} bytes");
    session.shutdown().await;
}

/// Each with what it shows, and whether the variables of earlier cells are still there.
#[tokio::test(flavor = "multi_thread")]
async fn odd_cells_show_what_they_can_or_say_why_not() {
    let Some(home) = home() else { return };
    let _alone = ALONE.lock().await;
    let mut session = Session::start(&home).await.unwrap();
    for (code, expected) in [
        (
            "print!(\"no \"); print!(\"end\"); eprint!(\"half\");",
            "no end",
        ),
        ("", ""),
        ("// only words", ""),
        ("let half = vec![1, 2", "unclosed delimiter"),
        (
            "let typo = frobnicate(3);",
            "cannot find function `frobnicate`",
        ),
        (
            "println!(\"{}\", std::io::stdin().lines().count());",
            "nobody types there",
        ),
        (
            "println!(\"{}\", std::thread::spawn(|| panic!(\"in a thread\")).join().is_err());",
            "true",
        ),
        (
            "std::thread::spawn(|| { std::thread::sleep(std::time::Duration::from_millis(300)); println!(\"late\"); }); println!(\"first\");",
            "first",
        ),
        (
            "println!(\"{}\", Vec::<u8>::with_capacity(usize::MAX).len());",
            "capacity overflow",
        ),
        (
            "println!(\"before\"); std::process::exit(3);",
            "exit status: 3",
        ),
        ("println!(\"alive\");", "alive"),
        ("std::process::abort();", "signal: 6"),
        ("println!(\"alive\");", "alive"),
        (
            "fn deep(n: u64) -> u64 { if n == u64::MAX { 0 } else { 1 + deep(std::hint::black_box(n + 1)) } } println!(\"{}\", deep(0));",
            "calls itself",
        ),
        ("println!(\"alive\");", "alive"),
        // The cell is over long before its line has been packed and sent.
        (
            "println!(\"{}\", \"x\".repeat(100_000_000));",
            "99,200,001 characters left out",
        ),
        ("println!(\"alive\");", "alive"),
        (
            "std::io::Write::write_all(&mut std::io::stdout(), b\"a\\xff\\n\")?;",
            "no text in UTF-8",
        ),
    ] {
        let started = Instant::now();
        let (outcome, shown) = run(&mut session, code).await;
        println!("{code}\n  {outcome:?} {:?} {shown:?}", started.elapsed());
        assert!(shown.contains(expected), "{code}: {outcome:?} {shown}");
    }
    assert!(!session.is_whole(), "another cell would wait for ever");
    session.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warm_kernel_runs_its_first_cell_at_once_and_leaves_nothing_behind() {
    let Some(home) = home() else { return };
    let _alone = ALONE.lock().await;
    let pool = Pool::keep(&home);
    let mut state = pool.state();
    state
        .wait_for(|state| *state != PoolState::Warming)
        .await
        .unwrap();
    let mut session = pool.take(KernelKind::COURSE).await.unwrap();
    let (outcome, _) = run(
        &mut session,
        "let x = candle_core::Tensor::new(&[1f32], &candle_core::Device::Cpu)?;",
    )
    .await;
    assert_eq!(outcome, Outcome::Ok);
    session.shutdown().await;
    drop(pool);
    let offers = std::fs::read_dir(home.pool()).unwrap().flatten();
    let own = offers.filter(|entry| {
        entry
            .file_name()
            .to_string_lossy()
            .starts_with(&std::process::id().to_string())
    });
    assert_eq!(own.count(), 0, "no offer of this process is left");
}
