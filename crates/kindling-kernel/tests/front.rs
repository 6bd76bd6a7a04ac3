//! The process that Jupyter starts, spoken to as Jupyter does. Needs the prepared home, and says so when it is not there.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use jupyter_protocol::{
    ConnectionInfo, ExecuteRequest, ExecutionState, InterruptRequest, JupyterMessage,
    JupyterMessageContent, KernelInfoRequest, ShutdownRequest, connection_info::Transport,
};
use jupyter_zmq_client::{ClientControlConnection, ClientIoPubConnection, ClientShellConnection};
use kindling_kernel::{Home, KernelKind, front, is_prepared};
use kindling_pages::settle;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::time::timeout;

struct Client {
    shell: ClientShellConnection,
    iopub: ClientIoPubConnection,
    control: ClientControlConnection,
}

impl Client {
    async fn connect(info: &ConnectionInfo) -> Self {
        let identity = jupyter_zmq_client::peer_identity_for_session("a-test").unwrap();
        let mut client = Self {
            shell: jupyter_zmq_client::create_client_shell_connection_with_identity(
                info, "a-test", identity,
            )
            .await
            .unwrap(),
            iopub: jupyter_zmq_client::create_client_iopub_connection(info, "", "a-test")
                .await
                .unwrap(),
            control: jupyter_zmq_client::create_client_control_connection(info, "a-test")
                .await
                .unwrap(),
        };
        client
            .shell
            .send(KernelInfoRequest {}.into())
            .await
            .unwrap();
        timeout(Duration::from_secs(180), client.shell.read())
            .await
            .unwrap()
            .unwrap();
        client
    }

    /// Runs a cell; returns everything that it showed, as it came and in order.
    async fn run(&mut self, code: &str) -> String {
        let id = self.send(code).await;
        self.shown(&id).await
    }

    async fn send(&mut self, code: &str) -> String {
        let request: JupyterMessage = ExecuteRequest::new(code.to_owned()).into();
        let id = request.header.msg_id.clone();
        self.shell.send(request).await.unwrap();
        id
    }

    async fn shown(&mut self, id: &str) -> String {
        let mut shown = String::new();
        loop {
            let message = timeout(Duration::from_secs(60), self.iopub.read())
                .await
                .unwrap()
                .unwrap();
            if message
                .parent_header
                .as_ref()
                .is_none_or(|parent| parent.msg_id != id)
            {
                continue;
            }
            match message.content {
                JupyterMessageContent::StreamContent(stream) => shown.push_str(&stream.text),
                JupyterMessageContent::ErrorOutput(error) => shown.push_str(&error.evalue),
                JupyterMessageContent::Status(status)
                    if status.execution_state == ExecutionState::Idle =>
                {
                    break;
                }
                _ => {}
            }
        }
        self.shell.read().await.unwrap();
        shown
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jupyter_gets_a_kernel_with_its_own_key_and_progress_in_place() {
    let home = Home::locate(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    if !is_prepared(&home) {
        kindling_skip::skip(
            kindling_skip::Need::Kernel,
            "the kernel is not prepared; run `cargo course kernel prepare`",
        );
        return;
    }
    let localhost = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let ports = jupyter_zmq_client::peek_ports(localhost, 5).await.unwrap();
    let info = ConnectionInfo {
        ip: localhost.to_string(),
        transport: Transport::TCP,
        shell_port: ports[0],
        iopub_port: ports[1],
        stdin_port: ports[2],
        control_port: ports[3],
        hb_port: ports[4],
        key: "jupyter's own key".to_owned(),
        signature_scheme: "hmac-sha256".to_owned(),
        kernel_name: None,
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("connection.json");
    std::fs::write(&file, serde_json::to_string(&info).unwrap()).unwrap();
    let serving = tokio::spawn(async move { front(&home, &file, KernelKind::COURSE).await });
    let mut client = Client::connect(&info).await;

    let progress = "for i in 1..=3 { println!(\"\\rstep {i} of 3\"); } println!(\"done\");";
    let shown = client.run(progress).await;
    assert!(
        !shown.contains("3\n\rstep"),
        "each line replaces the one before: {shown:?}"
    );
    assert_eq!(settle(&shown), "step 3 of 3\ndone\n");

    // A runaway cell ends, and the kernel answers again.
    let id = client.send("loop { std::hint::black_box(0); }").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let asked = Instant::now();
    client
        .control
        .send(InterruptRequest {}.into())
        .await
        .unwrap();
    let shown = client.shown(&id).await;
    assert!(
        asked.elapsed() < Duration::from_secs(15),
        "took {:?}",
        asked.elapsed()
    );
    assert!(shown.contains("ended (signal: 9"), "{shown}");
    assert_eq!(
        client.run("println!(\"still here\");").await,
        "still here\n"
    );

    client
        .control
        .send(ShutdownRequest { restart: false }.into())
        .await
        .unwrap();
    timeout(Duration::from_secs(10), serving)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}
