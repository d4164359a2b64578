//! A key is used once, whatever its attributes say: for rehearsals, which have to know that it works.

use crate::room::Room;
use keystead_model::{CipherAlgorithm, PublicKey, SignAlgorithm};
use keystead_protection::OpenKey;

/// Signs and verifies with a key pair, encrypts and decrypts with a symmetric key; what it says if that does not hold.
pub(super) async fn used(room: &Room<'_>, key: &OpenKey, public: &PublicKey) -> Result<(), String> {
    if *public == PublicKey::Symmetric { sealed(room, key).await } else { signed(room, key, public).await }
}

async fn signed(room: &Room<'_>, key: &OpenKey, public: &PublicKey) -> Result<(), String> {
    let fits = |algorithm: &SignAlgorithm| algorithm.fits(key.spec());
    let algorithm = SignAlgorithm::ALL.iter().copied().find(fits).ok_or("nothing can be signed with it")?;
    let (digest, by) = (keystead_crypto::random_bytes(algorithm.digest_len()), room.at.deadline);
    let signature = key.sign(algorithm, &digest, by).await.map_err(|why| why.to_string())?;
    let verified = room.protection().verify(public, algorithm, &digest, &signature, by).await;
    match verified.map_err(|why| why.to_string())? {
        true => Ok(()),
        false => Err("what it signs does not verify under its public half".to_owned()),
    }
}

async fn sealed(room: &Room<'_>, key: &OpenKey) -> Result<(), String> {
    let gcm = [CipherAlgorithm::A128Gcm, CipherAlgorithm::A192Gcm, CipherAlgorithm::A256Gcm];
    let algorithm = gcm.into_iter().find(|a| a.fits(key.spec())).ok_or("nothing can be encrypted with it")?;
    let (plain, by) = (keystead_crypto::random::<32>(), room.at.deadline);
    let made = key.encrypt(algorithm, &plain, None, b"", by).await.map_err(|why| why.to_string())?;
    let tag = made.tag.as_ref().map(<[u8; 16]>::as_slice);
    let again = key.decrypt(algorithm, &made.value, made.iv.as_deref(), tag, b"", by).await;
    match again.map_err(|why| why.to_string())?.as_slice() == plain {
        true => Ok(()),
        false => Err("what it encrypts does not decrypt to the same".to_owned()),
    }
}
