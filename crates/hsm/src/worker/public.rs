//! Public halves: as attributes of a token, as the model's words, and as what comes before a digest.

use cryptoki::object::Attribute;
use keystead_model::{Curve, PublicExponent, PublicKey};

/// SHA-2 with a digest of 32, 48 or 64 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    /// What PKCS#1 puts before the digest (RFC 8017, section 9.2, note 1).
    pub(super) const fn digest_info(self) -> [u8; 19] {
        let (whole, hash, digest) = match self {
            Self::Sha256 => (0x31, 1, 0x20),
            Self::Sha384 => (0x41, 2, 0x30),
            Self::Sha512 => (0x51, 3, 0x40),
        };
        [
            0x30, whole, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, hash, 0x05, 0x00,
            0x04, digest,
        ]
    }
}

/// The curve's object identifier in DER: CKA_EC_PARAMS.
pub(super) const fn params(curve: Curve) -> &'static [u8] {
    match curve {
        Curve::P256 => &[0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7],
        Curve::P384 => &[0x06, 5, 0x2b, 0x81, 0x04, 0, 0x22],
        Curve::P521 => &[0x06, 5, 0x2b, 0x81, 0x04, 0, 0x23],
        Curve::P256K => &[0x06, 5, 0x2b, 0x81, 0x04, 0, 0x0a],
    }
}

/// How a token writes CKA_EC_POINT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PointForm {
    /// As the standard says: a DER OCTET STRING.
    Octets,
    /// The bytes of the point.
    Raw,
}

impl PointForm {
    pub(super) fn write(self, x: &[u8], y: &[u8]) -> Vec<u8> {
        let point = [&[UNCOMPRESSED], x, y].concat();
        match self {
            Self::Raw => point,
            Self::Octets => {
                // At most 133 bytes.
                let length = u8::try_from(point.len()).unwrap_or(u8::MAX);
                let head: &[u8] = if length < 0x80 { &[OCTET_STRING, length] } else { &[OCTET_STRING, 0x81, length] };
                [head, &point].concat()
            }
        }
    }
}

const UNCOMPRESSED: u8 = 4;
const OCTET_STRING: u8 = 4;

/// The point of CKA_EC_POINT, and how it was written.
pub(super) fn point(curve: Curve, value: &[u8]) -> Option<(PublicKey, PointForm)> {
    let field = curve.field_len();
    [PointForm::Octets, PointForm::Raw].into_iter().find_map(|form| {
        let head = value.len().checked_sub(field.checked_mul(2)?)?;
        let (x, y) = value.get(head..)?.split_at_checked(field)?;
        (form.write(x, y) == value).then(|| (PublicKey::Ec { curve, x: x.to_vec(), y: y.to_vec() }, form))
    })
}

/// A big-endian number without leading zeros.
pub(super) fn unsigned(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// Modulus and exponent of a token's key.
pub(super) fn rsa(attributes: &[Attribute]) -> Option<PublicKey> {
    let n = attributes.iter().find_map(|a| if let Attribute::Modulus(n) = a { Some(n) } else { None })?;
    let e = attributes.iter().find_map(|a| if let Attribute::PublicExponent(e) = a { Some(e) } else { None })?;
    Some(PublicKey::Rsa { n: unsigned(n).to_vec(), e: unsigned(e).to_vec() })
}

/// Whether the exponent of an RSA key is one that keys made here may have.
pub(super) fn has_exponent(public: &PublicKey) -> bool {
    let PublicKey::Rsa { e, .. } = public else { return false };
    let number = |e: &[u8]| e.iter().fold(0u32, |number, byte| number.wrapping_shl(8) | u32::from(*byte));
    Some(unsigned(e)).filter(|e| e.len() <= 4).and_then(|e| PublicExponent::new(number(e))).is_some()
}

/// Bits of a modulus.
pub(super) fn bits(n: &[u8]) -> usize {
    let n = unsigned(n);
    let unused = n.first().map_or(0, |first| first.leading_zeros());
    n.len().saturating_mul(8).saturating_sub(usize::try_from(unused).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_read_as_octet_strings_and_raw() {
        for curve in Curve::ALL {
            let (x, y) = (vec![4; curve.field_len()], vec![7; curve.field_len()]);
            for form in [PointForm::Octets, PointForm::Raw] {
                let written = form.write(&x, &y);
                let public = PublicKey::Ec { curve: *curve, x: x.clone(), y: y.clone() };
                assert_eq!(point(*curve, &written), Some((public, form)));
                assert_eq!(point(*curve, &written[1..]), None);
                assert_eq!(point(*curve, &[&written[..], &[0]].concat()), None);
            }
        }
        assert_eq!(point(Curve::P256, &[]), None);
        // Compressed points are not read.
        assert_eq!(point(Curve::P256, &[&[2][..], &[1; 32]].concat()), None);
    }

    #[test]
    fn a_digest_info_holds_the_digest_that_comes_behind_it() {
        for (hash, length) in [(Hash::Sha256, 32), (Hash::Sha384, 48), (Hash::Sha512, 64)] {
            let info = hash.digest_info();
            assert_eq!(usize::from(info[1]), info.len() - 2 + length);
            assert_eq!(usize::from(info[18]), length);
        }
    }

    #[test]
    fn an_exponent_is_odd_more_than_one_and_no_longer_than_four_bytes() {
        let rsa = |e: &[u8]| PublicKey::Rsa { n: vec![1; 256], e: e.to_vec() };
        for good in [&[3][..], &[1, 0, 1], &[0, 0, 0, 0, 3], &[0xff; 4]] {
            assert!(has_exponent(&rsa(good)), "{good:?}");
        }
        for bad in [&[][..], &[0], &[1], &[2], &[1, 0, 0], &[1, 0, 0, 0, 1]] {
            assert!(!has_exponent(&rsa(bad)), "{bad:?}");
        }
    }

    #[test]
    fn numbers_lose_their_leading_zeros() {
        assert_eq!(unsigned(&[0, 0, 1, 0]), [1, 0]);
        assert_eq!(unsigned(&[0]), [0; 0]);
        assert_eq!((bits(&[0, 0x80, 0]), bits(&[0x7f]), bits(&[])), (16, 7, 0));
    }
}
