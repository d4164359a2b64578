//! What becomes of a vault's rows when it gets another domain, in the commit that makes the next generation of its
//! root.

use crate::birth::singleton;
use crate::error::Refusal;
use crate::node::Instance;
use crate::opening;
use crate::operate::OperateError;
use crate::records::{BlobKey, DomainRecord, SecretsRecord};
use crate::seals::Roots;
use crate::vault::{Open, Vault};
use crate::wraps;
use keystead_custody::activation::ActivationRecord;
use keystead_custody::{DomainPublic, Root, WorkingKeys};
use keystead_model::{Action, Moment, VaultStatus};
use keystead_store::{Kind, Row, RowKey};
use std::sync::Arc;

/// Another domain of a vault, and the rows that tell of it.
pub(crate) struct OtherDomain {
    public: DomainPublic,
    blob: BlobKey,
    record: DomainRecord,
    puts: Vec<Row>,
    removes: Vec<(RowKey, u64)>,
}

impl OtherDomain {
    /// In the place of the domain of `before`, whose confirmations go.
    pub(crate) async fn of(
        vault: &Vault,
        open: &Open,
        before: &ActivationRecord,
        (record, keys): (&ActivationRecord, &WorkingKeys),
        security_domain: Vec<u8>,
    ) -> Result<Self, OperateError> {
        let mut puts = Vec::new();
        let mut clear = vec![
            (Kind::Domain, record.domain_public.as_bytes().to_vec()),
            (Kind::Activation, record.to_bytes()),
            (Kind::SecurityDomain, security_domain),
        ];
        // The same key as before, for the custodians who have it now, too.
        if let (Some(hsm), Some(key)) = (&open.hsm, &keys.wrapping) {
            if key.id() != hsm.wrapping {
                return Err(OperateError::Damaged);
            }
            let sealed = record.domain_public.seal_wrapping(vault.info.id, key).map_err(|_| OperateError::Damaged)?;
            clear.push((Kind::SealedWrapping, sealed));
        }
        for (kind, bytes) in clear {
            puts.push(wraps::behind(vault, singleton(kind), bytes).await?);
        }
        let mut removes = Vec::new();
        for custodian in &before.custodians {
            let lookup = custodian.certificate.thumbprint();
            let at = RowKey { kind: Kind::Confirmation, lookup, version: None };
            removes.extend(wraps::get(vault, at).await?.map(|row| (at, row.counter)));
        }
        let id = DomainRecord { id: *keys.domain.as_bytes(), activation: Some(record.digest().into()), wrapping: None };
        let blob = BlobKey::of(keys.blob.expose());
        Ok(Self { public: record.domain_public, blob, record: id, puts, removes })
    }

    /// The generations, sealed to it. Not proven by opening: only its custodians can.
    pub(super) async fn sealed_roots(&self, vault: &Vault, roots: [&Root; 2]) -> Result<Vec<Row>, OperateError> {
        let mut rows = Vec::new();
        for root in roots {
            let sealed = self.public.seal_root(vault.info.id, root).map_err(|_| OperateError::Damaged)?;
            let at = wraps::sealed_root_at(root.generation());
            rows.push(wraps::behind(vault, at, sealed).await?);
        }
        Ok(rows)
    }

    /// Into the vault's secrets and rows; what is to be removed.
    pub(super) fn take_over(self, secrets: &mut SecretsRecord, puts: &mut Vec<Row>) -> Vec<(RowKey, u64)> {
        secrets.blob_key = Some(self.blob);
        secrets.domain = Some(self.record);
        secrets.public = Some((*self.public.as_bytes()).into());
        puts.extend(self.puts);
        self.removes
    }
}

impl Instance {
    /// Gives an open vault another domain and another root in one commit, and opens it anew with them. Rows are resealed
    /// as in any rotation.
    pub(crate) async fn change_domain(
        &self,
        vault: &Arc<Vault>,
        open: &Arc<Open>,
        other: OtherDomain,
        clear: Vec<u8>,
        at: Moment,
    ) -> Result<(), OperateError> {
        let older = Arc::clone(&open.seals().root);
        let next = self.next(vault, open, false, Some(other), at).await?;
        let newest = Arc::clone(&next.seals.root);
        let gate = open.gate.write().await;
        no_jobs(vault).await?;
        self.begin_next(vault, open, next, (Action::CustodiansReplaced, clear), at).await?;
        // What it keeps in memory of the domain before goes with the old `Open`.
        let roots = Roots::both(newest, older);
        match opening::open(vault, &roots, VaultStatus::Active, at).await {
            Ok(anew) => vault.set_open(anew, at),
            Err(e) => {
                vault.set_sealed();
                return Err(e);
            }
        }
        drop(gate);
        self.store().scrub();
        Ok(())
    }
}

/// Backups and restores that run are bound to the domain: one that runs has a time at which it goes on.
pub(crate) async fn no_jobs(vault: &Vault) -> Result<(), OperateError> {
    for kind in [Kind::Backup, Kind::Restore] {
        let mut after = None;
        loop {
            let rows = vault.store.rows(vault.info.id, kind, after, 64).await.map_err(Refusal::from)?;
            let Some(last) = rows.last() else { break };
            after = Some((last.lookup, last.version));
            if rows.iter().any(|row| row.due.is_some()) {
                return Err(OperateError::JobsRunning);
            }
        }
    }
    Ok(())
}
