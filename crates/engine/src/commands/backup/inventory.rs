//! What a vault holds, a signed page at a time.

use super::{copy, trial};
use crate::backup::Told;
use crate::commands::{ask, no_approval};
use crate::error::Refusal;
use crate::records::{RotationRecord, VersionRecord};
use crate::room::{Key, KeyVersion, Room};
use crate::run::{Effect, Execute};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keystead_access::Permit;
use keystead_crypto::sha256;
use keystead_formats::inventory::{self, Object, Page, SignedPage};
use keystead_model::{ProtectionLevel, PublicKey, Size, Target, Version};
use keystead_protection::KeyError;
use keystead_store::{Kind, RowKey};
use std::fmt;
use std::str::FromStr;

/// Reads a page of the vault's inventory: names, attributes and what tells that a key is the same one, live keys first,
/// then deleted ones. This node signs it.
pub struct ReadInventory {
    /// Where it begins; none: at the beginning.
    pub after: Option<InventoryPlace>,
    /// Each key is used once and the result is proven, whatever its attributes say. For a rehearsal, which has a copy.
    pub trial: bool,
}
ask!(ReadInventory, ReadInventory, |c| Target::Vault);

/// A page of an inventory.
pub struct InventoryPage {
    /// The line of the file.
    pub line: String,
    /// What it says.
    pub page: Page,
    /// What did not work where it was tried: key, version, why.
    pub failed: Vec<(String, Version, String)>,
}

/// Where a page begins: behind a key, or behind a version inside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InventoryPlace {
    deleted: bool,
    tag: Option<[u8; 32]>,
    inside: Option<Version>,
}

/// Text that is no such place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadPlace;

/// Keys read at a time, versions of one key read at a time, and versions of a page, about.
const KEYS: u16 = 32;
const VERSIONS: u16 = 64;
const MOST: usize = 256;

impl Execute for ReadInventory {
    type Output = InventoryPage;
    no_approval!();

    async fn execute(permit: &Permit<Self>, room: &Room<'_>) -> Result<Effect<InventoryPage>, Refusal> {
        let ask = permit.ask();
        let mut gathered = Gathered { room, trial: ask.trial, objects: Vec::new(), versions: 0, failed: Vec::new() };
        let next = gathered.from(ask.after.unwrap_or(InventoryPlace::BEGIN)).await?;
        let Gathered { objects, failed, .. } = gathered;
        let (vault, key) = (room.vault(), room.vault().journal.node_key());
        let told = Told::of(copy::vault(room).await?);
        let page = Page {
            vault: vault.info().id.to_string(),
            domain: room.domain().to_string(),
            revision: room.revision().await?.0,
            checkpoint: room.checkpoint().await,
            taken: room.at.now.0,
            node: vault.node.to_string(),
            node_key: hex::encode(key.public()),
            after: ask.after.map(|place| place.to_string()),
            next: next.map(|place| place.to_string()),
            policy: Some(told.policy),
            settings: Some(told.settings),
            objects,
        };
        let text = page.to_text();
        let signature = key.sign(&Page::message(&text));
        let line = SignedPage { text, signature }.to_line();
        Ok(Effect::read(InventoryPage { line, page, failed }))
    }
}

/// One page on its way.
struct Gathered<'a, 'r> {
    room: &'a Room<'r>,
    trial: bool,
    objects: Vec<Object>,
    versions: usize,
    failed: Vec<(String, Version, String)>,
}

impl Gathered<'_, '_> {
    /// Fills the page; gives where the next one begins.
    async fn from(&mut self, mut at: InventoryPlace) -> Result<Option<InventoryPlace>, Refusal> {
        if let (Some(tag), Some(inside)) = (at.tag, at.inside) {
            let place = RowKey { kind: at.kind(), lookup: tag, version: None };
            if let Some(row) = self.room.row_at(place).await? {
                at.inside = self.object(&self.room.key_of(&row)?, Some(inside)).await?;
            }
            if at.inside.is_some() {
                return Ok(Some(at));
            }
        }
        loop {
            let keys = self.room.keys(at.kind(), at.tag, KEYS).await?;
            for key in &keys {
                (at.tag, at.inside) = (Some(key.tag), self.object(key, None).await?);
                if at.inside.is_some() || self.versions >= MOST {
                    return Ok(Some(at));
                }
            }
            match (keys.len() < usize::from(KEYS), at.deleted) {
                (false, _) => {}
                (true, false) => at = InventoryPlace { deleted: true, ..InventoryPlace::BEGIN },
                (true, true) => return Ok(None),
            }
        }
    }

    /// A key with the next of its versions; gives the last of them if there may be more.
    async fn object(&mut self, key: &Key, after: Option<Version>) -> Result<Option<Version>, Refusal> {
        let (versions, more) = self.room.versions(key, after, VERSIONS).await?;
        let mut said = Vec::with_capacity(versions.len());
        for version in &versions {
            said.push(self.version(version).await?);
        }
        self.versions = self.versions.saturating_add(versions.len()).saturating_add(1);
        let record = &key.record;
        self.objects.push(Object {
            name: record.name.clone(),
            newest: record.newest().to_string(),
            deleted: record.deletion.is_some(),
            rotation: record.rotation.as_ref().map(rotation),
            more: more.is_some(),
            versions: said,
        });
        Ok(more)
    }

    async fn version(&mut self, v: &KeyVersion) -> Result<inventory::Version, Refusal> {
        let record = &v.record;
        let hsm = record.level()? == ProtectionLevel::Hsm;
        let symmetric = record.public == PublicKey::Symmetric;
        let (mut resident, mut check) = (false, None);
        if hsm || symmetric || self.trial {
            let key = self.room.opened_version(v).await?;
            match key.check_value(&self.room.open().checks, v.version.as_bytes()) {
                Ok(value) => check = symmetric.then(|| value.iter().take(CHECK).map(|b| format!("{b:02x}")).collect()),
                Err(KeyError::Resident) => resident = true,
                Err(why) => return Err(why.into()),
            }
            if self.trial
                && let Err(why) = trial::used(self.room, &key, &record.public).await
            {
                self.failed.push((v.name.as_str().to_owned(), v.version, why));
            }
        }
        Ok(said(v.version, record, hsm, (resident, check)))
    }
}

/// Bytes of a check value.
const CHECK: usize = 16;

fn said(version: Version, v: &VersionRecord, hsm: bool, kept: (bool, Option<String>)) -> inventory::Version {
    let mut operations: Vec<String> = v.ops.iter().map(|op| op.wire().to_owned()).collect();
    operations.sort();
    let (resident, check) = kept;
    inventory::Version {
        version: version.to_string(),
        kty: format!("{}{}", v.spec.kty(), if hsm { "-HSM" } else { "" }),
        size: match v.spec.size() {
            Size::Curve(curve) => curve.wire().to_owned(),
            Size::Modulus(bits) | Size::Secret(bits) => bits.to_string(),
        },
        resident,
        thumbprint: thumbprint(&v.public),
        check,
        enabled: v.enabled,
        not_before: v.not_before,
        expires: v.expires,
        created: v.created,
        updated: v.updated,
        operations,
        tags: digest(&v.tags),
        exportable: v.exportable.unwrap_or(false),
        release: v.release.as_ref().map(digest),
    }
}

/// As RFC 7638 says.
fn thumbprint(public: &PublicKey) -> Option<String> {
    let encode = |number: &[u8]| URL_SAFE_NO_PAD.encode(number);
    let text = match public {
        PublicKey::Symmetric => return None,
        PublicKey::Ec { curve, x, y } => {
            format!(r#"{{"crv":"{}","kty":"EC","x":"{}","y":"{}"}}"#, curve.wire(), encode(x), encode(y))
        }
        PublicKey::Rsa { n, e } => format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, encode(e), encode(n)),
    };
    Some(encode(&sha256(&[text.as_bytes()])))
}

/// What a policy says, without who stored it: his issuer has another name in another vault.
fn rotation(record: &RotationRecord) -> String {
    digest(&RotationRecord { set_by: String::new(), at: 0, ..record.clone() })
}

fn digest<T: minicbor::Encode<()>>(of: &T) -> String {
    hex::encode(sha256(&[&minicbor::to_vec(of).unwrap_or_default()]))
}

impl InventoryPlace {
    const BEGIN: Self = Self { deleted: false, tag: None, inside: None };

    const fn kind(&self) -> Kind {
        if self.deleted { Kind::DeletedKey } else { Kind::Key }
    }
}

impl fmt::Display for InventoryPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.deleted { "d" } else { "l" })?;
        self.tag.map_or(Ok(()), |tag| write!(f, ".{}", hex::encode(tag)))?;
        self.inside.map_or(Ok(()), |version| write!(f, ".{version}"))
    }
}

impl FromStr for InventoryPlace {
    type Err = BadPlace;

    fn from_str(text: &str) -> Result<Self, BadPlace> {
        let mut parts = text.split('.');
        let deleted = match parts.next() {
            Some("l") => false,
            Some("d") => true,
            _ => return Err(BadPlace),
        };
        let tag = parts.next().map(|part| hex::decode(part).ok().and_then(|bytes| bytes.try_into().ok()));
        let inside = parts.next().map(|part| part.parse().map_err(|_| BadPlace)).transpose()?;
        let tag = tag.map(|tag| tag.ok_or(BadPlace)).transpose()?;
        let place = Self { deleted, tag, inside };
        if parts.next().is_none() && place.to_string() == text { Ok(place) } else { Err(BadPlace) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keystead_model::Curve;

    #[test]
    fn a_place_is_read_as_it_was_written_and_in_one_spelling() {
        for text in ["l", "d", &format!("l.{}", "0a".repeat(32)), &format!("d.{}.{}", "0a".repeat(32), "0b".repeat(16))]
        {
            assert_eq!(text.parse::<InventoryPlace>().map(|place| place.to_string()).as_deref(), Ok(text));
        }
        for bad in
            ["", "x", "l.", "l.0a", &format!("l.{}", "0A".repeat(32)), &format!("l.{}.", "0a".repeat(32)), "l..0b"]
        {
            assert_eq!(bad.parse::<InventoryPlace>(), Err(BadPlace), "{bad}");
        }
    }

    /// The example of RFC 7638, section 3.1.
    #[test]
    fn a_thumbprint_is_that_of_the_standard() {
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknj\
                 hMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6\
                 qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8a\
                 wapJzKnqDKgw";
        let public = PublicKey::Rsa { n: URL_SAFE_NO_PAD.decode(n).unwrap(), e: vec![1, 0, 1] };
        assert_eq!(thumbprint(&public).as_deref(), Some("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"));
        assert_eq!(thumbprint(&PublicKey::Symmetric), None);
        let ec = PublicKey::Ec { curve: Curve::P256, x: vec![1; 32], y: vec![2; 32] };
        assert_eq!(thumbprint(&ec).map(|text| text.len()), Some(43));
    }
}
