//! The inventory of the live vault, read page by page: each signed by the node that it names, none missing.

use super::compare::{Expected, Keys};
use crate::exit::Failure;
use keystead_crypto::ed25519;
use keystead_custody::activation::{ActivationRecord, NodeIdentity};
use keystead_engine::Told;
use keystead_formats::inventory::{MAX_PAGE, Page, SignedPage};
use keystead_formats::log_proof::LogProof;
use keystead_model::VaultId;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

/// What the live vault said.
pub(super) struct Inventory {
    pub(super) about: About,
    pub(super) keys: Keys,
}

/// What it said of itself.
pub(super) struct About {
    pub(super) vault: String,
    /// The vault's revision at the first page, and at the last.
    pub(super) revision: (u64, u64),
    pub(super) taken: i64,
    /// The words of the node that signed.
    pub(super) node_words: String,
    /// Whether the activation record names it.
    pub(super) node_known: bool,
    /// Digests of policy and settings, where the release that wrote it said them.
    pub(super) told: Option<Told>,
    /// The newest checkpoints of its log at the first page and at the last, and the key of the node that signed them.
    pub(super) checkpoints: (String, String),
    pub(super) node_key: [u8; 32],
    /// How the log goes on from a backup, if that was asked for.
    pub(super) log_proof: Option<LogProof>,
}

impl Inventory {
    /// All of it, if it is whole and of this domain.
    pub(super) fn read(file: &Path, record: &ActivationRecord, domain: VaultId) -> Result<Self, Failure> {
        let shown = file.display();
        let failed = |e: std::io::Error| Failure::usage(format!("cannot read {shown}: {e}"));
        let mut lines = BufReader::new(File::open(file).map_err(failed)?);
        let (mut expected, mut first, mut last) = (Expected::default(), None::<Page>, None::<Page>);
        let mut log_proof = None;
        let most = u64::try_from(MAX_PAGE).unwrap_or(u64::MAX).saturating_add(2);
        loop {
            let mut line = Vec::new();
            if lines.by_ref().take(most).read_until(b'\n', &mut line).map_err(failed)? == 0 {
                break;
            }
            if log_proof.is_none() && last.as_ref().is_some_and(|page| page.next.is_none()) {
                let proof = LogProof::parse(line.trim_ascii_end());
                log_proof = Some(proof.map_err(|e| Failure::check(format!("{shown}: behind its last page: {e}")))?);
                continue;
            }
            let mut page = page(&line, (domain, record)).map_err(|failure| failure.about(shown.to_string()))?;
            if !follows(&page, last.as_ref()) {
                return Err(Failure::check(format!("{shown}: a page is missing, or is of another inventory")));
            }
            std::mem::take(&mut page.objects).into_iter().for_each(|object| expected.add(object));
            first.get_or_insert_with(|| page.clone());
            last = Some(page);
        }
        let (Some(first), Some(last)) = (first, last.filter(|page| page.next.is_none())) else {
            return Err(Failure::check(format!("{shown}: the inventory is cut short: its last page is missing")));
        };
        let node = node(&last).ok_or_else(|| Failure::check(format!("{shown}: it names no node")))?;
        let told = last.policy.zip(last.settings).map(|(policy, settings)| Told { policy, settings });
        let about = About {
            told,
            log_proof,
            checkpoints: (first.checkpoint, last.checkpoint),
            node_key: node.key,
            vault: last.vault,
            revision: (first.revision, last.revision),
            taken: first.taken,
            node_words: node.words(),
            node_known: record.nodes.contains(&node),
        };
        Ok(Self { about, keys: expected.end() })
    }
}

/// A page that its node signed, of this domain.
fn page(line: &[u8], (domain, record): (VaultId, &ActivationRecord)) -> Result<Page, Failure> {
    let (signed, page) = SignedPage::parse(line.trim_ascii_end()).map_err(|e| Failure::usage(e.to_string()))?;
    let signs =
        node(&page).is_some_and(|node| ed25519::verify(&node.key, &Page::message(&signed.text), &signed.signature));
    if !signs {
        return Err(Failure::check("the inventory was changed: the signature of a page does not hold; take another"));
    }
    if page.domain != domain.to_string() {
        return Err(Failure::check(format!(
            "the inventory is of a vault of another security domain than the backup, which is of {}: give the one that was \
             taken of the same vault",
            record.domain_public.id()
        )));
    }
    Ok(page)
}

fn follows(page: &Page, before: Option<&Page>) -> bool {
    match before {
        None => page.after.is_none(),
        Some(before) => {
            let of = |page: &Page| (page.vault.clone(), page.node.clone(), page.node_key.clone());
            page.after.is_some() && page.after == before.next && of(page) == of(before)
        }
    }
}

fn node(page: &Page) -> Option<NodeIdentity> {
    let key = hex::decode(&page.node_key).ok()?.try_into().ok()?;
    Some(NodeIdentity { id: page.node.parse().ok()?, key })
}
