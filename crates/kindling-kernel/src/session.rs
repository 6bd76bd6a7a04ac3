//! A conversation with one kernel: run a cell, stop it, end it.

use crate::limit::{self, Limit, Piece, SLICE};
use crate::message::{Frames, Signer};
use crate::process::{Guard, Work};
use crate::spawn::Evcxr;
use crate::{Home, KernelKind, cell};
use anyhow::{Context, Result, anyhow, bail};
use futures_util::FutureExt;
use jupyter_protocol::{
    ConnectionInfo, ExecuteRequest, InterruptRequest, JupyterMessage, JupyterMessageContent,
    KernelInfoRequest, Media, MediaType, ReplyStatus, ShutdownRequest,
};
use jupyter_zmq_client::{ClientControlConnection, ClientShellConnection};
use kindling_pages::LeftOut;
use nbformat::v4::{DisplayData, ErrorOutput, ExecuteResult, MultilineString, Output};
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use zeromq::{Socket, SocketRecv, SubSocket};

/// How long a kernel may take to start on a slow machine.
const START_LIMIT: Duration = Duration::from_secs(300);
/// How long a cell may take to end by itself after it was asked to.
pub(crate) const GRACE: Duration = Duration::from_millis(1_400);
/// How long the kernel may take to say that it has stopped a cell; what it still has to print then is not waited for.
const STOPPED: Duration = Duration::from_millis(500);
/// How long a kernel must be silent after a cell was stopped by force: it may be about to say more.
const QUIET: Duration = Duration::from_millis(250);
/// How long output may still arrive after evcxr called a cell finished and no longer works.
pub(crate) const LATE_OUTPUT: Duration = Duration::from_millis(20);
/// How long nothing may arrive before a lost word that a cell is finished is no longer waited for.
pub(crate) const SILENCE: Duration = Duration::from_secs(5);

/// How many messages are read before it is looked whether the cell is to be stopped.
const BATCH: usize = 500;

/// How a cell ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It ran to its end.
    Ok,
    /// It did not compile, panicked or returned an error.
    Error,
    /// It had to be stopped, and all variables are lost.
    Stopped,
}

/// One kernel and the channels to it.
pub struct Session {
    evcxr: Evcxr,
    shell: ClientShellConnection,
    outputs: Outputs,
    control: ClientControlConnection,
    /// False when the kernel still has to say what a stopped cell printed: the next cell must get another one.
    is_whole: bool,
}

/// Asks a running cell to stop, from elsewhere than where it is awaited.
#[derive(Debug, Clone)]
pub struct Stopper {
    stop_file: PathBuf,
    asked: tokio::sync::watch::Sender<u64>,
}

impl Stopper {
    /// A stopper that the next [`Session::execute_stoppable`] listens to.
    pub fn new(session: &Session) -> Self {
        Self {
            stop_file: session.evcxr.folder.stop_file(),
            asked: tokio::sync::watch::Sender::new(0),
        }
    }

    /// Asks the cell to end: loops of the course end early and keep what they have; after two seconds the
    /// program is stopped, and its variables are lost.
    pub fn stop(&self) {
        let _ = std::fs::write(&self.stop_file, "");
        self.asked.send_modify(|count| *count += 1);
    }
}

impl Session {
    /// Starts a kernel and waits until it can run a cell of a page that asks for no crate of its own.
    pub async fn start(home: &Home) -> Result<Self> {
        Self::start_with(home, KernelKind::COURSE).await
    }

    /// Starts a kernel with these crates and waits until it can run a cell.
    pub async fn start_with(home: &Home, crates: KernelKind) -> Result<Self> {
        Self::connect(Evcxr::start(home, crates).await?).await
    }

    /// Starts a kernel as evcxr comes: no crates, no warmth.
    pub async fn start_stock(home: &Home) -> Result<Self> {
        Self::connect(Evcxr::start_stock(home).await?).await
    }

    /// Connects to a kernel and waits until it answers.
    pub async fn connect(mut evcxr: Evcxr) -> Result<Self> {
        let id = format!("kindling-{}", std::process::id());
        let identity = jupyter_zmq_client::peer_identity_for_session(&format!(
            "{id}-{}",
            evcxr.connection.shell_port
        ))?;
        wait_for_port(&mut evcxr).await?;
        let info = &evcxr.connection;
        let shell =
            jupyter_zmq_client::create_client_shell_connection_with_identity(info, &id, identity)
                .await?;
        let outputs = Outputs::connect(info).await?;
        let control = jupyter_zmq_client::create_client_control_connection(info, &id).await?;
        let mut session = Self {
            evcxr,
            shell,
            outputs,
            control,
            is_whole: true,
        };
        session.wait_ready().await?;
        Ok(session)
    }

    pub(crate) fn evcxr(&self) -> &Evcxr {
        &self.evcxr
    }

    /// The kernel, for a pool that lends it to others.
    pub(crate) fn into_evcxr(self) -> Evcxr {
        self.evcxr
    }

    async fn wait_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        self.shell.send(KernelInfoRequest {}.into()).await?;
        loop {
            if let Ok(reply) = timeout(Duration::from_millis(500), self.shell.read()).await {
                reply?;
                break;
            }
            self.check_alive()?;
            if Instant::now() > deadline {
                bail!(
                    "the kernel did not answer within {} seconds; {}",
                    START_LIMIT.as_secs(),
                    self.evcxr.log()
                );
            }
        }
        // The subscription to outputs takes effect a moment after it is asked for: ask until one arrives.
        while timeout(Duration::from_millis(100), self.outputs.next())
            .await
            .is_err()
        {
            self.shell.send(KernelInfoRequest {}.into()).await?;
            self.shell.read().await?;
            if Instant::now() > deadline {
                bail!("the kernel answers but sends no outputs");
            }
        }
        Ok(())
    }

    fn check_alive(&mut self) -> Result<()> {
        match self.evcxr.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(anyhow!("the kernel ended ({status}): {}", self.evcxr.log())),
        }
    }

    /// Runs a cell; `on_output` receives each output as it arrives.
    pub async fn execute(
        &mut self,
        code: &str,
        on_output: &mut (dyn FnMut(Output) + Send),
    ) -> Result<Outcome> {
        let stopper = Stopper::new(self);
        self.execute_stoppable(code, &stopper, on_output).await
    }

    /// Runs a cell that `stopper` can stop.
    ///
    /// However much the cell prints, `on_output` gets a few pieces a second, and altogether about a megabyte.
    pub async fn execute_stoppable(
        &mut self,
        code: &str,
        stopper: &Stopper,
        on_output: &mut (dyn FnMut(Output) + Send),
    ) -> Result<Outcome> {
        let _ = std::fs::remove_file(&stopper.stop_file);
        let request: JupyterMessage = execute_request(code).into();
        let mut run = Run::new(&request.header.msg_id);
        let guard = Guard::new(self.evcxr.child.id());
        let mut work = Work::new(self.evcxr.child.id());
        let mut asked = stopper.asked.subscribe();
        asked.mark_unchanged();
        self.shell.send(request).await?;
        let (mut stop_at, mut give_up_at): (Option<Instant>, Option<Instant>) = (None, None);
        let mut slice = interval(SLICE);
        let mut look = interval(Duration::from_secs(1));
        slice.set_missed_tick_behavior(MissedTickBehavior::Delay);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // In this order: whoever stops a cell does not wait until all that it printed was read.
            tokio::select! {
                biased;
                Ok(()) = asked.changed() => {
                    stop_at = stop_at.or_else(|| give_up_at.is_none().then(|| Instant::now() + GRACE));
                }
                () = sleep_until(stop_at) => {
                    (stop_at, give_up_at) = (None, Some(Instant::now() + STOPPED));
                    run.stopped = true;
                    // It has ended already, and the kernel still says what it printed.
                    if run.outcome.is_none() {
                        self.control.send(InterruptRequest {}.into()).await?;
                    }
                }
                () = sleep_until(give_up_at) => {
                    self.is_whole = false;
                    break;
                }
                _ = slice.tick() => run.pass(on_output),
                _ = look.tick() => {
                    self.check_alive()?;
                    // It grows as well while it infers types.
                    if run.limit.is_full()
                        && let Err(error) = guard.check()
                    {
                        run.rest(on_output);
                        return Err(error);
                    }
                }
                reply = self.shell.read() => run.reply(&reply.context("the kernel's answer cannot be read")?),
                // The answer to an interrupt says nothing new.
                _ = self.control.read() => {}
                frames = self.outputs.next() => {
                    run.output(&frames, on_output);
                    // What has arrived besides, without asking all the others each time.
                    for _ in 0..BATCH {
                        let Some(frames) = self.outputs.next().now_or_never() else { break };
                        run.output(&frames, on_output);
                    }
                }
                // Last, so that what waits to be read is read before: a kernel that waits for its reader looks as if at rest.
                () = sleep_until(run.over_at()) => {
                    // evcxr says that it is idle while it still packs a long line that the cell has printed.
                    if run.stopped || !run.idle || work.is_over() {
                        break;
                    }
                    run.heard = Instant::now();
                }
            }
        }
        run.rest(on_output);
        if run.is_lost {
            self.is_whole = false;
        }
        if run.stopped || run.is_lost {
            return Ok(Outcome::Stopped);
        }
        Ok(run.outcome.unwrap_or(Outcome::Error))
    }

    /// Whether another cell can run on this kernel; one that was stopped while it printed without end leaves it useless.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Ends the kernel.
    pub async fn shutdown(mut self) {
        let asked = self.is_whole
            && self
                .control
                .send(ShutdownRequest { restart: false }.into())
                .await
                .is_ok();
        if asked {
            let _ = timeout(Duration::from_secs(2), self.evcxr.child.wait()).await;
        }
        self.evcxr.end().await;
    }
}

/// What a kernel says about the cells that it runs.
struct Outputs {
    socket: SubSocket,
    signer: Signer,
}

impl Outputs {
    async fn connect(info: &ConnectionInfo) -> Result<Self> {
        let mut socket = SubSocket::new();
        socket.subscribe("").await?;
        socket.connect(&info.iopub_url()).await?;
        let signer = Signer::new(info)?;
        Ok(Self { socket, signer })
    }

    /// The next message that the kernel has signed.
    async fn next(&mut self) -> Frames {
        loop {
            let Ok(message) = self.socket.recv().await else {
                // The kernel ends, which is noticed elsewhere, or the socket connects again.
                sleep(SLICE).await;
                continue;
            };
            if let Ok(frames) = Frames::checked(message, &self.signer) {
                return frames;
            }
        }
    }
}

/// What has arrived of one cell.
struct Run {
    id: String,
    limit: Limit,
    outcome: Option<Outcome>,
    stopped: bool,
    /// The kernel cannot run another cell.
    is_lost: bool,
    idle: bool,
    heard: Instant,
}

/// The larger a message, the more memory it takes to read it.
const LARGEST: usize = 16_000_000;

impl Run {
    fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            limit: Limit::default(),
            outcome: None,
            stopped: false,
            is_lost: false,
            idle: false,
            heard: Instant::now(),
        }
    }

    /// When it is over, if nothing more is heard: a moment after the kernel has answered and said that it is idle. That word is
    /// lost when a cell prints more than the kernel can send.
    fn over_at(&self) -> Option<Instant> {
        let silence = match (self.stopped, self.idle) {
            (true, _) => QUIET,
            (false, true) => LATE_OUTPUT,
            (false, false) => SILENCE,
        };
        self.outcome.map(|_| self.heard + silence)
    }

    fn reply(&mut self, message: &JupyterMessage) {
        let mine = message
            .parent_header
            .as_ref()
            .is_some_and(|parent| parent.msg_id == self.id);
        if let (true, JupyterMessageContent::ExecuteReply(reply)) = (mine, &message.content) {
            self.heard = Instant::now();
            self.outcome = Some(if reply.status == ReplyStatus::Ok {
                Outcome::Ok
            } else {
                Outcome::Error
            });
        }
    }

    fn output(&mut self, frames: &Frames, on_output: &mut (dyn FnMut(Output) + Send)) {
        if !contains(frames.parent(), &self.id) {
            return;
        }
        self.heard = Instant::now();
        if contains(frames.header(), "\"stream\"") {
            self.limit.take_unread(frames.content());
            return;
        }
        let size = frames.content().len();
        let message = if size <= LARGEST { frames.read() } else { None };
        let Some(message) = message else {
            self.too_large(size, None, on_output);
            return;
        };
        let mut content = message.content.clone();
        match message.kind() {
            "status" => self.idle |= content["execution_state"] == "idle",
            "execute_result" | "display_data" => self.result(content, size, on_output),
            "error" if self.stopped => {} // It says that the program was stopped.
            "error" => {
                let told = content["evalue"].as_str().unwrap_or_default();
                self.is_lost |= cell::is_no_text(told);
                if let Some(sentence) = cell::explained(told) {
                    content["evalue"] = sentence.into();
                    content["traceback"] = Value::Array(Vec::new());
                }
                if !self.limit.admits(size) {
                    let text = content["evalue"].as_str().map(limit::part_of);
                    self.too_large(size, text, on_output);
                } else if let Ok(error) = serde_json::from_value::<ErrorOutput>(content) {
                    self.rest(on_output);
                    on_output(Output::Error(error));
                }
            }
            _ => {}
        }
    }

    fn result(&mut self, content: Value, size: usize, on_output: &mut (dyn FnMut(Output) + Send)) {
        if !self.limit.admits(size) {
            let text = content["data"]["text/plain"].as_str().map(limit::part_of);
            return self.too_large(size, text, on_output);
        }
        let Ok(result) = serde_json::from_value::<ExecuteResult>(content) else {
            return;
        };
        if is_unit(&result.data) {
            return;
        }
        self.rest(on_output);
        on_output(Output::ExecuteResult(result));
    }

    /// In place of a value that is too large: the start of its text, and how much that leaves out.
    fn too_large(
        &mut self,
        size: usize,
        text: Option<String>,
        on_output: &mut (dyn FnMut(Output) + Send),
    ) {
        self.rest(on_output);
        let part = text.filter(|_| self.limit.admits(0));
        let left_out = LeftOut {
            lines: 0,
            bytes: (size - part.as_ref().map_or(0, String::len).min(size)) as u64,
        };
        if let Some(text) = part {
            on_output(display(Media::new(vec![MediaType::Plain(text)])));
        }
        on_output(display(left_out.media()));
    }

    /// Passes on what was printed since it was last called.
    fn pass(&mut self, on_output: &mut (dyn FnMut(Output) + Send)) {
        let pieces = self.limit.slice();
        show(pieces, on_output);
    }

    /// Passes on all that was printed: what comes next stands below it.
    fn rest(&mut self, on_output: &mut (dyn FnMut(Output) + Send)) {
        let pieces = self.limit.finish();
        show(pieces, on_output);
    }
}

fn show(pieces: Vec<Piece>, on_output: &mut (dyn FnMut(Output) + Send)) {
    for piece in pieces {
        on_output(match piece {
            Piece::Text(stream, text) => Output::Stream {
                name: stream.name().to_owned(),
                text: MultilineString(text),
            },
            Piece::LeftOut(left_out) => display(left_out.media()),
        });
    }
}

fn display(data: Media) -> Output {
    Output::DisplayData(DisplayData {
        data,
        metadata: serde_json::Map::new(),
    })
}

fn contains(part: &[u8], text: &str) -> bool {
    memchr::memmem::find(part, text.as_bytes()).is_some()
}

/// Whether a cell's value is `()`, which is what a loop gives: nothing to show.
fn is_unit(data: &Media) -> bool {
    matches!(data.content.as_slice(), [MediaType::Plain(text)] if text == "()")
}

fn execute_request(code: &str) -> ExecuteRequest {
    ExecuteRequest {
        code: cell::sent(code).into_owned(),
        silent: false,
        store_history: true,
        user_expressions: None,
        allow_stdin: false,
        stop_on_error: true,
    }
}

/// Returns at this moment; never without one.
pub(crate) async fn sleep_until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Waits until the kernel listens: connecting earlier would wait for zeromq's slow retry.
async fn wait_for_port(evcxr: &mut Evcxr) -> Result<()> {
    let address = (evcxr.connection.ip.clone(), evcxr.connection.iopub_port);
    let deadline = Instant::now() + START_LIMIT;
    while tokio::net::TcpStream::connect((address.0.as_str(), address.1))
        .await
        .is_err()
    {
        if let Some(status) = evcxr.child.try_wait()? {
            bail!("the kernel ended as it started ({status}): {}", evcxr.log());
        }
        if Instant::now() > deadline {
            bail!(
                "the kernel did not open its ports within {} seconds",
                START_LIMIT.as_secs()
            );
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::fake::{Fake, connection};
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// A session with a fake kernel, which lasts as long as both.
    async fn session() -> (Session, Fake, tempfile::TempDir) {
        let info = connection("key").await;
        let fake = Fake::start(&info).await;
        let folder = tempfile::tempdir().unwrap();
        let mut sleeper = tokio::process::Command::new("sleep");
        sleeper.arg("600");
        let own = folder.path().join("kernel");
        std::fs::create_dir(&own).unwrap();
        let evcxr = Evcxr::fake(sleeper, own, info).unwrap();
        (Session::connect(evcxr).await.unwrap(), fake, folder)
    }

    fn size(output: &Output) -> usize {
        serde_json::to_string(output).unwrap().len()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_flood_of_lines_comes_in_a_few_bounded_pieces() {
        let (mut session, _fake, _folder) = session().await;
        let mut outputs = Vec::new();
        let start = Instant::now();
        let outcome = session
            .execute("print 20000", &mut |output| outputs.push(output))
            .await
            .unwrap();
        println!("took {:?}", start.elapsed());
        assert_eq!(outcome, Outcome::Ok);
        assert!(
            start.elapsed() < Duration::from_secs(120),
            "took {:?}",
            start.elapsed()
        );
        let bytes: usize = outputs.iter().map(size).sum();
        assert!(bytes < 1_500_000, "{bytes} bytes");
        let pieces = start.elapsed().as_millis() as usize / SLICE.as_millis() as usize + 10;
        assert!(outputs.len() < pieces, "{} pieces", outputs.len());
        let all = serde_json::to_string(&outputs).unwrap();
        let (start, end) = (&all[..80], &all[all.len() - 80..]);
        assert!(
            all.contains("lines left out") && all.contains("19999"),
            "{outcome:?}, {} pieces: {start} … {end}",
            outputs.len()
        );
        // The next cell starts anew.
        let mut outputs = Vec::new();
        session
            .execute("print 3", &mut |output| outputs.push(output))
            .await
            .unwrap();
        assert_eq!(outputs.len(), 1, "{outputs:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_cell_that_prints_without_end_is_stopped_at_once() {
        let (mut session, _fake, _folder) = session().await;
        let stopper = Stopper::new(&session);
        let bytes = AtomicUsize::new(0);
        let mut asked = None;
        let mut started = Instant::now();
        let stop = stopper.clone();
        let outcome = session
            .execute_stoppable("flood", &stopper, &mut |output| {
                bytes.fetch_add(size(&output), Ordering::Relaxed);
                if asked.is_none() {
                    started = Instant::now();
                    let stop = stop.clone();
                    asked = Some(tokio::spawn(async move {
                        sleep(Duration::from_secs(2)).await;
                        stop.stop();
                    }));
                }
            })
            .await
            .unwrap();
        let took = started.elapsed() - Duration::from_secs(2);
        println!("took {took:?}");
        assert_eq!(outcome, Outcome::Stopped);
        assert!(took < Duration::from_secs(5), "stopped after {took:?}");
        assert!(bytes.load(Ordering::Relaxed) < 1_500_000);
        assert!(!session.is_whole(), "the kernel still prints for this cell");
        session.shutdown().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_quiet_cell_that_is_stopped_leaves_its_kernel() {
        let (mut session, _fake, _folder) = session().await;
        let stopper = Stopper::new(&session);
        let stop = stopper.clone();
        tokio::spawn(async move {
            sleep(Duration::from_millis(300)).await;
            stop.stop();
        });
        let mut shown = Vec::new();
        let outcome = session
            .execute_stoppable("hang", &stopper, &mut |output| shown.push(output))
            .await
            .unwrap();
        assert_eq!(outcome, Outcome::Stopped);
        assert!(session.is_whole() && shown.is_empty(), "{shown:?}");
        let outcome = session
            .execute("print 1", &mut |output| shown.push(output))
            .await
            .unwrap();
        assert_eq!((outcome, shown.len()), (Outcome::Ok, 1));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_value_that_is_too_large_is_cut() {
        let (mut session, _fake, _folder) = session().await;
        for size_of_value in [10_000_000, 50_000_000] {
            let mut outputs = Vec::new();
            let code = format!("value {size_of_value}");
            session
                .execute(&code, &mut |output| outputs.push(output))
                .await
                .unwrap();
            let bytes: usize = outputs.iter().map(size).sum();
            let all = serde_json::to_string(&outputs).unwrap();
            assert!(
                bytes < 100_000 && all.contains("characters left out"),
                "{bytes} bytes"
            );
        }
    }
}
