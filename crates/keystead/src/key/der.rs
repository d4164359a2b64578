//! An ECDSA signature as OpenSSL reads it: `Ecdsa-Sig-Value` (RFC 3279, section 2.2.3) in DER.

/// From r|s, 32 bytes each. `None` for any other length.
pub(crate) fn ecdsa(raw: &[u8]) -> Option<Vec<u8>> {
    let (r, s) = raw.split_first_chunk::<32>()?;
    let s: &[u8; 32] = s.try_into().ok()?;
    Some(element(0x30, &[integer(r), integer(s)].concat()))
}

/// INTEGER: without leading zeros, but with one where the first bit would read as a sign.
fn integer(number: &[u8; 32]) -> Vec<u8> {
    let digits: Vec<u8> = number.iter().copied().skip_while(|b| *b == 0).collect();
    let sign: &[u8] = if digits.first().is_none_or(|b| *b >= 0x80) { &[0] } else { &[] };
    element(0x02, &[sign, &digits].concat())
}

/// Tag, length, content. The content has at most 70 bytes here, so its length is one byte.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag, u8::try_from(content.len()).unwrap_or(u8::MAX)];
    out.extend_from_slice(content);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(r: u8, s: u8) -> Vec<u8> {
        let mut raw = [0; 64];
        (raw[31], raw[63]) = (r, s);
        ecdsa(&raw).unwrap()
    }

    #[test]
    fn integers_are_minimal_and_never_negative() {
        assert_eq!(of(1, 0x7f), [0x30, 6, 2, 1, 1, 2, 1, 0x7f]);
        assert_eq!(of(0x80, 0), [0x30, 7, 2, 2, 0, 0x80, 2, 1, 0]);
    }

    #[test]
    fn the_longest_signature_has_72_bytes() {
        let der = ecdsa(&[0xff; 64]).unwrap();
        assert_eq!((der.len(), &der[..5]), (72, &[0x30, 70, 2, 33, 0][..]));
    }

    #[test]
    fn anything_but_64_bytes_is_refused() {
        for len in [0, 31, 32, 63, 65, 128] {
            assert_eq!(ecdsa(&vec![1; len]), None, "{len}");
        }
    }
}
