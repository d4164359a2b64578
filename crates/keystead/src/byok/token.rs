//! A key straight out of a PKCS#11 token. The vendor's library is loaded in a worker's process, as a server's is; the
//! key is wrapped inside the token, and only so it leaves.
//!
//! Before the key is touched, each way in which the token might wrap it is tried on a throw-away key of its kind, for a
//! key exchange key of our own: what comes out must be that throw-away key.

use super::show::{Made, Source, kind};
use super::wrap::{Kek, Trial, private_key};
use crate::exit::Failure;
use crate::hsm::owned::{TokenArgs, failure, soon};
use keystead_crypto::aes::cbc::{self, Fill};
use keystead_hsm::client::WrappedOut;
use keystead_hsm::{Client, Description, HsmError, NotExported, Recipe, Subject, Wanted, WrapClass};
use keystead_model::{KeySpec, PublicKey, Size};
use std::path::Path;

/// Wraps the key, after a recipe was proven. The worker ends with it, and with the worker whatever is left of it.
pub(super) async fn wrap(module: &Path, args: &TokenArgs, kek: &Kek) -> Result<Made, Failure> {
    let client = args.visit(module, "byok")?;
    let made = wrapped(&client, args.wanted(), kek).await;
    client.stop().await;
    made
}

async fn wrapped(client: &Client, wanted: Wanted, kek: &Kek) -> Result<Made, Failure> {
    let described = client.describe(soon()).await.map_err(failure)?;
    let located = client.locate(wanted.clone(), soon()).await.map_err(failure)?;
    let trial = Trial::like(kek).map_err(|e| Failure::check(e.to_string()))?;
    let (recipe, zeros) = proven(client, located.spec, &located.recipes, &trial).await?;
    let asked = client.wrap_out(Subject::Own(wanted), kek.public(), recipe, soon()).await;
    let out = asked.map_err(failure)?;
    if out.spec != located.spec {
        return Err(Failure::check("the token has another key of that name now: run it again"));
    }
    let spec = spec_of(&out, kek)?;
    let zeros_behind = !matches!(spec.size(), Size::Secret(_)) && (zeros || extends(&described, recipe));
    Ok(Made {
        spec,
        wrapped: out.wrapped,
        recipe: format!("{recipe} in the token"),
        zeros_behind,
        maker: format!("; {} {}, firmware {}", described.manufacturer, described.model, described.firmware),
        source: Source::Token { label: described.label, serial: described.serial, id: hex::encode(located.id) },
    })
}

/// Whether the self-test saw that the token wraps zeros along.
fn extends(described: &Description, recipe: Recipe) -> bool {
    matches!(recipe, Recipe::Composed(_)) && described.wrap == WrapClass::KwpZeroExtended
}

/// The first recipe that gives what it should, and whether zeros were behind it. Otherwise every one is named with the
/// step that failed.
async fn proven(client: &Client, spec: KeySpec, recipes: &[Recipe], trial: &Trial) -> Result<(Recipe, bool), Failure> {
    let mut failed = Vec::new();
    for recipe in recipes {
        let asked = client.wrap_out(Subject::Trial(spec), trial.kek.public(), *recipe, soon()).await;
        match asked {
            Ok(out) => match comes_out(trial, &out) {
                Some(zeros) => return Ok((*recipe, zeros)),
                None => failed.push(format!("{recipe}: what it wrapped does not come out as itself")),
            },
            Err(HsmError::NotExported(why @ NotExported::Step { .. })) => failed.push(format!("{recipe}: {why}")),
            Err(other) => return Err(failure(other)),
        }
    }
    Err(Failure::check(format!(
        "the key was not touched: no way in which the token wraps gave back a throw-away key, {}, as a .byok file must: \
         {}",
        kind(spec),
        failed.join("; ")
    )))
}

/// Whether a throw-away key comes out as itself, and if so whether zeros were behind it.
fn comes_out(trial: &Trial, out: &WrappedOut) -> Option<bool> {
    let key = trial.opened(&out.wrapped)?;
    if let Size::Secret(bits) = out.spec.size() {
        let block = cbc::encrypt(&key, &[0; 16], Fill::Zeros, &[0; 16]).ok()?;
        let same = key.len() == usize::from(bits / 8) && block == out.check && out.public == PublicKey::Symmetric;
        return same.then_some(false);
    }
    (0..8).find_map(|zeros: usize| {
        let (document, behind) = key.split_at_checked(key.len().checked_sub(zeros)?)?;
        let same = private_key(document)? == (out.spec, out.public.clone());
        (same && behind.iter().all(|byte| *byte == 0)).then_some(zeros > 0)
    })
}

/// What was wrapped: the length of a symmetric key shows itself.
fn spec_of(out: &WrappedOut, kek: &Kek) -> Result<KeySpec, Failure> {
    let key = out.wrapped.len().checked_sub(kek.size.modulus_len().saturating_add(8));
    let odd = || Failure::check("the token wrapped something of another length: the blob is not kept");
    let key = key.filter(|key| *key > 0 && key.is_multiple_of(8)).ok_or_else(odd)?;
    match out.spec.size() {
        Size::Secret(_) => {
            let bits = u16::try_from(key.saturating_mul(8)).ok();
            bits.and_then(|bits| KeySpec::of_size(Size::Secret(bits))).ok_or_else(odd)
        }
        _ => Ok(out.spec),
    }
}
