//! The WebSocket behind the Run buttons: one for each open page, with a kernel of its own once a cell was run.
//!
//! A page sends `{"type": "run", "cell": …, "code": …}`, `{"type": "interrupt"}` or `{"type": "restart"}`. It gets
//! `status` (how far the kernel is), `started`, `output` (as in a notebook file) and `finished` for a cell, and
//! `reload` or `problem` when a page of the book was saved.

use super::{ASKED, Notice, Shared, Status, is_own_origin, is_token};
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use kindling_kernel::{Crates, Outcome, Session, Stopper};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::sync::{broadcast, mpsc, watch};

/// A cell longer than this is no cell.
const LARGEST_MESSAGE: usize = 1 << 20;

#[derive(Deserialize)]
pub struct Credentials {
    #[serde(default)]
    token: String,
    /// The crate that the page uses besides those of every page; empty for none.
    #[serde(default)]
    crates: String,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Ask {
    Run { cell: String, code: String },
    Interrupt,
    Restart,
}

/// Takes a page's WebSocket.
pub async fn connect(
    State(shared): State<Arc<Shared>>,
    Query(credentials): Query<Credentials>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !is_own_origin(&headers) || !is_token(&shared.token, &credentials.token) {
        return (
            StatusCode::FORBIDDEN,
            "reload the page: its token is not this server's\n",
        )
            .into_response();
    }
    let extra = Some(credentials.crates.as_str()).filter(|name| !name.is_empty());
    let crates = match crate::kernel::known(extra) {
        Ok(crates) => crates,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    upgrade
        .max_message_size(LARGEST_MESSAGE)
        .on_upgrade(move |socket| talk(socket, shared, crates))
}

/// What a page's worker is told.
enum Command {
    Run {
        cell: String,
        code: String,
        epoch: u64,
    },
    Restart,
}

/// How a page stops its worker.
struct Control {
    /// What the page's kernel starts with.
    crates: Crates,
    /// Cells asked for in an earlier epoch are not run.
    epoch: watch::Sender<u64>,
    stopper: Mutex<Option<Stopper>>,
}

async fn talk(mut socket: WebSocket, shared: Arc<Shared>, crates: Crates) {
    let (events, mut outgoing) = mpsc::unbounded_channel::<Value>();
    let control = Arc::new(Control {
        crates,
        epoch: watch::Sender::new(0),
        stopper: Mutex::new(None),
    });
    let mut worker: Option<mpsc::UnboundedSender<Command>> = None;
    let mut status = shared.status.subscribe();
    let mut notices = shared.notices.subscribe();
    let mut closing = shared.closing.subscribe();
    shared.ask_for(crates);
    let mut extra = shared.extra.subscribe();
    let mut told = shared.status_for(crates);
    let _ = events.send(status_event(&told));
    loop {
        tokio::select! {
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => match serde_json::from_str(&text) {
                    Ok(ask) => obey(ask, &mut worker, &events, &control, &shared),
                    Err(error) => {
                        let _ = events.send(json!({"type": "problem", "message": format!("the page asked for something unknown: {error}")}));
                    }
                },
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                Some(Ok(_)) => {}
            },
            Some(event) = outgoing.recv() => {
                if socket.send(Message::Text(event.to_string().into())).await.is_err() {
                    break;
                }
            }
            Ok(()) = async { tokio::select! { news = status.changed() => news, news = extra.changed() => news } } => {
                let now = shared.status_for(crates);
                if now != told {
                    let _ = events.send(status_event(&now));
                    told = now;
                }
            }
            notice = notices.recv() => match notice {
                Ok(Notice::Reload) | Err(broadcast::error::RecvError::Lagged(_)) => {
                    let _ = events.send(json!({"type": "reload"}));
                }
                Ok(Notice::Problem(message)) => {
                    let _ = events.send(json!({"type": "problem", "message": message}));
                }
                Err(broadcast::error::RecvError::Closed) => break,
            },
            () = async { drop(closing.wait_for(|closing| *closing).await) } => break,
        }
    }
    // The worker stops what runs and ends its kernel.
    control.epoch.send_modify(|epoch| *epoch += 1);
}

fn status_event(status: &Status) -> Value {
    let state = if status.state == ASKED {
        "preparing"
    } else {
        status.state
    };
    json!({"type": "status", "state": state, "message": status.message, "progress": status.progress})
}

fn obey(
    ask: Ask,
    worker: &mut Option<mpsc::UnboundedSender<Command>>,
    events: &mpsc::UnboundedSender<Value>,
    control: &Arc<Control>,
    shared: &Arc<Shared>,
) {
    match ask {
        Ask::Run { cell, code } => {
            let epoch = *control.epoch.borrow();
            let queue = worker.get_or_insert_with(|| start_worker(events, control, shared));
            let _ = queue.send(Command::Run { cell, code, epoch });
        }
        Ask::Interrupt => {
            if let Ok(stopper) = control.stopper.lock()
                && let Some(stopper) = &*stopper
            {
                stopper.stop();
            }
        }
        Ask::Restart => {
            control.epoch.send_modify(|epoch| *epoch += 1);
            if let Some(queue) = worker {
                let _ = queue.send(Command::Restart);
            }
        }
    }
}

fn start_worker(
    events: &mpsc::UnboundedSender<Value>,
    control: &Arc<Control>,
    shared: &Arc<Shared>,
) -> mpsc::UnboundedSender<Command> {
    let (sender, queue) = mpsc::unbounded_channel();
    let mark = shared.mark();
    let worker = Worker {
        session: None,
        events: events.clone(),
        control: control.clone(),
        shared: shared.clone(),
    };
    let runtime = tokio::runtime::Handle::current();
    // A thread of its own: a session's outputs go to a callback that cannot move between threads.
    tokio::task::spawn_blocking(move || {
        runtime.block_on(worker.serve(queue));
        drop(mark);
    });
    sender
}

struct Worker {
    session: Option<Session>,
    events: mpsc::UnboundedSender<Value>,
    control: Arc<Control>,
    shared: Arc<Shared>,
}

impl Worker {
    async fn serve(mut self, mut queue: mpsc::UnboundedReceiver<Command>) {
        while let Some(command) = queue.recv().await {
            match command {
                Command::Run { cell, code, epoch } => self.run_unless_late(cell, code, epoch).await,
                Command::Restart => {
                    self.end().await;
                    self.tell(json!({"type": "restarted"}));
                }
            }
        }
        self.end().await;
    }

    fn tell(&self, event: Value) {
        // A page that is gone hears nothing.
        let _ = self.events.send(event);
    }

    async fn end(&mut self) {
        if let Some(session) = self.session.take() {
            session.shutdown().await;
        }
    }

    /// Runs a cell, unless its page asked for a fresh kernel since, or does so meanwhile.
    async fn run_unless_late(&mut self, cell: String, code: String, epoch: u64) {
        let mut now = self.control.epoch.subscribe();
        let start = Instant::now();
        let outcome = tokio::select! {
            biased;
            _ = now.wait_for(|now| *now > epoch) => None,
            outcome = self.run(&cell, &code) => Some(outcome),
        };
        if let Ok(mut stopper) = self.control.stopper.lock() {
            stopper.take();
        }
        let (result, message) = match outcome {
            None => {
                self.end().await;
                ("stopped", String::new())
            }
            Some(Ok(Outcome::Ok)) => ("ok", String::new()),
            Some(Ok(Outcome::Error)) => ("error", String::new()),
            Some(Err(error)) => {
                // Whatever the kernel said cannot be trusted any more: the next cell gets a new one.
                self.end().await;
                ("lost", format!("{error:#}"))
            }
        };
        let seconds = start.elapsed().as_secs_f64();
        self.tell(json!({"type": "finished", "cell": cell, "result": result, "message": message, "seconds": seconds}));
    }

    async fn run(&mut self, cell: &str, code: &str) -> anyhow::Result<Outcome> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => self.claim(cell).await?,
        };
        let stopper = Stopper::new(&session);
        if let Ok(mut place) = self.control.stopper.lock() {
            *place = Some(stopper.clone());
        }
        self.tell(json!({"type": "started", "cell": cell}));
        let events = self.events.clone();
        let mut on_output = |output: nbformat::v4::Output| {
            if let Ok(output) = serde_json::to_value(&output) {
                let _ = events.send(json!({"type": "output", "cell": cell, "output": output}));
            }
        };
        // The session comes back only from a cell that ended: one dropped in the middle ends its kernel.
        let outcome = session
            .execute_stoppable(code, &stopper, &mut on_output)
            .await?;
        self.session = Some(session);
        Ok(outcome)
    }

    /// Takes the warm kernel, or starts the one that the page needs; while it is prepared or starts, the cell waits.
    async fn claim(&self, cell: &str) -> anyhow::Result<Session> {
        self.tell(json!({"type": "waiting", "cell": cell}));
        let mut status = self.shared.status.subscribe();
        let mut pool = self.shared.pool.subscribe();
        let mut extra = self.shared.extra.subscribe();
        let crates = self.control.crates;
        loop {
            let found = pool.borrow_and_update().clone();
            status.borrow_and_update();
            extra.borrow_and_update();
            let now = self.shared.status_for(crates);
            if now.state == "unavailable" {
                anyhow::bail!("{}", now.message);
            }
            if let Some(pool) = found
                && (crates == Crates::Course || now.state == "ready")
            {
                return pool.take(crates).await;
            }
            tokio::select! {
                _ = status.changed() => {}
                _ = pool.changed() => {}
                _ = extra.changed() => {}
            }
        }
    }
}
