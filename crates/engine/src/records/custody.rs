//! What a vault keeps of its root's generations and of the ways to it.

use crate::error::Refusal;
use keystead_model::Time;
use minicbor::{Decode, Encode};

/// The random key of the audit details of one generation.
#[derive(Clone, Encode, Decode, zeroize::Zeroize)]
#[cbor(map)]
pub(crate) struct DetailKey {
    #[n(0)]
    pub(crate) generation: u32,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(crate) key: [u8; 32],
}

/// SHA-256 of a generation of the root as it is sealed to the domain.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct SealedDigest {
    #[n(0)]
    pub(crate) generation: u32,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(crate) digest: [u8; 32],
}

/// A rotation of the root that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct RootRotationRecord {
    /// The generation that is replaced.
    #[n(0)]
    pub(crate) from: u32,
    /// The generation that rows are sealed under since.
    #[n(1)]
    pub(crate) to: u32,
    /// [`RotationStep`]'s code.
    #[n(2)]
    pub(crate) step: u8,
    /// Whether each path has a new key, and the one before is to be destroyed.
    #[n(3)]
    pub(crate) after_purge: bool,
    /// ms since the epoch.
    #[n(4)]
    pub(crate) begun: i64,
    /// Set if the vault got other custodians with it.
    #[n(5)]
    pub(crate) custodians: Option<bool>,
}

/// How far a rotation has come, as far as that outlives the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RotationStep {
    /// Some rows may need the generation before.
    Resealing = 1,
    /// None does, and its wraps are gone; keys of paths may be left.
    Destroyed = 2,
}

impl RootRotationRecord {
    pub(crate) fn step(&self) -> Result<RotationStep, Refusal> {
        match self.step {
            1 => Ok(RotationStep::Resealing),
            2 => Ok(RotationStep::Destroyed),
            _ => Err(Refusal::Damaged),
        }
    }
}

/// The unseal paths of a vault. A vault without the row has the one path `file`.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct PathsRecord {
    #[n(0)]
    pub(crate) paths: Vec<PathRecord>,
    /// What opened the vault before and opens copies of then; none in vaults that never had another.
    #[n(1)]
    pub(crate) former: Option<Vec<FormerRecord>>,
}

/// A key that a path, or the custodians, had until then.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct FormerRecord {
    /// The path's name; of custodians it is empty.
    #[n(0)]
    pub(crate) name: String,
    /// `file`, `credential`, `hsm` or `quorum`.
    #[n(1)]
    pub(crate) kind: String,
    /// ms since the epoch.
    #[n(2)]
    pub(crate) until: i64,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct PathRecord {
    /// As nodes are configured with it.
    #[n(0)]
    pub(crate) name: String,
    /// `file`, `credential` or `hsm`.
    #[n(1)]
    pub(crate) kind: String,
    /// ms since the epoch.
    #[n(2)]
    pub(crate) added: i64,
}

/// More of them are told as the newest alone.
const MAX_FORMER: usize = 64;

impl PathsRecord {
    pub(crate) const fn of(paths: Vec<PathRecord>) -> Self {
        Self { paths, former: None }
    }

    /// Notes what a rotation takes from its paths (their keys) or its custodians; whether it takes anything.
    pub(crate) fn tell(&mut self, renewed: bool, replaced: bool, until: Time) -> bool {
        if renewed {
            let paths = self.paths.clone();
            paths.iter().for_each(|path| self.had(&path.name, &path.kind, until));
        }
        if replaced {
            self.had("", "quorum", until);
        }
        renewed || replaced
    }

    /// Whether a path of this name was removed, or its key renewed, since the custodians are those there are: what
    /// others confirm, they confirm anew.
    pub(crate) fn once_had(&self, name: &str) -> bool {
        let mut latest_first = self.former.iter().flatten().rev().take_while(|former| former.kind != "quorum");
        latest_first.any(|former| former.name == name)
    }

    /// What opens copies of until then. Of one name only the last is kept: its copies hold the others'.
    pub(crate) fn had(&mut self, name: &str, kind: &str, until: Time) {
        let former = self.former.get_or_insert_default();
        former.retain(|one| one.name != name || one.kind != kind);
        let surplus = former.len().saturating_add(1).saturating_sub(MAX_FORMER);
        former.drain(..surplus.min(former.len()));
        former.push(FormerRecord { name: name.to_owned(), kind: kind.to_owned(), until: until.0 });
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.paths.iter().any(|path| path.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_was_removed_is_a_new_one_to_custodians_who_took_the_place_of_others_since() {
        let mut listed = PathsRecord::of(Vec::new());
        listed.had("boot", "file", Time(1));
        assert!(listed.once_had("boot") && !listed.once_had("other"));
        listed.had("", "quorum", Time(2));
        assert!(!listed.once_had("boot"), "they confirm it anew");
        listed.had("boot", "file", Time(3));
        assert!(listed.once_had("boot"));
        listed.had("", "quorum", Time(4));
        assert!(!listed.once_had("boot"));
    }
}
