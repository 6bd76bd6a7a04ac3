//! What is compiled behind the open book: the search, the kernel of most pages, and those that a page asks for.

use super::helper::Helper;
use super::screen::{self, complain, say};
use crate::kernel::Told;
use crate::server::{ASKED, Shared, Status};
use anyhow::{Result, anyhow};
use kindling_kernel::{Home, KernelKind, is_prepared_for};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, BufReader};

/// How often a page hears news: faster than this nobody reads.
const PAUSE: Duration = Duration::from_millis(500);

/// Prepares a kernel.
pub async fn kernel(crates: KernelKind, tell: impl Fn(Status)) -> Result<()> {
    let mut arguments = vec!["kernel", "prepare", "--report"];
    if let Some(extra) = crates.extra() {
        arguments.extend(["--crates", extra]);
    }
    work(&arguments, tell).await
}

/// Works in a process of its own, so that ending this one ends the compilers that it started.
async fn work(arguments: &[&str], tell: impl Fn(Status)) -> Result<()> {
    let (mut helper, output) = Helper::start_reporting(arguments)?;
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
            "`cargo course {}` ended ({status}); run it to see more",
            arguments.join(" ")
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
pub async fn search(shared: Arc<Shared>) {
    if shared.book.join("pagefind/pagefind.js").is_file() {
        return;
    }
    let tell = |status| drop(shared.status.send_replace(status));
    match work(&["book", "--index"], tell).await {
        Ok(()) => say!("The search is ready."),
        Err(error) => complain!("The search of the book does not work: {error:#}"),
    }
    shared.status.send_replace(Status::new("preparing", ""));
}
