//! What was wrapped and how, as a table and as JSON. Nothing of the key itself.

use super::wrap::Kek;
use keystead_formats::byok::TransferBlob;
use keystead_model::{KeySpec, Size};
use serde_json::{Value, json};

/// A key that was wrapped.
pub(super) struct Made {
    pub(super) spec: KeySpec,
    pub(super) wrapped: Vec<u8>,
    /// Where it was.
    pub(super) source: Source,
    /// In which way it was wrapped.
    pub(super) recipe: String,
    /// Whether the document that was wrapped may have zeros behind it.
    pub(super) zeros_behind: bool,
    /// What the blob says of the token's maker.
    pub(super) maker: String,
}

pub(super) enum Source {
    File,
    Token { label: String, serial: String, id: String },
}

/// What to say of a key with zeros behind it.
pub(super) const ZEROS: &str = "note: this token wraps a private key with up to seven zero bytes behind it. Keystead \
    takes such a blob; whether another vault does was not tried";

impl Made {
    /// Of a file, by this program.
    pub(super) fn of_file(spec: KeySpec, wrapped: Vec<u8>) -> Self {
        let recipe = "in software".to_owned();
        Self { spec, wrapped, source: Source::File, recipe, zeros_behind: false, maker: String::new() }
    }

    pub(super) fn fields(&self, kek: &Kek, blob: &TransferBlob) -> Vec<(&'static str, String)> {
        let source = match &self.source {
            Source::File => "a file".to_owned(),
            Source::Token { label, serial, id } => format!("token \"{label}\", serial {serial}, key {}", or_none(id)),
        };
        vec![
            ("key", kind(self.spec)),
            ("from", source),
            ("for", blob.kid.clone()),
            ("key exchange key", format!("RSA {}", bits(kek))),
            ("wrapped by", self.recipe.clone()),
            ("proven", "on a key exchange key of our own".to_owned()),
            ("form", self.form().to_owned()),
        ]
    }

    pub(super) fn json(&self, kek: &Kek, blob: &TransferBlob, whole: bool) -> Value {
        let source = match &self.source {
            Source::File => json!({ "file": true }),
            Source::Token { label, serial, id } => json!({ "token": label, "serial": serial, "id": id }),
        };
        let whole = whole.then(|| serde_json::from_str::<Value>(&blob.to_json()).ok()).flatten();
        json!({
            "key": kind(self.spec), "from": source, "kid": blob.kid, "kek": format!("RSA {}", bits(kek)),
            "recipe": self.recipe, "proven": true, "form": self.form(), "blob": whole,
        })
    }

    const fn form(&self) -> &'static str {
        if self.zeros_behind { "zeros behind the key" } else { "exact" }
    }
}

fn or_none(id: &str) -> &str {
    if id.is_empty() { "without an id" } else { id }
}

fn bits(kek: &Kek) -> usize {
    kek.size.modulus_len().saturating_mul(8)
}

/// A kind of key, in words.
pub(super) fn kind(spec: KeySpec) -> String {
    match spec.size() {
        Size::Curve(curve) => format!("EC {}", curve.wire()),
        Size::Modulus(bits) => format!("RSA {bits}"),
        Size::Secret(bits) => format!("oct {bits}"),
    }
}
