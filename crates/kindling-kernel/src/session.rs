//! A conversation with one kernel: run a cell, stop it, end it.

use crate::fold::Fold;
use crate::spawn::Evcxr;
use crate::{Crates, Home};
use anyhow::{Context, Result, anyhow, bail};
use jupyter_protocol::{
    ExecuteRequest, ExecutionState, InterruptRequest, JupyterMessage, JupyterMessageContent,
    KernelInfoRequest, Media, MediaType, ReplyStatus, ShutdownRequest, Stdio,
};
use jupyter_zmq_client::{ClientControlConnection, ClientIoPubConnection, ClientShellConnection};
use nbformat::v4::{ErrorOutput, ExecuteResult, MultilineString, Output};
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// How long a kernel may take to start on a slow machine.
const START_LIMIT: Duration = Duration::from_secs(300);
/// How long a cell may take to end by itself after it was asked to.
const GRACE: Duration = Duration::from_secs(2);
/// How long output may still arrive after evcxr called a cell finished.
const LATE_OUTPUT: Duration = Duration::from_millis(30);

/// How a cell ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It ran to its end.
    Ok,
    /// It did not compile, panicked, returned an error or was stopped.
    Error,
}

/// One kernel and the channels to it.
pub struct Session {
    evcxr: Evcxr,
    shell: ClientShellConnection,
    iopub: ClientIoPubConnection,
    control: ClientControlConnection,
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
        Self::start_with(home, Crates::Course).await
    }

    /// Starts a kernel with these crates and waits until it can run a cell.
    pub async fn start_with(home: &Home, crates: Crates) -> Result<Self> {
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
        let iopub = jupyter_zmq_client::create_client_iopub_connection(info, "", &id).await?;
        let control = jupyter_zmq_client::create_client_control_connection(info, &id).await?;
        let mut session = Self {
            evcxr,
            shell,
            iopub,
            control,
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
        while timeout(Duration::from_millis(100), self.iopub.read())
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
    pub async fn execute_stoppable(
        &mut self,
        code: &str,
        stopper: &Stopper,
        on_output: &mut (dyn FnMut(Output) + Send),
    ) -> Result<Outcome> {
        let _ = std::fs::remove_file(&stopper.stop_file);
        let request: JupyterMessage = execute_request(code).into();
        let id = request.header.msg_id.clone();
        self.shell.send(request).await?;
        let mut asked = stopper.asked.subscribe();
        asked.mark_unchanged();
        let mut stop_at: Option<Instant> = None;
        let mut run = Run {
            id,
            fold: Fold::default(),
            outcome: None,
            idle: false,
        };
        while !(run.idle && run.outcome.is_some()) {
            tokio::select! {
                message = self.iopub.read() => run.output(message, on_output),
                reply = self.shell.read() => run.reply(&reply.context("the kernel's answer cannot be read")?),
                Ok(()) = asked.changed() => stop_at = stop_at.or(Some(Instant::now() + GRACE)),
                () = sleep_until(stop_at) => {
                    stop_at = None;
                    self.control.send(InterruptRequest {}.into()).await?;
                    let _ = timeout(GRACE, self.control.read()).await;
                }
                () = sleep(Duration::from_secs(1)) => self.check_alive()?,
            }
        }
        while let Ok(message) = timeout(LATE_OUTPUT, self.iopub.read()).await {
            run.output(message, on_output);
        }
        run.text("stdout", "", on_output);
        Ok(run.outcome.unwrap_or(Outcome::Error))
    }

    /// Ends the kernel.
    pub async fn shutdown(mut self) {
        let asked = self
            .control
            .send(ShutdownRequest { restart: false }.into())
            .await;
        if asked.is_ok() {
            let _ = timeout(Duration::from_secs(2), self.evcxr.child.wait()).await;
        }
        self.evcxr.end().await;
    }
}

/// What has arrived of one cell.
struct Run {
    id: String,
    fold: Fold,
    outcome: Option<Outcome>,
    idle: bool,
}

impl Run {
    fn is_mine(&self, message: &JupyterMessage) -> bool {
        message
            .parent_header
            .as_ref()
            .is_some_and(|parent| parent.msg_id == self.id)
    }

    fn reply(&mut self, message: &JupyterMessage) {
        if let (true, JupyterMessageContent::ExecuteReply(reply)) =
            (self.is_mine(message), &message.content)
        {
            self.outcome = Some(if reply.status == ReplyStatus::Ok {
                Outcome::Ok
            } else {
                Outcome::Error
            });
        }
    }

    fn output(
        &mut self,
        message: jupyter_zmq_client::Result<JupyterMessage>,
        on_output: &mut (dyn FnMut(Output) + Send),
    ) {
        // A message of a kind that this client does not know is no output.
        let Ok(message) = message else { return };
        if !self.is_mine(&message) {
            return;
        }
        match message.content {
            JupyterMessageContent::Status(status) => {
                self.idle |= status.execution_state == ExecutionState::Idle
            }
            JupyterMessageContent::StreamContent(stream) => {
                let name = if matches!(stream.name, Stdio::Stdout) {
                    "stdout"
                } else {
                    "stderr"
                };
                let text = self.fold.pass(&stream.text);
                on_output(stream_output(name, text));
            }
            JupyterMessageContent::ExecuteResult(result) if is_unit(&result.data) => {}
            JupyterMessageContent::ExecuteResult(result) => {
                self.text("stdout", "", on_output);
                on_output(Output::ExecuteResult(ExecuteResult {
                    execution_count: result.execution_count,
                    data: result.data,
                    metadata: result.metadata,
                }));
            }
            JupyterMessageContent::ErrorOutput(error) => {
                self.text("stdout", "", on_output);
                let (ename, evalue, traceback) = (error.ename, error.evalue, error.traceback);
                on_output(Output::Error(ErrorOutput {
                    ename,
                    evalue,
                    traceback,
                }));
            }
            _ => {}
        }
    }

    /// Sends `text` after the newline that a progress line still owes.
    fn text(&mut self, name: &str, text: &str, on_output: &mut (dyn FnMut(Output) + Send)) {
        let owed = self.fold.finish();
        if !owed.is_empty() || !text.is_empty() {
            on_output(stream_output(name, format!("{owed}{text}")));
        }
    }
}

/// Whether a cell's value is `()`, which is what a loop gives: nothing to show.
fn is_unit(data: &Media) -> bool {
    matches!(data.content.as_slice(), [MediaType::Plain(text)] if text == "()")
}

fn stream_output(name: &str, text: String) -> Output {
    Output::Stream {
        name: name.to_owned(),
        text: MultilineString(text),
    }
}

fn execute_request(code: &str) -> ExecuteRequest {
    ExecuteRequest {
        code: code.to_owned(),
        silent: false,
        store_history: true,
        user_expressions: None,
        allow_stdin: false,
        stop_on_error: true,
    }
}

async fn sleep_until(moment: Option<Instant>) {
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
