//! Logs, checkpoints and tiles. They hold hashes and signatures only, so anybody may read them: a customer checks us
//! without asking us for a token.

use futures_util::future::{BoxFuture, FutureExt as _, ready};
use hyper::StatusCode;
use keystead_api_table::{Body, Context, Reply};
use keystead_audit::tlog::TilePath;
use keystead_engine::Vault;
use serde::Serialize;
use std::sync::Arc;

/// `GET /keystead/v1/audit/logs`: the vault's log on this node.
pub(crate) fn list<'a>(vault: &'a Arc<Vault>, _: &'a Context<'a>) -> BoxFuture<'a, Reply> {
    #[derive(Serialize)]
    struct Logs {
        logs: [Log; 1],
    }
    #[derive(Serialize)]
    struct Log {
        origin: String,
        id: String,
        vkey: String,
        size: u64,
    }
    let log = vault.log();
    let log = Log { origin: log.origin, id: log.id, vkey: log.vkey, size: log.size };
    ready(Reply::new(StatusCode::OK, Body::json(&Logs { logs: [log] }))).boxed()
}

/// `GET /keystead/v1/audit/logs/{id}/checkpoint`: the newest, a signed note.
pub(crate) fn checkpoint<'a>(vault: &'a Arc<Vault>, context: &'a Context<'a>) -> BoxFuture<'a, Reply> {
    file(vault, context, Some("checkpoint".to_owned()), Body::text).boxed()
}

/// `GET /keystead/v1/audit/logs/{id}/tile/...`: as C2SP tlog-tiles names them.
pub(crate) fn tile<'a>(vault: &'a Arc<Vault>, context: &'a Context<'a>) -> BoxFuture<'a, Reply> {
    file(vault, context, tile_path(&context.parts.rest()), Body::octets).boxed()
}

/// The file of a tile, if `rest` is exactly what C2SP calls it: no other file can be named.
pub(crate) fn tile_path(rest: &str) -> Option<String> {
    format!("tile/{rest}").parse::<TilePath>().ok().map(|path| path.to_string())
}

async fn file(vault: &Vault, context: &Context<'_>, path: Option<String>, body: fn(Vec<u8>) -> Body) -> Reply {
    let asked = context.parts.parameter("id").unwrap_or_default();
    let bytes = match path.filter(|_| asked == vault.log().id) {
        Some(path) => vault.log_file(&path).await,
        None => None,
    };
    match bytes {
        Some(bytes) => Reply::new(StatusCode::OK, body(bytes)),
        None => {
            let text = "This log, checkpoint or tile was not found on this node.";
            Reply::error(StatusCode::NOT_FOUND, "LogNotFound", None, text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tiles_can_be_named() {
        for good in ["0/000", "0/x001/x234/067", "entries/000.p/5", "1/000.p/255"] {
            assert_eq!(tile_path(good), Some(format!("tile/{good}")));
        }
        for bad in ["", "../checkpoint", "0/../../x", "0/0", "/0/000", "0//000", "entries", "0/000.p/256", "0/000.p/0"]
        {
            assert_eq!(tile_path(bad), None, "{bad}");
        }
    }
}
