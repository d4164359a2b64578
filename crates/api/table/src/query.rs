//! Query strings and form bodies: `a=1&b=2`, percent-encoded, `+` for a blank.

use percent_encoding::percent_decode_str;
use std::borrow::Cow;

/// The pairs of a query or of an `application/x-www-form-urlencoded` body. Nothing is decoded before it is asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    /// Over the text between `?` and `#`, or over a form body.
    pub const fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// The first value of this name, whose case does not matter. An empty value is an absent one. Bytes that are not
    /// UTF-8 become U+FFFD, which nothing accepts: a value that cannot be read is not an absent one.
    pub fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        self.0
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, value)| !value.is_empty() && decode(key).eq_ignore_ascii_case(name))
            .map(|(_, value)| decode(value))
    }
}

fn decode(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|b| matches!(b, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let blanks = text.replace('+', " ");
    Cow::Owned(percent_decode_str(&blanks).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_be_encoded_and_in_any_case() {
        for text in ["$skiptoken=abc", "%24skiptoken=abc", "a=1&$SkipToken=abc&b=2", "$skiptoken=&$skiptoken=abc"] {
            assert_eq!(Query::new(text).get("$skiptoken").as_deref(), Some("abc"), "{text}");
        }
    }

    #[test]
    fn forms_decode_blanks_and_escapes() {
        let form = Query::new("client_secret=a%2Bb+c&scope=https%3A%2F%2Fx%2F.default");
        assert_eq!(form.get("client_secret").as_deref(), Some("a+b c"));
        assert_eq!(form.get("scope").as_deref(), Some("https://x/.default"));
        assert_eq!(form.get("absent"), None);
        assert_eq!(Query::new("a=%ff").get("a").as_deref(), Some("\u{fffd}"));
    }
}
