//! Where key material lives and works. Above this room nothing sees a private key: it asks for a new key and gets its
//! public half with sealed material, or gives sealed material and gets an [`OpenKey`] that works with it.
//!
//! Work under 100 us (P-256, AES, HMAC, RSA-2048 encryption, RSA verification) runs where it is asked for; the rest
//! runs on a bounded pool of threads, in which every job has a deadline and callers take turns. Keys of an HSM work in
//! the tokens of their vault.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::disallowed_methods))]

mod byok;
mod error;
#[doc(hidden)]
pub mod fuzz;
mod held;
mod imported;
mod key;
mod material;
pub mod software;
mod tokens;
mod turned;
mod work;

pub use error::{ImportError, KeyError, Limit};
pub use imported::{BadKey, ImportedKey, RsaNumbers, RsaPrimes};
pub use key::{Encrypted, OpenKey, Standing};
pub use keystead_hsm::Client as Token;
pub use keystead_hsm::client::Figures;
pub use keystead_hsm::{Assurance, Description, TokenState, WrapClass};
pub use software::Lane;
pub use tokens::Tokens;
pub use turned::{opens, turned};

use keystead_crypto::sealed::{Binding, Sealer};
use keystead_hsm::{Held, KeyId};
use keystead_model::{KeySpec, ProtectionLevel, PublicExponent, PublicKey, SignAlgorithm, Size};
use material::Material;
use software::Weight;
use std::time::Instant;
use tokens::Made;

/// What keeps and uses key material: this process's memory and, where the vault has one, an HSM.
#[derive(Clone)]
pub struct Protection {
    pool: software::Pool,
    tokens: Option<Tokens>,
}

/// What key is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewKey {
    /// Its kind and size.
    pub spec: KeySpec,
    /// The public exponent, if it is RSA.
    pub exponent: PublicExponent,
    /// Where it works.
    pub level: ProtectionLevel,
}

impl From<KeySpec> for NewKey {
    fn from(spec: KeySpec) -> Self {
        Self { spec, exponent: PublicExponent::default(), level: ProtectionLevel::Software }
    }
}

/// A key as its row keeps it.
#[derive(Clone, Copy)]
pub struct StoredKey<'a> {
    /// What kind of key.
    pub spec: KeySpec,
    /// Its public half.
    pub public: &'a PublicKey,
    /// Its material, sealed.
    pub material: &'a [u8],
}

/// A new key.
pub struct Generated {
    /// What kind of key.
    pub spec: KeySpec,
    /// Its public half, for JWKs.
    pub public: PublicKey,
    /// Its material, sealed: what a row keeps.
    pub material: Vec<u8>,
}

impl Generated {
    /// As it is opened.
    pub const fn stored(&self) -> StoredKey<'_> {
        StoredKey { spec: self.spec, public: &self.public, material: self.material.as_slice() }
    }

    fn of(material: &Material, sealer: &Sealer, binding: &Binding) -> Self {
        let (spec, public) = (material.spec(), material.public());
        Self { spec, public, material: sealer.seal(binding, b"", &material.encode()) }
    }

    fn held(spec: KeySpec, made: Made, sealer: &Sealer, binding: &Binding) -> Self {
        let material = sealer.seal(binding, b"", &held::encode(spec, &made.stored));
        Self { spec, public: made.public, material }
    }
}

impl Protection {
    /// Keys in this process's memory, with a pool of so many threads (at least one).
    pub fn software(threads: usize) -> Self {
        Self { pool: software::Pool::new(threads), tokens: None }
    }

    /// The same, and keys in these tokens.
    #[must_use]
    pub fn with_tokens(self, tokens: Option<Tokens>) -> Self {
        Self { tokens, ..self }
    }

    /// The tokens, if there are any.
    pub fn tokens(&self) -> Result<&Tokens, KeyError> {
        self.tokens.as_ref().ok_or(KeyError::NoToken)
    }

    /// The same place of work, for one caller's work: callers take turns.
    #[must_use]
    pub fn in_lane(&self, lane: Lane) -> Self {
        Self { pool: self.pool.lane(lane), tokens: self.tokens.clone() }
    }

    /// How many jobs wait for the cipher pool.
    pub fn waiting(&self) -> usize {
        self.pool.waiting()
    }

    /// Makes a key and seals it for its row. The sealer is one of usage `KeyMaterial`.
    pub async fn generate(
        &self,
        sealer: &Sealer,
        binding: &Binding,
        key: impl Into<NewKey>,
        by: Instant,
    ) -> Result<Generated, KeyError> {
        let (pool, key) = (&self.pool, key.into());
        if key.level == ProtectionLevel::Hsm {
            let made = self.tokens()?.generate(KeyId(binding.version), key, by).await?;
            return Ok(Generated::held(key.spec, made, sealer, binding));
        }
        let material = match key.spec.size() {
            Size::Modulus(_) => pool.run(Weight::Heavy, by, move || Material::generate(key)).await?,
            _ if work::is_quick(key.spec) => pool.at_once(|| Material::generate(key))?,
            _ => pool.run(Weight::Light, by, move || Material::generate(key)).await?,
        };
        Ok(Generated::of(&material, sealer, binding))
    }

    /// Takes a key that was made elsewhere, if it is sound, and seals it for its row. The sealer is one of usage
    /// `KeyMaterial`.
    pub async fn import(
        &self,
        sealer: &Sealer,
        binding: &Binding,
        (key, level): (ImportedKey, ProtectionLevel),
        by: Instant,
    ) -> Result<Generated, ImportError> {
        let tokens = if level == ProtectionLevel::Hsm { Some(self.tokens()?) } else { None };
        // Proving primes takes as long as finding them.
        let weight = if matches!(key, ImportedKey::Rsa(_)) { Weight::Heavy } else { Weight::Light };
        let for_token = tokens.is_some();
        // It is checked here, whoever keeps it: a token may take what does not belong together.
        let checked = move || {
            let material = Material::import(&key)?;
            let parts = if for_token { Some(key.parts()?) } else { None };
            Ok::<_, BadKey>((material, parts))
        };
        let (material, parts) = self.pool.run(weight, by, move || Ok(checked())).await??;
        let (Some(tokens), Some(parts)) = (tokens, parts) else {
            return Ok(Generated::of(&material, sealer, binding));
        };
        let (spec, public) = (material.spec(), material.public());
        let made = tokens.import(KeyId(binding.version), spec, parts, by).await?;
        if made.public != public {
            return Err(KeyError::Damaged.into());
        }
        Ok(Generated::held(spec, made, sealer, binding))
    }

    /// Takes a key that came wrapped for one of the vault's own keys, the key exchange key (`.byok`): one of these
    /// kinds.
    pub async fn import_wrapped(
        &self,
        sealer: &Sealer,
        binding: &Binding,
        (kek, wrapped): (&OpenKey, &[u8]),
        (specs, level): (&[KeySpec], ProtectionLevel),
        by: Instant,
    ) -> Result<Generated, ImportError> {
        match (kek.held(), level) {
            (Some(kek), ProtectionLevel::Hsm) => {
                let (tokens, id) = (self.tokens()?, KeyId(binding.version));
                // A token unwraps a key of a kind that is named: which it is shows by trying.
                for spec in specs {
                    match tokens.import_wrapped(id, *spec, kek.clone(), wrapped.to_vec(), by).await {
                        Err(KeyError::BadWrappedKey) => {}
                        other => return Ok(Generated::held(*spec, other?, sealer, binding)),
                    }
                }
                Err(KeyError::BadWrappedKey.into())
            }
            (None, ProtectionLevel::Software) => {
                Ok(Generated::of(&kek.unwrapped(specs, wrapped, by).await?, sealer, binding))
            }
            _ => Err(KeyError::KekElsewhere.into()),
        }
    }

    /// Seals a key's material for another place, or under another key: into a backup, and out of one. What opens there
    /// is of this kind.
    pub async fn reseal(
        &self,
        from: (&Sealer, &Binding),
        to: (&Sealer, &Binding),
        key: StoredKey<'_>,
        by: Instant,
    ) -> Result<Vec<u8>, KeyError> {
        let opened = self.open(from.0, from.1, key, by).await?;
        Ok(to.0.seal(to.1, b"", &opened.encoded()?))
    }

    /// Opens a key for use. [`KeyError::Damaged`] if the material does not open or is of another kind.
    pub async fn open(
        &self,
        sealer: &Sealer,
        binding: &Binding,
        key: StoredKey<'_>,
        by: Instant,
    ) -> Result<OpenKey, KeyError> {
        let (pool, spec) = (self.pool.clone(), key.spec);
        let opened = sealer.open(binding, b"", key.material).map_err(|_| KeyError::Damaged)?;
        if held::is_held(&opened) {
            let held = Held { id: KeyId(binding.version), spec, stored: held::decode(spec, &opened)? };
            return Ok(OpenKey::held_by(self.tokens()?.clone(), held, key.public.clone(), pool));
        }
        let parsed = if work::is_quick(spec) {
            Material::decode(spec, &opened)?
        } else {
            pool.run(Weight::Light, by, move || Material::decode(spec, &opened)).await?
        };
        Ok(OpenKey::new(parsed, pool))
    }

    /// Whether this is a signature of the digest under the public key. One of a wrong length, or of another kind of
    /// key, is none.
    pub async fn verify(
        &self,
        public: &PublicKey,
        algorithm: SignAlgorithm,
        digest: &[u8],
        signature: &[u8],
        by: Instant,
    ) -> Result<bool, KeyError> {
        if work::verifies_quickly(public) {
            return Ok(self.pool.at_once(|| work::verify(public, algorithm, digest, signature)));
        }
        let (public, digest, signature) = (public.clone(), digest.to_vec(), signature.to_vec());
        self.pool.run(Weight::Light, by, move || Ok(work::verify(&public, algorithm, &digest, &signature))).await
    }
}
