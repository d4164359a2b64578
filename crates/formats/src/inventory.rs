//! The inventory of a vault: what a rehearsal holds a restored vault against. A file of lines, one page each:
//!
//! ```text
//! {"keystead_inventory": 2, "page": text of JSON, "signature": hex}
//! ```
//!
//! Version 1 says nothing of the policy and the settings.
//!
//! The signature (Ed25519) is the node's, over a label and the page's text as it stands. Each page says where it begins
//! and where the next one does, so pages of one vault fit together in one way only, and one that is missing shows. It
//! holds the names of all keys and no material: as confidential as the list of the keys. Behind the last page there may
//! be a proof of how the log goes on ([`crate::log_proof`]).

use serde::{Deserialize, Serialize};

/// One page, as its node says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// The vault's id, hex.
    pub vault: String,
    /// The id of its security domain, hex.
    pub domain: String,
    /// The vault's revision when the page was made.
    pub revision: u64,
    /// The newest checkpoint of its log then, a signed note.
    pub checkpoint: String,
    /// When it was made, ms since the epoch.
    pub taken: i64,
    /// The node that says so, hex.
    pub node: String,
    /// The public half of its key, hex.
    pub node_key: String,
    /// Where it begins; none: at the beginning.
    pub after: Option<String>,
    /// Where the next one begins; none: this is the last.
    pub next: Option<String>,
    /// SHA-256 of the vault's policy, hex, in which its own issuer has no name: in another vault it has another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// SHA-256 of what was settled when the vault was made (kind, retention, purge protection), hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<String>,
    /// What is there.
    pub objects: Vec<Object>,
}

/// A key, or more versions of the one before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Object {
    /// Its name.
    pub name: String,
    /// Its newest version, hex.
    pub newest: String,
    /// Whether it is deleted.
    pub deleted: bool,
    /// SHA-256 of its rotation policy, hex, if it has one.
    pub rotation: Option<String>,
    /// Whether more versions of it are in the next object.
    pub more: bool,
    /// Its versions: `kid` is `https://AUTHORITY/keys/NAME/VERSION`.
    pub versions: Vec<Version>,
}

/// A version of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// Which, hex.
    pub version: String,
    /// What kind of key: `EC`, `RSA`, `oct`, with `-HSM` if it is an HSM's.
    pub kty: String,
    /// Curve, or size in bits.
    pub size: String,
    /// Whether it is resident in a token: in no backup.
    pub resident: bool,
    /// RFC 7638 thumbprint of the public half, base64url; symmetric keys have none.
    pub thumbprint: Option<String>,
    /// Key check value of a symmetric key, hex: an authentication code of its material under a key of the domain.
    pub check: Option<String>,
    /// Usable at all.
    pub enabled: bool,
    /// `nbf`, ms since the epoch.
    pub not_before: Option<i64>,
    /// `exp`.
    pub expires: Option<i64>,
    /// When it was made.
    pub created: i64,
    /// When its attributes last changed.
    pub updated: i64,
    /// What it may be used for, sorted.
    pub operations: Vec<String>,
    /// SHA-256 of its tags, hex.
    pub tags: String,
    /// Whether it may be released.
    pub exportable: bool,
    /// SHA-256 of its release policy, hex, if it has one.
    pub release: Option<String>,
}

/// A page with its signature, which is not proven here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedPage {
    /// The page's text.
    pub text: String,
    /// Of the node that it names.
    pub signature: [u8; 64],
}

/// Why a line is no page of an inventory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadInventory {
    /// Over the bound.
    #[error("a page of an inventory has at most 8 MiB")]
    TooLarge,
    /// Not of the form.
    #[error("this is not an inventory: give the file as `keystead backup inventory` wrote it")]
    NotOne,
    /// Of a later release.
    #[error("the inventory has another version than 1 or 2: use the release that wrote it")]
    Version,
}

/// Longest line, in bytes.
pub const MAX_PAGE: usize = 8 << 20;
const VERSION: u32 = 2;
const FIRST: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    keystead_inventory: u32,
    page: String,
    signature: String,
}

impl Page {
    /// The text that is signed.
    pub fn to_text(&self) -> String {
        // Strings, numbers and lists always serialize.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What is signed: a label and the text.
    pub fn message(text: &str) -> Vec<u8> {
        [b"keystead inventory 1".as_slice(), text.as_bytes()].concat()
    }
}

impl SignedPage {
    /// The line, without its end.
    pub fn to_line(&self) -> String {
        let signature = self.signature.iter().map(|byte| format!("{byte:02x}")).collect();
        let line = Line { keystead_inventory: VERSION, page: self.text.clone(), signature };
        serde_json::to_string(&line).unwrap_or_default()
    }

    /// Reads a line, and what its page says.
    pub fn parse(line: &[u8]) -> Result<(Self, Page), BadInventory> {
        if line.len() > MAX_PAGE {
            return Err(BadInventory::TooLarge);
        }
        let line: Line = serde_json::from_slice(line).map_err(|_| BadInventory::NotOne)?;
        if !(FIRST..=VERSION).contains(&line.keystead_inventory) {
            return Err(BadInventory::Version);
        }
        let signature = hex(&line.signature).ok_or(BadInventory::NotOne)?;
        let page: Page = serde_json::from_str(&line.page).map_err(|_| BadInventory::NotOne)?;
        let told = (page.policy.is_some(), page.settings.is_some());
        if told != (line.keystead_inventory > FIRST, line.keystead_inventory > FIRST) {
            return Err(BadInventory::NotOne);
        }
        Ok((Self { text: line.page, signature }, page))
    }
}

/// So many bytes in hexadecimal digits.
pub(crate) fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let byte = |[high, low]: &[u8; 2]| Some(digit(*high)? << 4 | digit(*low)?);
    let bytes: Option<Vec<u8>> = pairs.iter().map(byte).collect();
    bytes?.try_into().ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn page() -> Page {
        let version = |n: u8, kty: &str| Version {
            version: format!("{n:02x}").repeat(16),
            kty: kty.to_owned(),
            size: if kty == "EC" { "P-256" } else { "256" }.to_owned(),
            resident: false,
            thumbprint: (kty == "EC").then(|| "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs".to_owned()),
            check: (kty == "oct").then(|| "0a".repeat(16)),
            enabled: true,
            not_before: None,
            expires: Some(1_900_000_000_000),
            created: 1_800_000_000_000,
            updated: 1_800_000_000_001,
            operations: vec!["sign".to_owned(), "verify".to_owned()],
            tags: "0b".repeat(32),
            exportable: false,
            release: None,
        };
        let object = |name: &str, kty, deleted| Object {
            name: name.to_owned(),
            newest: "02".repeat(16),
            deleted,
            rotation: deleted.then(|| "0c".repeat(32)),
            more: false,
            versions: vec![version(1, kty), version(2, kty)],
        };
        Page {
            vault: "01".repeat(16),
            domain: "02".repeat(16),
            revision: 7,
            checkpoint: "origin\n5\nroot\n".to_owned(),
            taken: 1_800_000_000_002,
            node: "03".repeat(16),
            node_key: "04".repeat(32),
            after: None,
            next: Some("l.05".to_owned()),
            policy: Some("0d".repeat(32)),
            settings: Some("0e".repeat(32)),
            objects: vec![object("payments", "EC", false), object("old", "oct", true)],
        }
    }

    fn signed() -> SignedPage {
        SignedPage { text: page().to_text(), signature: [0xa5; 64] }
    }

    #[test]
    fn the_golden_page_is_read_and_written_as_it_stands() {
        let golden = include_str!("../tests/golden/inventory-v2.json").trim_end();
        let (read, said) = SignedPage::parse(golden.as_bytes()).unwrap();
        assert_eq!((read, said), (signed(), page()));
        assert_eq!(signed().to_line(), golden);
    }

    #[test]
    fn the_golden_page_of_the_first_version_is_read() {
        let golden = include_str!("../tests/golden/inventory-v1.json").trim_end();
        let (read, said) = SignedPage::parse(golden.as_bytes()).unwrap();
        assert_eq!(said, Page { policy: None, settings: None, ..page() });
        assert_eq!(read.text, said.to_text(), "as it was signed");
    }

    #[test]
    fn what_is_no_page_is_refused_by_name() {
        let line = signed().to_line();
        for (from, to, why) in [
            ("inventory\":2", "inventory\":3", BadInventory::Version),
            ("inventory\":2", "inventory\":0", BadInventory::Version),
            ("inventory\":2", "inventory\":1", BadInventory::NotOne),
            ("\\\"policy\\\":\\\"0d", "\\\"policies\\\":\\\"0d", BadInventory::NotOne),
            ("\"signature\":\"a5", "\"signature\":\"", BadInventory::NotOne),
            ("\"signature\":\"a5", "\"signature\":\"g5", BadInventory::NotOne),
            ("\\\"revision\\\"", "\\\"revisions\\\"", BadInventory::NotOne),
            ("{", "[", BadInventory::NotOne),
        ] {
            assert_eq!(SignedPage::parse(line.replacen(from, to, 1).as_bytes()).err(), Some(why), "{to}");
        }
        assert_eq!(SignedPage::parse(&vec![b' '; MAX_PAGE + 1]).err(), Some(BadInventory::TooLarge));
    }
}
