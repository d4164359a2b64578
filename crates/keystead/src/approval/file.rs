//! Proposals and signatures in files: JSON, as the server shows proposals.

use crate::exit::Failure;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keystead_access::{Proposal, Verdict, Vote};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;

/// Longest file of a proposal, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// The version of both layouts.
const VERSION: u8 = 1;

/// A proposal with its votes. What a server says besides of how it stands proves nothing here.
#[derive(Debug, Deserialize)]
pub(super) struct Exported {
    version: u8,
    pub(super) proposal: Proposal,
    pub(super) votes: Vec<Vote>,
}

/// A signature on its way to the server.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Signed {
    version: u8,
    /// The proposal's id.
    pub(super) proposal: String,
    pub(super) verdict: Verdict,
    /// PEM.
    pub(super) key: String,
    /// Base64url.
    signature: String,
}

impl Exported {
    pub(super) fn of(value: &Value) -> Result<Self, Failure> {
        let read = Self::deserialize(value).map_err(|e| e.to_string());
        read.and_then(Self::checked).map_err(|e| Failure::check(format!("the server's answer is no proposal: {e}")))
    }

    pub(super) fn read(file: &Path) -> Result<Self, Failure> {
        let read = Self::parse(&bytes(file)?);
        read.map_err(|e| Failure::usage(format!("{} is no proposal: {e}", file.display())))
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|e| e.to_string()).and_then(Self::checked)
    }

    fn checked(self) -> Result<Self, String> {
        if self.version == VERSION { Ok(self) } else { Err(format!("it is of version {}", self.version)) }
    }
}

impl Signed {
    pub(super) fn new(proposal: &Proposal, verdict: Verdict, key: String, signature: &[u8]) -> Self {
        let (proposal, signature) = (proposal.id.clone(), URL_SAFE_NO_PAD.encode(signature));
        Self { version: VERSION, proposal, verdict, key, signature }
    }

    pub(super) fn read(file: &Path) -> Result<Self, Failure> {
        let read = Self::parse(&bytes(file)?);
        read.map_err(|e| Failure::usage(format!("{} is no signature of `approval sign`: {e}", file.display())))
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let read: Self = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        if read.version == VERSION { Ok(read) } else { Err(format!("it is of version {}", read.version)) }
    }

    pub(super) fn signature(&self) -> Result<Vec<u8>, Failure> {
        let bytes = URL_SAFE_NO_PAD.decode(&self.signature);
        bytes.map_err(|_| Failure::usage("the signature in the file is not base64url"))
    }
}

/// A file, if it is not too long.
pub(super) fn bytes(file: &Path) -> Result<Vec<u8>, Failure> {
    let unread = |e: std::io::Error| Failure::usage(format!("cannot read {}: {e}", file.display()));
    if std::fs::metadata(file).map_err(unread)?.len() > MAX_FILE {
        return Err(Failure::usage(format!("{} is longer than {MAX_FILE} bytes", file.display())));
    }
    std::fs::read(file).map_err(unread)
}

/// For fuzzing: a file with a proposal, or with a signature, or neither.
#[cfg(test)]
pub(crate) fn fuzz(text: &[u8]) {
    if let Ok(exported) = Exported::parse(text) {
        let _ = exported.proposal.text(Verdict::Approve);
        let _ = exported.votes.iter().filter(|vote| vote.is_proven(&exported.proposal)).count();
    }
    let _ = Signed::parse(text).map(|signed| signed.signature());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As this release wrote it: see `access/tests/golden/approval-v1.txt` for the text that is signed.
    const GOLDEN: &[u8] = include_bytes!("../../tests/golden/proposal-v1.json");

    #[test]
    fn golden_proposal() {
        let exported = Exported::parse(GOLDEN).unwrap();
        assert_eq!(exported.votes.len(), 2);
        assert!(exported.votes.iter().all(|vote| vote.is_proven(&exported.proposal)));
    }

    #[test]
    fn a_file_of_another_version_is_refused_by_name() {
        let text = String::from_utf8(GOLDEN.to_vec()).unwrap();
        let other = text.replacen("\"version\": 1", "\"version\": 2", 1);
        assert_eq!(Exported::parse(other.as_bytes()).unwrap_err(), "it is of version 2");
        assert!(Exported::parse(b"{}").is_err());
        assert!(Signed::parse(GOLDEN).is_err());
    }
}
