//! A kernel for tests that says what it is told to: cells are `print N` (lines), `hang` (until it is interrupted), `flood` (lines
//! without end, also after an interrupt), `value N` (a value of so many bytes) and anything else, which is answered.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::message::{DELIMITER, Frames, Message, Signer};
use bytes::Bytes;
use jupyter_protocol::ConnectionInfo;
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{Mutex, mpsc};
use zeromq::{PubSocket, RepSocket, RouterSocket, Socket, SocketRecv, SocketSend, ZmqMessage};

/// Five free ports, signed with `key`.
pub(crate) async fn connection(key: &str) -> ConnectionInfo {
    let localhost = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let ports = jupyter_zmq_client::peek_ports(localhost, 5).await.unwrap();
    serde_json::from_value(json!({
        "ip": "127.0.0.1", "transport": "tcp", "shell_port": ports[0], "iopub_port": ports[1], "stdin_port": ports[2],
        "control_port": ports[3], "hb_port": ports[4], "key": key, "signature_scheme": "hmac-sha256",
    }))
    .unwrap()
}

/// A running fake kernel.
pub(crate) struct Fake {
    /// The requests that reached it, of all channels.
    pub(crate) heard: mpsc::UnboundedReceiver<Message>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.tasks.iter().for_each(|task| task.abort());
    }
}

struct Voice {
    iopub: Mutex<PubSocket>,
    signer: Signer,
}

impl Voice {
    async fn say(&self, request: &Message, kind: &str, content: Value) {
        let message = request.reply(kind, content).signed(&self.signer).unwrap();
        self.iopub.lock().await.send(message).await.unwrap();
    }
}

impl Fake {
    pub(crate) async fn start(info: &ConnectionInfo) -> Self {
        let signer = Signer::new(info).unwrap();
        let mut iopub = PubSocket::new();
        iopub.bind(&info.iopub_url()).await.unwrap();
        let iopub = Mutex::new(iopub);
        let voice = Arc::new(Voice {
            iopub,
            signer: signer.clone(),
        });
        let interrupted = Arc::new(AtomicBool::new(false));
        let (told, heard) = mpsc::unbounded_channel();
        let mut tasks = Vec::new();
        for (url, is_shell) in [
            (info.shell_url(), true),
            (info.control_url(), false),
            (info.stdin_url(), false),
        ] {
            let mut socket = RouterSocket::new();
            socket.bind(&url).await.unwrap();
            let (signer, voice, told, interrupted) = (
                signer.clone(),
                voice.clone(),
                told.clone(),
                interrupted.clone(),
            );
            tasks.push(tokio::spawn(async move {
                loop {
                    let Ok(frames) = Frames::checked(socket.recv().await.unwrap(), &signer) else { continue };
                    let request = frames.read().unwrap();
                    let _ = told.send(request.clone());
                    let kind = request.kind().replace("_request", "_reply");
                    if is_shell {
                        voice.say(&request, "status", json!({"execution_state": "busy"})).await;
                        interrupted.store(false, Ordering::SeqCst);
                    } else {
                        interrupted.store(true, Ordering::SeqCst);
                    }
                    let mut status = "ok";
                    if request.kind() == "execute_request" {
                        status = run(&request, &voice, &interrupted).await;
                    }
                    let content = json!({"status": status, "execution_count": 1, "protocol_version": "5.3", "implementation": "fake",
                        "implementation_version": "1", "banner": "", "help_links": [],
                        "language_info": {"name": "rust", "version": "", "mimetype": "", "file_extension": ""}});
                    let reply = request.reply(&kind, content).signed(&signer).unwrap();
                    socket.send(reply).await.unwrap();
                    if is_shell {
                        voice.say(&request, "status", json!({"execution_state": "idle"})).await;
                    }
                }
            }));
        }
        let mut heartbeat = RepSocket::new();
        heartbeat.bind(&info.hb_url()).await.unwrap();
        tasks.push(tokio::spawn(async move {
            loop {
                let beat = heartbeat.recv().await.unwrap();
                heartbeat.send(beat).await.unwrap();
            }
        }));
        Self { heard, tasks }
    }
}

async fn run(request: &Message, voice: &Arc<Voice>, interrupted: &AtomicBool) -> &'static str {
    let code = request.content["code"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let (what, number) = code.split_once(' ').unwrap_or((&code, "0"));
    let number: usize = number.parse().unwrap_or(0);
    match what {
        "print" => {
            for line in 0..number {
                print(request, voice, line).await;
            }
        }
        "value" => {
            let data = json!({"text/plain": "x".repeat(number)});
            voice
                .say(
                    request,
                    "execute_result",
                    json!({"execution_count": 1, "data": data, "metadata": {}}),
                )
                .await;
        }
        "hang" => {
            while !interrupted.load(Ordering::SeqCst) {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            voice
                .say(
                    request,
                    "error",
                    json!({"ename": "Error", "evalue": "terminated", "traceback": []}),
                )
                .await;
            return "error";
        }
        "flood" => {
            // As in evcxr, the lines that wait are sent long after the program that printed them was killed.
            let (request, voice) = (request.clone(), voice.clone());
            tokio::spawn(async move {
                for line in 0.. {
                    print(&request, &voice, line).await;
                }
            });
            while !interrupted.load(Ordering::SeqCst) {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            return "error";
        }
        _ => {}
    }
    "ok"
}

/// Quicker than `say`: the flood is to come from here, not the wait for it.
async fn print(request: &Message, voice: &Voice, line: usize) {
    let header = br#"{"msg_type":"stream","msg_id":"m","session":"s","username":"u","date":"2026-01-01T00:00:00Z","version":"5.3"}"#;
    let parts = [
        header.to_vec(),
        serde_json::to_vec(&request.header).unwrap(),
        b"{}".to_vec(),
        format!("{{\"name\":\"stdout\",\"text\":\"{line}\\n\"}}").into_bytes(),
    ];
    let signature = voice.signer.sign(&parts);
    let mut frames = vec![Bytes::from_static(DELIMITER), Bytes::from(signature)];
    frames.extend(parts.map(Bytes::from));
    let message = ZmqMessage::try_from(frames).unwrap();
    voice.iopub.lock().await.send(message).await.unwrap();
    // What is sent at once beyond its queue, a real kernel drops, too.
    if line % 64 == 63 {
        tokio::task::yield_now().await;
    }
}
