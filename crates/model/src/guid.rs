//! GUIDs as the Key Vault API writes ids of roles, of their assignments and of principals.

use std::fmt;
use std::str::FromStr;

/// Text that is not a GUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadGuid;

impl fmt::Display for BadGuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a GUID has 32 hexadecimal digits in groups of 8-4-4-4-12")
    }
}

impl std::error::Error for BadGuid {}

/// A UUID (RFC 9562): read in any case, written in lower case with dashes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guid([u8; 16]);

impl Guid {
    /// From its 16 bytes, in the order of its digits.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes, as stored.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// A UUID of version 8 from any 16 bytes: 122 of their bits, and the marks of version and variant.
    pub const fn version_8(bytes: [u8; 16]) -> Self {
        let bits = u128::from_be_bytes(bytes);
        let marked = (bits & !(0xf << 76) & !(0x3 << 62)) | (0x8 << 76) | (0x2 << 62);
        Self(marked.to_be_bytes())
    }

    /// Whether it is marked as version 8.
    pub const fn is_version_8(&self) -> bool {
        let bits = u128::from_be_bytes(self.0);
        (bits >> 76) & 0xf == 0x8 && (bits >> 62) & 0x3 == 0x2
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = u128::from_be_bytes(self.0);
        let (a, b, c, d, e) =
            (n >> 96, (n >> 80) & 0xffff, (n >> 64) & 0xffff, (n >> 48) & 0xffff, n & 0xffff_ffff_ffff);
        write!(f, "{a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}")
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guid({self})")
    }
}

impl FromStr for Guid {
    type Err = BadGuid;

    fn from_str(text: &str) -> Result<Self, BadGuid> {
        let dashed = text.len() == 36
            && text.bytes().enumerate().all(|(at, b)| match at {
                8 | 13 | 18 | 23 => b == b'-',
                _ => b.is_ascii_hexdigit(),
            });
        if !dashed {
            return Err(BadGuid);
        }
        let digits: String = text.chars().filter(|c| *c != '-').collect();
        u128::from_str_radix(&digits, 16).map(|n| Self(n.to_be_bytes())).map_err(|_| BadGuid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_prints_as_it_parses_in_lower_case() {
        let text = "14b46e9e-c2b7-41b4-b07b-48a6ebf60603";
        assert_eq!(text.parse::<Guid>().unwrap().to_string(), text);
        assert_eq!(text.to_uppercase().parse::<Guid>().unwrap().to_string(), text);
        let zeros = "00000000-0000-0000-0000-00000000000f";
        assert_eq!(zeros.parse::<Guid>().unwrap().to_string(), zeros);
    }

    #[test]
    fn anything_but_dashed_hex_digits_is_refused() {
        let good = "14b46e9e-c2b7-41b4-b07b-48a6ebf60603";
        for text in [
            "",
            &good.replace('-', ""),
            &format!("{{{good}}}"),
            &good.replace("14b4", "+4b4"),
            &good.replace("14b4", "g4b4"),
            &good.replace("-41b4", "4-1b4"),
            &format!("{good}0"),
            &"é".repeat(18),
        ] {
            assert_eq!(text.parse::<Guid>(), Err(BadGuid), "{text}");
        }
    }

    #[test]
    fn version_8_is_marked_and_told_apart() {
        for byte in [0x00, 0x5a, 0xff] {
            let made = Guid::version_8([byte; 16]);
            let text = made.to_string();
            assert!(made.is_version_8() && text.as_bytes()[14] == b'8' && b"89ab".contains(&text.as_bytes()[19]));
        }
        assert!(!"14b46e9e-c2b7-41b4-b07b-48a6ebf60603".parse::<Guid>().unwrap().is_version_8());
        assert!(!"14b46e9e-c2b7-81b4-c07b-48a6ebf60603".parse::<Guid>().unwrap().is_version_8());
    }
}
