//! Layouts that outlive a process are read for ever.

use keystead_crypto::sealed::{Binding, Sealer, Usage, generation_of};

#[test]
fn a_record_sealed_by_the_first_release_opens() {
    let text: String = include_str!("../golden/sealed.hex").split_whitespace().collect();
    let sealed = hex::decode(text).unwrap();
    let place = Binding { vault: [1; 16], kind: 8, object: [2; 16], version: [3; 16], counter: 4 };
    let sealer = Sealer::new(&[0x11; 32], Usage::KeyMaterial, 7);
    assert_eq!(generation_of(&sealed), Some(7));
    assert_eq!(sealer.open(&place, b"extra", &sealed).unwrap().as_slice(), b"golden");
}
