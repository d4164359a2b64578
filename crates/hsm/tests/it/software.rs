//! What tokens are judged by: software that has nothing to do with them.

use crate::bed::Bed;
use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use aws_lc_rs::rsa::{Pkcs1PublicEncryptingKey, RsaParameters};
use keystead_crypto::aes::wrap;
use keystead_crypto::rsa::Padding;
use keystead_crypto::{Hash, ec, rsa};
use keystead_hsm::call::{Answer, Destination, IDENTIFYING};
use keystead_hsm::worker::{Hand, Token};
use keystead_hsm::{Call, Held, HsmError, KeyId, Owner, Parts, Reply, Stored};
use keystead_model::{CipherAlgorithm, Curve, KeySpec, PublicExponent, PublicKey, SignAlgorithm, Size};

/// Whose the resident keys of the tests are.
pub(crate) const OWNER: Owner = Owner([0x0e; 16]);
pub(crate) const RESIDENT: Destination = Destination::Resident(OWNER);

pub(crate) const WRAPPING: [u8; 32] = *b"a vault's wrapping key, 32 bytes";

/// The id that a wrapping key makes.
pub(crate) fn id_of(wrapping: &[u8; 32]) -> KeyId {
    KeyId(wrap::wrap_padded(wrapping, &IDENTIFYING).unwrap()[8..].try_into().unwrap())
}

fn encrypting(public: &PublicKey) -> PublicEncryptingKey {
    let PublicKey::Rsa { n, e } = public else { panic!("not an RSA key") };
    PublicEncryptingKey::from_der(&rsa::spki_der(n, e)).unwrap()
}

pub(crate) fn oaep(public: &PublicKey, sha256: bool, plain: &[u8]) -> Vec<u8> {
    let key = OaepPublicEncryptingKey::new(encrypting(public)).unwrap();
    let mut out = vec![0; key.key_size_bytes()];
    let algorithm = if sha256 { &OAEP_SHA256_MGF1SHA256 } else { &OAEP_SHA1_MGF1SHA1 };
    key.encrypt(algorithm, plain, &mut out, None).unwrap();
    out
}

pub(crate) fn pkcs1(public: &PublicKey, plain: &[u8]) -> Vec<u8> {
    let key = Pkcs1PublicEncryptingKey::new(encrypting(public)).unwrap();
    let mut out = vec![0; key.key_size_bytes()];
    key.encrypt(plain, &mut out).unwrap();
    out
}

/// Whether it is an RSA key of this size at all, by the library's own bounds.
pub(crate) fn is_rsa(public: &PublicKey, bits: u16) -> bool {
    let PublicKey::Rsa { n, e } = public else { return false };
    let parameters: &RsaParameters = &aws_lc_rs::signature::RSA_PKCS1_2048_8192_SHA256;
    n.len() == usize::from(bits / 8) && n[0] >= 0x80 && e == &[1, 0, 1] && parameters.min_modulus_len() <= bits.into()
}

pub(crate) const fn curve_of(curve: Curve) -> ec::Curve {
    match curve {
        Curve::P256 => ec::Curve::P256,
        Curve::P384 => ec::Curve::P384,
        Curve::P521 => ec::Curve::P521,
        Curve::P256K => ec::Curve::P256K1,
    }
}

pub(crate) fn hash_of(algorithm: SignAlgorithm) -> Hash {
    match algorithm.digest_len() {
        32 => Hash::Sha256,
        48 => Hash::Sha384,
        _ => Hash::Sha512,
    }
}

pub(crate) fn verifies(public: &PublicKey, algorithm: SignAlgorithm, digest: &[u8], signature: &[u8]) -> bool {
    match public {
        PublicKey::Ec { curve, x, y } => ec::verify_digest(curve_of(*curve), x, y, digest, signature),
        PublicKey::Rsa { n, e } => {
            let padding = if algorithm.wire().starts_with("PS") { Padding::Pss } else { Padding::Pkcs1 };
            rsa::verify_digest(n, e, padding, hash_of(algorithm), digest, signature)
        }
        PublicKey::Symmetric => false,
    }
}

/// A key made in software.
pub(crate) struct Software {
    pub(crate) spec: KeySpec,
    pub(crate) parts: Parts,
    pub(crate) public: PublicKey,
    /// PKCS#8, or the secret itself: what is wrapped.
    pub(crate) bytes: Vec<u8>,
}

pub(crate) fn software(spec: KeySpec) -> Software {
    match spec.size() {
        Size::Curve(curve) => {
            let key = ec::PrivateKey::generate(curve_of(curve));
            let (x, y) = (key.public().0.to_vec(), key.public().1.to_vec());
            let bytes = key.to_pkcs8().to_vec();
            let public = PublicKey::Ec { curve, x: x.clone(), y: y.clone() };
            Software { spec, parts: Parts::Ec { d: scalar(&bytes, curve).into(), x, y }, public, bytes }
        }
        Size::Modulus(bits) => {
            let size = match bits {
                2048 => rsa::Size::Bits2048,
                3072 => rsa::Size::Bits3072,
                _ => rsa::Size::Bits4096,
            };
            let key = rsa::PrivateKey::generate(size, 65_537).unwrap();
            let public = PublicKey::Rsa { n: key.public().0.to_vec(), e: key.public().1.to_vec() };
            let bytes = key.to_pkcs8().to_vec();
            Software { spec, parts: Parts::Rsa(Box::new(rsa_numbers(&bytes))), public, bytes }
        }
        Size::Secret(bits) => {
            let bytes = keystead_crypto::random_bytes(usize::from(bits / 8)).to_vec();
            Software { spec, parts: Parts::Oct(bytes.clone().into()), public: PublicKey::Symmetric, bytes }
        }
    }
}

/// Tag, contents and what comes behind them.
fn element(der: &[u8]) -> (u8, &[u8], &[u8]) {
    let (head, length) = match der[1] {
        short @ ..=0x7f => (2, usize::from(short)),
        0x81 => (3, usize::from(der[2])),
        _ => (4, usize::from(der[2]) << 8 | usize::from(der[3])),
    };
    (der[0], &der[head..head + length], &der[head + length..])
}

/// The private key in a PKCS#8 document.
fn inner(pkcs8: &[u8]) -> &[u8] {
    let (_, mut rest, _) = element(pkcs8);
    loop {
        let (tag, contents, behind) = element(rest);
        if tag == 4 {
            return contents;
        }
        rest = behind;
    }
}

/// n, e, d, p, q, dp, dq, qi of RSAPrivateKey, behind its version.
fn rsa_numbers(pkcs8: &[u8]) -> [zeroize::Zeroizing<Vec<u8>>; 8] {
    let (_, sequence, _) = element(inner(pkcs8));
    let (_, _, mut rest) = element(sequence);
    std::array::from_fn(|_| {
        let (_, number, behind) = element(rest);
        rest = behind;
        number.iter().copied().skip_while(|byte| *byte == 0).collect::<Vec<u8>>().into()
    })
}

/// The scalar of ECPrivateKey, behind its version.
fn scalar(pkcs8: &[u8], curve: Curve) -> Vec<u8> {
    let (_, sequence, _) = element(inner(pkcs8));
    let (_, _, rest) = element(sequence);
    let (_, scalar, _) = element(rest);
    [vec![0; curve.field_len() - scalar.len()], scalar.to_vec()].concat()
}

/// A wrapped key as CKM_RSA_AES_KEY_WRAP with SHA-1 makes it.
pub(crate) fn byok(kek: &PublicKey, bytes: &[u8]) -> Vec<u8> {
    let between = [9; 32];
    [oaep(kek, false, &between), wrap::wrap_padded(&between, bytes).unwrap()].concat()
}

/// Value, nonce or IV, tag.
pub(crate) type Sealed = (Vec<u8>, Vec<u8>, Vec<u8>);

/// A token that holds the wrapping key, and a session of it.
pub(crate) struct Desk {
    pub(crate) token: Token,
    pub(crate) hand: Hand,
    pub(crate) wrapping: KeyId,
    next: u16,
}

impl Desk {
    pub(crate) fn of(bed: &Bed, label: &str) -> Self {
        let (token, mut hand) = bed.hand(label);
        let wrapping = enroll(&mut hand, &WRAPPING);
        Self { token, hand, wrapping, next: 0 }
    }

    pub(crate) fn id(&mut self) -> KeyId {
        self.next += 1;
        KeyId(std::array::from_fn(|at| self.next.to_be_bytes()[at % 2]))
    }

    pub(crate) fn wrapped(&self) -> Destination {
        Destination::Wrapped(self.wrapping)
    }

    pub(crate) fn make(&mut self, spec: KeySpec, to: Destination) -> (Held, PublicKey) {
        let id = self.id();
        let exponent = PublicExponent::default();
        let made = self.hand.work(&Call::Generate { id, spec, exponent, to });
        made_of(id, spec, made).unwrap_or_else(|error| panic!("{spec:?}: {error}"))
    }

    pub(crate) fn import(
        &mut self,
        spec: KeySpec,
        parts: &Parts,
        to: Destination,
    ) -> Result<(Held, PublicKey), HsmError> {
        let id = self.id();
        let made = self.hand.work(&Call::Import { id, spec, parts: parts.clone(), to });
        made_of(id, spec, made)
    }

    pub(crate) fn import_wrapped(
        &mut self,
        spec: KeySpec,
        kek: &Held,
        wrapped: &[u8],
        to: Destination,
    ) -> Result<(Held, PublicKey), HsmError> {
        let id = self.id();
        let made = self.hand.work(&Call::ImportWrapped { id, spec, kek: kek.clone(), wrapped: wrapped.to_vec(), to });
        made_of(id, spec, made)
    }

    pub(crate) fn sign(&mut self, key: &Held, algorithm: SignAlgorithm, digest: &[u8]) -> Result<Vec<u8>, HsmError> {
        let call = Call::Sign { key: key.clone(), algorithm, digest: digest.to_vec() };
        self.hand.work(&call).map(bytes)
    }

    /// Signs in a way that the key has, and has software verify it.
    pub(crate) fn proves(&mut self, key: &Held, public: &PublicKey) {
        let algorithm = SignAlgorithm::ALL.iter().find(|algorithm| algorithm.fits(key.spec)).unwrap();
        let digest = vec![0x3c; algorithm.digest_len()];
        let signature = self.sign(key, *algorithm, &digest).unwrap();
        assert!(verifies(public, *algorithm, &digest, &signature), "{:?}", key.spec);
    }

    pub(crate) fn decrypt(
        &mut self,
        key: &Held,
        algorithm: CipherAlgorithm,
        data: &[u8],
        beside: [&[u8]; 3],
    ) -> Result<Vec<u8>, HsmError> {
        let [iv, tag, aad] = beside.map(<[u8]>::to_vec);
        let call = Call::Decrypt { key: key.clone(), algorithm, data: data.to_vec(), iv, tag, aad };
        match self.hand.work(&call)? {
            Reply::Plain(plain) => Ok(plain.to_vec()),
            _ => panic!("not a plaintext"),
        }
    }

    pub(crate) fn encrypt(
        &mut self,
        key: &Held,
        algorithm: CipherAlgorithm,
        data: &[u8],
        iv: &[u8],
        aad: &[u8],
    ) -> Result<Sealed, HsmError> {
        let (data, iv, aad) = (data.to_vec().into(), iv.to_vec(), aad.to_vec());
        match self.hand.work(&Call::Encrypt { key: key.clone(), algorithm, data, iv, aad })? {
            Reply::Encrypted { value, iv, tag } => Ok((value, iv.unwrap_or_default(), tag.unwrap_or_default())),
            _ => panic!("not a ciphertext"),
        }
    }

    pub(crate) fn residents(&mut self) -> Vec<KeyId> {
        match self.hand.work(&Call::Residents(OWNER)) {
            Ok(Reply::Ids(ids)) => ids,
            _ => panic!("not a list of ids"),
        }
    }
}

/// Brings a wrapping key in.
pub(crate) fn enroll(hand: &mut Hand, wrapping: &[u8; 32]) -> KeyId {
    let id = id_of(wrapping);
    let Ok(Reply::Transfer { public, sha256 }) = hand.work(&Call::TransferKey) else { panic!("no transfer key") };
    assert!(is_rsa(&public, 3072));
    done(hand.work(&Call::InstallWrapping { id, wrapped: oaep(&public, sha256, wrapping) }));
    assert!(holds(hand, id));
    id
}

pub(crate) fn holds(hand: &mut Hand, id: KeyId) -> bool {
    match hand.work(&Call::HoldsWrapping(id)) {
        Ok(Reply::Holds(holds)) => holds,
        other => panic!("{:?}", other.err()),
    }
}

pub(crate) fn done(answer: Answer) {
    match answer {
        Ok(Reply::Done) => {}
        Ok(_) => panic!("another reply"),
        Err(error) => panic!("{error}"),
    }
}

pub(crate) fn bytes(reply: Reply) -> Vec<u8> {
    match reply {
        Reply::Bytes(bytes) => bytes,
        _ => panic!("not bytes"),
    }
}

fn made_of(id: KeyId, spec: KeySpec, made: Answer) -> Result<(Held, PublicKey), HsmError> {
    match made? {
        Reply::Made { public, stored } => Ok((Held { id, spec, stored }, public)),
        _ => panic!("not a key"),
    }
}

pub(crate) fn blob(held: &Held) -> &[u8] {
    match &held.stored {
        Stored::Wrapped { blob, .. } => blob,
        Stored::Resident => panic!("a resident key"),
    }
}
