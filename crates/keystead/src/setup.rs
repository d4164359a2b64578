//! What `dev` and `serve` share: from directories and files to a running node.

use crate::exit::Failure;
use crate::handler;
use crate::node_key;
use crate::tls;
use keystead_api_table::Table;
use keystead_audit::{FileSink, Journal, Node, Pump};
use keystead_custody::UnsealPath;
use keystead_engine::{ClockGuard, Instance, Issuers, Parts};
use keystead_model::{Moment, Time};
use keystead_protection::Protection;
use keystead_server::{Fetcher, Limits, Outgoing, Server, tls_config};
use keystead_store::Store;
use keystead_unseal::KeyFile;
use rustix::fs::{FlockOperation, flock};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use zeroize::Zeroizing;

/// An address with its certificate.
pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
    pub(crate) chain: Vec<u8>,
    pub(crate) key: Zeroizing<Vec<u8>>,
}

/// Everything a node needs to start.
pub(crate) struct Setup {
    pub(crate) data: PathBuf,
    pub(crate) key_file: Option<PathBuf>,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) operator_socket: PathBuf,
    pub(crate) sink_file: Option<PathBuf>,
    pub(crate) max_journal_bytes: Option<u64>,
    pub(crate) limits: Limits,
    pub(crate) outgoing: Outgoing,
    pub(crate) lock: std::fs::File,
}

/// A node whose listeners are bound.
pub(crate) struct Running {
    pub(crate) instance: Arc<Instance>,
    server: Server,
    store: Store,
    journal: Journal,
    _pump: Option<Pump>,
    _lock: std::fs::File,
}

impl Setup {
    /// Makes the directory and takes it: one process at a time.
    pub(crate) fn prepare(data: &Path) -> Result<Self, Failure> {
        directory(data)?;
        init_log();
        crate::harden::lock_memory();
        let file = data.join("lock");
        let lock = std::fs::File::create(&file)
            .map_err(|e| Failure::unavailable(format!("cannot write {}: {e}", file.display())))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            Failure::unavailable(format!(
                "another keystead runs in {}: stop it, or choose another directory",
                data.display()
            ))
        })?;
        Ok(Self {
            data: data.to_owned(),
            key_file: None,
            listeners: Vec::new(),
            operator_socket: data.join("operator.sock"),
            sink_file: None,
            max_journal_bytes: None,
            limits: Limits::default(),
            outgoing: Outgoing::default(),
            lock,
        })
    }

    /// Opens store and journal, opens the vaults that may be open, binds the listeners.
    pub(crate) async fn start(self) -> Result<Running, Failure> {
        let store = self.store().await?;
        let node = node_key::load_or_create(&self.data.join("node.key"), &store).await?;
        let id = node.node;
        let journal = self.journal(node)?;
        let parts = Parts {
            node: id,
            store: store.clone(),
            journal: journal.clone(),
            protection: Protection::software(cores()),
            paths: self.paths(&store).await?,
            issuers: self.issuers(),
        };
        let instance = Instance::start(parts, moment(120))
            .await
            .map_err(|e| Failure::unavailable(format!("cannot start: {e}")))?;
        let pump = match &self.sink_file {
            None => None,
            Some(file) => Some(pump(&journal, file)?),
        };
        let server = self.server(&instance).await?;
        Ok(Running { instance, server, store, journal, _pump: pump, _lock: self.lock })
    }

    /// Which issuers there are to ask stands in the vaults' policies; which hosts may be reached, in the configuration.
    /// The system's CAs are read when they are first needed.
    fn issuers(&self) -> Arc<Issuers> {
        let outgoing = self.outgoing.clone();
        let fetcher: Arc<OnceLock<Result<Fetcher, String>>> = Arc::default();
        Issuers::new(Arc::new(move |url| {
            let (fetcher, outgoing) = (Arc::clone(&fetcher), outgoing.clone());
            Box::pin(async move {
                let ready =
                    fetcher.get_or_init(|| Fetcher::new(tls::with_systems(outgoing)).map_err(|e| e.to_string()));
                ready.as_ref().map_err(Clone::clone)?.get(&url).await.map_err(|e| e.to_string())
            })
        }))
    }

    async fn store(&self) -> Result<Store, Failure> {
        let file = self.data.join("store").join("keystead.db");
        directory(&self.data.join("store"))?;
        Store::open(&file).map_err(|e| Failure::unavailable(format!("cannot open the store: {e}")))
    }

    fn journal(&self, node: Node) -> Result<Journal, Failure> {
        let place = self.data.join("audit");
        directory(&place)?;
        let default = keystead_audit::Limits::default();
        let max_bytes = self.max_journal_bytes.unwrap_or(default.max_bytes);
        let limits = keystead_audit::Limits { max_bytes, ..default };
        let (journal, repairs) = Journal::open(&place, node, limits, keystead_audit::system_clock())
            .map_err(|e| Failure::check(format!("cannot open the audit journal: {e}")))?;
        for log in repairs.rebuilt {
            tracing::warn!(
                "log {log}: tiles or checkpoint were damaged or missing; rebuilt and signed anew: \
                 compare with a kept checkpoint"
            );
        }
        Ok(journal)
    }

    /// The path key is made at the first start; one that is missing later leaves the vaults sealed.
    async fn paths(&self, store: &Store) -> Result<Vec<Arc<dyn UnsealPath>>, Failure> {
        let Some(file) = &self.key_file else { return Ok(Vec::new()) };
        if let Some(parent) = file.parent().filter(|p| !p.as_os_str().is_empty()) {
            directory(parent)?;
        }
        let vaults = store.vaults().await.map_err(|e| Failure::unavailable(e.to_string()))?;
        let path = if file.exists() {
            KeyFile::open(file)
        } else if vaults.is_empty() {
            KeyFile::create(file)
        } else {
            tracing::warn!("{} is missing: vaults with custody `file` start sealed", file.display());
            return Ok(Vec::new());
        };
        let path = path.map_err(|e| Failure::usage(e.to_string()))?;
        Ok(vec![Arc::new(path)])
    }

    async fn server(&self, instance: &Arc<Instance>) -> Result<Server, Failure> {
        let protocols = vec![keystead_api_azure::protocol(), keystead_api_own::protocol()];
        let table = Arc::new(Table::new(keystead_api_azure::front(), protocols, keystead_crypto::random()));
        let handler = handler::handler(instance, &table);
        let mut server = Server::new(self.limits.clone(), handler, handler::faults(instance, &table));
        for listener in &self.listeners {
            let tls = tls_config(&listener.chain, &listener.key).map_err(|e| Failure::usage(e.to_string()))?;
            server.listen_tls(listener.address, tls).await.map_err(|e| Failure::unavailable(e.to_string()))?;
        }
        server.listen_unix(&self.operator_socket).map_err(|e| Failure::unavailable(e.to_string()))?;
        Ok(server)
    }
}

impl Running {
    /// Serves until SIGTERM or Ctrl-C, then makes all state durable.
    pub(crate) async fn serve(self) -> Result<(), Failure> {
        let beats = tokio::spawn(beat(Arc::clone(&self.instance)));
        let ended = self.server.run(stop()).await;
        if ended.cut > 0 {
            tracing::warn!("{} requests were still under way when the grace time ended", ended.cut);
        }
        beats.abort();
        self.journal.close().await;
        self.store.close().await;
        Ok(())
    }
}

fn pump(journal: &Journal, file: &Path) -> Result<Pump, Failure> {
    let sink = FileSink::open(file)
        .map_err(|e| Failure::usage(format!("cannot open the audit sink {}: {e}", file.display())))?;
    Pump::start(journal, sink).map_err(|e| Failure::unavailable(format!("cannot start the audit sink: {e}")))
}

/// Carries out what is due, each second.
async fn beat(instance: Arc<Instance>) {
    let mut guard = ClockGuard::default();
    let before = instance.last_recorded();
    let mut every = tokio::time::interval(Duration::from_secs(1));
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        let at = moment(60);
        let irreversible = guard.beat(at.now, steady_millis(), before);
        if let Err(e) = instance.tick(at, irreversible).await {
            tracing::warn!("the scheduler could not read what is due: {e}");
        }
    }
}

async fn stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}

/// Where time enters for work that no request brings.
#[expect(clippy::disallowed_methods, reason = "time enters here, once")]
pub(crate) fn moment(seconds: u64) -> Moment {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let start = Instant::now();
    Moment {
        now: Time(i64::try_from(now).unwrap_or(i64::MAX)),
        deadline: start.checked_add(Duration::from_secs(seconds)).unwrap_or(start),
    }
}

/// A clock that counts while the machine sleeps and cannot be set.
fn steady_millis() -> i64 {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    t.tv_sec.saturating_mul(1000).saturating_add(t.tv_nsec / 1_000_000)
}

/// Makes a directory for the owner alone.
pub(crate) fn directory(path: &Path) -> Result<(), Failure> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|e| Failure::unavailable(format!("cannot make the directory {}: {e}", path.display())))?;
    let found = std::fs::metadata(path)
        .map_err(|e| Failure::unavailable(format!("cannot look at the directory {}: {e}", path.display())))?;
    if found.uid() == rustix::process::geteuid().as_raw() && found.mode() & 0o022 == 0 {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "{} belongs to another user, or others may write to it: choose another, or run `chmod go-w` on it",
        path.display()
    )))
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, std::num::NonZero::get)
}

fn init_log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("KEYSTEAD_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}
