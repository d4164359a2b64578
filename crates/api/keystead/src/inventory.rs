//! What a vault holds, for whoever rehearses its recovery: signed pages.

use keystead_api_table::{BadParameter, Body, Context, Parts};
use keystead_engine::{InventoryPage, ReadInventory};

/// `GET /keystead/v1/inventory?after={next of the page before}`.
pub fn parse(parts: &Parts<'_>) -> Result<ReadInventory, BadParameter> {
    let bad = |_| BadParameter::Malformed { what: "after", expected: "the member next of the page before" };
    let after = parts.query("after").map(|text| text.parse().map_err(bad)).transpose()?;
    Ok(ReadInventory { after, trial: false })
}

/// The line of the file.
pub fn format(page: InventoryPage, _: &Context<'_>) -> Body {
    Body::written_json(page.line)
}
