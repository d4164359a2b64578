//! A token's description, as a table and as JSON.

use crate::exit::Failure;
use crate::output;
use keystead_hsm::{Assurance, Description, Native, Outcome, WrapClass};
use serde_json::{Value, json};

/// The tables of one token.
pub(super) fn table(name: &str, token: &Description) -> Result<(), Failure> {
    output::fields(vec![
        ("token", name.to_owned()),
        ("label", token.label.clone()),
        ("serial", token.serial.clone()),
        ("made by", format!("{} {}", token.manufacturer, token.model)),
        ("firmware", token.firmware.clone()),
        ("library", token.library.clone()),
        ("sessions", token.sessions.to_string()),
        ("wraps with", wrap(token.wrap).to_owned()),
        ("quirks", none_if_empty(&token.quirks)),
        ("keys", none_if_empty(&token.keys.iter().map(|k| format!("{k:?}")).collect::<Vec<_>>())),
        ("verdict", assurance(token.assurance()).to_owned()),
    ])?;
    output::text("")?;
    let attacks = token.attacks.iter().map(|a| vec![a.name.clone(), outcome(a.outcome).to_owned(), a.detail.clone()]);
    output::table(&["what the holder of the PIN tried", "outcome", "shown by"], attacks)?;
    output::text("")?;
    output::table(&["algorithm", "how"], algorithms(token).map(|(name, how)| vec![name.to_owned(), how.to_owned()]))?;
    output::text("")?;
    let mechanisms = token
        .mechanisms
        .iter()
        .map(|m| vec![m.name.clone(), m.least.to_string(), m.most.to_string(), m.uses.join(" ")]);
    output::table(&["mechanism", "least", "most", "uses"], mechanisms)
}

/// The same for programs.
pub(super) fn json(tokens: &[(String, Description)]) -> Value {
    let one = |(name, token): &(String, Description)| {
        let attacks: Vec<_> = token
            .attacks
            .iter()
            .map(|a| json!({"name": a.name, "outcome": outcome(a.outcome), "shown_by": a.detail}))
            .collect();
        let mechanisms: Vec<_> = token
            .mechanisms
            .iter()
            .map(|m| json!({"name": m.name, "least": m.least, "most": m.most, "uses": m.uses}))
            .collect();
        let algorithms: serde_json::Map<String, Value> =
            algorithms(token).map(|(name, how)| (name.to_owned(), how.into())).collect();
        json!({
            "token": name, "label": token.label, "serial": token.serial, "manufacturer": token.manufacturer,
            "model": token.model, "firmware": token.firmware, "library": token.library, "sessions": token.sessions,
            "wrap": wrap(token.wrap), "quirks": token.quirks, "assurance": assurance(token.assurance()),
            "keys": token.keys.iter().map(|k| format!("{k:?}")).collect::<Vec<_>>(),
            "attacks": attacks, "algorithms": algorithms, "mechanisms": mechanisms,
        })
    };
    json!({ "tokens": tokens.iter().map(one).collect::<Vec<_>>() })
}

/// A check failed if an attack succeeded.
pub(super) fn verdict(tokens: &[(String, Description)]) -> Result<(), Failure> {
    let weak: Vec<_> = tokens
        .iter()
        .filter(|(_, token)| token.assurance() == Assurance::SoftwareEquivalent)
        .map(|(name, _)| name.as_str())
        .collect();
    if weak.is_empty() {
        return Ok(());
    }
    let names = weak.join(", ");
    Err(Failure::check(format!("the self-test's attacks got stored keys out of {names}: use placement = \"resident\"")))
}

fn algorithms(token: &Description) -> impl Iterator<Item = (&'static str, &'static str)> {
    let signs = token.signs.iter().map(|(a, how)| (a.wire(), native(*how)));
    signs.chain(token.ciphers.iter().map(|(a, how)| (a.wire(), native(*how))))
}

const fn native(how: Native) -> &'static str {
    match how {
        Native::Mechanism => "one mechanism",
        Native::Composed => "composed inside the token",
        Native::PublicOnly => "encryption to the public half only",
    }
}

const fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Refused => "refused",
        Outcome::Succeeded => "SUCCEEDED",
    }
}

const fn wrap(class: WrapClass) -> &'static str {
    match class {
        WrapClass::Kwp => "AES key wrap with padding",
        WrapClass::KwpZeroExtended => "AES key wrap with padding, zeros behind the key",
        WrapClass::None => "nothing: placement resident only",
    }
}

const fn assurance(assurance: Assurance) -> &'static str {
    match assurance {
        Assurance::Hardware => "every attack was refused",
        Assurance::SoftwareEquivalent => "software-equivalent against the holder of the PIN",
        Assurance::ResidentOnly => "resident keys only",
    }
}

fn none_if_empty(words: &[String]) -> String {
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}
