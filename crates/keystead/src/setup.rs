//! What `dev` and `serve` share: from directories and files to a running node.

use crate::certificate::{CertificateFiles, Follower, Pair};
use crate::clock_note::Keeper;
use crate::config::LogSection;
use crate::exit::Failure;
use crate::handler::Front;
use crate::hsm::settings::HsmSection;
use crate::paths::PathSection;
use crate::running::{Running, StopSignals};
use crate::watch::gather::{Held, Sources};
use crate::watch::{log, port, traces};
use crate::{node_key, storage, syslog, tls};
use keystead_audit::{FileSink, Journal, Node, Pump, Sink};
use keystead_custody::UnsealPath;
use keystead_engine::{Bounds, Clock, Hsms, Instance, Issuers, Parts};
use keystead_model::{Moment, NodeId, Time};
use keystead_protection::Protection;
use keystead_server::{Fetcher, Limits, Outgoing, Server, TlsIdentity, tls_config};
use keystead_store::Store;
use keystead_unseal::KeyFile;
use rustix::fs::{FlockOperation, flock};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Everything a node needs to start.
pub(crate) struct Setup {
    pub(crate) data: PathBuf,
    pub(crate) key_file: Option<PathBuf>,
    /// Unseal paths besides the key file.
    pub(crate) paths: Vec<PathSection>,
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) pair: Pair,
    /// Where the pair is read from, to be followed.
    pub(crate) certificate: Option<CertificateFiles>,
    pub(crate) operator_socket: PathBuf,
    pub(crate) sink_file: Option<PathBuf>,
    pub(crate) syslog: Option<syslog::Target>,
    pub(crate) syslog_ca: Option<PathBuf>,
    pub(crate) max_journal_bytes: Option<u64>,
    /// The plain port for metrics and probes.
    pub(crate) metrics: Option<SocketAddr>,
    /// What sends traces, and how many are begun.
    pub(crate) traces: Option<(traces::Ready, traces::Settings)>,
    pub(crate) limits: Limits,
    pub(crate) bounds: Bounds,
    pub(crate) outgoing: Outgoing,
    /// Where backups may be: in this directory, and at these hosts.
    pub(crate) backups: (Option<PathBuf>, Vec<String>),
    /// PKCS#11 tokens.
    pub(crate) hsms: Vec<HsmSection>,
    /// Why the memory is not locked, if it is not.
    pub(crate) unlocked: Option<&'static str>,
    pub(crate) lock: std::fs::File,
}

/// A node to which nobody listens.
pub(crate) struct Unheard {
    pub(crate) instance: Arc<Instance>,
    store: Store,
    journal: Journal,
    _lock: std::fs::File,
}

/// What a node is made of, however it is reached.
struct Rooms {
    instance: Arc<Instance>,
    store: Store,
    journal: Journal,
    id: NodeId,
    keeper: Keeper,
}

impl Unheard {
    /// Makes all of it durable and lets go of the files.
    pub(crate) async fn close(self) {
        self.journal.close().await;
        self.store.close().await;
    }
}

impl Setup {
    /// Makes the directory and takes it: one process at a time.
    pub(crate) fn prepare(data: &Path, lines: LogSection, traces: Option<traces::Settings>) -> Result<Self, Failure> {
        directory(data)?;
        let traces = log::begin(lines.level, lines.format, traces.as_ref())?.zip(traces);
        let unlocked = crate::harden::lock_memory();
        gather_entropy();
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
            paths: Vec::new(),
            addresses: Vec::new(),
            pair: Pair::default(),
            certificate: None,
            operator_socket: data.join("operator.sock"),
            sink_file: None,
            syslog: None,
            syslog_ca: None,
            max_journal_bytes: None,
            metrics: None,
            traces,
            limits: Limits::default(),
            bounds: Bounds::default(),
            outgoing: Outgoing::default(),
            backups: (None, Vec::new()),
            hsms: Vec::new(),
            unlocked,
            lock,
        })
    }

    /// Opens store and journal, and the vaults that may be open. Nothing listens.
    pub(crate) async fn node(self) -> Result<Unheard, Failure> {
        let Rooms { instance, store, journal, .. } = self.rooms().await?;
        Ok(Unheard { instance, store, journal, _lock: self.lock })
    }

    async fn rooms(&self) -> Result<Rooms, Failure> {
        let store = self.store().await?;
        let node = node_key::load_or_create(&self.data.join("node.key"), &store).await?;
        let id = node.node;
        let journal = self.journal(node)?;
        let (clock, keeper) = self.clock(&journal, &store).await?;
        let hsms = tokens(&self.hsms)?;
        let parts = Parts {
            node: id,
            store: store.clone(),
            journal: journal.clone(),
            protection: Protection::software(cores()),
            paths: self.paths(&store, &hsms).await?,
            hsms,
            bounds: self.bounds,
            issuers: self.issuers(),
            storage: storage::storage(&self.backups, &self.outgoing)?,
            clock,
        };
        let instance = Instance::start(parts, moment(120))
            .await
            .map_err(|e| Failure::unavailable(format!("cannot start: {e}")))?;
        Ok(Rooms { instance, store, journal, id, keeper })
    }

    /// The node, and its listeners.
    pub(crate) async fn start(mut self) -> Result<Running, Failure> {
        // Before anything says that the server is ready: who waits for that may tell it to stop at once.
        let stop = StopSignals::new()?;
        let Rooms { instance, store, journal, id, keeper } = self.rooms().await?;
        instance.trouble("memory", self.unlocked.map(str::to_owned));
        let pumps = Arc::new(self.pumps(&journal)?);
        let (traces, ratio) = match self.traces.take() {
            None => (None, None),
            Some((ready, settings)) => (Some(ready.start(id.to_string())), Some(settings.ratio)),
        };
        let tls = tls_config(&self.pair.chain, &self.pair.key).map_err(|e| Failure::usage(e.to_string()))?;
        let identity = TlsIdentity::from(tls);
        let (front, held) = (Front::new(&instance, ratio), Arc::new(Held::default()));
        let server = front.server(self.limits.clone());
        let sources = Arc::new(Sources {
            metrics: Arc::clone(&front.metrics),
            instance: Arc::clone(&instance),
            counters: server.counters(),
            pumps: Arc::clone(&pumps),
            held: Arc::clone(&held),
            traces: traces.as_ref().map(|t| Arc::clone(&t.fate)),
        });
        front.show(&sources);
        let server = self.listen(server, &identity).await?;
        let port = self.port(&sources).await?;
        let files = self.certificate.take();
        let follower = files.map(|files| Follower::new(files, &self.pair, identity, Arc::clone(&instance)));
        let (clock, _pumps, _lock) = (keeper, pumps, self.lock);
        Ok(Running { instance, server, follower, port, traces, held, clock, store, journal, stop, _pumps, _lock })
    }

    /// The plain port, if there is one.
    async fn port(&self, sources: &Arc<Sources>) -> Result<Option<Server>, Failure> {
        match self.metrics {
            None => Ok(None),
            Some(address) => port::server(address, sources).await.map(Some),
        }
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

    /// The clock against what was noted of it. What is found is noted before anything is recorded or done; where it
    /// cannot be written, what stood there is found again by the next start.
    async fn clock(&self, journal: &Journal, store: &Store) -> Result<(Arc<Clock>, Keeper), Failure> {
        let mut keeper = Keeper::new(&self.data);
        let clock = Clock::begin(keeper.read()?, journal, store, moment(0).now, steady_millis()).await;
        let clock = clock.map_err(|e| Failure::unavailable(format!("cannot read the store: {e}")))?;
        keeper.keep(clock.note());
        Ok((clock, keeper))
    }

    /// The key file first, then the others in their order.
    async fn paths(&self, store: &Store, hsms: &Hsms) -> Result<Vec<Arc<dyn UnsealPath>>, Failure> {
        let mut all: Vec<Arc<dyn UnsealPath>> = Vec::new();
        if let Some(file) = &self.key_file {
            all.push(Arc::new(Self::key_file(file, store).await?));
        }
        for path in &self.paths {
            all.push(path.open(hsms)?);
        }
        Ok(all)
    }

    /// The path key is made at the first start; vaults behind one that is missing later start sealed.
    async fn key_file(file: &Path, store: &Store) -> Result<KeyFile, Failure> {
        if let Some(parent) = file.parent().filter(|p| !p.as_os_str().is_empty()) {
            directory(parent)?;
        }
        let vaults = store.vaults().await.map_err(|e| Failure::unavailable(e.to_string()))?;
        let path = if file.exists() {
            KeyFile::open(file)
        } else if vaults.is_empty() {
            KeyFile::create(file)
        } else {
            tracing::warn!("{} is missing: vaults without a key file of their own start sealed", file.display());
            return Ok(KeyFile::at(file));
        };
        path.map_err(|e| Failure::usage(e.to_string()))
    }

    fn pumps(&self, journal: &Journal) -> Result<Vec<Pump>, Failure> {
        let mut pumps = Vec::new();
        if let Some(file) = &self.sink_file {
            let sink = FileSink::open(file)
                .map_err(|e| Failure::usage(format!("cannot open the audit sink {}: {e}", file.display())))?;
            pumps.push(pump(journal, sink)?);
        }
        if let Some(target) = &self.syslog {
            pumps.push(pump(journal, syslog::sink(target, self.syslog_ca.as_deref(), &self.data)?)?);
        }
        Ok(pumps)
    }

    async fn listen(&self, mut server: Server, identity: &TlsIdentity) -> Result<Server, Failure> {
        for address in &self.addresses {
            let listening = server.listen_tls(*address, identity.clone()).await;
            listening.map_err(|e| Failure::unavailable(e.to_string()))?;
        }
        server.listen_unix(&self.operator_socket).map_err(|e| Failure::unavailable(e.to_string()))?;
        Ok(server)
    }
}

/// Starts each token's worker. They open their tokens meanwhile; what needs one waits for it.
fn tokens(sections: &[HsmSection]) -> Result<Hsms, Failure> {
    Ok(Hsms::new(sections.iter().map(HsmSection::start).collect::<Result<Vec<_>, _>>()?))
}

fn pump(journal: &Journal, sink: impl Sink) -> Result<Pump, Failure> {
    Pump::start(journal, sink).map_err(|e| Failure::unavailable(format!("cannot start the audit sink: {e}")))
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
pub(crate) fn steady_millis() -> i64 {
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

/// The generator's first bytes cost tens of milliseconds, as it has a source of entropy of its own beside the system's.
/// They are gathered on another core while files are read. Whoever needs bytes earlier waits for them as ever.
fn gather_entropy() {
    let gather = || drop(keystead_crypto::random_bytes(1));
    // Without a thread, the first who needs bytes gathers.
    drop(std::thread::Builder::new().name("entropy".into()).spawn(gather));
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, std::num::NonZero::get)
}
