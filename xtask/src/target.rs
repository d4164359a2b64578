//! What the servers under load have in common.

use crate::Failure;
use crate::client::Door;
use crate::op::Op;
use crate::process::Child;
use bytes::Bytes;
use hyper::Method;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A running server with its keys made.
pub(crate) struct Target {
    /// As tables call it.
    pub(crate) name: &'static str,
    pub(crate) process: Child,
    pub(crate) door: Door,
    templates: Vec<(Op, Template)>,
}

/// A request that is sent over and over.
#[derive(Clone)]
pub(crate) struct Template {
    pub(crate) method: Method,
    path: String,
    pub(crate) body: Bytes,
}

/// Numbers that no request had before, so that each creation has a name of its own.
static NEXT: AtomicU64 = AtomicU64::new(0);

impl Template {
    /// `{n}` in the path stands for a number that is another one in each request.
    pub(crate) fn new(method: Method, path: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self { method, path: path.into(), body: body.into() }
    }

    pub(crate) fn path(&self) -> std::borrow::Cow<'_, str> {
        if self.path.contains("{n}") {
            let n = NEXT.fetch_add(1, Ordering::Relaxed);
            return self.path.replace("{n}", &n.to_string()).into();
        }
        self.path.as_str().into()
    }
}

impl Target {
    pub(crate) fn new(name: &'static str, process: Child, door: Door, templates: Vec<(Op, Template)>) -> Self {
        Self { name, process, door, templates }
    }

    /// How it is asked for this operation.
    pub(crate) fn template(&self, op: Op) -> Result<&Template, Failure> {
        let found = self.templates.iter().find(|(of, _)| *of == op).map(|(_, template)| template);
        found.ok_or_else(|| format!("{} has no request for {}", self.name, op.name()).into())
    }
}

/// A certificate for `localhost` that stands for itself, and its key.
pub(crate) struct Identity {
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
}

impl Identity {
    /// Makes the two files in the directory.
    pub(crate) fn make(directory: &Path) -> Result<Self, Failure> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        let (chain, key) = (directory.join("localhost.pem"), directory.join("localhost.key"));
        std::fs::write(&chain, made.cert.pem())?;
        std::fs::write(&key, made.signing_key.serialize_pem())?;
        Ok(Self { chain, key })
    }
}
