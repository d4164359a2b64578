//! GF(257): whole numbers modulo the prime 257. No branch and no table depends on an element's value: the remainder by
//! a constant is a multiplication.

use zeroize::Zeroize;

const PRIME: u32 = 257;

/// A number from 0 to 256. Secret where it is a coefficient or a value.
#[derive(Clone, Copy)]
pub(super) struct Element(u16);

impl Element {
    pub(super) const ZERO: Self = Self(0);
    const ONE: Self = Self(1);

    /// Uniform: of the 65,536 words one is drawn again, and the others are 257 times 255.
    pub(super) fn random() -> Self {
        loop {
            let mut bytes = keystead_crypto::random::<2>();
            let mut drawn = u16::from_le_bytes(bytes);
            bytes.zeroize();
            if drawn != u16::MAX {
                let element = Self::reduced(drawn);
                drawn.zeroize();
                return element;
            }
        }
    }

    pub(super) fn reduced(number: u16) -> Self {
        Self::modulo(u32::from(number))
    }

    pub(super) const fn get(self) -> u16 {
        self.0
    }

    // Sums and products of two elements stay below 2^17.

    pub(super) fn plus(self, other: Self) -> Self {
        Self::modulo(u32::from(self.0).wrapping_add(u32::from(other.0)))
    }

    pub(super) fn times(self, other: Self) -> Self {
        Self::modulo(u32::from(self.0).wrapping_mul(u32::from(other.0)))
    }

    fn minus(self, other: Self) -> Self {
        Self::modulo(u32::from(self.0).wrapping_add(PRIME).wrapping_sub(u32::from(other.0)))
    }

    /// Its inverse, by Fermat: itself to the power of 255. Zero has none, and gives zero.
    fn inverse(self) -> Self {
        (0..255).fold(Self::ONE, |power, _| power.times(self))
    }

    fn modulo(number: u32) -> Self {
        // Below 257, so it fits.
        Self(u16::try_from(number.wrapping_rem(PRIME)).unwrap_or_default())
    }
}

impl From<u8> for Element {
    fn from(byte: u8) -> Self {
        Self(u16::from(byte))
    }
}

impl Zeroize for Element {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

/// The polynomial's value, its highest coefficient first.
pub(super) fn value_at(polynomial: &[Element], x: u8) -> Element {
    let x = Element::from(x);
    polynomial.iter().fold(Element::ZERO, |value, coefficient| value.times(x).plus(*coefficient))
}

/// What the value at `of` counts for in the value at 0: the product of x / (x - of) over the other numbers.
pub(super) fn weight(numbers: &[u8], of: u8) -> Element {
    let of_it = Element::from(of);
    let others = numbers.iter().copied().filter(|x| *x != of).map(Element::from);
    others.fold(Element::ONE, |weight, x| weight.times(x).times(x.minus(of_it).inverse()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_but_zero_has_an_inverse() {
        for number in 1..257 {
            let number = Element::reduced(number);
            assert_eq!(number.times(number.inverse()).get(), 1);
            assert_eq!(number.minus(number).get(), 0);
            assert_eq!(Element::ZERO.minus(number).plus(number).get(), 0);
        }
        assert_eq!(Element::ZERO.inverse().get(), 0);
    }

    #[test]
    fn each_number_is_drawn_from_the_same_count_of_words() {
        let mut counts = [0; 257];
        (0..u16::MAX).for_each(|word| counts[usize::from(Element::reduced(word).get())] += 1);
        assert_eq!(counts, [255; 257]);
        assert!((0..2000).map(|_| Element::random().get()).all(|number| number < 257));
    }
}
