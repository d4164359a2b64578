//! What was acknowledged outlives power cuts, kills and stops; a full disk or a blocked sink harms nobody else.
//!
//! - [`ledger`]: what one client was told · [`load`]: a client at work · [`history`]: journal against store
//! - [`life`]: a data directory through many ends, each followed by all checks
//! - [`power`], [`ends`], [`disk`], [`sink`]: the tests

mod disk;
mod ends;
mod history;
mod ledger;
mod life;
mod load;
mod power;
mod sink;
