//! Words of other rooms as CBOR: kinds of key, algorithms, public keys, numbers of private ones.

use crate::describe::Native;
use keystead_model::{CipherAlgorithm, Curve, KeySpec, PublicExponent, SignAlgorithm};
use minicbor::decode::{Decoder, Error as Bad};
use minicbor::encode::{Encoder, Error as Unwritten, Write};
use zeroize::Zeroizing;

/// A word that has a number.
trait Coded: Copy {
    fn code(self) -> u8;
    fn of(code: u8) -> Option<Self>;
}

macro_rules! coded {
    ($($word:ty),+) => {
        $(impl Coded for $word {
            fn code(self) -> u8 {
                <$word>::code(self)
            }

            fn of(code: u8) -> Option<Self> {
                <$word>::from_code(code)
            }
        })+
    };
}

coded!(KeySpec, SignAlgorithm, CipherAlgorithm, Curve);

impl Coded for Native {
    fn code(self) -> u8 {
        match self {
            Self::Mechanism => 1,
            Self::Composed => 2,
            Self::PublicOnly => 3,
        }
    }

    fn of(code: u8) -> Option<Self> {
        [Self::Mechanism, Self::Composed, Self::PublicOnly].into_iter().find(|native| native.code() == code)
    }
}

fn known<T: Coded>(code: u8) -> Result<T, Bad> {
    T::of(code).ok_or_else(|| Bad::message("an unknown word"))
}

/// One word, as its number.
macro_rules! word {
    ($name:ident, $word:ty) => {
        pub(crate) mod $name {
            use super::*;

            pub(crate) fn encode<C, W: Write>(
                v: &$word,
                e: &mut Encoder<W>,
                _: &mut C,
            ) -> Result<(), Unwritten<W::Error>> {
                e.u8(v.code())?.ok()
            }

            pub(crate) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<$word, Bad> {
                known(d.u8()?)
            }
        }
    };
}

word!(spec, KeySpec);
word!(sign, SignAlgorithm);
word!(cipher, CipherAlgorithm);

/// Several kinds of key, a byte each.
pub(crate) mod specs {
    use super::*;

    pub(crate) fn encode<C, W: Write>(v: &[KeySpec], e: &mut Encoder<W>, _: &mut C) -> Result<(), Unwritten<W::Error>> {
        let codes: Vec<u8> = v.iter().map(|spec| spec.code()).collect();
        e.bytes(&codes)?.ok()
    }

    pub(crate) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<Vec<KeySpec>, Bad> {
        d.bytes()?.iter().map(|code| known(*code)).collect()
    }
}

/// Several algorithms with how they work, two bytes each.
macro_rules! table {
    ($name:ident, $word:ty) => {
        pub(crate) mod $name {
            use super::*;

            pub(crate) fn encode<C, W: Write>(
                v: &[($word, Native)],
                e: &mut Encoder<W>,
                _: &mut C,
            ) -> Result<(), Unwritten<W::Error>> {
                let codes: Vec<u8> = v.iter().flat_map(|(word, native)| [word.code(), native.code()]).collect();
                e.bytes(&codes)?.ok()
            }

            pub(crate) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<Vec<($word, Native)>, Bad> {
                let pair = |pair: &[u8]| match pair {
                    [word, native] => Ok((known(*word)?, known(*native)?)),
                    _ => Err(Bad::message("half a row")),
                };
                d.bytes()?.chunks(2).map(pair).collect()
            }
        }
    };
}

table!(signs, SignAlgorithm);
table!(ciphers, CipherAlgorithm);

/// The exponent of an RSA key to be made.
pub(crate) mod exponent {
    use super::*;

    pub(crate) fn encode<C, W: Write>(
        v: &PublicExponent,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), Unwritten<W::Error>> {
        e.u32(v.get())?.ok()
    }

    pub(crate) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<PublicExponent, Bad> {
        PublicExponent::new(d.u32()?).ok_or_else(|| Bad::message("no exponent"))
    }
}

/// A public key: nothing, a curve's number with a point, or 0 with modulus and exponent.
pub(crate) mod public {
    use super::*;
    use keystead_model::PublicKey;

    const RSA: u8 = 0;

    pub(crate) fn encode<C, W: Write>(v: &PublicKey, e: &mut Encoder<W>, _: &mut C) -> Result<(), Unwritten<W::Error>> {
        match v {
            PublicKey::Symmetric => e.array(0)?.ok(),
            PublicKey::Ec { curve, x, y } => e.array(3)?.u8(curve.code())?.bytes(x)?.bytes(y)?.ok(),
            PublicKey::Rsa { n, e: exponent } => e.array(3)?.u8(RSA)?.bytes(n)?.bytes(exponent)?.ok(),
        }
    }

    pub(crate) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<PublicKey, Bad> {
        match d.array()? {
            Some(0) => Ok(PublicKey::Symmetric),
            Some(3) => {
                let (kind, first, second) = (d.u8()?, d.bytes()?.to_vec(), d.bytes()?.to_vec());
                match kind {
                    RSA => Ok(PublicKey::Rsa { n: first, e: second }),
                    code => Ok(PublicKey::Ec { curve: known(code)?, x: first, y: second }),
                }
            }
            _ => Err(Bad::message("no public key")),
        }
    }
}

/// Bytes that are cleared when dropped.
pub(crate) mod secret {
    use super::*;

    pub(crate) fn encode<C, W: Write>(
        v: &Zeroizing<Vec<u8>>,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), Unwritten<W::Error>> {
        e.bytes(v)?.ok()
    }

    pub(crate) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<Zeroizing<Vec<u8>>, Bad> {
        Ok(Zeroizing::new(d.bytes()?.to_vec()))
    }
}

/// The eight numbers of a private RSA key.
pub(crate) mod rsa {
    use super::*;

    type Numbers = Box<[Zeroizing<Vec<u8>>; 8]>;

    pub(crate) fn encode<C, W: Write>(v: &Numbers, e: &mut Encoder<W>, _: &mut C) -> Result<(), Unwritten<W::Error>> {
        e.array(8)?;
        v.iter().try_for_each(|number| e.bytes(number)?.ok())
    }

    pub(crate) fn decode<C>(d: &mut Decoder<'_>, ctx: &mut C) -> Result<Numbers, Bad> {
        let bad = || Bad::message("eight numbers are a private RSA key");
        if d.array()? != Some(8) {
            return Err(bad());
        }
        let numbers: Vec<_> = (0..8).map(|_| secret::decode(d, ctx)).collect::<Result<_, _>>()?;
        numbers.try_into().map(Box::new).map_err(|_| bad())
    }
}
