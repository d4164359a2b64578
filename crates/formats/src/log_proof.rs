//! How a vault's log goes on from the head that a backup has: the last line of an inventory that was taken with it.
//!
//! ```text
//! {"keystead_log_proof": 1, "from": records, "to": records, "proof": [hex]}
//! ```
//!
//! It is the consistency proof of RFC 6962 (section 2.1.2) between the backup's checkpoint and the one of the
//! inventory's last page. Both are signed, and the proof holds between them or does not: it needs no signature.

use crate::inventory::hex;
use serde::{Deserialize, Serialize};

/// A hash of the log's tree.
pub type Hash = [u8; 32];

/// The line, read. What it proves is not looked at here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogProof {
    /// Records under the backup's checkpoint.
    pub from: u64,
    /// Records under the inventory's.
    pub to: u64,
    /// The proof's hashes.
    pub proof: Vec<Hash>,
}

/// Why a line is no such proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadLogProof {
    /// Not of the form, or longer than one can be.
    #[error("this is not a proof of a log: give the file as `keystead backup inventory --backup` wrote it")]
    NotOne,
    /// Of a later release.
    #[error("the proof of the log has another version than 1: use the release that wrote it")]
    Version,
}

/// Longest line, in bytes: a tree of 2^64 records has no longer proof.
pub const MAX_LOG_PROOF: usize = 16 << 10;
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    keystead_log_proof: u32,
    from: u64,
    to: u64,
    proof: Vec<String>,
}

impl LogProof {
    /// The line, without its end.
    pub fn to_line(&self) -> String {
        let proof = self.proof.iter().map(|hash| hash.iter().map(|byte| format!("{byte:02x}")).collect()).collect();
        let line = Line { keystead_log_proof: VERSION, from: self.from, to: self.to, proof };
        // Strings, numbers and lists always serialize.
        serde_json::to_string(&line).unwrap_or_default()
    }

    /// Reads a line.
    pub fn parse(line: &[u8]) -> Result<Self, BadLogProof> {
        if line.len() > MAX_LOG_PROOF {
            return Err(BadLogProof::NotOne);
        }
        let line: Line = serde_json::from_slice(line).map_err(|_| BadLogProof::NotOne)?;
        if line.keystead_log_proof != VERSION {
            return Err(BadLogProof::Version);
        }
        let hashes = line.proof.iter().map(|text| hex(text)).collect::<Option<Vec<Hash>>>();
        Ok(Self { from: line.from, to: line.to, proof: hashes.ok_or(BadLogProof::NotOne)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof() -> LogProof {
        LogProof { from: 3, to: 9, proof: vec![[1; 32], [0xab; 32]] }
    }

    #[test]
    fn the_golden_proof_is_read_and_written_as_it_stands() {
        let golden = include_str!("../tests/golden/log-proof-v1.json").trim_end();
        assert_eq!(LogProof::parse(golden.as_bytes()), Ok(proof()));
        assert_eq!(proof().to_line(), golden);
    }

    #[test]
    fn what_is_no_proof_is_refused_by_name() {
        let line = proof().to_line();
        for (from, to, why) in [
            ("proof\":1", "proof\":2", BadLogProof::Version),
            ("\"from\":3", "\"from\":-3", BadLogProof::NotOne),
            ("\"abab", "\"ab", BadLogProof::NotOne),
            ("\"abab", "\"xbab", BadLogProof::NotOne),
            ("{", "{\"more\":1,", BadLogProof::NotOne),
        ] {
            assert_eq!(LogProof::parse(line.replacen(from, to, 1).as_bytes()), Err(why), "{to}");
        }
        assert_eq!(LogProof::parse(&vec![b' '; MAX_LOG_PROOF + 1]), Err(BadLogProof::NotOne));
    }
}
