//! Every command: what it asks, what it does, one file each.

pub mod approval;
pub mod audit;
pub mod backup;
pub mod client;
pub mod clock;
pub mod issuer;
pub mod key;
pub mod policy;
pub mod random;
pub mod restore;
pub mod role;
pub mod security_domain;
pub mod token;
pub mod vault;

/// What a decision needs to know of a command: its action and its target.
macro_rules! ask {
    ($command:ident, $action:ident, |$c:ident| $target:expr) => {
        impl keystead_access::Ask for $command {
            const ACTION: keystead_model::Action = keystead_model::Action::$action;
            fn target(&self) -> keystead_model::Target {
                let $c = self;
                let _ = $c;
                $target
            }
        }
    };
}
pub(crate) use ask;

/// Says of a command that no policy asks approvals for it.
macro_rules! no_approval {
    () => {
        fn approval(
            &self,
            _: &keystead_access::Who,
            _: &keystead_access::Policy,
        ) -> Option<keystead_access::Operation> {
            None
        }
    };
}
pub(crate) use no_approval;
