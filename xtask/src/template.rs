//! A request that is sent over and over, to the same place or to another each time.

use bytes::Bytes;
use hyper::Method;
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The request. Clones count together.
#[derive(Clone)]
pub(crate) struct Template {
    pub(crate) method: Method,
    place: Place,
    pub(crate) body: Bytes,
    sent: Arc<AtomicU64>,
}

#[derive(Clone)]
enum Place {
    Same(String),
    /// What stands before and behind a number that no request had before.
    Numbered(String, String),
    /// One of these, drawn anew each time.
    OneOf(Arc<[String]>),
}

impl Template {
    /// `{n}` in the path stands for a number, from 0, that is another one in each request: so each creation has a name
    /// of its own.
    pub(crate) fn new(method: Method, path: impl Into<String>, body: impl Into<Bytes>) -> Self {
        let path = path.into();
        let place = match path.split_once("{n}") {
            Some((before, behind)) => Place::Numbered(before.to_owned(), behind.to_owned()),
            None => Place::Same(path),
        };
        Self { method, place, body: body.into(), sent: Arc::default() }
    }

    /// Reads one of many places, in no order that a cache could profit from.
    pub(crate) fn read_one_of(paths: Vec<String>) -> Self {
        Self { method: Method::GET, place: Place::OneOf(paths.into()), body: Bytes::new(), sent: Arc::default() }
    }

    /// Where the next request goes.
    pub(crate) fn path(&self) -> Cow<'_, str> {
        let n = || self.sent.fetch_add(1, Ordering::Relaxed);
        match &self.place {
            Place::Same(path) => path.into(),
            Place::Numbered(before, behind) => format!("{before}{}{behind}", n()).into(),
            Place::OneOf(paths) => {
                let at = mixed(n()).checked_rem(paths.len() as u64).and_then(|at| usize::try_from(at).ok());
                at.and_then(|at| paths.get(at)).map_or("/", String::as_str).into()
            }
        }
    }
}

/// A number that looks random of one that counts (the finalizer of SplitMix64).
const fn mixed(n: u64) -> u64 {
    let z = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_creation_has_a_name_of_its_own_whoever_sends_it() {
        let (one, sent) =
            (Template::new(Method::POST, "/keys/k-{n}/create", ""), ["/keys/k-0/create", "/keys/k-1/create"]);
        assert_eq!([one.path(), one.clone().path()], sent);
        assert_eq!(Template::new(Method::GET, "/keys", "").path(), "/keys");
    }

    #[test]
    fn places_are_drawn_from_all_over_and_not_in_their_order() {
        let paths: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        let template = Template::read_one_of(paths.clone());
        let drawn: Vec<String> = (0..1000).map(|_| template.path().into_owned()).collect();
        assert!(drawn.iter().collect::<BTreeSet<_>>().len() > 95);
        assert_ne!(drawn.get(..100), Some(paths.as_slice()));
        assert_eq!(Template::read_one_of(Vec::new()).path(), "/");
    }
}
