//! Entry points for fuzzing: each takes any bytes and must return.

use crate::{
    Action, Authority, CipherAlgorithm, InstanceId, IsoDuration, KeyOperation, KeySpec, Name, NodeId, SignAlgorithm,
    Target, VaultId, Version,
};

/// What people and protocols write: names, authorities, ids, scopes, words of the wire. What reads prints the same, or
/// its one normal form.
pub fn text(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(name) = Name::parse(&text) {
        assert_eq!(name.as_str(), text);
        assert_eq!(Name::parse(&name.folded()).as_ref(), Ok(&name));
    }
    if let Ok(authority) = text.parse::<Authority>() {
        assert_eq!(authority.as_str().parse().as_ref(), Ok(&authority));
        assert!(!authority.host().is_empty() && authority.port() != Some(443));
    }
    if let Ok(id) = text.parse::<VaultId>() {
        assert_eq!(id.to_string(), text);
        assert!(text.parse() == Ok(Version::from_bytes(*id.as_bytes())));
        assert!(text.parse::<NodeId>().is_ok() && text.parse::<InstanceId>().is_ok());
    }
    if let Ok(scope) = text.parse::<Target>() {
        assert_eq!(scope.to_string(), text);
    }
    let _ = (KeyOperation::from_wire(&text), SignAlgorithm::from_wire(&text), CipherAlgorithm::from_wire(&text));
}

/// Durations of rotation policies. What is read keeps its text, and is in bounds.
pub fn duration(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(read) = text.parse::<IsoDuration>() {
        assert_eq!(read.as_str(), text);
        let normal = IsoDuration::from_millis(read.millis());
        assert_eq!((normal.millis(), normal.as_str().parse()), (read.millis(), Ok(normal.clone())));
    }
}

/// Numbers that stand in records.
pub fn code(bytes: &[u8]) {
    let (one, two) = (bytes.first().copied().unwrap_or(0), bytes.first_chunk().copied().unwrap_or_default());
    assert!(KeySpec::from_code(one).is_none_or(|spec| spec.code() == one));
    assert!(KeyOperation::from_code(one).is_none_or(|op| op.code() == one));
    assert!(SignAlgorithm::from_code(one).is_none_or(|alg| alg.code() == one));
    assert!(CipherAlgorithm::from_code(one).is_none_or(|alg| alg.code() == one));
    let action = u16::from_be_bytes(two);
    assert!(Action::from_code(action).is_none_or(|a| a.code() == action));
}

#[cfg(test)]
mod tests {
    const SEEDS: &[&[u8]] = &[
        b"Payments-2026",
        b"Dev.LocalHost:8443",
        b"[::1]:9",
        b"a.example:443",
        b"0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f",
        b"/keys/a",
        b"/",
        b"RSA-OAEP-256",
        b"P1Y2M3W4DT5H6M7S",
        b"PT48H",
        b"",
    ];

    #[test]
    fn no_input_makes_a_parser_panic() {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut next = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        for round in 0..20_000 {
            let mut data = SEEDS[round % SEEDS.len()].to_vec();
            for _ in 0..next() % 4 {
                let at = next() as usize % data.len().max(1);
                match next() % 4 {
                    0 if !data.is_empty() => data[at] = next() as u8,
                    1 => data.truncate(at),
                    2 => data.insert(at.min(data.len()), b"[]:./"[next() as usize % 5]),
                    _ => data.insert(at.min(data.len()), next() as u8),
                }
            }
            super::text(&data);
            super::duration(&data);
            super::code(&data);
        }
    }
}
