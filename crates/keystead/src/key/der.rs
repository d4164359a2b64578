//! An ECDSA signature as OpenSSL reads it: `Ecdsa-Sig-Value` (RFC 3279, section 2.2.3) in DER.

/// From r|s, each as long as the curve's field. `None` for any other length.
pub(crate) fn ecdsa(raw: &[u8], field_len: usize) -> Option<Vec<u8>> {
    let (r, s) = raw.split_at_checked(field_len)?;
    (s.len() == field_len).then(|| element(0x30, &[integer(r), integer(s)].concat()))
}

/// INTEGER: without leading zeros, but with one where the first bit would read as a sign.
fn integer(number: &[u8]) -> Vec<u8> {
    let digits: Vec<u8> = number.iter().copied().skip_while(|b| *b == 0).collect();
    let sign: &[u8] = if digits.first().is_none_or(|b| *b >= 0x80) { &[0] } else { &[] };
    element(0x02, &[sign, &digits].concat())
}

/// Tag, length, content. The content has at most 138 bytes here, so its length is one byte, behind another that says so
/// where it has more than 127.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap_or(u8::MAX);
    let mut out = vec![tag];
    if length > 0x7f {
        out.push(0x81);
    }
    out.push(length);
    out.extend_from_slice(content);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(r: u8, s: u8) -> Vec<u8> {
        let mut raw = [0; 64];
        (raw[31], raw[63]) = (r, s);
        ecdsa(&raw, 32).unwrap()
    }

    #[test]
    fn integers_are_minimal_and_never_negative() {
        assert_eq!(of(1, 0x7f), [0x30, 6, 2, 1, 1, 2, 1, 0x7f]);
        assert_eq!(of(0x80, 0), [0x30, 7, 2, 2, 0, 0x80, 2, 1, 0]);
    }

    #[test]
    fn the_longest_signature_has_72_bytes() {
        let der = ecdsa(&[0xff; 64], 32).unwrap();
        assert_eq!((der.len(), &der[..5]), (72, &[0x30, 70, 2, 33, 0][..]));
    }

    #[test]
    fn anything_but_64_bytes_is_refused() {
        for len in [0, 31, 32, 63, 65, 128] {
            assert_eq!(ecdsa(&vec![1; len], 32), None, "{len}");
        }
    }

    #[test]
    fn a_long_signature_has_a_length_of_two_bytes() {
        let der = ecdsa(&[0x7f; 132], 66).unwrap();
        assert_eq!((der.len(), &der[..6]), (139, &[0x30, 0x81, 136, 2, 66, 0x7f][..]));
    }
}
