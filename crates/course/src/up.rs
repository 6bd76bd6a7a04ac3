//! `cargo course up`: the book on loopback at once, the kernel behind it, nothing left behind.

mod doorway;
mod helper;
mod inputs;
mod prepare;
pub mod screen;

use crate::server::{Notice, Shared, Status, router};
use anyhow::{Context, Result, bail};
use doorway::Doorway;
use helper::Helper;
use kindling_kernel::{Home, KernelKind, Pool, PoolState};
use screen::{complain, say};
use std::io::{BufRead, ErrorKind, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// How often saved pages are looked for.
const LOOK: Duration = Duration::from_millis(500);

/// Open the book with Run buttons, on this machine only.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The port on 127.0.0.1; 0 takes any free one
    #[arg(long, value_name = "NUMBER", default_value_t = 3400)]
    port: u16,

    /// Also open JupyterLab on the notebooks (needs Python 3)
    #[arg(long)]
    jupyter: bool,

    /// Only serve the book: no kernel, no Run buttons
    #[arg(long, conflicts_with = "jupyter")]
    no_kernel: bool,

    /// Do not open a browser
    #[arg(long)]
    no_open: bool,
}

/// Runs `cargo course up` until it is told to end.
pub fn run(args: Args) -> Result<()> {
    let root = crate::repository()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let result = runtime.block_on(serve(root, args));
    // Threads that wait for a key or build the book are not waited for.
    runtime.shutdown_timeout(Duration::from_secs(2));
    result
}

async fn serve(root: PathBuf, args: Args) -> Result<()> {
    // The port first: better to fail now than after the book was built.
    let listener = listen(args.port).await?;
    let address = listener.local_addr()?;
    let mut ends = Ends::new()?;
    let mut wishes = keys();
    let built = tokio::select! {
        built = build_if_changed(root.clone()) => built?,
        () = ends.next() => return Ok(()),
    };
    let (shared, mut running) = Shared::new(built)?;
    let app = router(shared.clone());
    let mut closing = shared.closing.subscribe();
    let server = tokio::spawn(async move {
        axum::serve(listener, app)
            .with_graceful_shutdown(async move {
                let _ = closing.wait_for(|closing| *closing).await;
            })
            .await
    });
    let url = format!("http://{address}/?token={}", shared.token);
    say!("The book is open at {url}");
    let mut doorway = None; // removed at the end
    let terminal = std::io::stdin().is_terminal();
    if terminal {
        say!("Keys, each followed by Enter: j JupyterLab, r build again, q quit");
    } else {
        say!("Ctrl-C ends it");
    }
    if terminal && std::io::stdout().is_terminal() && !args.no_open {
        doorway = open_browser(&root, &url);
    }
    let behind = {
        let (root, shared) = (root.clone(), shared.clone());
        tokio::spawn(async move {
            prepare::search(shared.clone()).await;
            if args.no_kernel {
                let message = "the server was started with --no-kernel";
                let status = Status::new("unavailable", message);
                shared.status.send_replace(status);
            } else {
                keep_kernel(root, shared).await;
            }
        })
    };
    let watcher = tokio::spawn(watch_pages(root.clone(), shared.clone()));
    let mut jupyter = None;
    if args.jupyter {
        open_jupyter(&mut jupyter, args.no_open);
    }
    loop {
        tokio::select! {
            () = ends.next() => break,
            wish = wishes.recv() => match wish {
                Some('j') if args.no_kernel => say!("JupyterLab needs the kernel: start again without --no-kernel"),
                Some('j') => open_jupyter(&mut jupyter, args.no_open),
                Some('r') => rebuild(&root, &shared).await,
                Some('q') => break,
                Some(_) => say!("Keys, each followed by Enter: j JupyterLab, r build again, q quit"),
                // No terminal, so no keys: wait for a signal.
                None => {
                    ends.next().await;
                    break;
                }
            },
        }
    }
    say!("Ending …");
    drop(doorway);
    watcher.abort();
    behind.abort();
    let _ = behind.await;
    shared.release();
    shared.pool.send_replace(None);
    let end = async {
        if let Some(jupyter) = jupyter {
            Helper::end(jupyter).await;
        }
        // Each open page ends its kernel.
        while running.recv().await.is_some() {}
    };
    tokio::select! {
        _ = tokio::time::timeout(Duration::from_secs(15), end) => {}
        // Asked a second time: whoever still runs is killed when the runtime drops it.
        () = ends.next() => {}
    }
    server.abort();
    Ok(())
}

/// Takes the port, or says what stands in the way.
async fn listen(port: u16) -> Result<TcpListener> {
    match TcpListener::bind(("127.0.0.1", port)).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == ErrorKind::AddrInUse => bail!(
            "port {port} on 127.0.0.1 is in use, perhaps by another `cargo course up`; choose one with `--port NUMBER`, or \
             any free one with `--port 0`"
        ),
        Err(error) => Err(error).with_context(|| format!("cannot listen on 127.0.0.1:{port}")),
    }
}

/// The ways in which a program is told to end.
struct Ends {
    #[cfg(unix)]
    signals: [tokio::signal::unix::Signal; 3],
}

impl Ends {
    fn new() -> Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let [interrupt, terminate, hangup] = [
                SignalKind::interrupt(),
                SignalKind::terminate(),
                SignalKind::hangup(),
            ]
            .map(signal);
            Ok(Self {
                signals: [interrupt?, terminate?, hangup?],
            })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    async fn next(&mut self) {
        #[cfg(unix)]
        {
            let [interrupt, terminate, hangup] = &mut self.signals;
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    }
}

/// The keys that are typed, each followed by Enter; the channel ends where there is no terminal.
fn keys() -> mpsc::UnboundedReceiver<char> {
    let (typed, keys) = mpsc::unbounded_channel();
    if std::io::stdin().is_terminal() {
        // A thread of its own: reading a terminal cannot be taken back, and the process ends without it.
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines() {
                let Ok(line) = line else { return };
                let key = line
                    .trim()
                    .chars()
                    .next()
                    .unwrap_or(' ')
                    .to_ascii_lowercase();
                if typed.send(key).is_err() {
                    return;
                }
            }
        });
    }
    keys
}

/// The finished book; built only when something that it is made of has changed.
async fn build_if_changed(root: PathBuf) -> Result<PathBuf> {
    tokio::task::spawn_blocking(move || {
        let dest = root.join("book/build");
        let stamp = root.join("book/build/.inputs");
        let state = inputs::fingerprint(&root).to_string();
        if std::fs::read_to_string(&stamp).is_ok_and(|found| found == state) {
            return Ok(dest);
        }
        say!("Building the book …");
        let started = Instant::now();
        // The first page does not wait for the search to be compiled.
        let search = crate::search::is_compiled().then_some(crate::search::index as _);
        let options = kindling_book::Options {
            search,
            ..Default::default()
        };
        let report = kindling_book::build(&root, &options)?;
        std::fs::write(&stamp, state)?;
        say!(
            "Built {} pages in {:.1} s",
            report.pages,
            started.elapsed().as_secs_f64()
        );
        Ok(report.dest)
    })
    .await?
}

/// Prepares the kernel behind the pages, and then keeps one warm.
async fn keep_kernel(root: PathBuf, shared: Arc<Shared>) {
    let home = Home::locate(&root);
    let unavailable = |why: String| {
        complain!("The Run buttons do not work: {why}. The book can be read all the same.");
        shared.status.send_replace(Status::new("unavailable", why));
    };
    if !kindling_kernel::is_prepared(&home) {
        say!(
            "Preparing the kernel behind the pages: once, in some minutes. You can read meanwhile."
        );
    }
    let tell = |status| drop(shared.status.send_replace(status));
    if let Err(error) = prepare::kernel(KernelKind::COURSE, tell).await {
        return unavailable(format!("{error:#}"));
    }
    // What few pages need waits for such a page.
    let mut rest = tokio::task::JoinSet::new(); // ends its task when it is dropped
    rest.spawn(prepare::asked(home.clone(), shared.clone()));
    let pool = Arc::new(Pool::keep(&home));
    let mut state = pool.state();
    shared.pool.send_replace(Some(pool));
    let mut told = false;
    loop {
        let now = state.borrow_and_update().clone();
        if now == PoolState::Ready && !told {
            say!("The kernel is warm: every cell has a Run button.");
            told = true;
        }
        if let PoolState::Failed(why) = &now {
            return unavailable(why.clone());
        }
        shared.status.send_replace(Status::of(&now));
        if state.changed().await.is_err() {
            return;
        }
    }
}

/// Builds the book again when a page was saved.
async fn watch_pages(root: PathBuf, shared: Arc<Shared>) {
    let mut before = inputs::fingerprint(&root);
    loop {
        tokio::time::sleep(LOOK).await;
        let here = root.clone();
        let Ok(now) = tokio::task::spawn_blocking(move || inputs::fingerprint(&here)).await else {
            return;
        };
        if now != before {
            before = now;
            rebuild(&root, &shared).await;
        }
    }
}

/// Builds the book, and tells the open pages how it went.
async fn rebuild(root: &Path, shared: &Shared) {
    match build_if_changed(root.to_owned()).await {
        Ok(_) => drop(shared.notices.send(Notice::Reload)),
        Err(error) => {
            let message = format!("{error:#}");
            complain!("error: {message}");
            drop(shared.notices.send(Notice::Problem(message)));
        }
    }
}

/// Starts JupyterLab beside the book, unless it runs already.
fn open_jupyter(running: &mut Option<Helper>, no_open: bool) {
    if running.as_mut().is_some_and(Helper::is_running) {
        say!("JupyterLab is running already; its address is above");
        return;
    }
    let mut arguments = vec!["jupyter", "--no-pool"];
    if no_open || !std::io::stdout().is_terminal() {
        arguments.push("--no-open");
    }
    match Helper::start(&arguments) {
        Ok(helper) => *running = Some(helper),
        Err(error) => complain!(
            "JupyterLab cannot be started: {error:#}. The book and its Run buttons work without it."
        ),
    }
}

/// Shows the book in the reader's browser; where that fails, the address is on the screen. The address goes through a file that
/// only its owner can read: the arguments of a program are seen by every user of the machine.
fn open_browser(root: &Path, url: &str) -> Option<Doorway> {
    let doorway = Doorway::to(&Home::locate(root), url)
        .inspect_err(|error| {
            eprintln!("No browser can be opened ({error:#}); open the address yourself")
        })
        .ok()?;
    let opener = if cfg!(target_os = "macos") {
        "open"
    } else if cfg!(windows) {
        "explorer"
    } else {
        "xdg-open"
    };
    let quiet = std::process::Stdio::null;
    let _ = std::process::Command::new(opener)
        .arg(doorway.file())
        .stdin(quiet())
        .stdout(quiet())
        .stderr(quiet())
        .spawn();
    Some(doorway)
}
