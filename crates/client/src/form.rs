//! `application/x-www-form-urlencoded`, the form of token requests.

use std::fmt::Write;

use zeroize::Zeroizing;

/// Pairs as `name=value&..`; everything but letters, digits and `-._~` is escaped. The text may hold a secret.
pub(crate) fn encode(pairs: &[(&str, &str)]) -> Zeroizing<String> {
    let room: usize = pairs.iter().map(|(n, v)| n.len().saturating_add(v.len()).saturating_mul(3)).sum();
    let mut text = Zeroizing::new(String::with_capacity(room.saturating_add(pairs.len().saturating_mul(2))));
    for (name, value) in pairs {
        if !text.is_empty() {
            text.push('&');
        }
        escape(&mut text, name);
        text.push('=');
        escape(&mut text, value);
    }
    text
}

/// One part of a path or query.
pub(crate) fn escaped(part: &str) -> String {
    let mut text = String::new();
    escape(&mut text, part);
    text
}

fn escape(text: &mut String, part: &str) {
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_not_plain_is_escaped() {
        let form = encode(&[("scope", "https://localhost:8443/.default"), ("client_secret", "a b&c=ü+~")]);
        assert_eq!(
            form.as_str(),
            "scope=https%3A%2F%2Flocalhost%3A8443%2F.default&client_secret=a%20b%26c%3D%C3%BC%2B~"
        );
    }
}
