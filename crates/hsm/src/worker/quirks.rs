//! Where tokens differ from the standard in a way that trying does not show, or must be known before. What the
//! self-test finds by itself (hashes of OAEP, forms of points, mechanisms that are listed and do not work) needs no row
//! for it to work; rows of that kind are here for the one who reads the probe's table, and each is held against the
//! token by a test.

/// One oddity of one vendor.
pub(super) struct Row {
    /// Its name in the description.
    pub(super) name: &'static str,
    /// What the manufacturer's name of the token or library contains.
    maker: &'static str,
    pub(super) effect: Effect,
    /// Whether it was seen on the token itself; otherwise it is from the vendor's documents, and says so.
    tried: bool,
}

/// What it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// RFC 5649 has this number of the vendor's own; it is tried before the standard's.
    Wraps(u64),
    /// AES-GCM makes its nonce itself and writes it over the caller's.
    OwnNonce,
    /// More sessions than this make it slower, or are refused.
    Sessions(u16),
    /// Found by trying.
    Found,
}

const ROWS: &[Row] = &[
    Row { name: "softhsm2: OAEP with SHA-1 only", maker: "SoftHSM", effect: Effect::Found, tried: true },
    Row { name: "softhsm2: RFC 5649 is 0x210A, over zeros", maker: "SoftHSM", effect: Effect::Found, tried: true },
    Row {
        name: "softhsm2: not modifiable only by copy, so copyable",
        maker: "SoftHSM",
        effect: Effect::Found,
        tried: true,
    },
    Row {
        name: "softhsm2: HMAC wants a key as long as its hash",
        maker: "SoftHSM",
        effect: Effect::Found,
        tried: true,
    },
    Row { name: "softhsm2: wraps no bytes with AES", maker: "SoftHSM", effect: Effect::Found, tried: true },
    Row { name: "kryoptic: RFC 5649 is 0x210B", maker: "Kryoptic", effect: Effect::Found, tried: true },
    Row { name: "kryoptic: CKA_EC_POINT is the point alone", maker: "Kryoptic", effect: Effect::Found, tried: true },
    Row { name: "kryoptic: no secp256k1", maker: "Kryoptic", effect: Effect::Found, tried: true },
    Row {
        name: "cloudhsm: RFC 5649 is 0x8000216F",
        maker: "Marvell",
        effect: Effect::Wraps(0x8000_216f),
        tried: false,
    },
    Row { name: "cloudhsm: AES-GCM makes its nonce", maker: "Marvell", effect: Effect::OwnNonce, tried: false },
    Row { name: "luna: RFC 5649 is 0x80000171", maker: "SafeNet", effect: Effect::Wraps(0x8000_0171), tried: false },
    Row { name: "luna: about 30 sessions are fastest", maker: "SafeNet", effect: Effect::Sessions(30), tried: false },
    Row { name: "yubihsm: 16 sessions", maker: "Yubico", effect: Effect::Sessions(15), tried: false },
];

/// The rows that are in force for a token.
#[derive(Clone, Default)]
pub(super) struct Quirks(Vec<&'static Row>);

impl Quirks {
    /// Of a token and its library, by their manufacturers' names.
    pub(super) fn of(makers: &[&str]) -> Self {
        let applies = |row: &&Row| makers.iter().any(|maker| maker.to_lowercase().contains(&row.maker.to_lowercase()));
        Self(ROWS.iter().filter(applies).collect())
    }

    pub(super) fn names(&self) -> Vec<String> {
        let name = |row: &&Row| if row.tried { row.name.to_owned() } else { format!("{} (not tried)", row.name) };
        self.0.iter().map(name).collect()
    }

    /// The numbers that RFC 5649 may have here, the likeliest first.
    pub(super) fn wraps(&self) -> Vec<u64> {
        self.own_wraps()
            .into_iter()
            .chain([cryptoki_sys::CKM_AES_KEY_WRAP_KWP, cryptoki_sys::CKM_AES_KEY_WRAP_PAD])
            .collect()
    }

    /// The vendor's own number of RFC 5649.
    pub(super) fn own_wraps(&self) -> Option<u64> {
        self.0.iter().find_map(|row| if let Effect::Wraps(number) = row.effect { Some(number) } else { None })
    }

    pub(super) fn own_nonce(&self) -> bool {
        self.0.iter().any(|row| row.effect == Effect::OwnNonce)
    }

    /// How many sessions are too many.
    pub(super) fn sessions(&self) -> Option<u16> {
        self.0.iter().filter_map(|row| if let Effect::Sessions(most) = row.effect { Some(most) } else { None }).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_by_the_makers_name() {
        assert_eq!(Quirks::of(&["SoftHSM project"]).names().len(), 5);
        assert_eq!(Quirks::of(&["Kryoptic Project", ""]).names().len(), 3);
        assert!(Quirks::of(&["", "somebody"]).names().is_empty());
    }

    #[test]
    fn a_vendors_own_number_comes_before_the_standards() {
        let standard = [0x210b, 0x210a];
        assert_eq!(Quirks::of(&["somebody"]).wraps(), standard);
        assert_eq!(Quirks::of(&["Marvell Semiconductors, Inc."]).wraps(), [&[0x8000_216f], &standard[..]].concat());
        assert_eq!(Quirks::of(&["SafeNet, Inc."]).wraps(), [&[0x8000_0171], &standard[..]].concat());
    }

    #[test]
    fn a_token_that_makes_its_nonce_is_left_to() {
        assert!(Quirks::of(&["Marvell Semiconductors, Inc."]).own_nonce());
        assert!(!Quirks::of(&["SoftHSM project"]).own_nonce());
    }

    #[test]
    fn sessions_are_bounded_where_the_token_is() {
        assert_eq!(Quirks::of(&["SafeNet"]).sessions(), Some(30));
        assert_eq!(Quirks::of(&["Yubico (www.yubico.com)"]).sessions(), Some(15));
        assert_eq!(Quirks::of(&["SoftHSM project"]).sessions(), None);
    }

    #[test]
    fn what_was_never_tried_says_so() {
        let tried: Vec<_> = ROWS.iter().filter(|row| row.tried).map(|row| row.maker).collect();
        assert!(tried.iter().all(|maker| ["SoftHSM", "Kryoptic"].contains(maker)));
        assert!(ROWS.iter().all(|row| row.tried || row.effect != Effect::Found));
        assert!(Quirks::of(&["Yubico"]).names().iter().all(|name| name.ends_with(" (not tried)")));
        assert!(Quirks::of(&["SoftHSM"]).names().iter().all(|name| !name.contains("not tried")));
    }
}
