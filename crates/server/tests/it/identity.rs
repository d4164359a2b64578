//! A certificate that changes while the server runs.

use keystead_server::{Limits, tls_config};

use crate::support::{ask, client_config, echo, get, start};

#[tokio::test]
async fn a_new_certificate_is_for_new_connections_and_the_open_ones_go_on() {
    let server = start(Limits::default(), echo()).await;
    let mut open = server.connect().await;
    ask(&mut open, &get("/")).await.unwrap();

    let made = rcgen::generate_simple_self_signed(["vault.localhost".to_owned()]).unwrap();
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    server.identity.replace(tls_config(chain.as_bytes(), key.as_bytes()).unwrap());

    let trusts_new = client_config(made.cert.der(), rustls::ALL_VERSIONS);
    let mut new = server.try_connect(&trusts_new).await.unwrap();
    assert_eq!(ask(&mut new, &get("/")).await.unwrap().status, 200);
    // The client that was here has a session ticket of the old certificate, which is not taken any more.
    assert!(server.try_connect(&server.client).await.is_err(), "the old certificate is gone");
    assert_eq!(ask(&mut open, &get("/")).await.unwrap().status, 200);
}
