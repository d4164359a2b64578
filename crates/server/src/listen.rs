//! Listening sockets.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::{TcpListener, UnixListener};

/// Why a listener could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address is taken, not ours, or not allowed.
    #[error("cannot listen on {address}: {source}; choose another address or stop what uses it")]
    Tcp {
        /// What was asked for.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// Something that is not a socket has the name.
    #[error("{} exists and is not a socket; move it away or choose another path", path.display())]
    InTheWay {
        /// The path asked for.
        path: PathBuf,
    },
    /// Another process answers on this socket.
    #[error("another process serves {}; stop it or choose another path", path.display())]
    Served {
        /// The path asked for.
        path: PathBuf,
    },
    /// The file system refused.
    #[error("cannot make the socket {}: {source}; its directory must exist and be writable", path.display())]
    Unix {
        /// The path asked for.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Opens a TCP port.
pub(crate) async fn tcp(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ListenError> {
    let open = async {
        let listener = TcpListener::bind(address).await?;
        let bound = listener.local_addr()?;
        Ok((listener, bound))
    };
    open.await.map_err(|source| ListenError::Tcp { address, source })
}

/// A unix socket that only its owner can open; its file goes when it is dropped.
pub(crate) struct LocalSocket {
    pub(crate) listener: UnixListener,
    path: PathBuf,
    inode: u64,
}

impl LocalSocket {
    /// Opens a socket with mode 0600, in place of one that nobody serves any more.
    pub(crate) fn bind(path: &Path) -> Result<Self, ListenError> {
        make_way(path)?;
        Self::bind_free(path).map_err(|source| ListenError::Unix { path: path.to_owned(), source })
    }

    /// Bound under another name first: it has its final mode when it gets its final name.
    fn bind_free(path: &Path) -> io::Result<Self> {
        let mut early = path.as_os_str().to_owned();
        early.push("~");
        if is_socket(Path::new(&early)) {
            fs::remove_file(&early)?;
        }
        let listener = UnixListener::bind(&early)?;
        fs::set_permissions(&early, fs::Permissions::from_mode(0o600))?;
        fs::rename(&early, path)?;
        let inode = fs::symlink_metadata(path)?.ino();
        Ok(Self { listener, path: path.to_owned(), inode })
    }
}

impl Drop for LocalSocket {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Only a socket without a server may be replaced.
fn make_way(path: &Path) -> Result<(), ListenError> {
    match fs::symlink_metadata(path) {
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(ListenError::Unix { path: path.to_owned(), source }),
        Ok(found) if !found.file_type().is_socket() => return Err(ListenError::InTheWay { path: path.to_owned() }),
        Ok(_) => {}
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(ListenError::Served { path: path.to_owned() }),
        Err(dead) if matches!(dead.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) => Ok(()),
        Err(source) => Err(ListenError::Unix { path: path.to_owned(), source }),
    }
}

fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
}
