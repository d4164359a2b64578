//! What a custodian gives back: his share, encrypted to the challenge.

use super::{BadChallenge, SignedChallenge, SingleUseKey, VERSION, from_text, to_text};
use crate::shares::{SHARE_LEN, Share};
use keystead_crypto::hpke;
use keystead_model::Time;

/// A custodian's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub(super) challenge: [u8; 32],
    pub(super) sealed: [u8; SEALED],
}

const SEALED: usize = SHARE_LEN + hpke::OVERHEAD;
const ANSWER: &[u8] = b"keystead answer 1";
const ANSWER_WORD: &str = "keystead-answer";

impl Answer {
    /// Encrypts a share to a challenge that has not expired.
    pub fn seal(to: &SignedChallenge, share: &Share, now: Time) -> Result<Self, BadChallenge> {
        to.check_time(now)?;
        let sealed = hpke::seal(&to.challenge.single_use, &info(to), &to.bytes, share.to_bytes().as_slice());
        let sealed = sealed.and_then(|sealed| sealed.try_into().ok()).ok_or(BadChallenge::BadKey)?;
        Ok(Self { challenge: to.digest(), sealed })
    }

    /// Opens it with the key of the challenge that it answers, if that has not expired.
    pub fn open(&self, to: &SignedChallenge, key: &SingleUseKey, now: Time) -> Result<Share, BadChallenge> {
        if self.challenge != to.digest() {
            return Err(BadChallenge::OtherChallenge);
        }
        to.check_time(now)?;
        let opened = hpke::open(&key.private, &info(to), &to.bytes, &self.sealed).ok_or(BadChallenge::NotOpened)?;
        Ok(Share::parse(&opened)?)
    }

    /// SHA-256 of the challenge that it answers.
    pub const fn challenge(&self) -> &[u8; 32] {
        &self.challenge
    }

    /// Its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        [&[VERSION], self.challenge.as_slice(), &self.sealed].concat()
    }

    /// Reads them.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadChallenge> {
        let body = match bytes.split_first() {
            Some((&VERSION, body)) => body,
            Some(_) => return Err(BadChallenge::Version),
            None => return Err(BadChallenge::NotOne),
        };
        let (challenge, sealed) = body.split_first_chunk().ok_or(BadChallenge::NotOne)?;
        Ok(Self { challenge: *challenge, sealed: sealed.try_into().map_err(|_| BadChallenge::NotOne)? })
    }

    /// One line of text.
    pub fn to_text(&self) -> String {
        to_text(ANSWER_WORD, &self.to_bytes())
    }

    /// Reads such a line, blanks around it aside.
    pub fn parse_text(text: &str) -> Result<Self, BadChallenge> {
        Self::parse(&from_text(ANSWER_WORD, text)?)
    }
}

fn info(challenge: &SignedChallenge) -> Vec<u8> {
    [ANSWER, challenge.challenge.vault.as_bytes()].concat()
}
