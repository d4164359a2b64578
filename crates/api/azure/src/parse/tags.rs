//! The tags of a request.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;

/// Names and values; `null` is an empty value. A name that stands twice is refused: of two readers, one would take the
/// first value and one the last.
#[derive(Debug, Default)]
pub(crate) struct Tags(pub(crate) BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Tags;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tags, A::Error> {
                let mut tags = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, Option<String>>()? {
                    if tags.insert(name, value.unwrap_or_default()).is_some() {
                        return Err(A::Error::custom("a tag stands twice"));
                    }
                }
                Ok(Tags(tags))
            }
        }
        d.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_that_stands_twice_is_refused_however_it_is_spelt() {
        let read = |text: &str| serde_json::from_str::<Tags>(text).map(|tags| tags.0);
        let tags = read(r#"{"a":"b","A":null,"":""}"#).unwrap();
        assert_eq!(
            tags.into_iter().collect::<Vec<_>>(),
            [("", ""), ("A", ""), ("a", "b")].map(|(n, v)| (n.into(), v.into()))
        );
        for bad in [r#"{"a":"b","a":"b"}"#, r#"{"a":"b","\u0061":null}"#, "[]", r#"{"a":7}"#, r#""a""#] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
