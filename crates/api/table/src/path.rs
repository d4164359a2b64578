//! Paths as clients really send them, and the patterns of a table.
//!
//! Empty segments are dropped (`/keys/a//sign`, trailing slashes), each segment is percent-decoded after the split, and
//! literal segments are compared without regard to case. A first segment that begins with an encoded slash is a scope
//! that a client has encoded as a whole (`/%2Fkeys%2Fa/providers/...`): it is split. Nothing is ever redirected.

use percent_encoding::percent_decode_str;
use std::borrow::Cow;

/// Most segments a path may have: a tile of the largest log has 12.
const MAX_SEGMENTS: usize = 24;

/// The non-empty segments of a path, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segments<'a>(Vec<Cow<'a, str>>);

impl<'a> Segments<'a> {
    /// Splits and decodes. `None` if a segment is not UTF-8 after decoding or there are more than 24: such a path
    /// names nothing.
    pub fn parse(path: &'a str) -> Option<Self> {
        let mut segments = Vec::with_capacity(6);
        for raw in path.split('/').filter(|s| !s.is_empty()) {
            let segment = if raw.contains('%') { percent_decode_str(raw).decode_utf8().ok()? } else { raw.into() };
            if segments.is_empty() && segment.starts_with('/') {
                segments.extend(segment.split('/').filter(|s| !s.is_empty()).map(|s| Cow::Owned(s.to_owned())));
            } else {
                segments.push(segment);
            }
            if segments.len() > MAX_SEGMENTS {
                return None;
            }
        }
        Some(Self(segments))
    }

    /// No segments: the path of what could not be split.
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// From the left, counted from 0.
    pub fn get(&self, at: usize) -> Option<&str> {
        self.0.get(at).map(|s| &**s)
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the path is `/`.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// From left to right.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|s| &**s)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Literal(&'static str),
    Parameter(&'static str),
    Optional(&'static str),
    Rest(&'static str),
}

/// What a route answers to: `/keys/{name}/{version?}/sign`.
///
/// A piece is a literal, a parameter `{name}`, a parameter that may be absent `{version?}` (at most one), or all that
/// is left `{path*}` (last, one segment or more).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: &'static str,
    pieces: Vec<Piece>,
}

impl Pattern {
    /// From the text of a table.
    pub fn new(text: &'static str) -> Self {
        Self { text, pieces: text.split('/').filter(|s| !s.is_empty()).map(piece).collect() }
    }

    /// As written.
    pub const fn text(&self) -> &'static str {
        self.text
    }

    /// Names of the parameters, from left to right.
    pub fn parameters(&self) -> impl Iterator<Item = &'static str> {
        self.pieces.iter().filter_map(|p| match p {
            Piece::Literal(_) => None,
            Piece::Parameter(name) | Piece::Optional(name) | Piece::Rest(name) => Some(*name),
        })
    }

    /// Whether the path is one of this pattern's.
    pub fn matches(&self, path: &Segments<'_>) -> bool {
        self.fits(path.len())
            && self.walk(path.len()).all(|(piece, at)| match piece {
                Piece::Literal(text) => path.get(at).is_some_and(|s| s.eq_ignore_ascii_case(text)),
                Piece::Parameter(_) | Piece::Optional(_) | Piece::Rest(_) => true,
            })
    }

    /// A parameter of a path that matches. `None` if there is no such parameter, or it is optional and absent.
    pub fn parameter<'p>(&self, path: &'p Segments<'_>, name: &str) -> Option<&'p str> {
        self.walk(path.len()).find_map(|(piece, at)| match piece {
            Piece::Parameter(n) | Piece::Optional(n) if n == name => path.get(at),
            _ => None,
        })
    }

    /// The segments of a trailing `{path*}`, joined with `/`; empty if the pattern has none.
    pub fn rest(&self, path: &Segments<'_>) -> String {
        let start = self.walk(path.len()).find_map(|(p, at)| matches!(p, Piece::Rest(_)).then_some(at));
        start.map(|at| path.iter().skip(at).collect::<Vec<_>>().join("/")).unwrap_or_default()
    }

    fn has_optional(&self) -> bool {
        self.pieces.iter().any(|p| matches!(p, Piece::Optional(_)))
    }

    fn fits(&self, segments: usize) -> bool {
        let most = self.pieces.len();
        match self.pieces.last() {
            Some(Piece::Rest(_)) => segments >= most,
            _ => segments == most || (self.has_optional() && Some(segments) == most.checked_sub(1)),
        }
    }

    /// Each piece with the segment it stands for; an absent optional piece is left out.
    fn walk(&self, segments: usize) -> impl Iterator<Item = (Piece, usize)> {
        let absent = segments < self.pieces.len();
        self.pieces.iter().copied().filter(move |p| !(absent && matches!(p, Piece::Optional(_)))).zip(0..)
    }
}

fn piece(text: &'static str) -> Piece {
    let Some(inner) = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')) else {
        return Piece::Literal(text);
    };
    match (inner.strip_suffix('?'), inner.strip_suffix('*')) {
        (Some(name), _) => Piece::Optional(name),
        (None, Some(name)) => Piece::Rest(name),
        (None, None) => Piece::Parameter(inner),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_empty_version_is_an_absent_one() {
        let sign = Pattern::new("/keys/{name}/{version?}/sign");
        for (path, version) in [("/keys/a/sign", None), ("/keys/a//sign", None), ("//keys/a/v1/sign/", Some("v1"))] {
            let path = Segments::parse(path).unwrap();
            assert!(sign.matches(&path));
            assert_eq!(sign.parameter(&path, "name"), Some("a"));
            assert_eq!(sign.parameter(&path, "version"), version);
        }
        for path in ["/keys/a", "/keys/sign", "/keys/a/b/c/sign", "/keys/a/verify", "/"] {
            assert!(!sign.matches(&Segments::parse(path).unwrap()), "{path}");
        }
    }

    #[test]
    fn a_rest_takes_what_is_left_and_at_least_one() {
        let tile = Pattern::new("/logs/{id}/tile/{path*}");
        let path = Segments::parse("/logs/7/tile/0/x001/067").unwrap();
        assert!(tile.matches(&path));
        assert_eq!(tile.rest(&path), "0/x001/067");
        assert_eq!(tile.parameter(&path, "id"), Some("7"));
        assert!(!tile.matches(&Segments::parse("/logs/7/tile/").unwrap()));
    }

    #[test]
    fn a_segment_is_decoded_after_the_split() {
        let path = Segments::parse("/keys/a%2Fb").unwrap();
        assert_eq!(path.get(1), Some("a/b"));
        assert_eq!(Segments::parse("/%ff"), None);
        assert_eq!(Segments::parse(&format!("/{}", "%2Fa".repeat(25))), None);
        assert_eq!(Segments::parse(&"/a".repeat(25)), None);
    }

    /// `text` with each character perhaps percent-encoded, and its case perhaps changed.
    fn disguised(text: &'static str, case: bool) -> impl Strategy<Value = String> {
        proptest::collection::vec((any::<bool>(), any::<bool>()), text.len()).prop_map(move |dice| {
            let one = |(c, (encode, upper)): (char, (bool, bool))| {
                let c = if case && upper { c.to_ascii_uppercase() } else { c };
                if encode { format!("%{:02X}", c as u32) } else { c.to_string() }
            };
            text.chars().zip(dice).map(one).collect()
        })
    }

    fn slashes() -> impl Strategy<Value = String> {
        (1_usize..4).prop_map(|n| "/".repeat(n))
    }

    proptest! {
        #[test]
        fn slashes_case_and_escapes_do_not_change_the_route(
            a in slashes(), b in slashes(), c in slashes(), d in slashes(), end in "/{0,3}",
            keys in disguised("keys", true), name in disguised("Pay-2", false), sign in disguised("sign", true),
            version in proptest::option::of(disguised("0123456789abcdef0123456789abcdef", false)),
        ) {
            let middle = version.as_ref().map(|v| format!("{c}{v}")).unwrap_or_default();
            let text = format!("{a}{keys}{b}{name}{middle}{d}{sign}{end}");
            let path = Segments::parse(&text).unwrap();
            let pattern = Pattern::new("/keys/{name}/{version?}/sign");
            prop_assert!(pattern.matches(&path));
            prop_assert_eq!(pattern.parameter(&path, "name"), Some("Pay-2"));
            prop_assert_eq!(pattern.parameter(&path, "version").is_some(), version.is_some());
        }
    }
}
