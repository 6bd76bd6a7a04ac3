//! What is compiled behind the open book: the search, the kernel of most pages, and those that a page asks for.

use super::helper::Helper;
use super::screen::{self, complain, say};
use crate::kernel::Told;
use crate::server::{ASKED, Shared, Status};
use anyhow::{Context, Result, anyhow};
use kindling_cargo::{minutes_left, time_left};
use kindling_kernel::{Crates, Doing, Home, Report, Step, is_prepared_for};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, BufReader};

/// How often a page hears news: faster than this nobody reads.
const PAUSE: Duration = Duration::from_millis(500);

/// Prepares a kernel in a process of its own, so that ending this one ends the compilers that it started.
pub async fn kernel(crates: Crates, tell: impl Fn(Status)) -> Result<()> {
    let mut arguments = vec!["kernel", "prepare", "--report"];
    if let Some(extra) = crates.extra() {
        arguments.extend(["--crates", extra]);
    }
    let (mut helper, output) = Helper::start_reporting(&arguments)?;
    screen::begin();
    let mut lines = BufReader::new(output).lines();
    let mut failed = None;
    let mut last: Option<(Instant, usize)> = None;
    while let Ok(Some(line)) = lines.next_line().await {
        match serde_json::from_str(&line) {
            Ok(Told::Progress(report)) => {
                screen::progress(&crate::kernel::shown(&report), report.share());
                if last.is_none_or(|(when, part)| when.elapsed() >= PAUSE || part != report.part) {
                    last = Some((Instant::now(), report.part));
                    tell(Status::preparing(report));
                }
            }
            Ok(Told::Failed(why)) => failed = Some(why),
            Err(_) => say!("{line}"),
        }
    }
    let status = helper.wait().await?;
    screen::clear();
    if status.success() {
        return Ok(());
    }
    Err(match failed {
        Some(why) => anyhow!(why),
        None => anyhow!(
            "the process that prepares it ended ({status}); run `cargo course kernel prepare` to see more"
        ),
    })
}

/// Prepares the kernels that pages ask for, one after the other.
pub async fn asked(home: Home, shared: Arc<Shared>) {
    let mut extra = shared.extra.subscribe();
    loop {
        let next = {
            let extra = extra.borrow_and_update();
            let mut asked = extra.iter().filter(|(_, status)| status.state == ASKED);
            asked.next().map(|(crates, _)| *crates)
        };
        let Some(crates) = next else {
            if extra.changed().await.is_err() {
                return;
            }
            continue;
        };
        let name = crates.extra().unwrap_or_default();
        let tell = |status: Status| {
            shared.extra.send_modify(|extra| {
                extra.insert(crates, status);
            });
        };
        tell(Status::new("preparing", ""));
        if !is_prepared_for(&home, crates) {
            say!("A page that uses {name} is open: its kernel is prepared now, once.");
        }
        tell(match kernel(crates, &tell).await {
            Ok(()) => {
                say!("The kernel with {name} is ready.");
                Status::new("ready", "")
            }
            Err(error) => {
                complain!("The kernel with {name} cannot be prepared: {error:#}");
                Status::new("unavailable", format!("{error:#}"))
            }
        });
    }
}

/// Compiles the search and indexes the book, unless both is done. A book without it can be read all the same.
pub async fn search(root: &Path, shared: Arc<Shared>) {
    let (root, book) = (root.to_owned(), shared.book.clone());
    if book.join("pagefind/pagefind.js").is_file() {
        return;
    }
    screen::begin();
    let began = Instant::now();
    let work = move || {
        crate::search::compile(&root, &mut |count| {
            let share = count.share();
            let left = time_left(began.elapsed(), share);
            let report = Report {
                doing: Doing::Search,
                extra: None,
                part: 1,
                parts: 1,
                step: Step::Compiling,
                done: count.done,
                total: count.total,
                seconds_left: left.map(|left| left.as_secs()),
                permille: (share * 1000.0) as u64,
            };
            let words = left.map_or(String::new(), |left| format!(", {}", minutes_left(left)));
            let text = format!(
                "Compiling the search behind the book, {} of {}{words}",
                count.done, count.total
            );
            screen::progress(&text, share);
            shared.status.send_replace(Status::preparing(report));
        })?;
        crate::search::index(&book)
    };
    let indexed = tokio::task::spawn_blocking(work).await;
    match indexed
        .context("the search could not be made")
        .and_then(|indexed| indexed)
    {
        Ok(pages) => say!("The search is ready: {pages} pages"),
        Err(error) => complain!("The search of the book does not work: {error:#}"),
    }
}
