//! Signed notes (c2sp.org/signed-note) with Ed25519 keys, and verifier keys as text.
//!
//! A note is text, an empty line, and signature lines `— <key name> base64(key id | signature)`.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use keystead_crypto::{ed25519, sha256};

/// The longest note read, and the most signatures in one.
const MAX_NOTE: usize = 64 * 1024;
const MAX_SIGNATURES: usize = 100;
const MARK: &str = "\u{2014} ";
const ED25519: u8 = 1;

/// Text that is no verifier key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadVkey {
    /// Not `name+id+key`.
    #[error("a verifier key is <name>+<8 hex digits>+<base64 of 01 and the 32-byte Ed25519 key>")]
    Malformed,
    /// The id is not that of the name and key.
    #[error("the verifier key's id does not belong to its name and key: it was altered or cut")]
    WrongId,
}

/// Why a note was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadNote {
    /// Not the form of a signed note, or longer than 64 KiB.
    #[error("not a signed note: the file is damaged or something else")]
    Malformed,
    /// No signature by the key asked for.
    #[error("not signed by this key: it was signed by another node, or the verifier key is another log's")]
    NotSigned,
    /// A signature that claims to be by the key, and is not.
    #[error("the signature does not belong to the text: one of them was altered")]
    BadSignature,
}

/// The public half of a log's signing key, with the name of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    public: [u8; 32],
}

impl VerifierKey {
    /// The key of the log with this origin. A node signs all its logs with one key, under different names.
    pub fn new(origin: &str, public: [u8; 32]) -> Self {
        Self { name: origin.to_owned(), public }
    }

    /// From the text that [`fmt::Display`] writes, white space at its end aside.
    pub fn parse(text: &str) -> Result<Self, BadVkey> {
        let text = text.trim_end_matches(['\n', '\r', ' ']);
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(BadVkey::Malformed);
        };
        let key = STANDARD.decode(key).map_err(|_| BadVkey::Malformed)?;
        let Some((&[ED25519], public)) = key.split_first_chunk::<1>() else { return Err(BadVkey::Malformed) };
        let public = public.try_into().map_err(|_| BadVkey::Malformed)?;
        if !valid_name(name) || id.len() != 8 || !id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return Err(BadVkey::Malformed);
        }
        let key = Self { name: name.to_owned(), public };
        if hex::encode(key.id()) == id { Ok(key) } else { Err(BadVkey::WrongId) }
    }

    /// The same key under the name of another log of the node.
    #[must_use]
    pub fn renamed(&self, origin: &str) -> Self {
        Self::new(origin, self.public)
    }

    /// The log's origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The Ed25519 public key.
    pub fn public(&self) -> &[u8; 32] {
        &self.public
    }

    /// The first 4 bytes of SHA-256(name | 0x0A | 0x01 | public key).
    pub fn id(&self) -> [u8; 4] {
        let hash = sha256(&[self.name.as_bytes(), b"\n", &[ED25519], &self.public]);
        hash.first_chunk().copied().unwrap_or_default()
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![ED25519];
        key.extend_from_slice(&self.public);
        write!(f, "{}+{}+{}", self.name, hex::encode(self.id()), STANDARD.encode(key))
    }
}

/// The note of `text`, which ends with a newline, signed under the log's name.
pub fn sign(text: &str, name: &str, key: &ed25519::SigningKey) -> String {
    let mut signature = VerifierKey::new(name, key.public()).id().to_vec();
    signature.extend_from_slice(&key.sign(text.as_bytes()));
    format!("{text}\n{MARK}{name} {}\n", STANDARD.encode(signature))
}

/// The text of a note that `key` signed. Signatures by other keys are not looked at; each one by `key` must hold.
pub fn open<'a>(note: &'a [u8], key: &VerifierKey) -> Result<&'a str, BadNote> {
    let (text, lines) = split(note)?;
    let mut signed = false;
    for line in lines {
        let (name, id, signature) = parse_signature(line).ok_or(BadNote::Malformed)?;
        if name != key.name || id != key.id() {
            continue;
        }
        let signature: [u8; 64] = signature.try_into().map_err(|_| BadNote::BadSignature)?;
        if !ed25519::verify(&key.public, text.as_bytes(), &signature) {
            return Err(BadNote::BadSignature);
        }
        signed = true;
    }
    if signed { Ok(text) } else { Err(BadNote::NotSigned) }
}

/// The text of a note and its signature lines, whoever signed it: nothing is proven yet.
pub fn split(note: &[u8]) -> Result<(&str, Vec<&str>), BadNote> {
    let note = std::str::from_utf8(note).map_err(|_| BadNote::Malformed)?;
    let control = |c: char| c < ' ' && c != '\n';
    if note.len() > MAX_NOTE || note.contains(control) {
        return Err(BadNote::Malformed);
    }
    let cut = note.rfind("\n\n").ok_or(BadNote::Malformed)?;
    let (text, rest) = note.split_at_checked(cut.saturating_add(1)).ok_or(BadNote::Malformed)?;
    let signatures = rest.strip_prefix('\n').and_then(|s| s.strip_suffix('\n')).ok_or(BadNote::Malformed)?;
    let lines: Vec<&str> = signatures.split('\n').collect();
    if lines.len() > MAX_SIGNATURES || lines.iter().any(|l| parse_signature(l).is_none()) {
        return Err(BadNote::Malformed);
    }
    Ok((text, lines))
}

/// The key name, key id and signature of one line.
fn parse_signature(line: &str) -> Option<(&str, [u8; 4], Vec<u8>)> {
    let (name, data) = line.strip_prefix(MARK)?.split_once(' ')?;
    let data = STANDARD.decode(data).ok()?;
    let (id, signature) = data.split_first_chunk::<4>()?;
    (valid_name(name) && !signature.is_empty()).then(|| (name, *id, signature.to_vec()))
}

fn valid_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "keystead/a/b/c";

    fn key() -> ed25519::SigningKey {
        ed25519::SigningKey::from_seed(&[5; 32])
    }

    fn vkey() -> VerifierKey {
        VerifierKey::new(NAME, key().public())
    }

    #[test]
    fn a_verifier_key_parses_as_it_prints() {
        assert_eq!(VerifierKey::parse(&vkey().to_string()), Ok(vkey()));
        assert_eq!(VerifierKey::parse(&format!("{}\n", vkey())), Ok(vkey()));
    }

    #[test]
    fn an_altered_verifier_key_is_refused() {
        let text = vkey().to_string();
        for at in 0..text.len() {
            let mut other = text.clone().into_bytes();
            other[at] ^= 1;
            assert!(String::from_utf8(other).map_or(true, |t| VerifierKey::parse(&t).is_err()), "byte {at}");
        }
    }

    #[test]
    fn a_note_opens_with_its_key_and_with_no_other() {
        let note = sign("one\n\ntwo\n", NAME, &key());
        assert_eq!(open(note.as_bytes(), &vkey()), Ok("one\n\ntwo\n"));
        assert_eq!(open(note.as_bytes(), &vkey().renamed("keystead/x")), Err(BadNote::NotSigned));
        let other = ed25519::SigningKey::from_seed(&[6; 32]);
        assert_eq!(open(note.as_bytes(), &VerifierKey::new(NAME, other.public())), Err(BadNote::NotSigned));
    }

    #[test]
    fn a_cosignature_by_an_unknown_key_is_no_obstacle() {
        let note = sign("text\n", NAME, &key());
        let cosigned = sign("text\n", "witness", &ed25519::SigningKey::from_seed(&[6; 32]));
        let (_, line) = cosigned.split_once("\n\n").unwrap();
        assert_eq!(open(format!("{note}{line}").as_bytes(), &vkey()), Ok("text\n"));
    }

    #[test]
    fn one_flipped_bit_anywhere_is_found() {
        let note = sign("one\ntwo\n", NAME, &key()).into_bytes();
        for at in 0..note.len() {
            for bit in 0..8 {
                let mut other = note.clone();
                other[at] ^= 1 << bit;
                assert!(open(&other, &vkey()).is_err(), "bit {bit} of byte {at}");
            }
        }
    }
}
