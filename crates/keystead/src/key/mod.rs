//! `keystead key`: keys of one vault, over HTTPS.
//!
//! - [`manage`], [`purge`]: create, list, show and the rest of a key's life; [`public`]: its public half
//! - [`copies`]: import, backup, restore; [`rotation`]: new versions by themselves; [`random`]
//! - [`sign`], [`cipher`]: use of a key; [`envelope`]: what an encryption leaves behind
//! - [`connection`]: which vault and as whom; [`env_file`]: the file of `keystead dev`; [`profile`]: named vaults;
//!   [`wait`]: until a vault can be used
//! - [`words`]: what is written on the command line; [`files`]: where values come from and go to
//! - [`der`], [`pem`]: what OpenSSL reads

mod cipher;
pub(crate) mod connection;
mod copies;
mod der;
pub(crate) mod env_file;
pub(crate) mod envelope;
pub(crate) mod files;
pub(crate) mod manage;
mod pem;
pub(crate) mod profile;
mod public;
mod purge;
mod random;
mod rotation;
mod sign;
pub(crate) mod view;
mod wait;
pub(crate) mod words;

use crate::exit::Failure;
use crate::output::{self, OutputArgs};
use connection::ConnectionArgs;
use keystead_client::{Client, ClientError};

#[derive(clap::Args)]
#[command(after_help = "\
The vault and the credential come from flags, from the environment
(KEYSTEAD_VAULT_URL, KEYSTEAD_CA_FILE, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET,
AZURE_AUTHORITY_HOST), from a file with --env, or from a profile with
--profile (~/.config/keystead/profiles.toml). If no vault is named anywhere, ./keystead-dev/dev.env is used where it exists.

Examples:
  keystead key create payments --kty EC
  echo hello | keystead key sign payments --receipt
  keystead key list --output json")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    shown: Shown,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Make a key, or a new version of one
    Create(manage::Create),
    /// List keys
    List(manage::List),
    /// Show a key, or its public half for OpenSSL
    Show(manage::Show),
    /// Export the public half of a key
    Public(public::Public),
    /// List a key's versions
    Versions(manage::Versions),
    /// Change attributes, operations and tags of a version
    Update(manage::Update),
    /// Sign a digest, or what is hashed to one
    Sign(sign::Sign),
    /// Encrypt into a file that `decrypt` takes back
    Encrypt(cipher::Encrypt),
    /// Decrypt what `encrypt` made
    Decrypt(cipher::Decrypt),
    /// Wrap another key into a file that `unwrap` takes back
    Wrap(cipher::Wrap),
    /// Unwrap what `wrap` made
    Unwrap(cipher::Unwrap),
    /// Bring in a key that was made elsewhere
    Import(copies::Import),
    /// Take a sealed copy of a key with all its versions
    Backup(copies::Backup),
    /// Bring a key back from such a copy
    Restore(copies::Restore),
    /// Make a new version of the same kind
    Rotate(rotation::Rotate),
    /// Show or store what is done with a key by itself
    Policy(rotation::Policy),
    /// Random bytes from the server
    Random(random::Random),
    /// Delete a key with all its versions, recoverably
    Delete(manage::Delete),
    /// Undo a deletion
    Recover(manage::Recover),
    /// Remove a deleted key for good
    Purge(purge::Purge),
}

/// How results are shown.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Shown {
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Print the receipt to standard error; JSON always has it
    #[arg(long, global = true)]
    pub(crate) receipt: bool,
}

impl Shown {
    pub(crate) fn is_json(self) -> bool {
        self.output.is_json()
    }

    /// Prints a receipt if it was asked for and the result is not JSON, which has it.
    pub(crate) fn receipt(self, receipt: Option<&str>) {
        output::receipt(self.receipt && !self.is_json(), receipt);
    }

    /// The failure of a call, with the receipt of the refusal.
    pub(crate) fn failure(self, e: &ClientError) -> Failure {
        if let ClientError::Refused { receipt: receipt @ Some(_), .. }
        | ClientError::Proposed { receipt: receipt @ Some(_), .. } = e
        {
            output::receipt(self.receipt, receipt.as_deref());
        }
        if let (ClientError::Proposed { proposal, .. }, true) = (e, self.is_json()) {
            return Failure::proposed(format!("{proposal:#}"));
        }
        connection::failure(e)
    }
}

/// A vault, and how what it answers is shown.
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) shown: Shown,
}

/// Runs one command.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let shown = args.shown;
    let connect = async || Ok::<_, Failure>(Session { client: args.connection.client().await?, shown });
    match args.command {
        Command::Create(c) => c.run(&connect().await?).await,
        Command::List(c) => c.run(&connect().await?).await,
        Command::Show(c) => c.run(&connect().await?).await,
        Command::Public(c) => c.run(&connect().await?).await,
        Command::Versions(c) => c.run(&connect().await?).await,
        Command::Update(c) => c.run(&connect().await?).await,
        Command::Sign(c) => c.run(&connect().await?).await,
        Command::Encrypt(c) => c.run(&connect().await?).await,
        Command::Decrypt(c) => c.run(&connect().await?).await,
        Command::Wrap(c) => c.run(&connect().await?).await,
        Command::Unwrap(c) => c.run(&connect().await?).await,
        Command::Delete(c) => c.run(&connect().await?).await,
        Command::Recover(c) => c.run(&connect().await?).await,
        Command::Import(c) => c.run(&connect().await?).await,
        Command::Backup(c) => c.run(&connect().await?).await,
        Command::Restore(c) => c.run(&connect().await?).await,
        Command::Rotate(c) => c.run(&connect().await?).await,
        Command::Policy(c) => c.run(&connect().await?).await,
        Command::Random(c) => c.run(&connect().await?).await,
        Command::Purge(c) => {
            let session = connect().await?;
            c.confirm(&session).await?;
            c.run(&session).await
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Args as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Args::augment_args(clap::Command::new("key")).debug_assert();
    }
}
