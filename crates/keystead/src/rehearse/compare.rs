//! What came back, held against what was there: pure, key by key.

use keystead_formats::inventory::{Object, Version};
use serde::Serialize;
use std::collections::BTreeMap;

/// The keys of an inventory, by their names in lower case.
pub(super) type Keys = BTreeMap<String, Key>;

/// One key of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    /// Its own members, without versions.
    of: Object,
    versions: BTreeMap<String, Version>,
}

/// Gathers an inventory. A key that was deleted or recovered meanwhile stands in it twice: what came last counts.
#[derive(Default)]
pub(super) struct Expected {
    keys: Keys,
    /// The key of which more versions follow.
    open: Option<String>,
}

impl Expected {
    pub(super) fn add(&mut self, object: Object) {
        let (name, more) = (object.name.to_lowercase(), object.more);
        let goes_on = self.open.as_deref() == Some(&name);
        let (of, versions) = split(object);
        let key = self.keys.entry(name.clone()).or_insert_with(|| Key { of: of.clone(), versions: BTreeMap::new() });
        if !goes_on {
            key.versions.clear();
        }
        key.of = of;
        key.versions.extend(versions);
        self.open = more.then_some(name);
    }

    pub(super) fn end(self) -> Keys {
        self.keys
    }
}

fn split(mut object: Object) -> (Object, impl Iterator<Item = (String, Version)>) {
    let versions = std::mem::take(&mut object.versions);
    object.more = false;
    (object, versions.into_iter().map(|version| (version.version.clone(), version)))
}

/// Something that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Difference {
    pub(super) what: What,
    pub(super) key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<String>,
    /// In words.
    pub(super) why: String,
}

/// In which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum What {
    /// The inventory has it, the backup not.
    Missing,
    /// The backup has it, the inventory not.
    Additional,
    /// Both have it, and it is not the same.
    Differs,
    /// It was tried, and does not do what its key should.
    DoesNotWork,
    /// The inventory has it as resident in a token: no backup can have it, and it is lost with the token.
    TokenOnly,
}

impl What {
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Additional => "additional",
            Self::Differs => "differs",
            Self::DoesNotWork => "does not work",
            Self::TokenOnly => "in the token only",
        }
    }
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) keys: usize,
    pub(super) versions: usize,
    pub(super) failed: usize,
    /// The first of them.
    pub(super) differences: Vec<Difference>,
    /// All of them.
    pub(super) count: usize,
    /// Versions that no backup can have.
    pub(super) token_only: Vec<Difference>,
}

/// A comparison on its way.
pub(super) struct Comparison {
    left: Option<Keys>,
    /// The key that was seen last.
    last: Option<String>,
    /// The key whose versions are being seen, as far as they were not.
    now: Option<(String, BTreeMap<String, Version>)>,
    outcome: Outcome,
}

/// Differences that are told one by one.
const TOLD: usize = 10_000;

impl Comparison {
    pub(super) fn with(keys: Keys) -> Self {
        Self { left: Some(keys), last: None, now: None, outcome: Outcome::default() }
    }

    /// Nothing is known of what was there.
    pub(super) fn without() -> Self {
        Self { left: None, last: None, now: None, outcome: Outcome::default() }
    }

    /// The next object of the vault that was restored.
    pub(super) fn see(&mut self, object: Object) {
        let goes_on = self.last.as_deref() == Some(&object.name);
        let (of, versions) = split(object);
        if !goes_on {
            self.end_key();
            self.last = Some(of.name.clone());
            self.outcome.keys = self.outcome.keys.saturating_add(1);
            self.begin_key(&of);
        }
        for (id, version) in versions {
            self.outcome.versions = self.outcome.versions.saturating_add(1);
            let Some((_, expected)) = &mut self.now else { continue };
            match expected.remove(&id) {
                Some(was) if was == version => {}
                Some(was) => self.tell(What::Differs, &of.name, Some(id), members(&was, &version)),
                None => self.tell(What::Additional, &of.name, Some(id), "the inventory has no such version".to_owned()),
            }
        }
    }

    /// A key version that was tried in vain.
    pub(super) fn failed(&mut self, key: String, version: String, why: String) {
        self.outcome.failed = self.outcome.failed.saturating_add(1);
        self.tell(What::DoesNotWork, &key, Some(version), why);
    }

    pub(super) fn end(mut self) -> Outcome {
        self.end_key();
        for (_, key) in self.left.take().into_iter().flatten() {
            let resident = key.versions.values().all(|version| version.resident) && !key.versions.is_empty();
            match resident {
                true => key.versions.into_keys().for_each(|id| self.token_only(&key.of.name, id)),
                false => self.tell(What::Missing, &key.of.name, None, "the backup does not have it".to_owned()),
            }
        }
        self.outcome
    }

    fn begin_key(&mut self, of: &Object) {
        let Some(left) = &mut self.left else { return };
        match left.remove(&of.name.to_lowercase()) {
            None => self.tell(What::Additional, &of.name, None, "the inventory has no such key".to_owned()),
            Some(was) => {
                if was.of != *of {
                    self.tell(What::Differs, &of.name, None, members(&was.of, of));
                }
                self.now = Some((of.name.clone(), was.versions));
            }
        }
    }

    fn end_key(&mut self) {
        let Some((name, versions)) = self.now.take() else { return };
        for (id, version) in versions {
            match version.resident {
                true => self.token_only(&name, id),
                false => {
                    self.tell(What::Missing, &name, Some(id), "the backup does not have this version".to_owned());
                }
            }
        }
    }

    /// What the vault is besides its keys is not what the inventory says.
    pub(super) fn vault(&mut self, what: &str, why: &str) {
        self.tell(What::Differs, what, None, why.to_owned());
    }

    fn token_only(&mut self, key: &str, version: String) {
        if self.outcome.token_only.len() < TOLD {
            let (key, why) = (key.to_owned(), RESIDENT.to_owned());
            self.outcome.token_only.push(Difference { what: What::TokenOnly, key, version: Some(version), why });
        }
    }

    fn tell(&mut self, what: What, key: &str, version: Option<String>, why: String) {
        self.outcome.count = self.outcome.count.saturating_add(1);
        if self.outcome.differences.len() < TOLD {
            self.outcome.differences.push(Difference { what, key: key.to_owned(), version, why });
        }
    }
}

const RESIDENT: &str = "it is resident in a token, and in no backup: it is lost with the token";

/// The members in which two of a kind differ.
fn members(was: &impl Serialize, is: &impl Serialize) -> String {
    let value = |of: Result<serde_json::Value, _>| of.unwrap_or_default();
    let (was, is) = (value(serde_json::to_value(was)), value(serde_json::to_value(is)));
    let (Some(was), Some(is)) = (was.as_object(), is.as_object()) else { return String::new() };
    let differ = was.iter().filter(|(name, value)| is.get(*name) != Some(value));
    let now = |name: &String| is.get(name).map(ToString::to_string).unwrap_or_default();
    differ.map(|(name, value)| format!("{name}: {value}, and now {}", now(name))).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(id: &str) -> Version {
        Version {
            version: id.to_owned(),
            kty: "EC".to_owned(),
            size: "P-256".to_owned(),
            resident: false,
            thumbprint: Some("t".to_owned()),
            check: None,
            enabled: true,
            not_before: None,
            expires: None,
            created: 1,
            updated: 2,
            operations: Vec::new(),
            tags: String::new(),
            exportable: false,
            release: None,
        }
    }

    fn key(name: &str, versions: &[&str], more: bool) -> Object {
        Object {
            name: name.to_owned(),
            newest: "1".to_owned(),
            deleted: false,
            rotation: None,
            more,
            versions: versions.iter().map(|id| version(id)).collect(),
        }
    }

    fn compared(was: Vec<Object>, is: Vec<Object>) -> Vec<(What, String, Option<String>)> {
        let mut expected = Expected::default();
        was.into_iter().for_each(|object| expected.add(object));
        let mut comparison = Comparison::with(expected.end());
        is.into_iter().for_each(|object| comparison.see(object));
        comparison.end().differences.into_iter().map(|d| (d.what, d.key, d.version)).collect()
    }

    #[test]
    fn the_same_in_another_order_and_in_other_parts_is_the_same() {
        let was = vec![key("a", &["1", "2"], true), key("a", &["3"], false), key("b", &["1"], false)];
        let is = vec![key("b", &["1"], false), key("a", &["1"], true), key("a", &["2", "3"], false)];
        assert_eq!(compared(was, is), []);
    }

    #[test]
    fn what_is_missing_additional_or_not_the_same_is_named() {
        let was = vec![key("a", &["1", "2"], false), key("gone", &["1"], false), key("c", &["1"], false)];
        let mut changed = key("c", &["1"], false);
        (changed.deleted, changed.versions[0].enabled) = (true, false);
        let is = vec![key("a", &["1", "3"], false), key("new", &["1"], true), key("new", &["2"], false), changed];
        let some = |id: &str| Some(id.to_owned());
        assert_eq!(
            compared(was, is),
            [
                (What::Additional, "a".to_owned(), some("3")),
                (What::Missing, "a".to_owned(), some("2")),
                (What::Additional, "new".to_owned(), None),
                (What::Differs, "c".to_owned(), None),
                (What::Differs, "c".to_owned(), some("1")),
                (What::Missing, "gone".to_owned(), None),
            ]
        );
        assert_eq!(members(&version("1"), &Version { enabled: false, ..version("1") }), "enabled: true, and now false");
    }

    #[test]
    fn what_is_resident_in_a_token_is_told_apart_from_what_is_missing() {
        let mut resident = key("in", &["1", "2"], false);
        resident.versions.iter_mut().for_each(|version| version.resident = true);
        let mut mixed = key("mixed", &["1", "2"], false);
        mixed.versions[0].resident = true;
        let mut expected = Expected::default();
        [resident, mixed.clone(), key("gone", &["1"], false)].into_iter().for_each(|object| expected.add(object));
        let mut comparison = Comparison::with(expected.end());
        mixed.versions.remove(0);
        comparison.see(mixed);
        comparison.vault("policy", "it is another");
        let outcome = comparison.end();
        let told: Vec<_> = outcome.token_only.iter().map(|d| (d.key.as_str(), d.version.as_deref())).collect();
        assert_eq!(told, [("mixed", Some("1")), ("in", Some("1")), ("in", Some("2"))]);
        let differ: Vec<_> = outcome.differences.iter().map(|d| (d.what, d.key.as_str())).collect();
        assert_eq!(differ, [(What::Differs, "policy"), (What::Missing, "gone")]);
        assert_eq!(outcome.count, 2);
    }

    #[test]
    fn a_key_that_moved_while_the_inventory_was_taken_is_the_one_that_was_seen_last() {
        let moved = Object { deleted: true, ..key("a", &["1"], false) };
        assert_eq!(compared(vec![key("a", &["1", "2"], false), moved.clone()], vec![moved]), []);
    }

    #[test]
    fn without_an_inventory_only_what_does_not_work_is_told() {
        let mut comparison = Comparison::without();
        comparison.see(key("a", &["1"], true));
        comparison.see(key("a", &["2"], false));
        comparison.failed("a".to_owned(), "1".to_owned(), "no".to_owned());
        let outcome = comparison.end();
        assert_eq!((outcome.keys, outcome.versions, outcome.failed, outcome.count), (1, 2, 1, 1));
        assert_eq!(outcome.differences[0].what, What::DoesNotWork);
    }
}
