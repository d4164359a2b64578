//! Tiles (c2sp.org/tlog-tiles): a tile of level L holds up to 256 hashes of complete subtrees of 256^L entries; an
//! entry bundle holds up to 256 entries, each with a big-endian 16-bit length.

use std::fmt;
use std::str::FromStr;

use super::Hash;

/// Hashes in a full tile, and entries in a full bundle.
pub const WIDTH: u16 = 256;

/// The highest level a tree of 64-bit size can have.
pub const TOP_LEVEL: u8 = 7;

const ENTRY_LEN: u16 = 32;

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TileKind {
    /// The entries themselves.
    Entries,
    /// Hashes of complete subtrees of 256^level entries. Level 0 to [`TOP_LEVEL`].
    Hashes(u8),
}

impl TileKind {
    /// Items of this kind that a tree of `size` entries has: entries, or complete subtrees.
    pub fn items(self, size: u64) -> u64 {
        match self {
            Self::Entries => size,
            Self::Hashes(level) => size.checked_shr(u32::from(level).saturating_mul(8)).unwrap_or(0),
        }
    }

    /// Full tiles of this kind in a tree of `size` entries, which is also the index of the unfinished one.
    pub fn full_tiles(self, size: u64) -> u64 {
        self.items(size) / 256
    }

    /// The entries, and the hashes of every level a tree can have.
    pub fn all() -> impl Iterator<Item = Self> {
        std::iter::once(Self::Entries).chain((0..=TOP_LEVEL).map(Self::Hashes))
    }
}

/// A text that is no path of a tile, or a tile whose bytes are not those of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadTile {
    /// Not `tile/<level or "entries">/<index>[.p/<width>]` as C2SP writes it.
    #[error("not the path of a tile: ask for tile/<level>/<index> or tile/entries/<index>, with .p/<width> if partial")]
    Path,
    /// The bytes are not 1 to 256 items of the kind.
    #[error("not 1 to 256 whole items: the tile is damaged, fetch it again")]
    Bytes,
}

/// Where one tile stands: `tile/<level>/<index>[.p/<width>]` or `tile/entries/<index>[.p/<width>]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TilePath {
    kind: TileKind,
    index: u64,
    width: u16,
}

impl TilePath {
    /// A full tile.
    pub const fn full(kind: TileKind, index: u64) -> Self {
        Self { kind, index, width: WIDTH }
    }

    /// The tile at `index` as it stands in a tree of `size` entries: full, partial, or none if the tree ends before.
    pub fn at_size(kind: TileKind, index: u64, size: u64) -> Option<Self> {
        let before = index.checked_mul(u64::from(WIDTH))?;
        let width = kind.items(size).checked_sub(before)?.min(u64::from(WIDTH));
        let width = u16::try_from(width).ok().filter(|w| *w > 0)?;
        Some(Self { kind, index, width })
    }

    /// What it holds.
    pub const fn kind(&self) -> TileKind {
        self.kind
    }

    /// Its place in its level, from 0.
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// Its items: 256 for a full tile.
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// Whether nothing can be added to it any more.
    pub const fn is_full(&self) -> bool {
        self.width == WIDTH
    }

    /// The same tile when full.
    #[must_use]
    pub const fn to_full(self) -> Self {
        Self::full(self.kind, self.index)
    }

    /// The directory of the partial tiles at this place.
    pub fn partials(&self) -> String {
        format!("{}.p", self.to_full())
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Entries => f.write_str("tile/entries/")?,
            TileKind::Hashes(level) => write!(f, "tile/{level}/")?,
        }
        let digits = self.index.to_string();
        let digits = format!("{digits:0>width$}", width = digits.len().div_ceil(3).saturating_mul(3));
        let groups = digits.len() / 3;
        for (i, group) in digits.as_bytes().chunks(3).enumerate() {
            let last = i.saturating_add(1) == groups;
            write!(
                f,
                "{}{}{}",
                if last { "" } else { "x" },
                String::from_utf8_lossy(group),
                if last { "" } else { "/" }
            )?;
        }
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

impl FromStr for TilePath {
    type Err = BadTile;

    fn from_str(text: &str) -> Result<Self, BadTile> {
        parse_path(text).filter(|path| path.to_string() == text).ok_or(BadTile::Path)
    }
}

fn parse_path(text: &str) -> Option<TilePath> {
    let (kind, rest) = text.strip_prefix("tile/")?.split_once('/')?;
    let kind = match kind {
        "entries" => TileKind::Entries,
        level => TileKind::Hashes(level.parse().ok().filter(|l| *l <= TOP_LEVEL)?),
    };
    let (place, width) = match rest.split_once(".p/") {
        Some((place, width)) => (place, width.parse().ok().filter(|w| (1..WIDTH).contains(w))?),
        None => (rest, WIDTH),
    };
    let mut index = 0_u64;
    for group in place.split('/') {
        let digits = group.strip_prefix('x').unwrap_or(group);
        let number: u64 = digits.parse().ok().filter(|_| digits.len() == 3)?;
        index = index.checked_mul(1000)?.checked_add(number)?;
    }
    // What is written twice (signs, missing or surplus x) is caught by printing it again.
    Some(TilePath { kind, index, width })
}

/// The hashes of a hash tile.
pub fn parse_hashes(bytes: &[u8]) -> Result<Vec<Hash>, BadTile> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    if hashes.is_empty() || !rest.is_empty() || hashes.len() > usize::from(WIDTH) {
        return Err(BadTile::Bytes);
    }
    Ok(hashes.to_vec())
}

/// The bytes of a hash tile.
pub fn encode_hashes(hashes: &[Hash]) -> Vec<u8> {
    hashes.concat()
}

/// The entries of a bundle. Ours are 32 bytes each; any other length is refused.
pub fn parse_entries(bytes: &[u8]) -> Result<Vec<Hash>, BadTile> {
    let (items, rest) = bytes.as_chunks::<34>();
    if items.is_empty() || !rest.is_empty() || items.len() > usize::from(WIDTH) {
        return Err(BadTile::Bytes);
    }
    let entry = |item: &[u8; 34]| match item.split_first_chunk::<2>() {
        Some((len, entry)) if *len == ENTRY_LEN.to_be_bytes() => Hash::try_from(entry).map_err(|_| BadTile::Bytes),
        _ => Err(BadTile::Bytes),
    };
    items.iter().map(entry).collect()
}

/// The bytes of an entry bundle.
pub fn encode_entries(entries: &[Hash]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(entries.len().saturating_mul(34));
    for entry in entries {
        bytes.extend_from_slice(&ENTRY_LEN.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    bytes
}

/// The bytes of a tile of this kind that holds these items.
pub(crate) fn encode(kind: TileKind, items: &[Hash]) -> Vec<u8> {
    match kind {
        TileKind::Entries => encode_entries(items),
        TileKind::Hashes(_) => encode_hashes(items),
    }
}

/// The items of a tile of this kind.
pub(crate) fn parse(kind: TileKind, bytes: &[u8]) -> Result<Vec<Hash>, BadTile> {
    match kind {
        TileKind::Entries => parse_entries(bytes),
        TileKind::Hashes(_) => parse_hashes(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_are_written_as_c2sp_writes_them() {
        let path = |kind, index, width| TilePath { kind, index, width }.to_string();
        assert_eq!(path(TileKind::Hashes(0), 0, 256), "tile/0/000");
        assert_eq!(path(TileKind::Hashes(1), 999, 256), "tile/1/999");
        assert_eq!(path(TileKind::Hashes(0), 1000, 3), "tile/0/x001/000.p/3");
        assert_eq!(path(TileKind::Entries, 1_234_067, 256), "tile/entries/x001/x234/067");
        assert_eq!(path(TileKind::Entries, 1_234_067, 255), "tile/entries/x001/x234/067.p/255");
    }

    #[test]
    fn any_other_way_to_write_a_path_is_refused() {
        for text in [
            "tile/0/0",
            "tile/00/000",
            "tile/8/000",
            "tile/+1/000",
            "tile/0/+00",
            "tile/0/x000",
            "tile/0/x000/000",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/0/000.p",
            "tile/0/001/000",
            "tile/data/000",
            "tile/0/../000",
            "tile/0/",
            "tile/0/000/",
            "/tile/0/000",
            "tile/0/x18/x446/x744/x073/x709/x551/616",
            "tile/0/x018/x446/x744/x073/x709/x551/616",
        ] {
            assert_eq!(text.parse::<TilePath>(), Err(BadTile::Path), "{text}");
        }
    }

    #[test]
    fn a_tile_is_as_wide_as_the_tree_makes_it() {
        let width = |kind, index, size| TilePath::at_size(kind, index, size).map(|t| t.width());
        assert_eq!(width(TileKind::Hashes(0), 0, 0), None);
        assert_eq!(width(TileKind::Entries, 0, 255), Some(255));
        assert_eq!(width(TileKind::Hashes(0), 1, 256), None);
        assert_eq!(width(TileKind::Hashes(1), 0, 255), None);
        assert_eq!(width(TileKind::Hashes(1), 0, 70_000), Some(256));
        assert_eq!(width(TileKind::Hashes(1), 1, 70_000), Some(17));
        assert_eq!(width(TileKind::Hashes(2), 0, 70_000), Some(1));
        assert_eq!(width(TileKind::Hashes(0), u64::MAX, u64::MAX), None);
    }

    #[test]
    fn a_bundle_or_tile_that_is_not_whole_is_refused() {
        let bundle = encode_entries(&[[1; 32]; 256]);
        assert_eq!(parse_entries(&bundle).map(|e| e.len()), Ok(256));
        assert_eq!(parse_entries(&[]), Err(BadTile::Bytes));
        assert_eq!(parse_entries(&bundle[1..]), Err(BadTile::Bytes));
        assert_eq!(parse_entries(&encode_entries(&[[1; 32]; 257])), Err(BadTile::Bytes));
        let mut other = bundle.clone();
        other[34] = 1;
        assert_eq!(parse_entries(&other), Err(BadTile::Bytes));
        assert_eq!(parse_hashes(&[0; 33]), Err(BadTile::Bytes));
        assert_eq!(parse_hashes(&[]), Err(BadTile::Bytes));
        assert_eq!(parse_hashes(&[0; 257 * 32]), Err(BadTile::Bytes));
    }

    proptest! {
        #[test]
        fn a_path_parses_as_it_prints(level in 0_u8..=8, index: u64, width in 1_u16..=256) {
            let kind = if level > TOP_LEVEL { TileKind::Entries } else { TileKind::Hashes(level) };
            let path = TilePath { kind, index, width };
            prop_assert_eq!(path.to_string().parse(), Ok(path));
        }

        #[test]
        fn items_parse_as_they_were_encoded(items in prop::collection::vec(any::<Hash>(), 1..256)) {
            prop_assert_eq!(parse_entries(&encode_entries(&items)), Ok(items.clone()));
            prop_assert_eq!(parse_hashes(&encode_hashes(&items)), Ok(items));
        }
    }
}
