//! Private numbers that the vectors give away.

use crate::Curve;
use crate::published::{curve, lines};
use std::collections::BTreeMap;

/// By curve and point.
pub(super) fn numbers() -> BTreeMap<(Curve, Vec<u8>, Vec<u8>), Vec<u8>> {
    let bytes = |text: &str| hex::decode(text).unwrap();
    lines(include_str!("../../data/ecdsa-known.txt"))
        .map(|line| {
            let [name, x, y, d] = line[..] else { panic!("{line:?}") };
            ((curve(name), bytes(x), bytes(y)), bytes(d))
        })
        .collect()
}
