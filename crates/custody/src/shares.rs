//! The master key of a security domain in shares: any M of N give it back, fewer tell nothing of it.
//!
//! Each byte is shared apart, as Managed HSM does it: it is the constant term of a polynomial of degree M - 1 over
//! GF(257), whose other coefficients are uniform and drawn anew for each byte; the share of custodian x is the value at
//! x. Shares have values of 0 to 256, so each fits every byte equally. A share is 32 words of 16 bits, little-endian:
//!
//! ```text
//! number of the custodian 7 bits | value 9 bits
//! ```

mod field;

use field::Element;
use keystead_crypto::{same, sha256};
use zeroize::Zeroizing;

/// How many of how many custodians open a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quorum {
    required: u8,
    custodians: u8,
}

/// A quorum that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a security domain has 3 to 10 custodians, of whom at least 2 and at most all are required")]
pub struct BadQuorum;

impl Quorum {
    /// 3 to 10 custodians, of whom at least 2 are required.
    pub fn new(required: usize, custodians: usize) -> Result<Self, BadQuorum> {
        let good = (3..=10).contains(&custodians) && (2..=custodians).contains(&required);
        match (u8::try_from(required), u8::try_from(custodians)) {
            (Ok(required), Ok(custodians)) if good => Ok(Self { required, custodians }),
            _ => Err(BadQuorum),
        }
    }

    /// How many must come together.
    pub const fn required(self) -> u8 {
        self.required
    }

    /// How many there are.
    pub const fn custodians(self) -> u8 {
        self.custodians
    }
}

/// What is shared.
pub type Master = Zeroizing<[u8; BYTES]>;

/// One custodian's share: secret, without Debug, cleared when dropped.
pub struct Share {
    number: u8,
    values: Zeroizing<[u16; BYTES]>,
}

const BYTES: usize = 32;
/// Bytes of a share.
pub const SHARE_LEN: usize = 64;
/// A number has seven bits, of which zero would be the secret's own place.
const MAX_NUMBER: u8 = 126;
const VALUE_BITS: u32 = 9;

/// What is wrong with a share. The numbers are the custodians', from 1, in the order of the security domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShareError {
    /// Not of the form.
    #[error("what was opened is not a share: it was made by another release of the format, or is damaged")]
    NotAShare,
    /// The domain has no custodian of this number.
    #[error("the share has the number {number}, and the domain has {custodians} custodians: it is of another domain")]
    NoSuchCustodian {
        /// As in the share.
        number: u8,
        /// How many there are.
        custodians: u8,
    },
    /// Its digest is not the one that was stored when the domain was made.
    #[error("the share of custodian {number} is not the one he was given: it is of another domain, or was changed")]
    Foreign {
        /// As in the share.
        number: u8,
    },
    /// It was given before.
    #[error("the share of custodian {number} was given twice: another custodian is needed")]
    Duplicate {
        /// As in the share.
        number: u8,
    },
    /// There are not enough.
    #[error("{given} of {required} shares are there: {lacking} more {} needed", custodians(*lacking))]
    Missing {
        /// How many are there.
        given: u8,
        /// How many are needed.
        required: u8,
        /// How many are lacking.
        lacking: u8,
    },
    /// The shares do not come from one polynomial.
    #[error("the shares do not fit together: one of them is of another domain, or was changed")]
    Disagree,
}

const fn custodians(lacking: u8) -> &'static str {
    if lacking == 1 { "custodian is" } else { "custodians are" }
}

/// Shares a master key: one share for each custodian, numbered from 1.
pub fn split(master: &[u8; BYTES], quorum: Quorum) -> Vec<Share> {
    split_with(master, quorum, Element::random)
}

fn split_with(master: &[u8; BYTES], quorum: Quorum, mut draw: impl FnMut() -> Element) -> Vec<Share> {
    let new = |number| Share { number, values: Zeroizing::new([0; BYTES]) };
    let mut shares: Vec<Share> = (1..=quorum.custodians).map(new).collect();
    for (at, byte) in master.iter().enumerate() {
        // The highest coefficient first.
        let drawn = (1..quorum.required).map(|_| draw());
        let polynomial: Zeroizing<Vec<Element>> = Zeroizing::new(drawn.chain([Element::from(*byte)]).collect());
        for share in &mut shares {
            if let Some(value) = share.values.get_mut(at) {
                *value = field::value_at(&polynomial, share.number).get();
            }
        }
    }
    shares
}

impl Share {
    /// From the bytes of a share. Every word must have the same number.
    pub fn parse(bytes: &[u8]) -> Result<Self, ShareError> {
        let bytes: &[u8; SHARE_LEN] = bytes.try_into().map_err(|_| ShareError::NotAShare)?;
        let [_, high, ..] = *bytes;
        let number = high >> 1;
        let mut values = Zeroizing::new([0; BYTES]);
        let mut good = (1..=MAX_NUMBER).contains(&number);
        for (value, word) in values.iter_mut().zip(bytes.as_chunks::<2>().0) {
            let word = u16::from_le_bytes(*word);
            *value = word & 0x1ff;
            good &= (word >> VALUE_BITS == u16::from(number)) & (*value <= 256);
        }
        if good { Ok(Self { number, values }) } else { Err(ShareError::NotAShare) }
    }

    /// Its bytes: secret.
    pub fn to_bytes(&self) -> Zeroizing<[u8; SHARE_LEN]> {
        let mut bytes = Zeroizing::new([0; SHARE_LEN]);
        let number = u16::from(self.number) << VALUE_BITS;
        for (word, value) in bytes.as_chunks_mut::<2>().0.iter_mut().zip(self.values.iter()) {
            *word = (number | value).to_le_bytes();
        }
        bytes
    }

    /// The custodian's number, from 1.
    pub const fn number(&self) -> u8 {
        self.number
    }

    /// SHA-256 of its bytes, by which it is known again. It is no secret: a share has 256 bits that nobody can guess.
    pub fn digest(&self) -> [u8; 32] {
        sha256(&[self.to_bytes().as_slice()])
    }
}

/// Shares that come one by one, each held against the digest that was stored of it.
pub struct Gathering {
    quorum: Quorum,
    /// In the order of the custodians' numbers.
    digests: Option<Vec<[u8; 32]>>,
    shares: Vec<Share>,
}

impl Gathering {
    /// For a domain with these digests of shares, one for each custodian, in the order of their numbers.
    pub fn new(required: usize, digests: Vec<[u8; 32]>) -> Result<Self, BadQuorum> {
        let quorum = Quorum::new(required, digests.len())?;
        Ok(Self { quorum, digests: Some(digests), shares: Vec::new() })
    }

    /// Where nothing is left but the security domain: a false share shows only in that the domain does not open.
    pub const fn without_digests(quorum: Quorum) -> Self {
        Self { quorum, digests: None, shares: Vec::new() }
    }

    /// Takes a share, if it is one of this domain and was not given before. How many are there now.
    pub fn add(&mut self, share: Share) -> Result<u8, ShareError> {
        let (number, custodians) = (share.number, self.quorum.custodians);
        if number > custodians {
            return Err(ShareError::NoSuchCustodian { number, custodians });
        }
        if !self.is_known(&share) {
            return Err(ShareError::Foreign { number });
        }
        if self.numbers().any(|given| given == number) {
            return Err(ShareError::Duplicate { number });
        }
        self.shares.push(share);
        Ok(self.given())
    }

    /// Whose shares are there.
    pub fn numbers(&self) -> impl Iterator<Item = u8> {
        self.shares.iter().map(|share| share.number)
    }

    /// The quorum that is wanted.
    pub const fn quorum(&self) -> Quorum {
        self.quorum
    }

    /// The master key, if enough shares are there.
    pub fn combine(&self) -> Result<Master, ShareError> {
        let (given, required) = (self.given(), self.quorum.required);
        match self.shares.get(..usize::from(required)) {
            Some(shares) => combine(shares),
            None => Err(ShareError::Missing { given, required, lacking: required.saturating_sub(given) }),
        }
    }

    fn is_known(&self, share: &Share) -> bool {
        let Some(digests) = &self.digests else { return true };
        let stored = digests.get(usize::from(share.number).wrapping_sub(1));
        stored.is_some_and(|stored| same(stored, &share.digest()))
    }

    fn given(&self) -> u8 {
        u8::try_from(self.shares.len()).unwrap_or(u8::MAX)
    }
}

/// The constant terms of the polynomials through these shares, whose numbers differ: Lagrange's interpolation at 0.
/// Only the numbers, which are no secret, decide what is computed.
fn combine(shares: &[Share]) -> Result<Master, ShareError> {
    let numbers: Vec<u8> = shares.iter().map(|share| share.number).collect();
    let weights: Vec<Element> = numbers.iter().map(|number| field::weight(&numbers, *number)).collect();
    let (mut master, mut over) = (Zeroizing::new([0; BYTES]), 0);
    for (at, byte) in master.iter_mut().enumerate() {
        let values = shares.iter().map(|share| share.values.get(at).copied().unwrap_or_default());
        let sum = weights
            .iter()
            .zip(values)
            .fold(Element::ZERO, |sum, (weight, value)| sum.plus(weight.times(Element::reduced(value))));
        let [low, high] = sum.get().to_le_bytes();
        *byte = low;
        // 256 is a value and no byte.
        over |= high;
    }
    if over == 0 { Ok(master) } else { Err(ShareError::Disagree) }
}

#[cfg(test)]
mod tests;
