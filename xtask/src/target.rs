//! What the servers under load have in common.

use crate::Failure;
use crate::client::Door;
use crate::op::Op;
use crate::process::Child;
use crate::template::Template;
use std::path::{Path, PathBuf};

/// A running server with its keys made.
pub(crate) struct Target {
    /// As tables call it.
    pub(crate) name: &'static str,
    pub(crate) process: Child,
    pub(crate) door: Door,
    templates: Vec<(Op, Template)>,
}

impl Target {
    pub(crate) fn new(name: &'static str, process: Child, door: Door, templates: Vec<(Op, Template)>) -> Self {
        Self { name, process, door, templates }
    }

    /// How it is asked for this operation.
    pub(crate) fn template(&self, op: Op) -> Result<&Template, Failure> {
        self.has(op).ok_or_else(|| format!("{} has no request for {}", self.name, op.name()).into())
    }

    /// The same, where it may not know the operation.
    pub(crate) fn has(&self, op: Op) -> Option<&Template> {
        self.templates.iter().find(|(of, _)| *of == op).map(|(_, template)| template)
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
