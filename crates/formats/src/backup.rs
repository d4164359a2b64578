//! A backup of a whole vault: a header, and frames that are read one after the other.
//!
//! ```text
//! "KSVAULT" | format 1 byte (1) | length 4 bytes, big-endian | header: CBOR map
//! then frames: 0 or 1 (the last) 1 byte | length 4 bytes, big-endian | sealed frame
//! ```
//!
//! The header shows whose backup it is and when it was begun, nothing of what is in it. Nothing that stands here is
//! proven: opening the key and the frames proves it. After the last frame there is nothing.

use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Encode};

/// What a header says.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Said {
    /// The backup's own id.
    #[n(0)]
    pub id: ByteArray<16>,
    /// The security domain that opens it.
    #[n(1)]
    pub domain: ByteArray<16>,
    /// The vault it was taken of.
    #[n(2)]
    pub vault: ByteArray<16>,
    /// The vault's revision when it was begun.
    #[n(3)]
    pub revision: u64,
    /// The newest checkpoint of the vault's log then, a signed note.
    #[n(4)]
    pub checkpoint: String,
    /// When it was begun, ms since the epoch.
    #[n(5)]
    pub taken: i64,
    /// What people know the domain by. Backups of before do not say it.
    #[n(6)]
    pub domain_id: Option<ByteArray<8>>,
}

/// The header.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Header {
    /// [`Said`], as the key is bound to it.
    #[n(0)]
    pub said: ByteVec,
    /// The key, sealed to the domain's public key.
    #[n(1)]
    pub sealed_key: ByteVec,
    /// The key, sealed under the blob key of the domain.
    #[n(2)]
    pub wrapped_key: ByteVec,
}

/// Why bytes are no backup that this release reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadHeader {
    /// Something else.
    #[error("this is not a backup of a vault")]
    NotABackup,
    /// Written by a later release.
    #[error("the backup has format {found}, and this release reads format 1")]
    NewerFormat {
        /// The format it names.
        found: u8,
    },
}

const MAGIC: &[u8; 7] = b"KSVAULT";
const FORMAT: u8 = 1;
const PREFIX: usize = 12;
/// Most bytes of a header behind its prefix.
const MAX_HEADER: usize = 16 << 10;
/// So many bytes from the start always hold the whole header.
pub const MAX_START: usize = PREFIX + MAX_HEADER;
/// Most bytes of a sealed frame.
pub const MAX_FRAME: usize = 16 << 20;
/// Bytes before each sealed frame.
pub const FRAME_HEAD: usize = 5;

impl Header {
    /// What the header says; none if that is nothing this release reads.
    pub fn said(&self) -> Option<Said> {
        minicbor::decode(&self.said).ok()
    }

    /// The start of the file, with its prefix.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Writing into memory cannot fail, and the header is small.
        let body = minicbor::to_vec(self).unwrap_or_default();
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        [MAGIC.as_slice(), &[FORMAT], &length.to_be_bytes(), &body].concat()
    }

    /// Reads the start of a file; gives the header, and how many bytes it has with its prefix.
    pub fn parse(start: &[u8]) -> Result<(Self, usize), BadHeader> {
        let rest = start.strip_prefix(MAGIC).ok_or(BadHeader::NotABackup)?;
        let (format, rest) = rest.split_first().ok_or(BadHeader::NotABackup)?;
        if *format != FORMAT {
            return Err(BadHeader::NewerFormat { found: *format });
        }
        let (length, rest) = rest.split_first_chunk().ok_or(BadHeader::NotABackup)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let body = rest.get(..length).filter(|_| length <= MAX_HEADER).ok_or(BadHeader::NotABackup)?;
        let header: Self = minicbor::decode(body).map_err(|_| BadHeader::NotABackup)?;
        header.said().ok_or(BadHeader::NotABackup)?;
        Ok((header, PREFIX.saturating_add(length)))
    }
}

impl Said {
    /// What people know its domain by; of a backup of before, the id in it.
    pub fn domain_name(&self) -> String {
        let bytes = self.domain_id.as_ref().map_or(self.domain.as_slice(), |id| id.as_slice());
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// As it stands in a header.
    pub fn to_bytes(&self) -> Vec<u8> {
        minicbor::to_vec(self).unwrap_or_default()
    }
}

/// What stands at some place behind the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A whole sealed frame.
    Frame {
        /// Whether it says that it is the last.
        last: bool,
        /// The sealed frame.
        sealed: &'a [u8],
    },
    /// So many bytes are needed from here.
    Needs(usize),
    /// No frame begins like this.
    Bad,
}

/// A frame as it is written.
pub fn frame(last: bool, sealed: &[u8]) -> Vec<u8> {
    let length = u32::try_from(sealed.len()).unwrap_or(u32::MAX);
    [&[u8::from(last)], length.to_be_bytes().as_slice(), sealed].concat()
}

/// Reads what begins here.
pub fn piece(bytes: &[u8]) -> Piece<'_> {
    let Some((head, rest)) = bytes.split_first_chunk::<FRAME_HEAD>() else { return Piece::Needs(FRAME_HEAD) };
    let [last @ (0 | 1), length @ ..] = *head else { return Piece::Bad };
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > MAX_FRAME {
        return Piece::Bad;
    }
    match rest.get(..length) {
        Some(sealed) => Piece::Frame { last: last == 1, sealed },
        None => Piece::Needs(FRAME_HEAD.saturating_add(length)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        let said = Said {
            id: [1; 16].into(),
            domain: [2; 16].into(),
            vault: [3; 16].into(),
            revision: 4,
            checkpoint: "origin\n5\nroot\n".to_owned(),
            taken: 6,
            domain_id: None,
        };
        Header { said: said.to_bytes().into(), sealed_key: vec![7; 81].into(), wrapped_key: vec![8; 289].into() }
    }

    #[test]
    fn a_backup_is_called_by_its_domains_id_and_one_of_before_by_the_one_in_it() {
        let before = header().said().unwrap();
        assert_eq!(before.domain_name(), "02".repeat(16));
        let said = Said { domain_id: Some([9; 8].into()), ..before.clone() };
        let again: Said = minicbor::decode(&said.to_bytes()).unwrap();
        assert_eq!((again.domain_name(), &again), ("09".repeat(8), &said));
        assert_eq!(minicbor::decode::<Said>(&before.to_bytes()).unwrap().domain_id, None);
    }

    #[test]
    fn what_is_written_is_read_again_whatever_follows() {
        let bytes = header().to_bytes();
        let whole = [bytes.as_slice(), &frame(false, b"one"), &frame(true, b"two")].concat();
        assert_eq!(Header::parse(&whole), Ok((header(), bytes.len())));
        let rest = &whole[bytes.len()..];
        assert_eq!(piece(rest), Piece::Frame { last: false, sealed: b"one" });
        assert_eq!(piece(&rest[8..]), Piece::Frame { last: true, sealed: b"two" });
        assert_eq!((piece(&rest[..4]), piece(&rest[..7])), (Piece::Needs(5), Piece::Needs(8)));
        assert_eq!(piece(&rest[16..]), Piece::Needs(5));
    }

    #[test]
    fn what_is_no_backup_is_refused_by_name() {
        let bytes = header().to_bytes();
        for length in 0..bytes.len() {
            assert_eq!(Header::parse(&bytes[..length]), Err(BadHeader::NotABackup), "{length}");
        }
        let mut newer = bytes.clone();
        newer[7] = 2;
        assert_eq!(Header::parse(&newer), Err(BadHeader::NewerFormat { found: 2 }));
        let mut long = bytes;
        long[8] = 1;
        assert_eq!(Header::parse(&long), Err(BadHeader::NotABackup));
        assert_eq!((piece(&[2, 0, 0, 0, 0]), piece(&[0, 255, 0, 0, 0])), (Piece::Bad, Piece::Bad));
    }

    /// The layout outlives this release.
    #[test]
    fn the_layout_is_this_for_ever() {
        let golden = include_str!("../tests/golden/backup_header.hex").trim();
        assert_eq!(hex(&header().to_bytes()), golden);
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }
}
