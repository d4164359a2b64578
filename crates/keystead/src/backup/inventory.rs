//! `keystead backup inventory`: what the vault holds, signed by its node, for a rehearsal to be held against.

use super::{Common, log_proof};
use crate::exit::Failure;
use crate::new_files::NewFile;
use crate::output;
use keystead_custody::activation::NodeIdentity;
use keystead_formats::inventory::{Page, SignedPage};
use keystead_formats::log_proof::LogProof;
use std::path::PathBuf;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead backup inventory --out inventory.json
  keystead backup inventory --backup vault.ksbackup --out inventory.json

Names, attributes and what tells that a key is the same one; no key material.
The file is as confidential as the list of the keys. Take it beside a backup:
`keystead rehearse` holds what the backup brings back against it. With --backup
the log proves that it goes on from the head that the backup has, which the
rehearsal verifies, too.")]
pub(super) struct Inventory {
    /// A new file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// A backup that was made before: have the log prove that it goes on from it
    #[arg(long, value_name = "FILE")]
    backup: Option<PathBuf>,
}

impl Inventory {
    pub(super) async fn run(self, common: &Common) -> Result<(), Failure> {
        let session = common.session().await?;
        let mut file = NewFile::create(&self.out)?;
        let (mut after, mut versions) = (None::<String>, 0_usize);
        let (last, receipt) = loop {
            let asked = session.client.inventory_page(after.as_deref()).await;
            let done = asked.map_err(|e| session.shown.failure(&e))?;
            let (signed, page) = SignedPage::parse(&done.value).map_err(|e| Failure::check(e.to_string()))?;
            if page.after != after {
                return Err(Failure::check("the server sent another page of its inventory than was asked for"));
            }
            file.write(format!("{}\n", signed.to_line()).as_bytes())?;
            versions = page.objects.iter().fold(versions, |n, object| n.saturating_add(object.versions.len()));
            after.clone_from(&page.next);
            if page.next.is_none() {
                break (page, done.receipt);
            }
        };
        let proof = match &self.backup {
            Some(backup) => log_proof::of(&session.client, backup, &last).await?,
            None => None,
        };
        if let Some(proof) = &proof {
            file.write(format!("{}\n", proof.to_line()).as_bytes())?;
        }
        file.finish()?;
        print(&self.out, &last, versions, (receipt.as_deref(), proof.as_ref()), session.shown)
    }
}

fn print(
    out: &std::path::Path,
    last: &Page,
    versions: usize,
    (receipt, proof): (Option<&str>, Option<&LogProof>),
    shown: crate::key::Shown,
) -> Result<(), Failure> {
    let words = words(last).ok_or_else(|| Failure::check("the inventory names no node"))?;
    let file = out.display().to_string();
    if shown.is_json() {
        let (vault, revision) = (&last.vault, last.revision);
        return output::json(&serde_json::json!({
            "file": file, "vault": vault, "revision": revision, "versions": versions, "node_words": words,
            "log_proven": proof.map(|proof| serde_json::json!({ "from": proof.from, "to": proof.to })),
        }));
    }
    let mut fields = vec![
        ("inventory", file),
        ("vault", last.vault.clone()),
        ("revision", last.revision.to_string()),
        ("versions", versions.to_string()),
        ("signed by", words),
    ];
    fields.extend(
        proof.map(|LogProof { from, to, .. }| ("log", format!("its {to} records go on from the backup's {from}"))),
    );
    output::fields(fields)?;
    shown.receipt(receipt);
    Ok(())
}

fn words(page: &Page) -> Option<String> {
    let key = hex::decode(&page.node_key).ok()?.try_into().ok()?;
    Some(NodeIdentity { id: page.node.parse().ok()?, key }.words())
}
