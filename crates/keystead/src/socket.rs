//! The operator's socket, on the command line.

use keystead_client::OperatorClient;
use std::path::PathBuf;
use std::time::Duration;

/// How long one command may take. Unsealing may wait for a device.
const DEADLINE: Duration = Duration::from_secs(120);

/// Where the socket is.
#[derive(clap::Args)]
pub(crate) struct SocketArgs {
    /// The server's operator socket
    #[arg(
        long,
        global = true,
        value_name = "PATH",
        env = "KEYSTEAD_OPERATOR_SOCKET",
        default_value = "./keystead-dev/operator.sock"
    )]
    socket: PathBuf,
}

impl SocketArgs {
    pub(crate) fn client(&self) -> OperatorClient {
        OperatorClient::new(&self.socket, DEADLINE)
    }
}
