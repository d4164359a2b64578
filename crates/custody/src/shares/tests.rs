use super::*;
use proptest::prelude::*;

fn quorum(required: usize, custodians: usize) -> Quorum {
    Quorum::new(required, custodians).unwrap()
}

fn copy(share: &Share) -> Share {
    Share::parse(share.to_bytes().as_slice()).unwrap()
}

fn gathering(quorum: Quorum, shares: &[Share]) -> Gathering {
    Gathering::new(quorum.required.into(), shares.iter().map(Share::digest).collect()).unwrap()
}

/// Every choice of so many of 0..n.
fn subsets(n: usize, many: usize) -> impl Iterator<Item = Vec<usize>> {
    let of = move |bits: &u32| bits.count_ones() as usize == many;
    (0u32..1 << n).filter(of).map(move |bits| (0..n).filter(|at| bits >> at & 1 == 1).collect())
}

#[test]
fn every_quorum_of_custodians_opens_and_one_fewer_does_not() {
    let (mut opened, mut refused) = (0, 0);
    for custodians in 3..=10 {
        for required in 2..=custodians {
            let (quorum, master) = (quorum(required, custodians), keystead_crypto::random());
            let shares = split(&master, quorum);
            assert!(shares.iter().map(Share::number).eq(1..=quorum.custodians()));
            for subset in subsets(custodians, required) {
                let mut gathering = gathering(quorum, &shares);
                for (at, given) in subset.iter().rev().zip(1..) {
                    assert_eq!(gathering.add(copy(&shares[*at])), Ok(given));
                }
                assert_eq!(*gathering.combine().unwrap(), master);
                opened += 1;
                gathering.shares.pop();
                let missing = ShareError::Missing { given: quorum.required - 1, required: quorum.required, lacking: 1 };
                assert_eq!(gathering.combine().err(), Some(missing));
                refused += 1;
            }
        }
    }
    assert_eq!((opened, refused), (1980, 1980));
}

#[test]
fn one_share_of_two_fits_every_value_of_its_byte_equally() {
    // Of all 256 bytes with all 257 coefficients: each value of a share comes of each byte exactly once. It would not
    // over 256 values: a byte has no 257th, but a coefficient and a share have.
    for number in 1..=10 {
        let mut counts = vec![[0; 257]; 256];
        for byte in 0..=255 {
            for coefficient in 0..257 {
                let polynomial = [Element::reduced(coefficient), Element::from(byte)];
                counts[usize::from(byte)][usize::from(field::value_at(&polynomial, number).get())] += 1;
            }
        }
        assert!(counts.iter().all(|of_byte| *of_byte == [1; 257]), "custodian {number}");
    }
}

#[test]
fn two_shares_of_three_fit_every_value_of_their_byte_equally() {
    for (first, second) in [(1, 2), (3, 9)] {
        for byte in [0, 1, 77, 255] {
            let mut seen = vec![false; 257 * 257];
            for (a, b) in (0..257).flat_map(|a| (0..257).map(move |b| (a, b))) {
                let polynomial = [Element::reduced(a), Element::reduced(b), Element::from(byte)];
                let value = |number| usize::from(field::value_at(&polynomial, number).get());
                seen[value(first) * 257 + value(second)] = true;
            }
            assert!(seen.iter().all(|seen| *seen), "byte {byte}: each pair of values comes of it");
        }
    }
}

#[test]
fn coefficients_are_drawn_anew_for_each_byte_and_each_time() {
    let mut drawn = 0;
    let counted = || {
        drawn += 1;
        Element::random()
    };
    split_with(&[0; BYTES], quorum(4, 5), counted);
    assert_eq!(drawn, 3 * BYTES);
    let [one, other] = [(); 2].map(|()| split(&[7; BYTES], quorum(2, 3)));
    assert_ne!(one[0].digest(), other[0].digest());
    let values = &one[0].values;
    assert!(values.iter().any(|value| *value != values[0]), "equal bytes have shares that differ");
}

#[test]
fn a_false_share_is_named() {
    let of = quorum(2, 3);
    let (shares, others) = (split(&[1; BYTES], of), split(&[1; BYTES], of));
    let mut gathering = gathering(of, &shares);
    assert_eq!(gathering.add(copy(&others[1])), Err(ShareError::Foreign { number: 2 }));
    let mut changed = copy(&shares[2]);
    changed.values[31] = (changed.values[31] + 1) % 257;
    assert_eq!(gathering.add(changed), Err(ShareError::Foreign { number: 3 }));
    let renumbered = Share { number: 1, ..copy(&shares[1]) };
    assert_eq!(gathering.add(renumbered), Err(ShareError::Foreign { number: 1 }));
    let fourth = split(&[1; BYTES], quorum(2, 4)).pop().unwrap();
    assert_eq!(gathering.add(fourth), Err(ShareError::NoSuchCustodian { number: 4, custodians: 3 }));
    assert_eq!(gathering.add(copy(&shares[0])), Ok(1));
    assert_eq!(gathering.add(copy(&shares[0])), Err(ShareError::Duplicate { number: 1 }));
    assert_eq!(gathering.combine().err(), Some(ShareError::Missing { given: 1, required: 2, lacking: 1 }));
    assert_eq!(gathering.add(copy(&shares[2])), Ok(2));
    assert!(gathering.numbers().eq([1, 3]));
    assert_eq!(*gathering.combine().unwrap(), [1; BYTES]);
}

#[test]
fn shares_of_different_domains_give_no_key_of_either() {
    let (one, other) = (split(&[1; BYTES], quorum(2, 3)), split(&[2; BYTES], quorum(2, 3)));
    let mixed = combine(&[copy(&one[0]), copy(&other[1])]);
    // Without the digests it would show only where a byte comes out as 256.
    assert!(mixed.ok().is_none_or(|master| *master != [1; BYTES] && *master != [2; BYTES]));
    let over = |number| Share { number, values: Zeroizing::new([256; BYTES]) };
    assert_eq!(combine(&[over(1), over(2)]).err(), Some(ShareError::Disagree));
}

#[test]
fn a_quorum_is_of_three_to_ten_custodians() {
    for (required, custodians) in [(0, 3), (1, 3), (4, 3), (2, 2), (2, 11), (11, 11), (2, 258), (258, 259)] {
        assert_eq!(Quorum::new(required, custodians), Err(BadQuorum));
    }
    let of = quorum(3, 5);
    assert_eq!((of.required(), of.custodians()), (3, 5));
    assert!(Gathering::new(2, vec![[0; 32]; 2]).is_err());
}

#[test]
fn words_are_packed_as_managed_hsm_does() {
    let mut values = Zeroizing::new([0; BYTES]);
    (values[0], values[1], values[31]) = (256, 1, 255);
    let bytes = Share { number: 3, values }.to_bytes();
    assert_eq!((&bytes[..6], &bytes[62..]), (&[0, 7, 1, 6, 0, 6][..], &[255, 6][..]));
    for (at, byte) in [(0, 1), (1, 9), (1, 1), (63, 8), (62, 0)] {
        let mut changed = bytes.clone();
        changed[at] = byte;
        let parsed = Share::parse(changed.as_slice()).map(|share| share.number());
        assert_eq!(parsed, if at == 62 { Ok(3) } else { Err(ShareError::NotAShare) }, "{at}");
    }
    for length in [0, 63, 65] {
        assert!(Share::parse(&vec![2; length]).is_err());
    }
    // 127 has more bits than the packing leaves, 0 would be the key itself.
    for number in [0, 127] {
        let word = [0, number << 1];
        assert!(Share::parse(&word.repeat(BYTES)).is_err());
    }
}

proptest! {
    #[test]
    fn what_was_shared_comes_back(
        master: [u8; BYTES],
        custodians in 3usize..=10,
        required in 2usize..=10,
        skip in 0usize..10,
    ) {
        let of = quorum(required.min(custodians), custodians);
        let shares = split(&master, of);
        let chosen = shares.iter().cycle().skip(skip).take(of.required().into());
        let mut gathering = gathering(of, &shares);
        for share in chosen {
            gathering.add(Share::parse(share.to_bytes().as_slice()).unwrap()).unwrap();
        }
        prop_assert_eq!(*gathering.combine().unwrap(), master);
    }

    #[test]
    fn any_change_of_a_share_is_seen(at in 0..SHARE_LEN, bit in 0u8..8) {
        let of = quorum(2, 3);
        let shares = split(&[9; BYTES], of);
        let mut bytes = shares[1].to_bytes();
        bytes[at] ^= 1 << bit;
        if let Ok(changed) = Share::parse(bytes.as_slice()) {
            prop_assert!(gathering(of, &shares).add(changed).is_err());
        }
    }
}
