//! What seals a vault's rows: the newest generation of its root. While a rotation is under way, the generation before
//! opens too.

use crate::records::SecretsRecord;
use crate::wraps;
use keystead_crypto::sealed::{Sealer, Usage, generation_of};
use keystead_custody::Root;
use keystead_model::Generation;
use keystead_store::{Changes, Row};
use std::sync::Arc;

/// Generations of one vault's root, as a path opened them.
pub(crate) struct Roots(Vec<Arc<Root>>);

impl From<Root> for Roots {
    fn from(root: Root) -> Self {
        Arc::new(root).into()
    }
}

impl From<Arc<Root>> for Roots {
    fn from(root: Arc<Root>) -> Self {
        Self(vec![root])
    }
}

impl Roots {
    /// None if there are none.
    pub(crate) fn new(roots: Vec<Root>) -> Option<Self> {
        let mut all: Vec<_> = roots.into_iter().map(Arc::new).collect();
        all.sort_by_key(|root| std::cmp::Reverse(root.generation()));
        (!all.is_empty()).then_some(Self(all))
    }

    /// Two that follow each other.
    pub(crate) fn both(newest: Arc<Root>, older: Arc<Root>) -> Self {
        Self(vec![newest, older])
    }

    /// The newest, which seals.
    pub(crate) fn newest(&self) -> Option<&Arc<Root>> {
        self.0.first()
    }

    /// The one of this generation.
    pub(crate) fn of(&self, generation: Generation) -> Option<&Arc<Root>> {
        self.0.iter().find(|root| root.generation() == generation)
    }
}

/// Seals under one generation. Replaced as a whole.
pub(crate) struct Seals {
    pub(crate) root: Arc<Root>,
    /// The generation that is being replaced.
    pub(crate) older: Option<Arc<Root>>,
    pub(crate) records: Sealer,
    pub(crate) material: Sealer,
    pub(crate) details: Sealer,
}

impl Seals {
    pub(crate) fn new(root: Arc<Root>, older: Option<Arc<Root>>, details: Sealer) -> Self {
        let sealer = |usage| match &older {
            Some(older) => root.sealer_after(older.sealer(usage)),
            None => root.sealer(usage),
        };
        let (records, material) = (sealer(Usage::Records), sealer(Usage::KeyMaterial));
        Self { root, older, records, material, details }
    }

    /// The same without the generation before.
    pub(crate) fn alone(&self) -> Self {
        Self::new(Arc::clone(&self.root), None, self.details.clone())
    }

    /// Those that it seals and opens with.
    pub(crate) fn roots(&self) -> Roots {
        match &self.older {
            Some(older) => Roots::both(Arc::clone(&self.root), Arc::clone(older)),
            None => Arc::clone(&self.root).into(),
        }
    }

    pub(crate) fn generation(&self) -> Generation {
        self.root.generation()
    }

    /// Whether what is sealed in these changes is sealed under this generation.
    pub(crate) fn seal_all(&self, changes: &Changes) -> bool {
        let newest = |row: &Row| generation_of(&row.sealed) == Some(self.generation().0);
        changes.puts.iter().filter(|row| wraps::is_sealed(row.kind)).all(newest)
    }
}

/// Seals the details of audit records under the newest generation's key and opens those of each before it.
pub(crate) fn details(secrets: &SecretsRecord) -> Sealer {
    let first = Sealer::new(&secrets.detail_key, Usage::AuditDetail, Generation::FIRST.0);
    let later = secrets.details.iter().flatten();
    later.fold(first, |older, of| Sealer::after(older, &of.key, of.generation))
}
