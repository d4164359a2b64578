//! The few DER shapes (ITU-T X.690) that keys need.

/// One element: tag, definite length, content.
pub(crate) fn element(tag: u8, content: &[&[u8]]) -> Vec<u8> {
    let length = content.iter().fold(0usize, |sum, part| sum.saturating_add(part.len()));
    let mut out = vec![tag];
    write_length(&mut out, length);
    content.iter().for_each(|part| out.extend_from_slice(part));
    out
}

/// SEQUENCE.
pub(crate) fn sequence(content: &[&[u8]]) -> Vec<u8> {
    element(0x30, content)
}

/// INTEGER from an unsigned big-endian number, whatever its leading zeros.
pub(crate) fn unsigned(number: &[u8]) -> Vec<u8> {
    let start = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
    let digits = number.get(start..).unwrap_or_default();
    // A first byte of 80 or above would read as negative; zero is one zero byte.
    let sign: &[u8] = if digits.first().is_none_or(|byte| *byte >= 0x80) { &[0] } else { &[] };
    element(0x02, &[sign, digits])
}

/// BIT STRING of whole bytes.
pub(crate) fn bits(content: &[u8]) -> Vec<u8> {
    element(0x03, &[&[0], content])
}

/// Whether the bytes are one SEQUENCE and nothing after it: the library's parser does not mind what follows a key.
pub(crate) fn is_one_sequence(bytes: &[u8]) -> bool {
    let Some((0x30, rest)) = bytes.split_first() else { return false };
    let mut expected = Vec::new();
    // Try the content's length for each number of length bytes: only one fits, as DER has one form for a length.
    (1..=4).any(|length_bytes: usize| {
        let content = rest.len().saturating_sub(length_bytes);
        expected.clear();
        write_length(&mut expected, content);
        expected.len() == length_bytes && rest.starts_with(&expected)
    })
}

/// The two numbers in a SEQUENCE of two INTEGERs that are not negative, without their leading zeros.
pub(crate) fn two_unsigned(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (content, after) = read(0x30, bytes)?;
    let (first, rest) = read(0x02, content)?;
    let (second, rest) = read(0x02, rest)?;
    let number = |digits: &'_ [u8]| digits.iter().position(|byte| *byte != 0);
    match (after, rest) {
        ([], []) => Some((first.get(number(first)?..)?, second.get(number(second)?..)?)),
        _ => None,
    }
}

/// The whole bytes in the BIT STRING of a SubjectPublicKeyInfo.
pub(crate) fn bits_of_spki(spki: &[u8]) -> Option<&[u8]> {
    let (content, _) = read(0x30, spki)?;
    let (_, rest) = read(0x30, content)?;
    let (bits, _) = read(0x03, rest)?;
    bits.strip_prefix(&[0])
}

/// An element's content and what follows it.
fn read(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<2>()?;
    let (length, rest) = match *head {
        [found, _] if found != tag => return None,
        [_, short @ 0..=0x7f] => (usize::from(short), rest),
        [_, 0x81] => rest.split_first().map(|(length, rest)| (usize::from(*length), rest))?,
        [_, 0x82] => rest.split_first_chunk().map(|(length, rest)| (usize::from(u16::from_be_bytes(*length)), rest))?,
        _ => return None,
    };
    rest.split_at_checked(length)
}

fn write_length(out: &mut Vec<u8>, length: usize) {
    let bytes = length.to_be_bytes();
    match length {
        0..0x80 => out.extend(bytes.last()),
        _ => {
            let skip = bytes.iter().take_while(|byte| **byte == 0).count();
            let digits = bytes.get(skip..).unwrap_or_default();
            out.push(0x80 | u8::try_from(digits.len()).unwrap_or(0));
            out.extend_from_slice(digits);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_take_the_shortest_form() {
        assert_eq!(element(4, &[&[7; 127]])[..2], [4, 127]);
        assert_eq!(element(4, &[&[7; 128]])[..3], [4, 0x81, 128]);
        assert_eq!(element(4, &[&[7; 256], &[7; 1]])[..4], [4, 0x82, 1, 1]);
    }

    #[test]
    fn one_sequence_has_nothing_before_or_after_it() {
        for length in [0, 1, 126, 127, 128, 129, 255, 256, 257, 1200, 65_535, 65_536] {
            let good = sequence(&[&vec![7; length]]);
            assert!(is_one_sequence(&good), "{length}");
            assert!(!is_one_sequence(&good[1..]), "{length}");
            assert!(!is_one_sequence(&good[..good.len() - 1]), "{length}");
            assert!(!is_one_sequence(&[good.as_slice(), &[0]].concat()), "{length}");
        }
        assert!(!is_one_sequence(&[]));
        assert!(!is_one_sequence(&[0x30]));
        assert!(!is_one_sequence(&[0x30, 0x80]));
        assert!(!is_one_sequence(&[0x30, 0x81, 1, 7]));
    }

    #[test]
    fn integers_are_positive_and_minimal() {
        assert_eq!(unsigned(&[]), [2, 1, 0]);
        assert_eq!(unsigned(&[0, 0]), [2, 1, 0]);
        assert_eq!(unsigned(&[0, 0x7f]), [2, 1, 0x7f]);
        assert_eq!(unsigned(&[0x80]), [2, 2, 0, 0x80]);
    }

    #[test]
    fn two_numbers_are_read_back_and_nothing_else_is() {
        for n in [vec![7; 3], vec![0x80; 127], vec![0xff; 256], vec![1; 512]] {
            let der = sequence(&[&unsigned(&n), &unsigned(&[1, 0, 1])]);
            assert_eq!(two_unsigned(&der), Some((n.as_slice(), &[1, 0, 1][..])));
            assert_eq!(two_unsigned(&der[..der.len() - 1]), None);
            assert_eq!(two_unsigned(&[der.as_slice(), &[0]].concat()), None);
            assert_eq!(two_unsigned(&sequence(&[&unsigned(&n)])), None);
            assert_eq!(two_unsigned(&sequence(&[&unsigned(&n), &unsigned(&n), &unsigned(&n)])), None);
            assert_eq!(two_unsigned(&sequence(&[&unsigned(&n), &bits(&n)])), None);
        }
        assert_eq!(two_unsigned(&[]), None);
    }
}
