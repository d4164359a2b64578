//! Waiting until a vault can be used: for scripts that start a server, or that come before somebody unseals.

use crate::exit::Failure;
use crate::key::connection::failure;
use crate::output;
use keystead_client::{Client, ClientError, Readiness};
use std::time::Duration;

/// How long to rest between two questions.
const BETWEEN: Duration = Duration::from_millis(500);

/// Asks until the vault is ready, and says what it waits for whenever that changes.
pub(crate) async fn until_ready(client: &Client, seconds: u32) -> Result<(), Failure> {
    let mut said = String::new();
    let asking = async {
        loop {
            match waits_for(client.readiness().await)? {
                None => return Ok(()),
                Some(reason) if reason != said => {
                    output::note(&format!("waiting for {}: {reason}", client.authority()));
                    said = reason;
                }
                Some(_) => {}
            }
            tokio::time::sleep(BETWEEN).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(u64::from(seconds)), asking).await;
    waited.unwrap_or_else(|_| {
        let why = if said.is_empty() { "it did not answer".to_owned() } else { said.clone() };
        Err(Failure::unavailable(format!("not ready after {seconds} s: {why}")))
    })
}

/// What is waited for; none if the vault is ready; a failure if waiting cannot help.
fn waits_for(answer: Result<Readiness, ClientError>) -> Result<Option<String>, Failure> {
    match answer {
        Ok(readiness) if readiness.ready => Ok(None),
        Ok(readiness) => {
            let reasons: Vec<String> = readiness.reasons.iter().map(|r| output::printable(&r.message)).collect();
            Ok(Some(if reasons.is_empty() { "it is not ready".to_owned() } else { reasons.join("; ") }))
        }
        // Not there, or not yet: a server that starts, or a vault that is about to be made.
        Err(
            e @ (ClientError::Connect { .. }
            | ClientError::Broken { .. }
            | ClientError::Deadline { .. }
            | ClientError::Refused { status: 404 | 429 | 502..=504, .. }),
        ) => Ok(Some(output::printable(&e.to_string()))),
        Err(e) => Err(failure(&e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keystead_client::Reason;

    #[test]
    fn a_vault_that_is_not_ready_is_waited_for_and_a_wrong_url_is_not() {
        let sealed = Reason { code: "sealed".to_owned(), message: "it is sealed".to_owned() };
        let not_yet = Readiness { ready: false, reasons: vec![sealed] };
        assert_eq!(waits_for(Ok(not_yet)).ok().unwrap().as_deref(), Some("it is sealed"));
        assert_eq!(waits_for(Ok(Readiness { ready: true, reasons: vec![] })).ok().unwrap(), None);
        let deadline = ClientError::Deadline { after: Duration::from_secs(1) };
        assert!(waits_for(Err(deadline)).ok().unwrap().is_some());
        assert!(waits_for(Err(ClientError::NoRoots)).is_err());
    }
}
