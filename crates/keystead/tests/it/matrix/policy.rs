//! What requests about the policy are about, made for each that is allowed.

use super::rules::Needs;
use super::stage::Stage;
use keystead_access::{Approver, Proposal, Verdict};
use keystead_crypto::ed25519::SigningKey;
use keystead_crypto::signature::PrivateKey;
use serde::Deserialize as _;
use serde_json::json;

const POLICY: &str = "/keystead/v1/policy";

/// What the request takes away or adds to. Of a client: its id, a slash and the id of its secret.
pub(super) async fn prepare(stage: &Stage, needs: Needs, allowed: bool) -> Option<String> {
    if needs == Needs::OwnProposal {
        return Some(if allowed { stage.proposal().await } else { "0".repeat(32) });
    }
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

fn approver() -> PrivateKey {
    PrivateKey::Ed25519(SigningKey::from_seed(&[7; 32]))
}

/// The body after which one approver has to approve that a path is removed.
pub(super) fn approvals() -> String {
    let key = Approver::pem_of_key(&approver().public().unwrap().to_spki());
    json!({ "approvers": [{ "name": "alice", "key": key }], "approvals": { "path-removal": 1 } }).to_string()
}

/// The body that votes on the proposal of this path.
pub(super) async fn vote(stage: &Stage, path: &str, allowed: bool) -> String {
    let key = approver();
    let mut signature = vec![0; 64];
    if allowed {
        let read = stage.read(path.strip_suffix("/votes").unwrap()).await;
        let proposal = Proposal::deserialize(&read["proposal"]).unwrap();
        signature = key.sign(proposal.text(Verdict::Approve).as_bytes()).unwrap();
    }
    let pem = Approver::pem_of_key(&key.public().unwrap().to_spki());
    let signature = crate::support::b64(&signature);
    json!({ "verdict": "approve", "key": pem, "signature": signature }).to_string()
}
