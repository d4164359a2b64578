//! `keystead custodian`: what the holder of one key of a security domain does, on his own machine.
//!
//! - [`confirm`]: signs an activation record; [`answer`]: sends his share to a server that unseals
//! - [`key`]: his private key, in a file ([`crate::pem`]) or in a token ([`card`]); [`compare`]: words that he compares

mod answer;
mod card;
pub(crate) mod confirm;
pub(crate) mod key;

use crate::exit::Failure;
use crate::output::OutputArgs;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keystead custodian confirm --record payments-domain --domain payments-domain \\
    --key alice.key.pem --out alice.confirmation.json
  keystead custodian answer --challenge challenge.txt --domain payments-domain \\
    --key alice.key.pem --out alice.answer

The key is PEM: PKCS#8 or PKCS#1, or PKCS#8 that is encrypted (PBES2, as
`openssl genpkey -aes256` writes it). Its passphrase is read from
--passphrase-file, else from the variable KEYSTEAD_CUSTODIAN_PASSPHRASE, else
from the terminal. Or the key is in a PKCS#11 token (--pkcs11), which it does
not leave. A share is never written anywhere in clear.")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Confirm an activation record: compare its words, try the share, sign
    Confirm(Box<confirm::Confirm>),
    /// Answer the challenge of a server that unseals: encrypt the share to it
    Answer(Box<answer::Answers>),
}

/// Runs one command.
pub(crate) fn run(args: Args) -> Result<(), Failure> {
    match args.command {
        Command::Confirm(confirm) => confirm.run(args.output),
        Command::Answer(answer) => answer.run(args.output),
    }
}

#[cfg(test)]
mod tests {
    use clap::Args as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Args::augment_args(clap::Command::new("custodian")).debug_assert();
    }
}
