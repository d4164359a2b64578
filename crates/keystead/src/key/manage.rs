//! A key's life: create, list, show, update, delete, recover.

use super::view::{self, Listed};
use super::words::{self, Kty};
use super::{Session, pem};
use crate::exit::Failure;
use crate::output::{self, time};
use keystead_client::{ClientError, CreateKey, DeletedKeyBundle, Done, NextLink, Page, SetAttributes, UpdateKey};
use keystead_model::{Curve, KeyOperation, KeyRef, Name};
use std::collections::BTreeMap;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead key create payments --kty EC
  keystead key create archive --kty oct --tag owner=ops --expires 2027-01-31
  keystead key create backup --kty RSA --size 3072 --ops wrapKey,unwrapKey
  keystead key create ledger --curve P-384

A name that exists gets a new version.")]
pub(crate) struct Create {
    /// 1 to 127 characters of 0-9, a-z, A-Z and -
    #[arg(value_parser = words::name)]
    name: Name,
    /// What kind of key
    #[arg(long, value_enum, ignore_case = true, default_value = "EC")]
    kty: Kty,
    /// Curve of an EC key: P-256, P-384, P-521, P-256K; default: P-256
    #[arg(long, value_name = "CURVE", value_parser = words::curve)]
    curve: Option<Curve>,
    /// RSA: 2048, 3072 or 4096 bits; oct: 128, 192 or 256; default: 2048 and 256
    #[arg(long, value_name = "BITS")]
    size: Option<u16>,
    /// Public exponent of an RSA key; default: 65537
    #[arg(long, value_name = "NUMBER")]
    exponent: Option<u32>,
    /// In the vault's HSM
    #[arg(long)]
    hsm: bool,
    #[command(flatten)]
    set: Set,
    /// Not usable until it is enabled
    #[arg(long)]
    disabled: bool,
}

/// What can be set at creation and later.
#[derive(clap::Args)]
struct Set {
    /// What it may be used for: sign, verify, encrypt, decrypt, wrapKey, unwrapKey; or import alone
    #[arg(long, value_name = "OP,..", value_delimiter = ',', value_parser = words::operation)]
    ops: Vec<KeyOperation>,
    /// A tag; repeat for more
    #[arg(long = "tag", value_name = "NAME=VALUE", value_parser = words::tag)]
    tags: Vec<(String, String)>,
    /// Not to be used for new data before this time
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    not_before: Option<i64>,
    /// Not to be used for new data from this time on
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    expires: Option<i64>,
}

impl Set {
    fn ops(&self) -> Option<Vec<KeyOperation>> {
        (!self.ops.is_empty()).then(|| self.ops.clone())
    }

    fn tags(&self) -> Option<BTreeMap<String, String>> {
        (!self.tags.is_empty()).then(|| self.tags.iter().cloned().collect())
    }

    fn attributes(&self, enabled: Option<bool>) -> Option<SetAttributes> {
        let set = SetAttributes { enabled, nbf: self.not_before, exp: self.expires };
        (set != SetAttributes::default()).then_some(set)
    }
}

impl Create {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let spec = self.kty.spec(self.curve, self.size).map_err(Failure::usage)?;
        if self.exponent.is_some() && self.kty != Kty::Rsa {
            return Err(Failure::usage("only an RSA key has an --exponent"));
        }
        let mut create = if self.hsm { CreateKey::in_hsm(spec) } else { CreateKey::of(spec) };
        create.public_exponent = self.exponent;
        create.key_ops = self.set.ops();
        create.attributes = self.set.attributes(self.disabled.then_some(false));
        create.tags = self.set.tags();
        let done = session.client.create_key(&self.name, &create).await.map_err(|e| session.shown.failure(&e))?;
        view::key(session, &done)
    }
}

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead key list
  keystead key list --deleted
  keystead key list --output json")]
pub(crate) struct List {
    /// Deleted keys that can still be recovered
    #[arg(long)]
    deleted: bool,
}

impl List {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let client = &session.client;
        if self.deleted {
            let all = all(session, async |next| client.list_deleted_keys(next).await).await?;
            return all.print(session, view::DELETED_HEADINGS, view::deleted_row);
        }
        let all = all(session, async |next| client.list_keys(next).await).await?;
        all.print(session, view::KEY_HEADINGS, view::key_row)
    }
}

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead key show payments
  keystead key show payments/0123456789abcdef0123456789abcdef --output json
  keystead key show payments --pem > payments.pem
  keystead key show old --deleted")]
pub(crate) struct Show {
    /// NAME, NAME/VERSION or the whole kid
    #[arg(value_name = "KEY", value_parser = words::key_ref)]
    key: KeyRef,
    /// Print the public key in PEM, as OpenSSL reads it
    #[arg(long)]
    pem: bool,
    /// A deleted key
    #[arg(long, conflicts_with = "pem")]
    deleted: bool,
}

impl Show {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        if self.deleted {
            let done = session.client.get_deleted_key(&self.key.name).await.map_err(|e| session.shown.failure(&e))?;
            return deleted(session, &done);
        }
        let done = session.client.get_key(&self.key).await.map_err(|e| session.shown.failure(&e))?;
        if !self.pem {
            return view::key(session, &done);
        }
        let text = done.value.key.public().as_ref().and_then(pem::public).ok_or_else(|| {
            Failure::usage(format!(
                "{} is of type {}: it has no public half to show",
                self.key.name, done.value.key.kty
            ))
        })?;
        output::text(&text)?;
        session.shown.receipt(done.receipt.as_deref());
        Ok(())
    }
}

#[derive(clap::Args)]
#[command(after_help = "\
Example:
  keystead key versions payments")]
pub(crate) struct Versions {
    /// Which key
    #[arg(value_parser = words::name)]
    name: Name,
}

impl Versions {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let (client, name) = (&session.client, &self.name);
        let all = all(session, async |next| client.list_key_versions(name, next).await).await?;
        all.print(session, view::VERSION_HEADINGS, view::version_row)
    }
}

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead key update payments --enabled false
  keystead key update payments --ops sign --tag owner=ops --tag stage=live
  keystead key update payments --clear-tags

Tags and operations that are given replace all there were.")]
pub(crate) struct Update {
    /// NAME, NAME/VERSION or the whole kid
    #[arg(value_name = "KEY", value_parser = words::key_ref)]
    key: KeyRef,
    /// Whether it can be used
    #[arg(long, value_name = "true|false", action = clap::ArgAction::Set)]
    enabled: Option<bool>,
    #[command(flatten)]
    set: Set,
    /// Remove all tags
    #[arg(long, conflicts_with = "tags")]
    clear_tags: bool,
}

impl Update {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let update = UpdateKey {
            key_ops: self.set.ops(),
            attributes: self.set.attributes(self.enabled),
            tags: if self.clear_tags { Some(BTreeMap::new()) } else { self.set.tags() },
        };
        if update.key_ops.is_none() && update.attributes.is_none() && update.tags.is_none() {
            return Err(Failure::usage("nothing to change: give --enabled, --ops, --tag, --clear-tags or a time"));
        }
        let done = session.client.update_key(&self.key, &update).await.map_err(|e| session.shown.failure(&e))?;
        view::key(session, &done)
    }
}

#[derive(clap::Args)]
#[command(after_help = "\
Example:
  keystead key delete payments

The key can be recovered until the vault's retention ends.")]
pub(crate) struct Delete {
    /// Which key
    #[arg(value_parser = words::name)]
    name: Name,
}

impl Delete {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let done = session.client.delete_key(&self.name).await.map_err(|e| session.shown.failure(&e))?;
        deleted(session, &done)
    }
}

#[derive(clap::Args)]
#[command(after_help = "\
Example:
  keystead key recover payments")]
pub(crate) struct Recover {
    /// Which key
    #[arg(value_parser = words::name)]
    name: Name,
}

impl Recover {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let done = session.client.recover_key(&self.name).await.map_err(|e| session.shown.failure(&e))?;
        view::key(session, &done)
    }
}

/// Prints a deleted key.
fn deleted(session: &Session, done: &Done<DeletedKeyBundle>) -> Result<(), Failure> {
    let d = &done.value;
    let more = view::deletion(d.deleted_date, d.scheduled_purge_date);
    view::one(session, d, &d.bundle, &more, done.receipt.as_deref())
}

/// Follows a list to its end. A server whose list has none is stopped at a million pages.
pub(crate) async fn all<T>(
    session: &Session,
    page: impl AsyncFn(Option<&NextLink>) -> Result<Done<Page<T>>, ClientError>,
) -> Result<Listed<T>, Failure> {
    let mut listed = Listed { items: Vec::new(), receipts: Vec::new() };
    let mut next = None;
    for _ in 0..1_000_000 {
        let done = page(next.as_ref()).await.map_err(|e| session.shown.failure(&e))?;
        listed.items.extend(done.value.value);
        listed.receipts.extend(done.receipt);
        next = done.value.next;
        if next.is_none() {
            return Ok(listed);
        }
    }
    Err(Failure::unavailable("the server's list has no end"))
}
