//! How the server's own log is written: to standard error, as text for people or JSON for collectors. It is not the
//! audit: it never names a key, a caller or a secret, and a line may be lost.

use super::traces::{self, Ready, Settings};
use crate::exit::Failure;
use serde::Deserialize;
use tracing_subscriber::filter::{EnvFilter, Targets};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// How lines are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Form {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Which lines are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
}

impl Level {
    /// At `debug` our own rooms say more; libraries may print what clients sent, so they stay at `info`.
    const fn filter(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => {
                "info,keystead=debug,keystead_server=debug,keystead_engine=debug,keystead_audit=debug,\
                 keystead_store=debug,keystead_protection=debug"
            }
        }
    }
}

/// Begins to write, and to collect spans if traces are wanted. `KEYSTEAD_LOG` goes before the level. Only the first
/// call of a process has an effect.
pub(crate) fn begin(level: Level, form: Form, traces: Option<&Settings>) -> Result<Option<Ready>, Failure> {
    let filter = EnvFilter::try_from_env("KEYSTEAD_LOG").unwrap_or_else(|_| EnvFilter::new(level.filter()));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match form {
        Form::Text => lines.with_filter(filter).boxed(),
        Form::Json => lines.json().flatten_event(true).with_filter(filter).boxed(),
    };
    let (spans, ready) = traces.map(traces::prepare).transpose()?.unzip();
    // Nothing but the walk: libraries have spans of their own.
    let walk = Targets::new().with_target("keystead::walk", tracing::Level::TRACE);
    let spans = spans.map(|spans| spans.with_filter(walk));
    let _ = tracing_subscriber::registry().with(lines).with(spans).try_init();
    Ok(ready)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_is_a_filter() {
        for level in [Level::Error, Level::Warn, Level::Info, Level::Debug] {
            assert!(level.filter().parse::<EnvFilter>().is_ok(), "{level:?}");
        }
    }
}
