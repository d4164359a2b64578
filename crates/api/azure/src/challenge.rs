//! The challenge: where to get a token, and for what.
//!
//! Its form is the least that all SDKs parse: one blank after the scheme, quoted values, a comma and a blank between
//! the pairs, nothing else. `authorization` ends in exactly one segment, the tenant; `resource` is a domain of which
//! the vault's host is a proper subdomain, with the port exactly when the client used one.

use keystead_api_table::Context;
use keystead_engine::resource;

/// The value of `WWW-Authenticate`.
pub fn challenge(context: &Context<'_>) -> String {
    let (base, tenant, resource) = (context.base(), context.tenant, resource(context.authority));
    format!(r#"Bearer authorization="{base}/{tenant}", resource="{resource}""#)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::context;
    use keystead_model::Authority;

    #[test]
    fn the_challenge_is_the_least_that_all_clients_parse() {
        let text = context("/keys", "/keys", "", challenge);
        assert_eq!(
            text,
            r#"Bearer authorization="https://dev.localhost:8443/adfs", resource="https://localhost:8443""#
        );
    }

    #[test]
    fn the_vault_is_a_proper_subdomain_of_the_resource_where_it_can_be() {
        for (authority, expected) in [
            ("pay.vault.example", "https://vault.example"),
            ("localhost:8443", "https://localhost:8443"),
            ("127.0.0.1:8443", "https://127.0.0.1:8443"),
            ("[::1]:8443", "https://[::1]:8443"),
        ] {
            let authority: Authority = authority.parse().unwrap();
            let text = context("/keys", "/keys", "", |c| challenge(&Context { authority: &authority, ..*c }));
            assert!(text.ends_with(&format!(r#", resource="{expected}""#)), "{text}");
        }
    }
}
