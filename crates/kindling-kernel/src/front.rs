//! The process that Jupyter starts: it hands the notebook a warm kernel where one waits, and passes messages.
//!
//! Between Jupyter and evcxr_jupyter it changes three things: messages are signed again with the other side's
//! key; progress lines lose the newline that evcxr adds, so that Jupyter overwrites them; and an interrupt
//! first asks the cell to stop by itself, so that it keeps its variables.

use crate::fold::Fold;
use crate::spawn::Evcxr;
use crate::{Crates, Home, pool};
use anyhow::{Context, Result, anyhow};
use jupyter_protocol::ConnectionInfo;
use ring::hmac;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;
use zeromq::{
    DealerSendHalf, DealerSocket, PubSocket, RepSocket, RouterSendHalf, RouterSocket, Socket,
    SocketRecv, SocketSend, SubSocket, ZmqMessage,
};

const DELIMITER: &[u8] = b"<IDS|MSG>";
const GRACE: Duration = Duration::from_secs(2);

/// Serves the kernel that Jupyter describes in `connection_file` until Jupyter shuts it down.
pub async fn front(home: &Home, connection_file: &Path, crates: Crates) -> Result<()> {
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
    // Listen before the kernel is up: Jupyter's first questions wait here until it answers.
    let listeners = Listeners::bind(&outside).await?;
    // The kernel that waits has the crates of every page.
    let warm = (crates == Crates::Course).then(|| pool::claim(home));
    let (inside, mut own) = match warm.flatten() {
        Some(connection) => (connection, None),
        None => {
            let evcxr = Evcxr::start(home, crates).await?;
            (evcxr.connection.clone(), Some(evcxr))
        }
    };
    let stop_file = match &own {
        Some(evcxr) => evcxr.folder.stop_file(),
        None => pool_stop_file(home, &inside),
    };
    let passing = pass(listeners, &outside, &inside, stop_file);
    match &mut own {
        Some(evcxr) => tokio::select! {
            result = passing => result?,
            status = evcxr.child.wait() => { status?; }
            () = parent_gone() => {}
        },
        None => tokio::select! {
            result = passing => result?,
            () = gone(&inside) => {}
            () = parent_gone() => {}
        },
    }
    if let Some(mut evcxr) = own {
        evcxr.end().await;
    }
    Ok(())
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
    outside: &ConnectionInfo,
    inside: &ConnectionInfo,
    stop_file: PathBuf,
) -> Result<()> {
    wait_for_port(inside).await;
    let (to_kernel, to_client) = (key(&inside.key), key(&outside.key));
    let busy = Arc::new(AtomicBool::new(false));
    let mut outputs = SubSocket::new();
    outputs.subscribe("").await?;
    outputs.connect(&inside.iopub_url()).await?;
    let shell = connect(&inside.shell_url()).await?;
    let stdin = connect(&inside.stdin_url()).await?;
    let control = connect(&inside.control_url()).await?;
    tokio::select! {
        result = relay(listeners.shell, shell, &to_kernel, &to_client, None) => result,
        result = relay(listeners.stdin, stdin, &to_kernel, &to_client, None) => result,
        result = relay(listeners.control, control, &to_kernel, &to_client, Some(Interrupts { busy: busy.clone(), stop_file: stop_file.clone() })) => result,
        result = publish(outputs, listeners.iopub, &to_client, &busy, &stop_file) => result,
        result = heartbeat(listeners.heartbeat) => result,
    }
}

async fn connect(url: &str) -> Result<DealerSocket> {
    let mut socket = DealerSocket::new();
    socket.connect(url).await?;
    Ok(socket)
}

/// What an interrupt needs to know.
struct Interrupts {
    busy: Arc<AtomicBool>,
    stop_file: PathBuf,
}

/// Passes requests in and replies out. Returns after a shutdown was answered.
async fn relay(
    client: RouterSocket,
    kernel: DealerSocket,
    to_kernel: &hmac::Key,
    to_client: &hmac::Key,
    interrupts: Option<Interrupts>,
) -> Result<()> {
    let (client_send, mut client_receive) = client.split();
    let (kernel_send, mut kernel_receive) = kernel.split();
    let (client_send, kernel_send) = (
        Arc::new(Mutex::new(client_send)),
        Arc::new(Mutex::new(kernel_send)),
    );
    loop {
        tokio::select! {
            message = client_receive.recv() => {
                let Some(message) = Message::parse(message?) else { continue };
                match &interrupts {
                    Some(interrupts) if message.kind() == "interrupt_request" => {
                        let task = interrupt(
                            message, interrupts.busy.clone(), interrupts.stop_file.clone(), client_send.clone(),
                            kernel_send.clone(), to_kernel.clone(), to_client.clone(),
                        );
                        tokio::spawn(task);
                    }
                    _ => kernel_send.lock().await.send(message.signed(to_kernel)?).await?,
                }
            }
            message = kernel_receive.recv() => {
                let Some(message) = Message::parse(message?) else { continue };
                let last = message.kind() == "shutdown_reply";
                client_send.lock().await.send(message.signed(to_client)?).await?;
                if last {
                    // Let the reply leave before the sockets close.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    return Ok(());
                }
            }
        }
    }
}

/// Asks the cell to stop by itself; passes the interrupt on when it has not after two seconds.
async fn interrupt(
    request: Message,
    busy: Arc<AtomicBool>,
    stop_file: PathBuf,
    client: Arc<Mutex<RouterSendHalf>>,
    kernel: Arc<Mutex<DealerSendHalf>>,
    to_kernel: hmac::Key,
    to_client: hmac::Key,
) {
    let _ = std::fs::write(&stop_file, "");
    let deadline = tokio::time::Instant::now() + GRACE;
    while busy.load(Ordering::SeqCst) && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let sent = if busy.load(Ordering::SeqCst) {
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

/// Passes outputs out, folding progress lines.
async fn publish(
    mut outputs: SubSocket,
    mut clients: PubSocket,
    to_client: &hmac::Key,
    busy: &AtomicBool,
    stop_file: &Path,
) -> Result<()> {
    let mut fold = Fold::default();
    loop {
        let Some(mut message) = Message::parse(outputs.recv().await?) else {
            continue;
        };
        match message.kind().as_str() {
            "stream" => {
                let text = message.content["text"].as_str().unwrap_or_default();
                message.content["text"] = fold.pass(text).into();
            }
            // The value of a loop: nothing to show.
            "execute_result" if message.content["data"] == json!({"text/plain": "()"}) => continue,
            "status" => {
                let is_busy = message.content["execution_state"] == "busy";
                busy.store(is_busy, Ordering::SeqCst);
                if is_busy {
                    let _ = std::fs::remove_file(stop_file);
                }
            }
            _ => {}
        }
        // What follows a progress line starts on a line of its own.
        if message.kind() != "stream" && !fold.finish().is_empty() {
            let newline = message.sibling("stream", json!({"name": "stdout", "text": "\n"}));
            clients.send(newline.signed(to_client)?).await?;
        }
        clients.send(message.signed(to_client)?).await?;
    }
}

async fn heartbeat(mut socket: RepSocket) -> Result<()> {
    loop {
        let beat = socket.recv().await?;
        socket.send(beat).await?;
    }
}

/// One message of the Jupyter protocol, with the frames that say where it goes.
struct Message {
    route: Vec<bytes::Bytes>,
    header: Value,
    parent: Value,
    metadata: Value,
    content: Value,
    buffers: Vec<bytes::Bytes>,
}

impl Message {
    /// Reads the frames; `None` when they are no Jupyter message.
    fn parse(message: ZmqMessage) -> Option<Self> {
        let frames = message.into_vec();
        let at = frames
            .iter()
            .position(|frame| frame.as_ref() == DELIMITER)?;
        let part = |offset: usize| serde_json::from_slice(frames.get(at + 1 + offset)?).ok();
        Some(Self {
            header: part(1)?,
            parent: part(2)?,
            metadata: part(3)?,
            content: part(4)?,
            buffers: frames[at + 6..].to_vec(),
            route: frames[..at].to_vec(),
        })
    }

    fn kind(&self) -> String {
        self.header["msg_type"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// An answer to this message.
    fn reply(&self, kind: &str, content: Value) -> Self {
        let mut reply = self.sibling(kind, content);
        reply.parent = self.header.clone();
        reply
    }

    /// A message with the same route and parent.
    fn sibling(&self, kind: &str, content: Value) -> Self {
        let mut header = self.header.clone();
        header["msg_type"] = kind.into();
        header["msg_id"] = format!(
            "{}-{kind}",
            self.header["msg_id"].as_str().unwrap_or_default()
        )
        .into();
        Self {
            route: self.route.clone(),
            header,
            parent: self.parent.clone(),
            metadata: json!({}),
            content,
            buffers: Vec::new(),
        }
    }

    /// The frames, signed with the receiver's key.
    fn signed(&self, key: &hmac::Key) -> Result<ZmqMessage> {
        let parts = [&self.header, &self.parent, &self.metadata, &self.content]
            .map(serde_json::to_vec)
            .into_iter()
            .collect::<Result<Vec<_>, _>>()?;
        let mut context = hmac::Context::with_key(key);
        parts.iter().for_each(|part| context.update(part));
        let signature: String = context
            .sign()
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let mut frames = self.route.clone();
        frames.push(DELIMITER.into());
        frames.push(signature.into());
        frames.extend(parts.into_iter().map(bytes::Bytes::from));
        frames.extend(self.buffers.iter().cloned());
        ZmqMessage::try_from(frames).map_err(|_| anyhow!("a message without frames"))
    }
}

fn key(text: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes())
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

/// The stop file of a kernel from the pool: the folder whose connection has the same key.
fn pool_stop_file(home: &Home, inside: &ConnectionInfo) -> PathBuf {
    let own = std::fs::read_dir(home.sessions())
        .into_iter()
        .flatten()
        .flatten()
        .find(|entry| {
            let text =
                std::fs::read_to_string(entry.path().join("connection.json")).unwrap_or_default();
            serde_json::from_str::<ConnectionInfo>(&text).is_ok_and(|found| found.key == inside.key)
        });
    own.map_or_else(
        || home.pool().join("stop"),
        |entry| entry.path().join("stop"),
    )
}
