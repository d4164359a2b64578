//! What requests about the policy are about, made for each that is allowed.

use super::rules::Needs;
use super::stage::Stage;
use serde_json::json;

const POLICY: &str = "/keystead/v1/policy";

/// What the request takes away or adds to. Of a client: its id, a slash and the id of its secret.
pub(super) async fn prepare(stage: &Stage, needs: Needs, allowed: bool) -> Option<String> {
    if !matches!(needs, Needs::OwnIssuer | Needs::OwnClient | Needs::OwnCertificate) {
        return None;
    }
    if !allowed {
        return Some("none/none".to_owned());
    }
    match needs {
        Needs::OwnIssuer => {
            let issuer =
                json!({ "iss": "https://own.example", "audiences": ["a"], "subject_claim": "sub", "keys": [] });
            stage.administrator(&format!("{POLICY}/issuers"), &issuer.to_string()).await;
            Some("https://own.example".to_owned())
        }
        Needs::OwnClient => {
            let client = json!({ "name": "own", "credential": "secret" });
            let made = stage.administrator(&format!("{POLICY}/clients"), &client.to_string()).await.json();
            Some(format!("{}/{}", made["client"]["id"].as_str()?, made["credential"].as_str()?))
        }
        _ => {
            let made = stage.administrator(&format!("{POLICY}/certificates"), &certificate()).await.json();
            Some(made["thumbprint"].as_str()?.to_owned())
        }
    }
}

/// The body that adds a certificate nobody has seen before.
pub(super) fn certificate() -> String {
    let mut ca = rcgen::CertificateParams::default();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let pem = ca.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem();
    json!({ "certificate": pem, "subject": "dns" }).to_string()
}
