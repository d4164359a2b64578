//! `keystead key rotate` and `policy`: new versions, on demand and by themselves.

use super::view::Receipted;
use super::{Session, view, words};
use crate::exit::Failure;
use crate::output::{self, or_dash, time};
use keystead_client::{Done, RotationPolicy, Trigger};
use keystead_model::{IsoDuration, Name};

#[derive(clap::Args)]
#[command(after_help = "\
Example:
  keystead key rotate payments

The new version has the kind, operations and tags of the newest; older
versions stay usable.")]
pub(crate) struct Rotate {
    /// Which key
    #[arg(value_parser = words::name)]
    name: Name,
}

impl Rotate {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let done = session.client.rotate_key(&self.name).await.map_err(|e| session.shown.failure(&e))?;
        view::key(session, &done)
    }
}

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead key policy payments
  keystead key policy payments --rotate-after P90D --expiry P120D
  keystead key policy payments --rotate-before P30D --notify P45D --expiry P1Y
  keystead key policy payments --clear

Durations are ISO 8601: P90D, P2M, P1Y10D. Any of the flags replaces the whole
policy; without one it is shown. The end of a version is always told, 30 days
before if --notify does not say otherwise.")]
pub(crate) struct Policy {
    /// Which key
    #[arg(value_parser = words::name)]
    name: Name,
    /// Rotate so long after the newest version was made; at least P7D
    #[arg(long, value_name = "DURATION", conflicts_with = "rotate_before")]
    rotate_after: Option<IsoDuration>,
    /// Rotate so long before the newest version expires; at least P7D
    #[arg(long, value_name = "DURATION")]
    rotate_before: Option<IsoDuration>,
    /// Tell so long before the newest version expires; at least P7D
    #[arg(long, value_name = "DURATION")]
    notify: Option<IsoDuration>,
    /// New versions expire so long after they are made; at least P28D
    #[arg(long, value_name = "DURATION")]
    expiry: Option<IsoDuration>,
    /// Store a policy that does nothing but tell of the end
    #[arg(long, conflicts_with_all = ["rotate_after", "rotate_before", "notify", "expiry"])]
    clear: bool,
}

impl Policy {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let client = &session.client;
        let done = match self.wanted() {
            Some(policy) => client.set_rotation_policy(&self.name, &policy).await,
            None => client.rotation_policy(&self.name).await,
        };
        print(session, &done.map_err(|e| session.shown.failure(&e))?)
    }

    /// What is to be stored; none if it is only to be shown.
    fn wanted(&self) -> Option<RotationPolicy> {
        let mut policy = RotationPolicy::default();
        if let Some(after) = &self.rotate_after {
            policy = policy.with("Rotate", Trigger::after_create(after));
        }
        if let Some(before) = &self.rotate_before {
            policy = policy.with("Rotate", Trigger::before_expiry(before));
        }
        if let Some(before) = &self.notify {
            policy = policy.with("Notify", Trigger::before_expiry(before));
        }
        policy.attributes.expiry_time = self.expiry.as_ref().map(IsoDuration::to_string);
        (self.clear || policy != RotationPolicy::default()).then_some(policy)
    }
}

fn print(session: &Session, done: &Done<RotationPolicy>) -> Result<(), Failure> {
    let (value, receipt) = (&done.value, done.receipt.as_deref());
    if session.shown.is_json() {
        return output::json(&Receipted { value, receipt });
    }
    let when = |kind: &str| {
        let action = value.lifetime_actions.iter().find(|a| a.action.kind.eq_ignore_ascii_case(kind))?;
        let after = action.trigger.time_after_create.as_ref().map(|d| format!("{d} after creation"));
        after.or_else(|| action.trigger.time_before_expiry.as_ref().map(|d| format!("{d} before expiry")))
    };
    let a = &value.attributes;
    output::fields([
        ("rotate", or_dash(when("Rotate"))),
        ("notify", or_dash(when("Notify"))),
        ("expiry", or_dash(a.expiry_time.clone())),
        ("created", or_dash(a.created.map(time::seconds))),
        ("updated", or_dash(a.updated.map(time::seconds))),
    ])?;
    session.shown.receipt(receipt);
    Ok(())
}
