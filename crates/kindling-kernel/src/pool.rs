//! One kernel started ahead of time, so that the first cell of a notebook runs at once.

use crate::home::create_private;
use crate::spawn::{Evcxr, write_private};
use crate::{Home, KernelKind, Session};
use anyhow::Result;
use jupyter_protocol::ConnectionInfo;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

/// What the pool is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PoolState {
    /// A kernel is starting.
    Warming,
    /// A kernel waits.
    Ready,
    /// No kernel can be started, and why.
    Failed(String),
}

/// Keeps one kernel warm. Dropping it ends that kernel and those that it lent out.
pub struct Pool {
    shared: Arc<Shared>,
    keeper: JoinHandle<()>,
}

struct Shared {
    home: Home,
    warm: Mutex<Option<Warm>>,
    lent: Mutex<Vec<Evcxr>>,
    state: watch::Sender<PoolState>,
    taken: tokio::sync::Notify,
}

struct Warm {
    session: Session,
    offer: PathBuf,
}

impl Pool {
    /// Starts to keep a kernel warm.
    pub fn keep(home: &Home) -> Self {
        let shared = Arc::new(Shared {
            home: home.clone(),
            warm: Mutex::new(None),
            lent: Mutex::new(Vec::new()),
            state: watch::Sender::new(PoolState::Warming),
            taken: tokio::sync::Notify::new(),
        });
        let keeper = tokio::spawn(keep(shared.clone()));
        Self { shared, keeper }
    }

    /// What the pool is doing, and news of it.
    pub fn state(&self) -> watch::Receiver<PoolState> {
        self.shared.state.subscribe()
    }

    /// Takes the warm kernel, or waits for it. A kernel with more crates than every page has is started anew: few pages
    /// need one, and one more that waits would take memory from all.
    pub async fn take(&self, crates: KernelKind) -> Result<Session> {
        if crates != KernelKind::COURSE {
            return Session::start_with(&self.shared.home, crates).await;
        }
        let mut state = self.state();
        loop {
            if let Some(warm) = self.shared.warm.lock().await.take() {
                // Withdraw the offer; a notebook that was faster keeps the kernel.
                let withdrawn = std::fs::remove_file(&warm.offer).is_ok();
                self.shared.taken.notify_one();
                if withdrawn {
                    return Ok(warm.session);
                }
                self.shared
                    .lent
                    .lock()
                    .await
                    .push(warm.session.into_evcxr());
            }
            if let PoolState::Failed(why) = &*state.borrow() {
                anyhow::bail!("no kernel can be started: {why}");
            }
            let _ = tokio::time::timeout(Duration::from_millis(200), state.changed()).await;
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.keeper.abort();
        if let Ok(warm) = self.shared.warm.try_lock()
            && let Some(warm) = &*warm
        {
            let _ = std::fs::remove_file(&warm.offer);
        }
    }
}

async fn keep(shared: Arc<Shared>) {
    loop {
        shared.state.send_replace(PoolState::Warming);
        let session = match Session::start(&shared.home).await {
            Ok(session) => session,
            Err(error) => {
                shared
                    .state
                    .send_replace(PoolState::Failed(format!("{error:#}")));
                return;
            }
        };
        match offer(&shared.home, &session.evcxr().connection) {
            Ok(offer) => *shared.warm.lock().await = Some(Warm { session, offer }),
            Err(error) => {
                shared
                    .state
                    .send_replace(PoolState::Failed(format!("{error:#}")));
                return;
            }
        }
        shared.state.send_replace(PoolState::Ready);
        wait_until_gone(&shared).await;
        // The cell that took the kernel is about to compile: let it have the processor first.
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}

/// Waits until the warm kernel was taken here or claimed by a notebook.
async fn wait_until_gone(shared: &Shared) {
    loop {
        let _ = tokio::time::timeout(Duration::from_millis(200), shared.taken.notified()).await;
        let mut warm = shared.warm.lock().await;
        match &*warm {
            None => return,
            Some(waiting) if waiting.offer.exists() => {}
            Some(_) => {
                if let Some(claimed) = warm.take() {
                    shared.lent.lock().await.push(claimed.session.into_evcxr());
                }
                return;
            }
        }
        drop(warm);
        shared
            .lent
            .lock()
            .await
            .retain_mut(|kernel| matches!(kernel.child.try_wait(), Ok(None)));
    }
}

/// Writes the file by which a notebook finds a warm kernel.
fn offer(home: &Home, connection: &ConnectionInfo) -> Result<PathBuf> {
    create_private(&home.pool())?;
    let path = home.pool().join(format!(
        "{}-{}.json",
        std::process::id(),
        connection.shell_port
    ));
    let unfinished = path.with_extension("part");
    write_private(&unfinished, &serde_json::to_string(connection)?)?;
    std::fs::rename(&unfinished, &path)?;
    Ok(path)
}

/// Claims a warm kernel that some `course` keeps; renaming the offer decides between two claimants.
pub(crate) fn claim(home: &Home) -> Option<ConnectionInfo> {
    for entry in std::fs::read_dir(home.pool()).ok()?.flatten() {
        let path = entry.path();
        if path.extension().is_none_or(|end| end != "json") {
            continue;
        }
        if !keeper_lives(&path) {
            let _ = std::fs::remove_file(&path);
            continue;
        }
        let claimed = path.with_extension(format!("claimed-{}", std::process::id()));
        if std::fs::rename(&path, &claimed).is_err() {
            continue;
        }
        let text = std::fs::read_to_string(&claimed);
        let _ = std::fs::remove_file(&claimed);
        if let Some(connection) = text.ok().and_then(|text| serde_json::from_str(&text).ok()) {
            return Some(connection);
        }
    }
    None
}

fn keeper_lives(offer: &Path) -> bool {
    let name = offer
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    name.split('-')
        .next()
        .and_then(|process| process.parse().ok())
        .is_some_and(crate::spawn::is_alive)
}
