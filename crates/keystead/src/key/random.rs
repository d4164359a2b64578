//! `keystead key random`.

use super::Session;
use super::files::OutArgs;
use crate::exit::Failure;
use crate::output;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead key random 32
  keystead key random 32 --raw --out seed.bin")]
pub(crate) struct Random {
    /// How many bytes
    #[arg(value_parser = clap::value_parser!(u8).range(1..=128))]
    count: u8,
    /// Write the bytes themselves, not base64url
    #[arg(long)]
    raw: bool,
    #[command(flatten)]
    out: OutArgs,
}

impl Random {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let done = session.client.random_bytes(self.count).await.map_err(|e| session.shown.failure(&e))?;
        if session.shown.is_json() {
            let value = URL_SAFE_NO_PAD.encode(&*done.value);
            let json = serde_json::json!({ "value": value, "receipt": done.receipt });
            return self.out.write(&output::json_bytes(&json)?);
        }
        if self.raw {
            self.out.write(&done.value)?;
        } else {
            let text = Zeroizing::new(format!("{}\n", *Zeroizing::new(URL_SAFE_NO_PAD.encode(&*done.value))));
            self.out.write(text.as_bytes())?;
        }
        session.shown.receipt(done.receipt.as_deref());
        Ok(())
    }
}
