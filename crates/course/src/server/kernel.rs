//! The WebSocket behind the Run buttons: one for each open page, with a kernel of its own once a cell was run.
//!
//! A page sends `{"type": "run", "cell": …, "code": …}`, `{"type": "interrupt"}` or `{"type": "restart"}`. It gets
//! `status` (how far the kernel is), `waiting`, `started`, `output` (HTML to append), `print` (text for what was appended
//! last) and `finished` for a cell, and `reload` or `problem` when a page of the book was saved.

use super::outbox::Outbox;
use super::{ASKED, Notice, Shared, Status, is_own_origin};
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::{SinkExt, StreamExt};
use kindling_book::{Language, Live};
use kindling_kernel::{KernelKind, Outcome, Session, Stopper};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::sync::{broadcast, mpsc, watch};

/// A cell longer than this is no cell.
const LARGEST_MESSAGE: usize = 1 << 20;
/// More cells than these wait for no page.
const WAITING_CELLS: usize = 128;

#[derive(Deserialize)]
pub struct Wish {
    /// The crate that the page uses besides those of every page; empty for none.
    #[serde(default)]
    crates: String,
    /// The code of the page's language; empty for the source's.
    #[serde(default)]
    language: String,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Request {
    Run { cell: String, code: String },
    Interrupt,
    Restart,
}

/// Takes a page's WebSocket.
pub async fn connect(
    State(shared): State<Arc<Shared>>,
    Query(wish): Query<Wish>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    // Who asks has the cookie already: see `entrance`.
    if !is_own_origin(&headers) {
        let message = "only a page of this server may run code\n";
        return (StatusCode::FORBIDDEN, message).into_response();
    }
    let extra = Some(wish.crates.as_str()).filter(|name| !name.is_empty());
    let crates = match crate::kernel::known(extra) {
        Ok(crates) => crates,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    let language = Language::with_code(&wish.language).unwrap_or(Language::SOURCE);
    upgrade
        .max_message_size(LARGEST_MESSAGE)
        .on_upgrade(move |socket| serve_socket(socket, shared, crates, language))
}

/// What a page's worker is told.
enum Command {
    Run {
        cell: String,
        code: String,
        epoch: u64,
        stops: u64,
    },
    Restart,
}

/// How a page stops its worker.
struct Control {
    /// What the page's kernel starts with.
    crates: KernelKind,
    /// Cells asked for in an earlier epoch are not run.
    epoch: watch::Sender<u64>,
    /// How often the page said stop: cells that waited then are not run.
    stops: watch::Sender<u64>,
    stopper: Mutex<Option<Stopper>>,
}

async fn serve_socket(
    socket: WebSocket,
    shared: Arc<Shared>,
    crates: KernelKind,
    language: Language,
) {
    let events = Arc::new(Outbox::new(language));
    let control = Arc::new(Control {
        crates,
        epoch: watch::Sender::new(0),
        stops: watch::Sender::new(0),
        stopper: Mutex::new(None),
    });
    let mut worker: Option<mpsc::Sender<Command>> = None;
    let mut status = shared.status.subscribe();
    let mut notices = shared.notices.subscribe();
    let mut closing = shared.closing.subscribe();
    shared.ask_for(crates);
    let mut extra = shared.extra.subscribe();
    let mut told = shared.status_for(crates);
    events.tell(status_event(&told));
    let (mut write, mut read) = socket.split();
    // Beside the reading: a page that reads slowly can say stop all the same.
    let writing = async {
        while let Some(event) = events.next().await {
            if write.send(Message::Text(event.into())).await.is_err() {
                break;
            }
        }
    };
    let reading = async {
        loop {
            tokio::select! {
                message = read.next() => match message {
                    Some(Ok(Message::Text(text))) => match serde_json::from_str(&text) {
                        Ok(ask) => handle(ask, &mut worker, &events, &control, &shared),
                        Err(error) => {
                            events.tell(json!({"type": "problem", "message": format!("the page asked for something unknown: {error}")}));
                        }
                    },
                    Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                    Some(Ok(_)) => {}
                },
                Ok(()) = async { tokio::select! { news = status.changed() => news, news = extra.changed() => news } } => {
                    let now = shared.status_for(crates);
                    if now != told {
                        events.tell(status_event(&now));
                        told = now;
                    }
                }
                notice = notices.recv() => match notice {
                    Ok(Notice::Reload) | Err(broadcast::error::RecvError::Lagged(_)) => {
                        events.tell(json!({"type": "reload"}));
                    }
                    Ok(Notice::Problem(message)) => {
                        events.tell(json!({"type": "problem", "message": message}));
                    }
                    Err(broadcast::error::RecvError::Closed) => break,
                },
                () = async { drop(closing.wait_for(|closing| *closing).await) } => break,
            }
        }
    };
    tokio::select! {
        () = writing => {}
        () = reading => {}
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

fn handle(
    ask: Request,
    worker: &mut Option<mpsc::Sender<Command>>,
    events: &Arc<Outbox>,
    control: &Arc<Control>,
    shared: &Arc<Shared>,
) {
    match ask {
        Request::Run { cell, code } => {
            let (epoch, stops) = (*control.epoch.borrow(), *control.stops.borrow());
            let queue = worker.get_or_insert_with(|| start_worker(events, control, shared));
            let command = Command::Run {
                cell: cell.clone(),
                code,
                epoch,
                stops,
            };
            if queue.try_send(command).is_err() {
                let message = format!("more than {WAITING_CELLS} cells wait already");
                events.tell(finished(&cell, "lost", &message, 0.0, false));
            }
        }
        Request::Interrupt => {
            control.stops.send_modify(|stops| *stops += 1);
            if let Ok(stopper) = control.stopper.lock()
                && let Some(stopper) = &*stopper
            {
                stopper.stop();
            }
        }
        Request::Restart => {
            control.epoch.send_modify(|epoch| *epoch += 1);
            // A full queue holds cells of an earlier epoch alone: the first of them ends the kernel.
            if let Some(queue) = worker {
                let _ = queue.try_send(Command::Restart);
            }
        }
    }
}

fn start_worker(
    events: &Arc<Outbox>,
    control: &Arc<Control>,
    shared: &Arc<Shared>,
) -> mpsc::Sender<Command> {
    let (sender, queue) = mpsc::channel(WAITING_CELLS);
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
    events: Arc<Outbox>,
    control: Arc<Control>,
    shared: Arc<Shared>,
}

/// How a cell ended, as the page is told; `fresh` when all variables are gone.
fn finished(cell: &str, result: &str, message: &str, seconds: f64, fresh: bool) -> Value {
    json!({"type": "finished", "cell": cell, "result": result, "message": message, "seconds": seconds, "fresh": fresh})
}

impl Worker {
    async fn serve(mut self, mut queue: mpsc::Receiver<Command>) {
        while let Some(command) = queue.recv().await {
            match command {
                Command::Run {
                    cell,
                    code,
                    epoch,
                    stops,
                } => self.run_unless_late(cell, code, epoch, stops).await,
                Command::Restart => self.end().await,
            }
        }
        self.end().await;
    }

    async fn end(&mut self) {
        if let Some(session) = self.session.take() {
            session.shutdown().await;
        }
    }

    /// Runs a cell, unless its page asked for a fresh kernel or for a stop since, or does so meanwhile.
    async fn run_unless_late(&mut self, cell: String, code: String, epoch: u64, stops: u64) {
        let mut now = self.control.epoch.subscribe();
        let start = Instant::now();
        let outcome = tokio::select! {
            biased;
            _ = now.wait_for(|now| *now > epoch) => None,
            outcome = self.run(&cell, &code, stops) => Some(outcome),
        };
        if let Ok(mut stopper) = self.control.stopper.lock() {
            stopper.take();
        }
        let (result, message, fresh) = match outcome {
            // A fresh kernel was asked for.
            None => ("stopped", String::new(), true),
            Some(Ok(None)) => ("stopped", String::new(), false),
            Some(Ok(Some(Outcome::Ok))) => ("ok", String::new(), false),
            Some(Ok(Some(Outcome::Error))) => ("error", String::new(), false),
            Some(Ok(Some(Outcome::Stopped))) => ("stopped", String::new(), true),
            // Whatever the kernel said cannot be trusted any more: the next cell gets a new one.
            Some(Err(error)) => ("lost", format!("{error:#}"), true),
        };
        let seconds = start.elapsed().as_secs_f64();
        self.events
            .tell(finished(&cell, result, &message, seconds, fresh));
        // After the page was told: to end a kernel takes a moment.
        let useless = self
            .session
            .as_ref()
            .is_some_and(|session| !session.is_whole());
        if result == "lost" || useless || *now.borrow() > epoch {
            self.end().await;
        }
    }

    /// Runs a cell; `None` when its page said stop before it began.
    async fn run(&mut self, cell: &str, code: &str, stops: u64) -> anyhow::Result<Option<Outcome>> {
        let mut stopped = self.control.stops.subscribe();
        if *stopped.borrow() > stops {
            return Ok(None);
        }
        let mut session = match self.session.take() {
            Some(session) => session,
            None => tokio::select! {
                session = self.claim(cell) => session?,
                _ = stopped.wait_for(|now| *now > stops) => return Ok(None),
            },
        };
        let stopper = Stopper::new(&session);
        if let Ok(mut place) = self.control.stopper.lock() {
            *place = Some(stopper.clone());
        }
        self.events.tell(json!({"type": "started", "cell": cell}));
        let events = self.events.clone();
        let mut live = Live::new(cell, events.language);
        let mut on_output = |output: nbformat::v4::Output| events.output(cell, &mut live, &output);
        // The session comes back only from a cell that ended: one dropped in the middle ends its kernel.
        let outcome = session
            .execute_stoppable(code, &stopper, &mut on_output)
            .await?;
        self.session = Some(session);
        Ok(Some(outcome))
    }

    /// Takes the warm kernel, or starts the one that the page needs; while it is prepared or starts, the cell waits.
    async fn claim(&self, cell: &str) -> anyhow::Result<Session> {
        self.events.tell(json!({"type": "waiting", "cell": cell}));
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
                && (crates == KernelKind::COURSE || now.state == "ready")
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
