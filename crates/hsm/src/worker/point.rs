//! From x to the two points of a curve that have it. For public points only: the time depends on the numbers.

use keystead_model::Curve;

/// A number below 2^576, its least word first: room for the largest field and a bit.
type Number = [u64; WORDS];

const WORDS: usize = 9;
const ZERO: Number = [0; WORDS];
const ONE: Number = [1, 0, 0, 0, 0, 0, 0, 0, 0];

/// The curve's base point.
pub(super) fn base(curve: Curve) -> (Vec<u8>, Vec<u8>) {
    let (x, y) = match curve {
        Curve::P256 => (
            "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
            "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
        ),
        Curve::P384 => (
            "aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7",
            "3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f",
        ),
        Curve::P521 => (
            "c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3dbaa14b5e77efe75928fe1dc127a2ffa8\
             de3348b3c1856a429bf97e7e31c2e5bd66",
            "11839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd17273e662c97ee72995ef42640c550b9013fad0\
             761353c7086a272c24088be94769fd16650",
        ),
        Curve::P256K => (
            "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
            "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8",
        ),
    };
    (write(curve, &hex(x)), write(curve, &hex(y)))
}

/// Both y that go with x: none if no point of the curve has it.
pub(super) fn ys(curve: Curve, x: &[u8]) -> Option<[Vec<u8>; 2]> {
    let field = Field::of(curve);
    let x = read(x).filter(|x| less(x, &field.p))?;
    // x^3 + ax + b
    let square = field.add(&field.mul(&field.add(&field.mul(&x, &x), &field.a), &x), &field.b);
    // Where p is 3 modulo 4, the power of (p + 1) / 4 is a root if there is one.
    let y = field.power(&square, &halved(&halved(&added(&field.p, &ONE))));
    let other = field.sub(&ZERO, &y);
    (field.mul(&y, &y) == square).then(|| [write(curve, &y), write(curve, &other)])
}

/// y^2 = x^3 + ax + b over the numbers below p.
struct Field {
    p: Number,
    a: Number,
    b: Number,
}

impl Field {
    fn of(curve: Curve) -> Self {
        let (p, b) = match curve {
            Curve::P256 => (
                "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff",
                "5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b",
            ),
            Curve::P384 => (
                "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff",
                "b3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aef",
            ),
            Curve::P521 => (
                "1ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\
                 ffffffffffffffffffffffffffffffffffff",
                "51953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf\
                 073573df883d2c34f1ef451fd46b503f00",
            ),
            Curve::P256K => ("fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f", "7"),
        };
        let (p, b) = (hex(p), hex(b));
        let a = if curve == Curve::P256K { ZERO } else { subtracted(&p, &hex("3")) };
        Self { p, a, b }
    }

    fn add(&self, a: &Number, b: &Number) -> Number {
        // Both are below p, which leaves room for the sum.
        let sum = added(a, b);
        if less(&sum, &self.p) { sum } else { subtracted(&sum, &self.p) }
    }

    fn sub(&self, a: &Number, b: &Number) -> Number {
        if less(a, b) { subtracted(&added(a, &self.p), b) } else { subtracted(a, b) }
    }

    /// Bit by bit: some microseconds, once for an imported key.
    fn mul(&self, a: &Number, b: &Number) -> Number {
        bits(a).fold(ZERO, |product, bit| {
            let doubled = self.add(&product, &product);
            if bit { self.add(&doubled, b) } else { doubled }
        })
    }

    fn power(&self, base: &Number, exponent: &Number) -> Number {
        bits(exponent).fold(ONE, |power, bit| {
            let square = self.mul(&power, &power);
            if bit { self.mul(&square, base) } else { square }
        })
    }
}

/// The highest bit first, without leading zeros.
fn bits(number: &Number) -> impl Iterator<Item = bool> {
    let words = number.iter().rev().copied();
    words.flat_map(|word| (0..64).rev().map(move |at| word >> at & 1 == 1)).skip_while(|bit| !bit)
}

fn less(a: &Number, b: &Number) -> bool {
    a.iter().rev().lt(b.iter().rev())
}

fn added(a: &Number, b: &Number) -> Number {
    let (mut sum, mut carry) = (ZERO, false);
    for ((out, a), b) in sum.iter_mut().zip(a).zip(b) {
        let (once, first) = a.overflowing_add(*b);
        let (twice, second) = once.overflowing_add(u64::from(carry));
        (*out, carry) = (twice, first | second);
    }
    sum
}

fn subtracted(a: &Number, b: &Number) -> Number {
    let (mut difference, mut borrow) = (ZERO, false);
    for ((out, a), b) in difference.iter_mut().zip(a).zip(b) {
        let (once, first) = a.overflowing_sub(*b);
        let (twice, second) = once.overflowing_sub(u64::from(borrow));
        (*out, borrow) = (twice, first | second);
    }
    difference
}

fn halved(number: &Number) -> Number {
    let (mut half, mut above) = (ZERO, 0);
    for (out, word) in half.iter_mut().zip(number).rev() {
        *out = above << 63 | word >> 1;
        above = word & 1;
    }
    half
}

/// A big-endian number that has room.
fn read(bytes: &[u8]) -> Option<Number> {
    let mut number = ZERO;
    let mut chunks = bytes.rchunks(8);
    for (word, chunk) in number.iter_mut().zip(&mut chunks) {
        *word = chunk.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    }
    chunks.next().is_none().then_some(number)
}

/// Big-endian, as long as the curve's field.
fn write(curve: Curve, number: &Number) -> Vec<u8> {
    let mut bytes: Vec<u8> = number.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.truncate(curve.field_len());
    bytes.reverse();
    bytes
}

/// Of the constants above.
fn hex(digits: &str) -> Number {
    let mut number = ZERO;
    for digit in digits.chars().filter_map(|c| c.to_digit(16)) {
        let mut carry = u64::from(digit);
        for word in &mut number {
            (*word, carry) = (*word << 4 | carry, *word >> 60);
        }
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;
    use keystead_crypto::ec;

    fn of(curve: Curve) -> ec::Curve {
        match curve {
            Curve::P256 => ec::Curve::P256,
            Curve::P384 => ec::Curve::P384,
            Curve::P521 => ec::Curve::P521,
            Curve::P256K => ec::Curve::P256K1,
        }
    }

    #[test]
    fn the_point_of_a_key_is_one_of_the_two() {
        for curve in Curve::ALL {
            for _ in 0..4 {
                let key = ec::PrivateKey::generate(of(*curve));
                let (x, y) = key.public();
                let ys = ys(*curve, x).unwrap();
                assert!(ys.iter().any(|found| found == y) && ys[0] != ys[1]);
            }
        }
    }

    #[test]
    fn the_base_points_are_on_their_curves() {
        for curve in Curve::ALL {
            let (x, y) = base(*curve);
            assert!(ys(*curve, &x).unwrap().contains(&y));
            // 1 as a private key gives the base point itself.
            let one = [vec![0; curve.field_len() - 1], vec![1]].concat();
            assert!(ec::PrivateKey::from_numbers(of(*curve), &x, &y, &one).is_ok());
        }
    }

    #[test]
    fn an_x_without_a_point_has_none() {
        for curve in Curve::ALL {
            let without = (1..40).filter(|x| ys(*curve, &[*x]).is_none()).count();
            assert!((5..35).contains(&without));
            assert_eq!(ys(*curve, &vec![0xff; curve.field_len()]), None);
            assert_eq!(ys(*curve, &[1; 80]), None);
        }
    }
}
