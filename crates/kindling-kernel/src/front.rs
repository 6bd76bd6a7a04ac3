//! The process that Jupyter starts: it hands the notebook a warm kernel where one waits, and passes messages.
//!
//! Between Jupyter and evcxr_jupyter it changes four things: messages whose signature is right are signed again with the other
//! side's key, and others are dropped; what a cell prints becomes a few messages a second and is bounded; progress lines lose
//! the newline that evcxr adds, so that Jupyter overwrites them; and an interrupt first asks the cell to stop by itself, so
//! that it keeps its variables.

use crate::limit::{self, Limit, Piece, SLICE};
use crate::message::{Frames, Gate, Message, Refusal, Signer};
use crate::process::{Guard, Work};
use crate::session::{GRACE, LATE_OUTPUT, SILENCE, sleep_until};
use crate::spawn::{self, Evcxr};
use crate::{Home, KernelKind, cell, pool};
use anyhow::{Context, Result};
use jupyter_protocol::ConnectionInfo;
use kindling_pages::LeftOut;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use zeromq::{
    DealerSendHalf, DealerSocket, PubSocket, RepSocket, RouterSendHalf, RouterSocket, Socket,
    SocketRecv, SocketSend, SubSocket,
};

/// How long the kernel must be silent before the output of a stopped cell counts as over.
const QUIET: Duration = Duration::from_millis(500);
/// How long the rest of a stopped cell's output is waited for before the kernel is given up.
const PATIENCE: Duration = Duration::from_secs(5);

/// Serves the kernel that Jupyter describes in `connection_file` until Jupyter shuts it down.
pub async fn front(home: &Home, connection_file: &Path, crates: KernelKind) -> Result<()> {
    let text = std::fs::read_to_string(connection_file).with_context(|| {
        format!(
            "cannot read the connection file {}",
            connection_file.display()
        )
    })?;
    let outside: ConnectionInfo = serde_json::from_str(&text).with_context(|| {
        format!(
            "{} is not a Jupyter connection file",
            connection_file.display()
        )
    })?;
    let to_client = Signer::new(&outside)?;
    // Listen before the kernel is up: Jupyter's first questions wait here until it answers.
    let listeners = Listeners::bind(&outside).await?;
    // The kernel that waits has the crates of every page.
    let warm = (crates == KernelKind::COURSE).then(|| pool::claim(home));
    let (inside, mut own) = match warm.flatten() {
        Some(connection) => (connection, None),
        None => {
            let evcxr = Evcxr::start(home, crates).await?;
            (evcxr.connection.clone(), Some(evcxr))
        }
    };
    let folder = match &own {
        Some(evcxr) => evcxr.folder.0.clone(),
        None => folder_of(home, &inside),
    };
    let to_kernel = Signer::new(&inside)?;
    let state = Arc::new(State::new(&folder));
    let passing = pass(listeners, &inside, &to_kernel, &to_client, &state);
    let ended = match &mut own {
        Some(evcxr) => tokio::select! {
            result = passing => result,
            status = evcxr.child.wait() => status.map(drop).map_err(Into::into),
            () = parent_gone() => Ok(()),
        },
        None => tokio::select! {
            result = passing => result,
            () = gone(&inside) => Ok(()),
            () = parent_gone() => Ok(()),
        },
    };
    match (own, state.process) {
        (Some(mut evcxr), _) => evcxr.end().await,
        // Whoever keeps the pool removes what is left of it.
        (None, Some(process)) => spawn::kill_group(process),
        (None, None) => {}
    }
    state.report(true);
    ended
}

/// What the channels of one kernel know of each other.
struct State {
    stop_file: PathBuf,
    /// The kernel's process.
    process: Option<u32>,
    busy: AtomicBool,
    /// When a cell was stopped by force whose output is not over.
    stopped: watch::Sender<Option<Instant>>,
    /// The answer to a cell whose kernel has not said since that it is idle, and when it came.
    answered: Mutex<Option<(Message, Instant)>>,
    /// Messages that were not passed on: no message at all, with a wrong signature, sent again.
    refused: [AtomicU64; 3],
    reported: Mutex<Option<Instant>>,
}

impl State {
    fn new(folder: &Path) -> Self {
        let process = std::fs::read_to_string(folder.join("pid")).ok();
        Self {
            stop_file: folder.join("stop"),
            process: process.and_then(|text| text.trim().parse().ok()),
            busy: AtomicBool::new(false),
            stopped: watch::Sender::new(None),
            answered: Mutex::new(None),
            refused: [const { AtomicU64::new(0) }; 3],
            reported: Mutex::new(None),
        }
    }

    /// Counts a message that is not passed on, and says so once a minute at most.
    fn refuse(&self, why: Refusal) {
        let index = match why {
            Refusal::Malformed => 0,
            Refusal::Forged => 1,
            Refusal::Replayed => 2,
        };
        self.refused[index].fetch_add(1, Ordering::Relaxed);
        self.report(false);
    }

    fn report(&self, last: bool) {
        let [malformed, forged, replayed] =
            [0, 1, 2].map(|index: usize| self.refused[index].load(Ordering::Relaxed));
        let Ok(mut reported) = self.reported.lock() else {
            return;
        };
        let due = reported.is_none_or(|when| when.elapsed() >= Duration::from_secs(60));
        if malformed + forged + replayed > 0 && (due || last) {
            *reported = Some(Instant::now());
            eprintln!(
                "dropped {} messages for this kernel so far: {forged} with a wrong signature, {malformed} that are no Jupyter message, {replayed} that were sent again; another program of this machine may be trying its ports",
                malformed + forged + replayed
            );
        }
    }
}

/// Returns when the Jupyter that started us is gone: killed, it could not tell us.
async fn parent_gone() {
    #[cfg(unix)]
    {
        let first = std::os::unix::process::parent_id();
        while std::os::unix::process::parent_id() == first {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
    #[cfg(not(unix))]
    std::future::pending::<()>().await;
}

struct Listeners {
    shell: RouterSocket,
    control: RouterSocket,
    stdin: RouterSocket,
    iopub: PubSocket,
    heartbeat: RepSocket,
}

impl Listeners {
    async fn bind(info: &ConnectionInfo) -> Result<Self> {
        let mut listeners = Self {
            shell: RouterSocket::new(),
            control: RouterSocket::new(),
            stdin: RouterSocket::new(),
            iopub: PubSocket::new(),
            heartbeat: RepSocket::new(),
        };
        listeners.shell.bind(&info.shell_url()).await?;
        listeners.control.bind(&info.control_url()).await?;
        listeners.stdin.bind(&info.stdin_url()).await?;
        listeners.iopub.bind(&info.iopub_url()).await?;
        listeners.heartbeat.bind(&info.hb_url()).await?;
        Ok(listeners)
    }
}

async fn pass(
    listeners: Listeners,
    inside: &ConnectionInfo,
    to_kernel: &Signer,
    to_client: &Signer,
    state: &Arc<State>,
) -> Result<()> {
    wait_for_port(inside).await;
    let mut outputs = SubSocket::new();
    outputs.subscribe("").await?;
    outputs.connect(&inside.iopub_url()).await?;
    let shell = connect(&inside.shell_url()).await?;
    let stdin = connect(&inside.stdin_url()).await?;
    let control = connect(&inside.control_url()).await?;
    let channel = |kind| Channel {
        kind,
        to_kernel: to_kernel.clone(),
        to_client: to_client.clone(),
        state: state.clone(),
    };
    tokio::select! {
        result = channel(Kind::Shell).relay(listeners.shell, shell) => result,
        result = channel(Kind::Stdin).relay(listeners.stdin, stdin) => result,
        result = channel(Kind::Control).relay(listeners.control, control) => result,
        result = publish(outputs, listeners.iopub, to_kernel, to_client, state) => result,
        result = heartbeat(listeners.heartbeat) => result,
    }
}

async fn connect(url: &str) -> Result<DealerSocket> {
    let mut socket = DealerSocket::new();
    socket.connect(url).await?;
    Ok(socket)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Shell,
    Stdin,
    Control,
}

/// One of the channels on which requests go in and answers come out.
struct Channel {
    kind: Kind,
    to_kernel: Signer,
    to_client: Signer,
    state: Arc<State>,
}

type Sending<T> = Arc<tokio::sync::Mutex<T>>;

impl Channel {
    /// Passes requests in and replies out. Returns after a shutdown was answered.
    async fn relay(self, client: RouterSocket, kernel: DealerSocket) -> Result<()> {
        let (client_send, mut client_receive) = client.split();
        let (kernel_send, mut kernel_receive) = kernel.split();
        let client_send = Arc::new(tokio::sync::Mutex::new(client_send));
        let kernel_send = Arc::new(tokio::sync::Mutex::new(kernel_send));
        let mut from_client = Gate::new(self.to_client.clone());
        let mut stopped = self.state.stopped.subscribe();
        let mut runs = false;
        loop {
            // One cell at a time, as the kernel runs them, and none while a stopped one still has something to print: the kernel
            // would take it for the output of the next.
            let waits = self.kind == Kind::Shell && (runs || stopped.borrow_and_update().is_some());
            tokio::select! {
                Ok(()) = stopped.changed() => {}
                message = client_receive.recv(), if !waits => {
                    let message = match from_client.take(message?) {
                        Ok(message) => message,
                        Err(why) => {
                            self.state.refuse(why);
                            continue;
                        }
                    };
                    if self.kind == Kind::Control && message.kind() == "interrupt_request" {
                        tokio::spawn(interrupt(
                            message, self.state.clone(), client_send.clone(), kernel_send.clone(),
                            self.to_kernel.clone(), self.to_client.clone(),
                        ));
                    } else {
                        runs = message.kind() == "execute_request";
                        let message = if runs { with_sent_code(message) } else { message };
                        kernel_send.lock().await.send(message.signed(&self.to_kernel)?).await?;
                    }
                }
                message = kernel_receive.recv() => {
                    let read = Frames::checked(message?, &self.to_kernel).and_then(|frames| frames.read().ok_or(Refusal::Malformed));
                    let message = match read {
                        Ok(message) => message,
                        Err(why) => {
                            self.state.refuse(why);
                            continue;
                        }
                    };
                    client_send.lock().await.send(message.signed(&self.to_client)?).await?;
                    match message.kind() {
                        "execute_reply" => {
                            runs = false;
                            if let Ok(mut answered) = self.state.answered.lock() {
                                *answered = Some((message, Instant::now()));
                            }
                        }
                        "shutdown_reply" => {
                            // Let the reply leave before the sockets close.
                            tokio::time::sleep(Duration::from_millis(100)).await;
                            return Ok(());
                        }
                        _ => {}
                    }
                }
            }
        }
    }
}

/// The request with the code that is sent for its cell.
fn with_sent_code(mut request: Message) -> Message {
    if let Some(code) = request.content["code"].as_str() {
        request.content["code"] = cell::sent(code).into();
    }
    request
}

/// Asks the cell to stop by itself; passes the interrupt on when it has not after a moment.
async fn interrupt(
    request: Message,
    state: Arc<State>,
    client: Sending<RouterSendHalf>,
    kernel: Sending<DealerSendHalf>,
    to_kernel: Signer,
    to_client: Signer,
) {
    let _ = std::fs::write(&state.stop_file, "");
    let deadline = tokio::time::Instant::now() + GRACE;
    while state.busy.load(Ordering::SeqCst) && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let sent = if state.busy.load(Ordering::SeqCst) {
        state.stopped.send_replace(Some(Instant::now()));
        match request.signed(&to_kernel) {
            Ok(message) => kernel.lock().await.send(message).await,
            Err(_) => return,
        }
    } else {
        match request
            .reply("interrupt_reply", json!({"status": "ok"}))
            .signed(&to_client)
        {
            Ok(message) => client.lock().await.send(message).await,
            Err(_) => return,
        }
    };
    if let Err(error) = sent {
        eprintln!("an interrupt could not be passed on: {error}");
    }
}

/// Passes outputs out: bounded, a few messages a second, with progress lines folded.
async fn publish(
    mut outputs: SubSocket,
    clients: PubSocket,
    to_kernel: &Signer,
    to_client: &Signer,
    state: &State,
) -> Result<()> {
    let mut publisher = Publisher {
        clients,
        to_client,
        state,
        cell: Vec::new(),
        sample: None,
        limit: Limit::default(),
        said: false,
        guard: Guard::new(None),
        work: Work::new(state.process),
        idle: None,
        heard: Instant::now(),
    };
    let mut slice = interval(SLICE);
    let mut look = interval(Duration::from_secs(1));
    slice.set_missed_tick_behavior(MissedTickBehavior::Delay);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            _ = slice.tick() => {
                publisher.pass().await?;
                if publisher.is_given_up().await? {
                    return Ok(());
                }
            }
            _ = look.tick() => {
                if publisher.limit.is_full()
                    && let Err(error) = publisher.guard.check()
                {
                    publisher.complain(&format!("{error:#}\n")).await?;
                    // Let the words leave before the sockets close.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    return Err(error);
                }
            }
            message = outputs.recv() => match Frames::checked(message?, to_kernel) {
                Ok(frames) => publisher.take(&frames).await?,
                Err(why) => state.refuse(why),
            },
            // Last: a kernel that waits until it is read looks as if at rest.
            () = sleep_until(publisher.over_at()) => publisher.end_late().await?,
        }
    }
}

/// What the notebook is told of the running cell.
struct Publisher<'a> {
    clients: PubSocket,
    to_client: &'a Signer,
    state: &'a State,
    /// The parent header of what the kernel says, as it came: which cell it is.
    cell: Vec<u8>,
    /// A message of that cell.
    sample: Option<Message>,
    limit: Limit,
    /// Whether the notebook shows how much was left out: then it is brought up to date.
    said: bool,
    guard: Guard,
    work: Work,
    /// The word that the kernel is idle, held until it no longer works: a client stops listening to the cell at this word, and
    /// evcxr says it while it still packs a long line that the cell has printed.
    idle: Option<Message>,
    heard: Instant,
}

impl Publisher<'_> {
    async fn take(&mut self, frames: &Frames) -> Result<()> {
        self.heard = Instant::now();
        let is_stream = memchr::memmem::find(frames.header(), b"\"stream\"").is_some();
        if is_stream && self.state.stopped.borrow().is_some() {
            return Ok(());
        }
        if is_stream && frames.parent() == self.cell {
            self.limit.take_unread(frames.content());
            return Ok(());
        }
        let Some(mut message) = frames.read() else {
            self.state.refuse(Refusal::Malformed);
            return Ok(());
        };
        if frames.parent() != self.cell {
            self.end().await?;
            self.rest().await?;
            self.cell = frames.parent().to_vec();
            self.sample = Some(message.clone());
            self.limit = Limit::default();
            self.guard = Guard::new(self.state.process);
            self.work = Work::new(self.state.process);
        }
        match message.kind() {
            "stream" => {
                self.limit.take_unread(frames.content());
                return Ok(());
            }
            // The value of a loop: nothing to show.
            "execute_result" if message.content["data"] == json!({"text/plain": "()"}) => {
                return Ok(());
            }
            "execute_result" | "display_data" | "error" => {
                self.rest().await?;
                let told = message.content["evalue"].as_str();
                if let Some(sentence) = told.and_then(cell::explained) {
                    message.content["traceback"] = json!([sentence]);
                    message.content["evalue"] = sentence.into();
                }
                let size = frames.content().len();
                if !self.limit.admits(size) {
                    let key = if message.kind() == "error" {
                        "evalue"
                    } else {
                        "data"
                    };
                    let shown = &message.content[key];
                    let text = shown
                        .as_str()
                        .or(shown["text/plain"].as_str())
                        .unwrap_or_default();
                    let text = limit::part_of(text);
                    let bytes = (size - text.len().min(size)) as u64;
                    if self.limit.admits(0) {
                        let part = json!({"data": {"text/plain": text}, "metadata": {}});
                        self.send(&message.sibling("display_data", part)).await?;
                    }
                    let left_out = LeftOut { lines: 0, bytes };
                    message = message.sibling(
                        "display_data",
                        json!({"data": left_out.data(), "metadata": {}}),
                    );
                }
            }
            "status" => {
                let is_busy = message.content["execution_state"] == "busy";
                if is_busy {
                    let _ = std::fs::remove_file(&self.state.stop_file);
                    self.state.busy.store(true, Ordering::SeqCst);
                } else {
                    self.idle = Some(message);
                    return Ok(());
                }
            }
            _ => {}
        }
        self.send(&message).await
    }

    /// When the cell is over, if its kernel has said that it is idle and nothing more is heard.
    fn over_at(&self) -> Option<tokio::time::Instant> {
        let idle = self.idle.as_ref();
        idle.map(|_| (self.heard + LATE_OUTPUT).into())
    }

    /// Ends the cell, unless its kernel still works on what it printed.
    async fn end_late(&mut self) -> Result<()> {
        if self.state.stopped.borrow().is_none() && !self.work.is_over() {
            self.heard = Instant::now();
            return Ok(());
        }
        self.end().await
    }

    /// Passes on the word that the kernel is idle, if it has come, below all that was printed.
    async fn end(&mut self) -> Result<()> {
        let Some(message) = self.idle.take() else {
            return Ok(());
        };
        self.rest().await?;
        if let Ok(mut answered) = self.state.answered.lock()
            && answered
                .as_ref()
                .is_some_and(|(reply, _)| reply.parent["msg_id"] == message.parent["msg_id"])
        {
            answered.take();
        }
        self.state.busy.store(false, Ordering::SeqCst);
        self.send(&message).await
    }

    /// Passes on what was printed since it was last called.
    async fn pass(&mut self) -> Result<()> {
        let pieces = self.limit.slice();
        self.show(pieces).await
    }

    /// Passes on all that was printed: what comes next stands below it.
    async fn rest(&mut self) -> Result<()> {
        let pieces = self.limit.finish();
        self.show(pieces).await?;
        self.said = false;
        Ok(())
    }

    async fn show(&mut self, pieces: Vec<Piece>) -> Result<()> {
        let Some(sample) = self.sample.clone() else {
            return Ok(());
        };
        for piece in pieces {
            let message = match piece {
                Piece::Text(stream, text) => {
                    sample.sibling("stream", json!({"name": stream.name(), "text": text}))
                }
                Piece::LeftOut(left_out) => {
                    let kind = if self.said {
                        "update_display_data"
                    } else {
                        "display_data"
                    };
                    self.said = true;
                    let id = format!(
                        "left-out-{}",
                        sample.parent["msg_id"].as_str().unwrap_or_default()
                    );
                    sample.sibling(kind, json!({"data": left_out.data(), "metadata": {}, "transient": {"display_id": id}}))
                }
            };
            self.send(&message).await?;
        }
        Ok(())
    }

    /// Says something below what the cell printed.
    async fn complain(&mut self, text: &str) -> Result<()> {
        self.rest().await?;
        if let Some(sample) = self.sample.clone() {
            let message = sample.sibling("stream", json!({"name": "stderr", "text": text}));
            self.send(&message).await?;
        }
        Ok(())
    }

    /// Looks after a cell that was stopped by force, and a kernel whose word that it is idle was lost among too many others;
    /// whether the kernel must be ended, because it goes on with what the stopped cell printed.
    async fn is_given_up(&mut self) -> Result<bool> {
        let silence = self.heard.elapsed();
        let stopped = *self.state.stopped.borrow();
        let answered = self
            .state
            .answered
            .lock()
            .ok()
            .and_then(|answered| answered.clone());
        let is_answered = answered.is_some() || !self.state.busy.load(Ordering::SeqCst);
        if let Some(since) = stopped {
            if silence >= QUIET && is_answered {
                self.state.stopped.send_replace(None);
            } else if since.elapsed() >= PATIENCE {
                self.complain("the cell was stopped, and its kernel with it: it still had too much to print\n").await?;
                return Ok(true);
            }
        }
        if let Some((reply, when)) = answered
            && silence >= SILENCE
            && when.elapsed() >= SILENCE
        {
            self.rest().await?;
            self.send(&reply.sibling("status", json!({"execution_state": "idle"})))
                .await?;
            self.state.busy.store(false, Ordering::SeqCst);
            if let Ok(mut answered) = self.state.answered.lock() {
                answered.take();
            }
        }
        Ok(false)
    }

    async fn send(&mut self, message: &Message) -> Result<()> {
        Ok(self.clients.send(message.signed(self.to_client)?).await?)
    }
}

async fn heartbeat(mut socket: RepSocket) -> Result<()> {
    loop {
        let beat = socket.recv().await?;
        socket.send(beat).await?;
    }
}

/// Waits until the kernel listens.
async fn wait_for_port(info: &ConnectionInfo) {
    while tokio::net::TcpStream::connect((info.ip.as_str(), info.control_port))
        .await
        .is_err()
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Returns when a borrowed kernel no longer listens.
async fn gone(info: &ConnectionInfo) {
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        if tokio::net::TcpStream::connect((info.ip.as_str(), info.hb_port))
            .await
            .is_err()
        {
            return;
        }
    }
}

/// The folder of a kernel from the pool: the one whose connection has the same key.
fn folder_of(home: &Home, inside: &ConnectionInfo) -> PathBuf {
    let own = std::fs::read_dir(home.sessions())
        .into_iter()
        .flatten()
        .flatten()
        .find(|entry| {
            let text =
                std::fs::read_to_string(entry.path().join("connection.json")).unwrap_or_default();
            serde_json::from_str::<ConnectionInfo>(&text).is_ok_and(|found| found.key == inside.key)
        });
    own.map_or_else(|| home.pool(), |entry| entry.path())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{Fake, connection};
    use crate::message::tests::message;
    use serde_json::Value;
    use zeromq::{SubSocket, ZmqMessage};

    /// A front before a fake kernel, and a client that has the key.
    struct Stage {
        fake: Fake,
        outside: ConnectionInfo,
        shell: DealerSocket,
        control: DealerSocket,
        outputs: SubSocket,
        signer: Signer,
        state: Arc<State>,
        front: tokio::task::JoinHandle<Result<()>>,
        _folder: tempfile::TempDir,
    }

    impl Stage {
        async fn set() -> Self {
            let (outside, inside) = (connection("outside").await, connection("inside").await);
            let fake = Fake::start(&inside).await;
            let folder = tempfile::tempdir().unwrap();
            let state = Arc::new(State::new(folder.path()));
            let listeners = Listeners::bind(&outside).await.unwrap();
            let signer = Signer::new(&outside).unwrap();
            let (to_kernel, to_client) = (Signer::new(&inside).unwrap(), signer.clone());
            let passing = state.clone();
            let front = tokio::spawn(async move {
                pass(listeners, &inside, &to_kernel, &to_client, &passing).await
            });
            let mut outputs = SubSocket::new();
            outputs.subscribe("").await.unwrap();
            outputs.connect(&outside.iopub_url()).await.unwrap();
            let shell = connect(&outside.shell_url()).await.unwrap();
            let control = connect(&outside.control_url()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(300)).await;
            Self {
                fake,
                outside,
                shell,
                control,
                outputs,
                signer,
                state,
                front,
                _folder: folder,
            }
        }

        async fn run(&mut self, id: &str, code: &str) {
            let request = message("execute_request", id, "", json!({"code": code}));
            self.shell
                .send(request.signed(&self.signer).unwrap())
                .await
                .unwrap();
        }

        /// What is told of this cell until the kernel is idle again.
        async fn told(&mut self, id: &str) -> Vec<(String, Value)> {
            let mut told = Vec::new();
            loop {
                let received = tokio::time::timeout(Duration::from_secs(60), self.outputs.recv())
                    .await
                    .unwrap()
                    .unwrap();
                let output = Frames::checked(received, &self.signer)
                    .unwrap()
                    .read()
                    .unwrap();
                if output.parent["msg_id"] != id {
                    continue;
                }
                told.push((output.kind().to_owned(), output.content.clone()));
                if output.content["execution_state"] == "idle" {
                    return told;
                }
            }
        }
    }

    impl Drop for Stage {
        fn drop(&mut self) {
            self.front.abort();
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_message_that_is_not_signed_with_the_key_reaches_no_kernel() {
        let mut stage = Stage::set().await;
        let forged = message("execute_request", "forged", "", json!({"code": "steal"}));
        let info = |key: &str| ConnectionInfo {
            key: key.to_owned(),
            ..stage.outside.clone()
        };
        let wrong = forged
            .signed(&Signer::new(&info("guessed")).unwrap())
            .unwrap();
        let frames = forged.signed(&stage.signer).unwrap().into_vec();
        let with = |at: usize, text: &'static str| {
            let mut frames = frames.clone();
            frames[at] = bytes::Bytes::from_static(text.as_bytes());
            ZmqMessage::try_from(frames).unwrap()
        };
        // Frame 0 is the route of the message that was made above.
        let attacks = [
            wrong,
            with(2, ""),
            with(6, "{\"code\": \"steal more\"}"),
            with(1, "no delimiter"),
            ZmqMessage::try_from(frames[..4].to_vec()).unwrap(),
            ZmqMessage::from(bytes::Bytes::new()),
        ];
        let count = attacks.len() as u64;
        for url in [
            stage.outside.shell_url(),
            stage.outside.control_url(),
            stage.outside.stdin_url(),
        ] {
            let mut attacker = connect(&url).await.unwrap();
            for attack in attacks.clone() {
                attacker.send(attack).await.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        stage.run("mine", "print 1").await;
        let told = stage.told("mine").await;
        assert!(
            told.iter()
                .any(|(kind, content)| kind == "stream" && content["text"] == "0\n"),
            "{told:?}"
        );
        assert_eq!(
            stage.fake.heard.recv().await.unwrap().header["msg_id"],
            "mine"
        );
        assert!(
            stage.fake.heard.try_recv().is_err(),
            "only the message with the right signature arrived"
        );
        let refused: u64 = stage
            .state
            .refused
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .sum();
        assert_eq!(refused, 3 * count);

        // The same message once more, as somebody would who had listened.
        stage.run("mine", "print 1").await;
        stage.run("next", "print 1").await;
        stage.told("next").await;
        assert_eq!(
            stage.fake.heard.recv().await.unwrap().header["msg_id"],
            "next"
        );
        assert_eq!(stage.state.refused[2].load(Ordering::Relaxed), 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_a_cell_prints_reaches_jupyter_in_a_few_bounded_messages() {
        let mut stage = Stage::set().await;
        let start = Instant::now();
        stage.run("a", "print 20000").await;
        let told = stage.told("a").await;
        println!("took {:?}, {} messages", start.elapsed(), told.len());
        let most = start.elapsed().as_millis() as usize / SLICE.as_millis() as usize + 10;
        assert!(told.len() < most, "{} messages", told.len());
        let bytes: usize = told
            .iter()
            .map(|(_, content)| content.to_string().len())
            .sum();
        assert!(bytes < 1_500_000, "{bytes} bytes");
        let last = told
            .iter()
            .rev()
            .find(|(kind, _)| kind == "stream")
            .unwrap();
        assert!(last.1["text"].as_str().unwrap().ends_with("19999\n"));
        let left_out: Vec<_> = told
            .iter()
            .filter(|(kind, _)| kind.ends_with("display_data"))
            .collect();
        assert_eq!(left_out[0].0, "display_data");
        assert!(
            left_out[1..]
                .iter()
                .all(|(kind, _)| kind == "update_display_data")
        );
        assert_eq!(
            left_out[left_out.len() - 1].1["data"]["text/plain"],
            "… 15,000 lines left out …"
        );
        // A value that no page could show.
        stage.run("b", "value 20000000").await;
        let told = stage.told("b").await;
        let bytes: usize = told
            .iter()
            .map(|(_, content)| content.to_string().len())
            .sum();
        assert!(bytes < 100_000, "{bytes} bytes");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_stopped_cell_does_not_print_into_the_next_one() {
        let mut stage = Stage::set().await;
        stage.run("hanging", "hang").await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        let interrupt = message("interrupt_request", "stop", "", json!({}));
        stage
            .control
            .send(interrupt.signed(&stage.signer).unwrap())
            .await
            .unwrap();
        stage.run("after", "print 1").await;
        stage.told("hanging").await;
        let told = stage.told("after").await;
        assert!(
            told.iter().any(|(_, content)| content["text"] == "0\n"),
            "{told:?}"
        );

        // One that prints without end takes its kernel with it; Jupyter starts another.
        stage.run("flooding", "flood").await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let interrupt = message("interrupt_request", "stop again", "", json!({}));
        stage
            .control
            .send(interrupt.signed(&stage.signer).unwrap())
            .await
            .unwrap();
        stage.run("never", "print 1").await;
        let limit = GRACE + PATIENCE + Duration::from_secs(5);
        tokio::time::timeout(limit, &mut stage.front)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        while let Ok(heard) = stage.fake.heard.try_recv() {
            assert_ne!(heard.header["msg_id"], "never");
        }
    }
}
