//! Microsoft's unmodified `azure_security_keyvault_keys` and `azure_identity`, with their own HTTP client, against the
//! `keystead dev` in whose environment this runs (`tests/run/rust-sdk` starts it). That client believes the CA because
//! it reads SSL_CERT_FILE. What the service made is checked by the `openssl` of the system.

mod algorithms;
mod credentials;
mod errors;
mod import;
mod keys;
mod lifecycle;
mod openssl;
mod rotation;
mod support;
