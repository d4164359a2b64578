//! A JSON object in which every member stands once: a token's header or its claims.
//!
//! RFC 7515 and RFC 7519 let a reader refuse repeated names; readers that take the first and readers that take the
//! last would otherwise see two different tokens under one signature.

use crate::NotAuthenticated;
use keystead_model::Time;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

pub(crate) struct Object(BTreeMap<String, Value>);

type Read<T> = Result<T, NotAuthenticated>;

impl Object {
    pub(crate) fn parse(json: &[u8]) -> Read<Self> {
        serde_json::from_slice(json).map_err(|_| NotAuthenticated::Malformed)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A string that is not empty, if the member is there at all.
    pub(crate) fn text(&self, name: &str) -> Read<Option<&str>> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
            Some(_) => Err(NotAuthenticated::Malformed),
        }
    }

    /// A string, or an array of strings, if the member is there at all.
    pub(crate) fn texts(&self, name: &str) -> Read<Vec<&str>> {
        match self.0.get(name) {
            None => Ok(Vec::new()),
            Some(Value::String(text)) => Ok(vec![text]),
            Some(Value::Array(items)) => {
                items.iter().map(|item| item.as_str().ok_or(NotAuthenticated::Malformed)).collect()
            }
            Some(_) => Err(NotAuthenticated::Malformed),
        }
    }

    /// A NumericDate (RFC 7519, section 2), if the member is there at all. Saturates.
    pub(crate) fn time(&self, name: &str) -> Read<Option<Time>> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::Number(number)) => match (number.as_i64(), number.as_f64()) {
                (Some(secs), _) => Ok(Some(Time::from_secs(secs))),
                // `as` saturates.
                (None, Some(secs)) => Ok(Some(Time((secs * 1000.0) as i64))),
                (None, None) => Err(NotAuthenticated::Malformed),
            },
            Some(_) => Err(NotAuthenticated::Malformed),
        }
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if members.insert(name, value).is_some() {
                        return Err(A::Error::custom("a member stands twice"));
                    }
                }
                Ok(Object(members))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_stands_twice_is_refused_however_it_is_spelt() {
        for json in [r#"{"iss":"a","iss":"a"}"#, r#"{"iss":"a","\u0069ss":"b"}"#, r#"{"x":1,"x":2}"#] {
            assert!(Object::parse(json.as_bytes()).is_err(), "{json}");
        }
    }

    #[test]
    fn anything_but_one_whole_object_is_refused() {
        for json in ["", "[]", "null", "\"a\"", "{}{}", "{} x", "{\"a\":1", "{\"a\":1e999}", &"[".repeat(4096)] {
            assert!(Object::parse(json.as_bytes()).is_err(), "{json}");
        }
        assert!(Object::parse(b"{\"iss\":\"\xff\"}").is_err());
        assert!(Object::parse(format!("{{\"a\":{}", "[".repeat(4096)).as_bytes()).is_err());
    }

    #[test]
    fn times_are_numbers_and_saturate() {
        let read = |json: &str| Object::parse(json.as_bytes()).unwrap().time("exp");
        assert_eq!(read("{}"), Ok(None));
        assert_eq!(read(r#"{"exp":1}"#), Ok(Some(Time(1000))));
        assert_eq!(read(r#"{"exp":1.5}"#), Ok(Some(Time(1500))));
        assert_eq!(read(r#"{"exp":18446744073709551615}"#), Ok(Some(Time(i64::MAX))));
        assert_eq!(read(r#"{"exp":1e300}"#), Ok(Some(Time(i64::MAX))));
        assert_eq!(read(r#"{"exp":-9223372036854775808}"#), Ok(Some(Time(i64::MIN))));
        for json in [r#"{"exp":"1"}"#, r#"{"exp":null}"#, r#"{"exp":[1]}"#, r#"{"exp":true}"#] {
            assert_eq!(read(json), Err(NotAuthenticated::Malformed), "{json}");
        }
    }
}
