//! The node's clock: what it says, whether it is doubted, and the word of an administrator that it is right.

use keystead_api_table::{BadParameter, Body, Context, Parts};
use keystead_engine::{ClockView, ConfirmClock, ReadClock};
use keystead_model::Time;
use serde::{Deserialize, Serialize};

/// `GET /keystead/v1/clock`
pub fn read(_: &Parts<'_>) -> Result<ReadClock, BadParameter> {
    Ok(ReadClock)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Confirmation {
    /// What time it is, ms since the epoch.
    time: i64,
}

/// `POST /keystead/v1/clock/confirm`
pub fn confirm(parts: &Parts<'_>) -> Result<ConfirmClock, BadParameter> {
    let Confirmation { time } = serde_json::from_slice(parts.body()).map_err(|e| BadParameter::json(&e))?;
    Ok(ConfirmClock { time: Time(time) })
}

/// Times are milliseconds since the epoch. What is not known is absent.
pub fn shown(view: ClockView, _: &Context<'_>) -> Body {
    #[derive(Serialize)]
    struct Clock {
        time: i64,
        doubted: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        doubt: Option<Doubt>,
    }
    #[derive(Serialize)]
    struct Doubt {
        why: &'static str,
        said: i64,
        #[serde(skip_serializing_if = "Option::is_none")]
        expected: Option<i64>,
    }
    let doubt = view.doubt.map(|d| Doubt { why: d.why.name(), said: d.said.0, expected: d.expected.map(|t| t.0) });
    Body::json(&Clock { time: view.now.0, doubted: doubt.is_some(), doubt })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::HeaderMap;
    use keystead_api_table::fuzz::with_parts;

    #[test]
    fn a_confirmation_names_the_time_and_nothing_else() {
        let of = |body: &str| with_parts("/c", "/c", HeaderMap::new(), body.as_bytes(), confirm).unwrap();
        assert_eq!(of(r#"{"time":1900000000000}"#).ok().unwrap().time, Time(1_900_000_000_000));
        assert_eq!(of(r#"{"time":-9223372036854775808}"#).ok().unwrap().time, Time(i64::MIN));
        for bad in ["", "{}", "1900000000000", r#"{"time":"now"}"#, r#"{"time":1.5}"#, r#"{"time":1,"force":true}"#] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }
}
