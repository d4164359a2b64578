//! When a key was last at work, as the log says: for who is about to remove it for good.

use super::pages::{PAGE, Pages};
use super::record::Record;
use super::search::about;
use crate::output::{printable, time};
use keystead_client::{Client, ClientError};
use keystead_model::Name;

/// Pages that are looked at: the newest.
const MOST: usize = 20;

/// What a key does, as records name it.
const USES: [&str; 6] = ["keys/decrypt", "keys/encrypt", "keys/sign", "keys/unwrap", "keys/verify", "keys/wrap"];

/// In words. It stops nobody who may not read the log, or whose log is elsewhere: it says so.
pub(crate) async fn last_use(client: &Client, key: &Name) -> String {
    match newest_use(client, key).await {
        Ok(said) => said,
        Err(ClientError::Refused { status: 403, .. }) => {
            "not yours to see: it stands in the audit log, which the role Keystead Audit Reader shows".to_owned()
        }
        Err(e) => format!("not known: {}", printable(&e.to_string())),
    }
}

async fn newest_use(client: &Client, key: &Name) -> Result<String, ClientError> {
    let Some(mut pages) = Pages::of(client).await? else {
        return Ok("not known: the vault has no log on this node".to_owned());
    };
    let mut end = pages.newest().await?;
    let mut oldest = None;
    for _ in 0..MOST {
        if end == 0 {
            return Ok("never, as far as this node's log goes back".to_owned());
        }
        let (page, start) = pages.before(end).await?;
        if let Some(used) = page.iter().rev().find(|record| is_use(record, key)) {
            let who = used.subject.as_deref().map_or_else(String::new, |who| format!(" by {}", printable(who)));
            return Ok(format!("{} at {}{who}", printable(&used.action), time::millis(used.time)));
        }
        oldest = page.first().map(|record| record.time).or(oldest);
        end = start;
    }
    let since = oldest.map_or_else(String::new, |at| format!(", since {}", time::millis(at)));
    Ok(format!("not among the newest {} records of the log{since}", MOST.saturating_mul(usize::from(PAGE))))
}

fn is_use(record: &Record, key: &Name) -> bool {
    record.outcome == "done" && USES.contains(&record.action.as_str()) && about(record, key)
}
