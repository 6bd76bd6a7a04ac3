//! The runner as a whole, on commands that print what cargo would.

use super::*;

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

#[test]
fn an_unknown_stage_is_named() {
    let args = Args {
        only: vec!["x".into()],
        ..Args::default()
    };
    let error = chosen(&args).unwrap_err().to_string();
    assert!(
        error.contains("there is no stage `x`; the stages are: format"),
        "{error}"
    );
}

fn runner(folder: &Path) -> Runner {
    Runner {
        root: crate::repository().unwrap(),
        workspace: workspace::tests::sample(),
        pages: Vec::new(),
        proofs: Proofs::at(folder.join("passed")),
        notes: Notes::new(folder.join("skips")).unwrap(),
        compiled: folder.join("compiled"),
        strict: None,
        reach: OnceCell::new(),
        reuses: true,
    }
}

fn stage(name: &str) -> &'static Stage {
    STAGES.iter().find(|stage| stage.name == name).unwrap()
}

/// Runs a script in the place of a stage's command.
fn run_as(runner: &mut Runner, stage: &'static Stage, script: &str) -> Outcome {
    let mut outcome = Outcome::default();
    let units = stage.units(&runner.workspace, &runner.pages);
    let keys: Vec<String> = units.iter().map(Unit::name).collect();
    let mut reading = Reading::new();
    let result = runner.follow(stage, shell(script), &mut reading);
    runner.count(stage, &mut outcome, &mut reading, &result);
    for (unit, key) in units.iter().zip(&keys) {
        assert_eq!(
            runner.proofs.find(&format!("{} {key}", stage.name), key),
            None,
            "{unit:?}"
        );
    }
    outcome
}

#[cfg(unix)]
#[test]
fn skipped_tests_are_not_counted_as_passed() {
    let folder = tempfile::tempdir().unwrap();
    let mut runner = runner(folder.path());
    let script = "echo 'kindling-unit: base lib'; echo 'test a ... ok'; \
        printf 'mirror\\tbase\\tlib\\ta\\tset KINDLING_MIRROR\\n' >> \"$KINDLING_SKIPS\"; \
        echo 'test b ... ignored, slow'; echo 'compiled candle-core' >> \"$KINDLING_COMPILED\"; \
        echo 'test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured'";
    let outcome = run_as(&mut runner, stage("tools"), script);
    assert_eq!(outcome.error, None);
    assert_eq!(outcome.counts.passed, 1);
    assert_eq!(outcome.counts.skipped, 2);
    assert_eq!(outcome.crates["candle-core"], [1, 0]);
    let shown: Vec<String> = outcome.skips.iter().map(Skip::shown).collect();
    assert_eq!(
        shown,
        ["base a: set KINDLING_MIRROR (mirror)", "base b: slow"]
    );
}

#[cfg(unix)]
#[test]
fn a_command_that_dies_without_a_result_fails_the_stage() {
    let folder = tempfile::tempdir().unwrap();
    let mut runner = runner(folder.path());
    let outcome = run_as(&mut runner, stage("tools"), "echo 'test a ... ok'; exit 3");
    assert!(outcome.error.unwrap().contains("exit status: 3"));
    assert_eq!((outcome.counts.passed, outcome.counts.failed), (0, 1));
    let outcome = run_as(&mut runner, stage("check"), "true");
    assert_eq!((outcome.counts.passed, outcome.counts.failed), (1, 0));
    let outcome = run_as(&mut runner, stage("tools"), "true");
    assert_eq!(outcome.counts.passed, 0, "no test ran");
}

#[cfg(unix)]
#[test]
fn proofs_are_kept_of_what_passed_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut runner = runner(folder.path());
    let tools = stage("tools");
    let units = tools.units(&runner.workspace, &runner.pages);
    let keys = runner.keys(tools, &units).unwrap();
    let prove = |runner: &mut Runner, script: &str, keys: &[String]| -> Vec<bool> {
        let mut reading = Reading::new();
        let result = runner.follow(tools, shell(script), &mut reading);
        let mut outcome = Outcome::default();
        runner.count(tools, &mut outcome, &mut reading, &result);
        runner.keep(tools, &units, keys, &BTreeSet::new(), &reading, &outcome);
        let found = units.iter().zip(keys).map(|(unit, key)| {
            let name = format!("tools {}", unit.name());
            let found = runner.proofs.find(&name, key).is_some();
            let _ = std::fs::remove_file(folder.path().join("passed").join(key));
            found
        });
        found.collect()
    };
    let ran = |package: &str, failed: usize| {
        format!(
            "echo 'kindling-unit: {package} lib'; echo 'test result: x. 1 passed; {failed} failed; 0 ignored;';"
        )
    };
    let both = ran("base", 0) + &ran("tool", 0);
    assert_eq!(prove(&mut runner, &both, &keys), [true, true]);
    let one = ran("base", 0) + &ran("tool", 1) + "exit 1";
    assert_eq!(prove(&mut runner, &one, &keys), [true, false]);
    let killed = ran("base", 0) + "echo 'kindling-unit: tool lib'; exit 1";
    assert_eq!(prove(&mut runner, &killed, &keys), [true, false]);
    let skipped = both.clone() + "printf 'root\\ttool\\tlib\\tt\\tw\\n' >> \"$KINDLING_SKIPS\"";
    assert_eq!(prove(&mut runner, &skipped, &keys), [true, false]);
    let stale = [keys[0].clone(), "0".repeat(64)];
    assert_eq!(
        prove(&mut runner, &both, &stale),
        [true, false],
        "a file was saved while they ran"
    );
}

#[cfg(unix)]
#[test]
fn the_bar_of_cargo_is_no_line() {
    let script = "printf '   Compiling polars-core v1.0.0\\n    Building [=> ] 1/2: x \\r    Building [==> ] 2/2: y \\rerror: oh\\nlast'";
    let mut reading = Reading::new();
    let mut say = Say::new();
    let result = follow(shell(script), "sh", "lints", &mut reading, &mut say);
    assert!(result.is_ok());
    assert_eq!(reading.crates["polars-core"], [1, 0]);
    assert_eq!(reading.state("lints"), "lints: compiling 2 of 2: y");
}

#[test]
fn strict_is_all_or_a_list() {
    use clap::Parser;
    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }
    let strict = |words: &[&str]| {
        Line::try_parse_from([&["x"], words].concat())
            .unwrap()
            .args
            .strict
    };
    assert_eq!(strict(&[]), None);
    assert_eq!(strict(&["--strict"]).as_deref(), Some("all"));
    assert_eq!(
        strict(&["--strict=mirror,kernel"]).as_deref(),
        Some("mirror,kernel")
    );
    let args = Args {
        strict: Some("miror".into()),
        ..Args::default()
    };
    let error = run(args).unwrap_err().to_string();
    assert!(
        error.starts_with("--strict: expected `all` or some of mirror"),
        "{error}"
    );
}
