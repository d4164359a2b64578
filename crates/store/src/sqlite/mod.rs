//! The SQLite variant: a writer thread behind a bounded queue, and readers beside it.

mod change;
mod read;
mod schema;
mod writer;

use crate::error::{CommitError, OpenError, Unavailable};
use crate::health::{Health, StoreState};
use crate::row::{Committed, DueAt, OutboxRow, Row, RowKey, VaultRow};
use crate::{Changes, Kind, MakeRecord};
use change::Work;
use keystead_model::{OperationId, Revision, Time, VaultId, VaultStatus, Version};
use read::Readers;
use rusqlite::Connection;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use writer::{Control, Job, Message, Writer};

/// Writes that may wait; the next one is refused.
const QUEUE: usize = 1024;

/// A handle; the writer ends when the last one is gone.
#[derive(Clone)]
pub(crate) struct Sqlite(Arc<Shared>);

struct Shared {
    queue: SyncSender<Message>,
    control: Arc<Control>,
    readers: Readers,
    health: Arc<Health>,
    closed: watch::Receiver<bool>,
}

impl Sqlite {
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        prepare(path)?;
        let lock = lock(path)?;
        let conn = schema::open_writer(path)?;
        let (queue, messages) = sync_channel(QUEUE);
        let control = Arc::new(Control::default());
        let health = Arc::new(Health::default());
        let writer = Writer::new(conn, lock, messages, Arc::clone(&control), Arc::clone(&health))?;
        let (done, closed) = watch::channel(false);
        thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || writer.run(&done))
            .map_err(|cause| OpenError::Writer { cause })?;
        let readers = Readers::new(path.to_owned());
        Ok(Self(Arc::new(Shared { queue, control, readers, health, closed })))
    }

    pub(crate) async fn create_vault(&self, v: VaultRow, c: Changes, r: MakeRecord) -> Result<Committed, CommitError> {
        self.write(Work::CreateVault(Box::new(v), c, r)).await
    }

    pub(crate) async fn set_status(
        &self,
        v: VaultId,
        s: VaultStatus,
        c: Changes,
        r: MakeRecord,
    ) -> Result<Committed, CommitError> {
        self.write(Work::SetStatus(v, s, c, r)).await
    }

    pub(crate) async fn activate(
        &self,
        v: VaultId,
        custody: String,
        c: Changes,
        r: MakeRecord,
    ) -> Result<Committed, CommitError> {
        self.write(Work::Activate(v, custody, c, r)).await
    }

    pub(crate) async fn commit(&self, v: VaultId, c: Changes, r: MakeRecord) -> Result<Committed, CommitError> {
        self.write(Work::Commit(v, c, r)).await
    }

    pub(crate) async fn erase(&self, v: VaultId, r: MakeRecord) -> Result<Committed, CommitError> {
        self.write(Work::Erase(v, r)).await
    }

    pub(crate) async fn meta_put_once(&self, key: &'static str, value: Vec<u8>) -> Result<Vec<u8>, CommitError> {
        self.write(Work::PutMeta(key, value)).await.map(|done| done.record)
    }

    pub(crate) fn forget(&self, op: OperationId) {
        if self.0.control.forget(op) {
            // A full queue needs no waking: the group that empties it looks.
            let _ = self.0.queue.try_send(Message::Wake);
        }
    }

    pub(crate) fn scrub(&self) {
        self.0.control.scrub.store(true, Ordering::SeqCst);
        let _ = self.0.queue.try_send(Message::Wake);
    }

    pub(crate) async fn close(&self) {
        self.0.readers.close();
        self.0.control.closing.store(true, Ordering::SeqCst);
        let _ = self.0.queue.try_send(Message::Wake);
        // An error is a writer that is gone: closed as well.
        let _ = self.0.closed.clone().wait_for(|closed| *closed).await;
    }

    pub(crate) fn vaults(&self) -> Result<Vec<VaultRow>, Unavailable> {
        self.read(read::vaults)
    }

    pub(crate) fn get(&self, v: VaultId, k: &RowKey) -> Result<Option<Row>, Unavailable> {
        self.read(|conn| read::get(conn, v, k))
    }

    pub(crate) fn page(
        &self,
        v: VaultId,
        kind: Kind,
        after: Option<[u8; 32]>,
        n: u16,
    ) -> Result<Vec<Row>, Unavailable> {
        self.read(|conn| read::page(conn, v, kind, after, n))
    }

    pub(crate) fn versions(
        &self,
        v: VaultId,
        kind: Kind,
        lookup: [u8; 32],
        after: Option<Version>,
        n: u16,
    ) -> Result<Vec<Row>, Unavailable> {
        self.read(|conn| read::versions(conn, v, kind, lookup, after, n))
    }

    pub(crate) fn version_ids(
        &self,
        v: VaultId,
        kind: Kind,
        after: Option<([u8; 32], Version)>,
        n: u16,
    ) -> Result<Vec<([u8; 32], Version)>, Unavailable> {
        self.read(|conn| read::version_ids(conn, v, kind, after, n))
    }

    pub(crate) fn rows(
        &self,
        v: VaultId,
        kind: Kind,
        after: Option<([u8; 32], Option<Version>)>,
        n: u16,
    ) -> Result<Vec<Row>, Unavailable> {
        self.read(|conn| read::rows(conn, v, kind, after, n))
    }

    pub(crate) fn count(&self, v: VaultId, kinds: &[Kind]) -> Result<u64, Unavailable> {
        self.read(|conn| read::count(conn, v, kinds))
    }

    pub(crate) fn changed_since(
        &self,
        v: VaultId,
        kinds: &[Kind],
        since: (Revision, Option<Revision>),
    ) -> Result<bool, Unavailable> {
        self.read(|conn| read::changed_since(conn, v, kinds, since))
    }

    pub(crate) fn due(&self, now: Time, after: Option<DueAt>, n: u16) -> Result<Vec<(VaultId, Row)>, Unavailable> {
        self.read(|conn| read::due(conn, now, after, n))
    }

    pub(crate) fn outbox(&self) -> Result<Vec<OutboxRow>, Unavailable> {
        self.read(read::outbox)
    }

    pub(crate) fn meta_get(&self, key: &'static str) -> Result<Option<Vec<u8>>, Unavailable> {
        self.read(|conn| read::meta(conn, key))
    }

    pub(crate) fn state(&self) -> StoreState {
        self.0.health.state()
    }

    fn read<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Unavailable> {
        self.0.health.read(self.0.readers.with(read))
    }

    async fn write(&self, work: Work) -> Result<Committed, CommitError> {
        let closed = CommitError::Unavailable(Unavailable::Closed);
        if self.0.control.closing.load(Ordering::SeqCst) {
            return Err(closed);
        }
        let (answer, result) = oneshot::channel();
        match self.0.queue.try_send(Message::Job(Job { work, answer })) {
            Ok(()) => result.await.unwrap_or(Err(closed)),
            Err(TrySendError::Full(_)) => Err(CommitError::Busy),
            Err(TrySendError::Disconnected(_)) => Err(closed),
        }
    }
}

/// The directory (new: 0700) and the file (0600, also what SQLite gives the files beside it), durably.
fn prepare(path: &Path) -> Result<(), OpenError> {
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    let in_dir = |cause| OpenError::Directory { path: dir.to_owned(), cause };
    if !dir.exists() {
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(in_dir)?;
        if let Some(above) = dir.parent().filter(|above| !above.as_os_str().is_empty()) {
            sync_dir(above).map_err(in_dir)?;
        }
    }
    private_file(path).map_err(|cause| OpenError::File { path: path.to_owned(), cause })?;
    sync_dir(dir).map_err(in_dir)
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn private_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
    }
    Ok(file)
}

/// One process at a time, because the writer keeps the outbox in memory. Waits a little for one that is just ending.
fn lock(path: &Path) -> Result<File, OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let lock = PathBuf::from(name);
    let failed = |cause| OpenError::File { path: lock.clone(), cause };
    let file = private_file(&lock).map_err(failed)?;
    for _ in 0..100 {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(50)),
            Err(TryLockError::Error(cause)) => return Err(failed(cause)),
        }
    }
    Err(OpenError::InUse { path: path.to_owned() })
}
