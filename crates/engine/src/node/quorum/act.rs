//! What custodians do to a vault, once enough of them have answered.

use super::super::appoint::Appointment;
use super::super::replace::Replacement;
use crate::operate::OperateError;
use keystead_custody::challenge::Purpose;
use keystead_model::Action;

/// What is done when the shares are there.
pub(in crate::node) enum Act {
    Unseal,
    Replace(Box<Replacement>),
    Appoint(Appointment),
    Enrol(String),
}

/// The kinds of acts: of each, a vault has one challenge at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ActKind {
    /// Opens the sealed vault.
    Unseal,
    /// Other custodians for the open vault.
    Replace,
    /// Another administrator for the open vault.
    Appoint,
    /// Another token for the open vault.
    Enrol,
}

impl Act {
    pub(super) const fn kind(&self) -> ActKind {
        match self {
            Self::Unseal => ActKind::Unseal,
            Self::Replace(_) => ActKind::Replace,
            Self::Appoint(_) => ActKind::Appoint,
            Self::Enrol(_) => ActKind::Enrol,
        }
    }

    /// How the challenge says it.
    pub(super) fn purpose(&self) -> Purpose {
        match self {
            Self::Unseal => Purpose::Unseal,
            Self::Replace(new) => Purpose::Replace { activation: new.digest() },
            Self::Appoint(who) => Purpose::Appoint(who.0.clone()),
            Self::Enrol(token) => Purpose::Enrol { token: token.clone() },
        }
    }
}

impl ActKind {
    /// Nobody is asked for this.
    pub(super) const fn not_asked(self) -> OperateError {
        let ask = match self {
            Self::Unseal => "keystead unseal NAME",
            Self::Replace => "keystead vault replace-custodians NAME --domain DIR",
            Self::Appoint => "keystead vault appoint NAME --principal ISSUER SUBJECT",
            Self::Enrol => "keystead vault enrol NAME --token TOKEN",
        };
        OperateError::NotAsked { ask }
    }

    /// What is written when custodians are asked.
    pub(super) const fn asked(self) -> Action {
        match self {
            Self::Unseal => Action::QuorumAsked,
            Self::Replace => Action::ReplacementAsked,
            Self::Appoint => Action::AppointmentAsked,
            Self::Enrol => Action::EnrolmentAsked,
        }
    }
}
