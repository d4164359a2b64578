//! Through a list, page by page.

use crate::Failure;
use crate::client::{Connection, Door};
use bytes::Bytes;
use hyper::Method;
use serde_json::Value;

/// What a list holds.
pub(super) struct List {
    /// The paths of the keys' or versions' ids.
    pub(super) kids: Vec<String>,
    /// The page half-way through.
    pub(super) middle: String,
}

/// From the first page to the last.
pub(super) async fn walk(door: &Door, first: &str) -> Result<List, Failure> {
    let mut connection = door.connect().await?;
    let (mut kids, mut pages) = (Vec::new(), Vec::new());
    let mut next = Some(first.to_owned());
    while let Some(path) = next {
        let (page, behind) = page(&mut connection, &path).await?;
        kids.extend(page);
        pages.push(path);
        next = behind;
    }
    let middle = pages.get(pages.len() / 2).cloned().unwrap_or_else(|| first.to_owned());
    Ok(List { kids, middle })
}

/// What is on a page, and where the next one is.
async fn page(connection: &mut Connection, path: &str) -> Result<(Vec<String>, Option<String>), Failure> {
    let (status, body) = connection.ask(Method::GET, path, "application/json", Bytes::new()).await?;
    if !status.is_success() {
        return Err(format!("{path} answered {status}: {}", String::from_utf8_lossy(&body)).into());
    }
    read(&serde_json::from_slice(&body)?)
}

fn read(page: &Value) -> Result<(Vec<String>, Option<String>), Failure> {
    let items = page.get("value").and_then(Value::as_array).ok_or("a page without items")?;
    let kid = |item: &Value| item.get("kid").and_then(Value::as_str).and_then(path_of).map(str::to_owned);
    let kids = items.iter().map(kid).collect::<Option<_>>().ok_or("an item without an id")?;
    let next = page.get("nextLink").and_then(Value::as_str).filter(|link| !link.is_empty());
    Ok((kids, next.and_then(path_of).map(str::to_owned)))
}

/// Of an address, what stands behind its authority.
fn path_of(address: &str) -> Option<&str> {
    let (_, rest) = address.split_once("://")?;
    rest.get(rest.find('/')?..)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_page_is_read_and_leads_to_the_next_or_to_none() {
        let item = json!({ "kid": "https://localhost:1/keys/a/0", "attributes": {} });
        let page = json!({ "value": [item], "nextLink": "https://localhost:1/keys?api-version=7.6&$skiptoken=x" });
        let (kids, next) = read(&page).unwrap();
        assert_eq!((kids, next), (vec!["/keys/a/0".to_owned()], Some("/keys?api-version=7.6&$skiptoken=x".to_owned())));
        assert_eq!(read(&json!({ "value": [], "nextLink": null })).unwrap(), (Vec::new(), None));
        assert!(read(&json!({})).is_err());
    }
}
