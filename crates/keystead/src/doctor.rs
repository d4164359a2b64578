//! `keystead doctor`: everything the server needs is tried, each unseal path of each vault by opening with it.

use crate::exit::Failure;
use crate::key::connection::failure;
use crate::output::{self, OutputArgs};
use crate::socket::SocketArgs;
use keystead_client::Finding;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead doctor
  keystead doctor --output json

Exit code 0 if nothing is bad, 1 otherwise. A rotation that is under way is
named with its step, and is nothing bad unless it waits for something. A vault
that waits for its custodians is a warning.")]
pub(crate) struct Args {
    #[command(flatten)]
    socket: SocketArgs,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let found = args.socket.client().doctor().await.map_err(|e| failure(&e))?.value;
    if args.output.is_json() {
        output::json(&found)?;
    } else {
        let row = |f: &Finding| {
            let (vault, name) = (output::or_dash(f.vault.as_ref()), output::or_dash(f.name.as_ref()));
            vec![f.verdict.clone(), f.what.clone(), vault, name, f.says.clone()]
        };
        output::table(&["verdict", "what", "vault", "name", "says"], found.findings.iter().map(row))?;
    }
    let bad = found.findings.iter().filter(|f| f.verdict == "bad").count();
    if found.ok { Ok(()) } else { Err(Failure::check(format!("{bad} of {} checks are bad", found.findings.len()))) }
}
