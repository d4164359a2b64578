//! Which algorithms the token really has: each is tried, as some are listed that do not work.

use super::Abilities;
use super::wraps::STORED;
use crate::describe::Native;
use crate::worker::mechanisms::Mechanisms;
use crate::worker::public::Hash;
use crate::worker::raw::Template;
use crate::worker::rsa::{self, Oaep};
use crate::worker::rv::{Tried, Trouble, tolerated};
use crate::worker::seat::{Passing, Seat};
use crate::worker::templates::{self, Hardening, Life, Purpose};
use crate::worker::{aes, ec, keywrap, rsa15};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, ObjectHandle};
use cryptoki::types::Ulong;
use cryptoki_sys::{CKF_ENCRYPT, CKM_AES_KEY_WRAP, CKM_AES_KEY_WRAP_KWP, CKM_AES_KEY_WRAP_PAD};
use keystead_model::{CipherAlgorithm, Curve, KeySpec, PublicExponent, SignAlgorithm, Size};

/// A key pair, public and private: the private one may leave, once.
pub(super) type Pair<'a> = (Passing<'a>, Passing<'a>);

/// Tries all of them. Gives the RSA pair that it made for it, which takes time to make, to be used again.
pub(super) fn run<'a>(seat: &'a Seat, mechanisms: &Mechanisms, found: &mut Abilities) -> Tried<Option<Pair<'a>>> {
    let mut probe = Probe { seat, mechanisms, found };
    let mut pair = None;
    for spec in KeySpec::ALL {
        match spec.size() {
            Size::Curve(curve) => probe.curve(*spec, curve)?,
            Size::Modulus(2048) => pair = probe.rsa()?,
            Size::Modulus(_) => {}
            Size::Secret(bits) => probe.aes(*spec, bits)?,
        }
    }
    probe.larger_rsa();
    probe.hmac()?;
    Ok(pair)
}

struct Probe<'a, 'b> {
    seat: &'a Seat,
    mechanisms: &'b Mechanisms,
    found: &'b mut Abilities,
}

const DIGEST: [u8; 64] = [0x5a; 64];

/// HMAC of "keystead" under the key that is known.
const HMAC_SHA256: [u8; 32] = *b"\x6f\x1f\xaf\x7f\x84\x53\x01\xfe\x64\x2e\x57\x6a\xa3\x92\x65\x17\
    \xda\x40\xcf\x52\x85\xc0\x24\xcf\x12\x6a\x4d\x42\xd7\x79\x23\x7f";

const HMAC_SHA384: [u8; 48] = *b"\xf0\x75\x10\x74\xf3\x68\xd9\x33\xc6\x3e\x9d\x49\xfe\x2c\x51\x94\
    \xbc\x94\x87\x2d\x77\x84\xd1\xed\x81\xf2\x89\x16\x80\x2e\x81\x1d\
    \x33\xed\xe3\x5d\x0e\x23\x3f\x37\x89\x57\x03\x31\x22\xb5\x80\xd9";
const HMAC_SHA512: [u8; 64] = *b"\xc7\x8c\xcc\x5e\x20\x86\xe1\xe8\x00\x2c\x5e\x0c\x63\x9e\x4f\xb0\
    \x06\x14\x25\xb7\xd3\xec\x86\x1d\x86\xf8\xbf\xee\x01\x00\xc5\xec\
    \x30\x0e\x07\x75\x25\x05\x76\xb7\x36\x4b\xc3\xf4\x96\xde\x97\x5b\
    \xf5\xe2\x72\xeb\x37\xd9\xe9\xc1\xc8\xfb\xfc\x31\x4f\xee\xa3\x17";

/// The nonce, text and tag of what AES-GCM is tried with are made anew; this is what stands beside them.
const BESIDE: &[u8] = b"associated";

impl<'a> Probe<'a, '_> {
    fn signs(&mut self, algorithm: SignAlgorithm, works: Option<bool>) {
        if works == Some(true) {
            self.found.signs.push((algorithm, Native::Mechanism));
        }
    }

    fn pair(&self, spec: KeySpec, how: &Mechanism<'_>) -> Tried<Pair<'a>> {
        let public = templates::generated_public(spec, PublicExponent::default());
        self.seat.pair(how, &public, &templates::key(spec, Purpose::Work, Life::Birth, Hardening::BEST))
    }

    fn curve(&mut self, spec: KeySpec, curve: Curve) -> Tried<()> {
        let Some((public, private)) = tolerated(self.pair(spec, &Mechanism::EccKeyPairGen))? else { return Ok(()) };
        let algorithm = SignAlgorithm::ALL.iter().copied().find(|algorithm| algorithm.specs() == [spec]);
        let Some(algorithm) = algorithm else { return Ok(()) };
        let digest = DIGEST.get(..algorithm.digest_len()).unwrap_or_default();
        let works = tolerated(ec::sign(self.seat, private.handle, curve, digest).and_then(|signature| {
            ec::public_of(self.seat, public.handle, curve)?;
            ec::verify(self.seat, public.handle, digest, &signature)
        }))?;
        if works.is_some() {
            self.found.keys.push(spec);
            self.signs(algorithm, Some(true));
        }
        Ok(())
    }

    fn rsa(&mut self) -> Tried<Option<Pair<'a>>> {
        let pair = tolerated(self.pair(KeySpec::Rsa2048, &Mechanism::RsaPkcsKeyPairGen))?;
        let Some(pair) = pair else { return Ok(None) };
        self.found.keys.push(KeySpec::Rsa2048);
        self.rsa_algorithms(pair.0.handle, pair.1.handle)?;
        Ok(Some(pair))
    }

    fn rsa_algorithms(&mut self, public: ObjectHandle, private: ObjectHandle) -> Tried<()> {
        let seat = self.seat;
        for (hash, pkcs1, pss) in [
            (Hash::Sha256, SignAlgorithm::Rs256, SignAlgorithm::Ps256),
            (Hash::Sha384, SignAlgorithm::Rs384, SignAlgorithm::Ps384),
            (Hash::Sha512, SignAlgorithm::Rs512, SignAlgorithm::Ps512),
        ] {
            let digest = DIGEST.get(..pkcs1.digest_len()).unwrap_or_default();
            let works = rsa::sign_pkcs1(seat, private, hash, digest)
                .and_then(|signature| rsa::verify_pkcs1(seat, public, hash, digest, &signature));
            self.signs(pkcs1, tolerated(works)?.map(|()| true));
            let works = rsa::sign_pss(seat, private, hash, digest)
                .and_then(|signature| rsa::verify_pss(seat, public, hash, digest, &signature));
            self.signs(pss, tolerated(works)?.map(|()| true));
        }
        for (oaep, algorithm) in [(Oaep::Sha1, CipherAlgorithm::RsaOaep), (Oaep::Sha256, CipherAlgorithm::RsaOaep256)] {
            let works = tolerated(self.oaep(oaep, public, private))?.unwrap_or(false);
            self.found.ciphers.push((algorithm, if works { Native::Mechanism } else { Native::PublicOnly }));
        }
        let pkcs1 = tolerated(rsa15::probe(seat, public, private))?.flatten();
        let native = match &pkcs1 {
            Some(codes) if codes.is_empty() => Native::Mechanism,
            Some(_) => Native::Composed,
            None => Native::PublicOnly,
        };
        self.found.ciphers.push((CipherAlgorithm::Rsa15, native));
        // A number that is no ciphertext under any key of this size.
        let refused = seat.session.decrypt(&Mechanism::RsaPkcs, private, &[0xff; 256]).map(drop).map_err(Trouble::from);
        self.refused(refused)?;
        self.found.refusals.pkcs1 = pkcs1;
        Ok(())
    }

    fn oaep(&mut self, oaep: Oaep, public: ObjectHandle, private: ObjectHandle) -> Tried<bool> {
        let cipher = oaep.encrypt(self.seat, public, BESIDE)?;
        let plain = oaep.decrypt(self.seat, private, &cipher)?;
        let mut changed = cipher;
        changed.last_mut().into_iter().for_each(|byte| *byte ^= 1);
        let refused = oaep.decrypt(self.seat, private, &changed);
        let refused = self.refused(refused.map(drop))?;
        Ok(plain.as_slice() == BESIDE && refused)
    }

    /// Takes note of the code by which wrong data are refused.
    fn refused(&mut self, tried: Tried<()>) -> Tried<bool> {
        let codes = &mut self.found.refusals.decrypt;
        match tried {
            Ok(()) => Ok(false),
            Err(Trouble::Code(code, _)) => {
                if !codes.contains(&code) {
                    codes.push(code);
                }
                Ok(true)
            }
            Err(trouble) => Err(trouble),
        }
    }

    /// By the list: making them takes seconds.
    fn larger_rsa(&mut self) {
        let most = self.mechanisms.most(MechanismType::RSA_PKCS_KEY_PAIR_GEN).unwrap_or(0);
        if self.found.keys.contains(&KeySpec::Rsa2048) {
            let larger = [(KeySpec::Rsa3072, 3072), (KeySpec::Rsa4096, 4096)];
            self.found.keys.extend(larger.into_iter().filter(|(_, bits)| *bits <= most).map(|(spec, _)| spec));
        }
    }

    fn aes(&mut self, spec: KeySpec, bits: u16) -> Tried<()> {
        let mut template = templates::key(spec, Purpose::Work, Life::Session, Hardening::BEST);
        template.push(Attribute::ValueLen(Ulong::new(u64::from(bits / 8))));
        let Some(key) = tolerated(self.seat.generate(&Mechanism::AesKeyGen, &template))? else { return Ok(()) };
        self.found.keys.push(spec);
        let key = key.handle;
        let gcm = tolerated(self.gcm(key))?.unwrap_or(false);
        let cbc = tolerated(self.cbc(key))?.unwrap_or(false);
        let ecb = tolerated(self.ecb(key))?.unwrap_or(false);
        self.wraps_bytes(key)?;
        let wraps = |native: Option<u64>| match native {
            Some(_) => Some(Native::Mechanism),
            None => ecb.then_some(Native::Composed),
        };
        for algorithm in CipherAlgorithm::ALL.iter().copied().filter(|algorithm| algorithm.fits(spec)) {
            use keystead_model::CipherMode::*;
            let native = match algorithm.mode() {
                Gcm => gcm.then_some(Native::Mechanism),
                Cbc | CbcPad => cbc.then_some(Native::Mechanism),
                KeyWrap => wraps(self.found.wraps_bytes),
                KeyWrapPad => wraps(self.found.wraps_bytes_padded),
                Pkcs1 | Oaep => None,
            };
            let known = self.found.ciphers.iter().any(|(known, _)| *known == algorithm);
            self.found.ciphers.extend(native.filter(|_| !known).map(|native| (algorithm, native)));
        }
        Ok(())
    }

    fn gcm(&mut self, key: ObjectHandle) -> Tried<bool> {
        let plain = b"seventeen bytes..";
        let sealed = aes::seal(self.seat, key, BESIDE, plain, self.found.own_nonce)?;
        let opened = aes::open(self.seat, key, &sealed.nonce, BESIDE, &sealed.value, &sealed.tag)?;
        let empty = aes::seal(self.seat, key, &[], &[], self.found.own_nonce)?;
        let nothing = aes::open(self.seat, key, &empty.nonce, &[], &empty.value, &empty.tag)?;
        let other = aes::open(self.seat, key, &sealed.nonce, &[], &sealed.value, &sealed.tag);
        let refused = self.refused(other.map(drop))?;
        Ok(opened.as_slice() == plain && nothing.is_empty() && refused)
    }

    fn cbc(&self, key: ObjectHandle) -> Tried<bool> {
        let plain = [7; 48];
        let cipher = aes::cbc_encrypt(self.seat, key, [9; 16], &plain)?;
        Ok(aes::cbc_decrypt(self.seat, key, [9; 16], &cipher)?.as_slice() == plain)
    }

    fn ecb(&self, key: ObjectHandle) -> Tried<bool> {
        let plain = [7; 16];
        let cipher = aes::ecb_encrypt(self.seat, key, &plain)?;
        Ok(aes::ecb_decrypt(self.seat, key, &cipher)?.as_slice() == plain)
    }

    /// Whether a caller's bytes are wrapped in one call, and as the standards say: a length that is none of theirs
    /// shows it.
    fn wraps_bytes(&mut self, key: ObjectHandle) -> Tried<()> {
        let (seat, functions) = (self.seat, &self.seat.library.functions);
        let works = |number: u64, plain: &[u8], composed: Option<Vec<u8>>| -> Tried<bool> {
            if !self.mechanisms.can(number, CKF_ENCRYPT) {
                return Ok(false);
            }
            let Some(cipher) = tolerated(functions.encrypt(&seat.session, number, key, plain).map_err(Trouble::from))?
            else {
                return Ok(false);
            };
            let again = tolerated(functions.decrypt(&seat.session, number, key, &cipher).map_err(Trouble::from))?;
            Ok(Some(cipher) == composed && again.as_deref() == Some(plain))
        };
        let (whole, odd) = ([3; 24], [3; 20]);
        let composed = tolerated(keywrap::wrap(seat, key, &whole))?.flatten();
        if works(CKM_AES_KEY_WRAP, &whole, composed)? {
            self.found.wraps_bytes = Some(CKM_AES_KEY_WRAP);
        }
        let composed = tolerated(keywrap::wrap_padded(seat, key, &odd))?.flatten();
        for number in [CKM_AES_KEY_WRAP_KWP, CKM_AES_KEY_WRAP_PAD] {
            if self.found.wraps_bytes_padded.is_none() && works(number, &odd, composed.clone())? {
                self.found.wraps_bytes_padded = Some(number);
            }
        }
        Ok(())
    }

    fn hmac(&mut self) -> Tried<()> {
        let Some(porter) = &self.found.porter else { return Ok(()) };
        let plain = templates::key(KeySpec::Oct256, Purpose::Mac, Life::Session, Hardening::BEST);
        let template = Template { plain: &plain, ..Template::default() };
        let Some(key) = tolerated(porter.bring(self.seat, &STORED, template))? else { return Ok(()) };
        for (hash, algorithm, known) in [
            (Hash::Sha256, SignAlgorithm::Hs256, HMAC_SHA256.as_slice()),
            (Hash::Sha384, SignAlgorithm::Hs384, &HMAC_SHA384),
            (Hash::Sha512, SignAlgorithm::Hs512, &HMAC_SHA512),
        ] {
            let made = tolerated(aes::hmac(self.seat, key.handle, hash, b"keystead"))?;
            self.signs(algorithm, made.map(|made| made == known));
        }
        Ok(())
    }
}
