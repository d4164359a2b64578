//! The certificate and key that `serve` answers with, read again when their files change: looked at every two seconds,
//! and at once on SIGHUP. New connections get the new pair. A pair that cannot be used changes nothing: the one in use
//! stays, and log and health say so.

use crate::exit::Failure;
use crate::secret_file;
use keystead_engine::Instance;
use keystead_server::{TlsIdentity, tls_config};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use zeroize::Zeroizing;

/// A certificate chain and its key, PEM.
#[derive(Default)]
pub(crate) struct Pair {
    pub(crate) chain: Vec<u8>,
    pub(crate) key: Zeroizing<Vec<u8>>,
}

/// Where a pair is read from.
pub(crate) struct CertificateFiles {
    certificate: PathBuf,
    private_key: PathBuf,
}

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(2);
/// Longer files are none of these.
const MOST: u64 = 1 << 20;
/// Its name in health.
const TROUBLE: &str = "certificate";

impl CertificateFiles {
    pub(crate) const fn new(certificate: PathBuf, private_key: PathBuf) -> Self {
        Self { certificate, private_key }
    }

    /// For a start.
    pub(crate) fn read(&self) -> Result<Pair, Failure> {
        self.pair().map_err(Failure::usage)
    }

    fn pair(&self) -> Result<Pair, String> {
        Ok(Pair {
            chain: read(&self.certificate)?,
            key: secret_file::read(&self.private_key).map_err(Failure::into_message)?,
        })
    }
}

impl Pair {
    fn digest(&self) -> [u8; 32] {
        let chain = keystead_crypto::sha256(&[&self.chain]);
        keystead_crypto::sha256(&[&chain, &self.key])
    }
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = std::fs::File::open(file).and_then(|open| open.take(MOST.saturating_add(1)).read_to_end(&mut bytes));
    match read {
        Err(e) => Err(format!("cannot read {}: {e}", file.display())),
        Ok(_) if bytes.len() as u64 > MOST => Err(format!("{} is longer than a certificate or key", file.display())),
        Ok(_) => Ok(bytes),
    }
}

/// Follows the files of a running server.
pub(crate) struct Follower {
    files: CertificateFiles,
    identity: TlsIdentity,
    instance: Arc<Instance>,
    /// Of the pair in use.
    used: [u8; 32],
    /// A pair that could not be used when it was last looked at. Two files cannot be replaced in one step, so only what
    /// is still there at the next look is spoken of.
    doubted: Option<[u8; 32]>,
    told: Option<[u8; 32]>,
}

impl Follower {
    /// `pair`: the one in use.
    pub(crate) fn new(files: CertificateFiles, pair: &Pair, identity: TlsIdentity, instance: Arc<Instance>) -> Self {
        Self { files, identity, instance, used: pair.digest(), doubted: None, told: None }
    }

    /// Goes on for ever.
    pub(crate) async fn run(mut self) {
        let mut hangup = signal(SignalKind::hangup());
        loop {
            let asked = tokio::select! {
                () = heard(&mut hangup) => true,
                () = tokio::time::sleep(EVERY) => false,
            };
            // Disks may take their time.
            match tokio::task::spawn_blocking(move || self.looked(asked)).await {
                Ok(same) => self = same,
                Err(_) => return tracing::error!("the certificate's files are no longer followed: restart the server"),
            }
        }
    }

    fn looked(mut self, asked: bool) -> Self {
        self.look(asked);
        self
    }

    fn look(&mut self, asked: bool) {
        let pair = match self.files.pair() {
            Ok(pair) => pair,
            Err(why) => return self.cannot_use(keystead_crypto::sha256(&[why.as_bytes()]), &why, asked),
        };
        let digest = pair.digest();
        if digest == self.used {
            return self.well();
        }
        match tls_config(&pair.chain, &pair.key) {
            Ok(config) => {
                self.identity.replace(config);
                self.used = digest;
                tracing::info!("new certificate: {}", self.files.certificate.display());
                self.well();
            }
            Err(why) => self.cannot_use(digest, &why.to_string(), asked),
        }
    }

    fn well(&mut self) {
        self.doubted = None;
        if self.told.take().is_some() {
            self.instance.trouble(TROUBLE, None);
        }
    }

    fn cannot_use(&mut self, mark: [u8; 32], why: &str, asked: bool) {
        let again = self.doubted.replace(mark) == Some(mark);
        if self.told == Some(mark) || !(again || asked) {
            return;
        }
        self.told = Some(mark);
        let text = format!("the certificate or key was changed and cannot be used, so the old pair stays: {why}");
        tracing::warn!("{text}");
        self.instance.trouble(TROUBLE, Some(text));
    }
}

/// Never, if the system does not let us hear it.
async fn heard(hangup: &mut io::Result<Signal>) {
    let heard = match hangup {
        Ok(hangup) => hangup.recv().await,
        Err(_) => None,
    };
    if heard.is_none() {
        std::future::pending().await
    }
}
