//! Entry points for fuzzing: whatever the bytes, no panic.

use keystead_api_table::Ids;
use keystead_api_table::fuzz::with_parts;

/// The document of a new vault.
pub fn new_vault(data: &[u8]) {
    let _ = crate::operator::parse_new_vault(data, &Ids::new([0; 16]));
}

/// The bodies that change the policy.
pub fn policy(data: &[u8]) {
    use crate::policy as p;
    let pattern = "/keystead/v1/policy/clients/{id}/credentials/{credential}";
    let target = "/keystead/v1/policy/clients/a/credentials/b?iss=c";
    let _ = with_parts(target, pattern, hyper::HeaderMap::new(), data, |parts| {
        let _ = (p::add_issuer(parts), p::create_client(parts), p::add_credential(parts));
        let _ = (p::add_authority(parts), p::revoke(parts), p::remove_issuer(parts), p::remove_credential(parts));
    });
}

/// The body that confirms the clock.
pub fn clock(data: &[u8]) {
    let target = "/keystead/v1/clock/confirm";
    let _ = with_parts(target, target, hyper::HeaderMap::new(), data, |p| drop(crate::clock::confirm(p)));
}

/// A query for records, and the path of a tile.
pub fn query(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = crate::logs::tile_path(text);
    let target = format!("/keystead/v1/audit/records?{text}");
    let pattern = "/keystead/v1/audit/records";
    let _ = with_parts(&target, pattern, hyper::HeaderMap::new(), b"", |p| drop(crate::records::parse(p)));
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_input_panics() {
        let seeds: [&[u8]; 6] = [
            br#"{"time":1900000000000}"#,
            br#"{"name":"a","authorities":["a:1"],"policy":{"administrators":[{"issuer":"i","subject":"s"}],"clients":[null]}}"#,
            b"log=00000000000000000000000000000000&from=18446744073709551615&n=-0",
            b"entries/x001/234.p/255",
            br#"{"name":"a","credential":{"federated":{"iss":"i","sub":"s","aud":"a"}},"expires":5}"#,
            br#"{"certificate":"-----BEGIN CERTIFICATE-----AAEC-----END CERTIFICATE-----","subject":"dns","only":[]}"#,
        ];
        let mut x = 0x9e37_79b9_7f4a_7c15_u64;
        for round in 0..6000_usize {
            let mut data = seeds[round % seeds.len()].to_vec();
            for _ in 0..round % 7 {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                let at = usize::try_from(x % data.len() as u64).unwrap();
                data[at] = x.to_le_bytes()[5];
            }
            super::new_vault(&data);
            super::query(&data);
            super::policy(&data);
            super::clock(&data);
        }
    }
}
