//! A security domain is given out and taken over once its approvers have signed, and then once.

use super::{Bed, DOWNLOAD, UPLOAD, refused};
use crate::support::{Reply, b64, custodians};
use keystead_access::{Approver, Proposal, Verdict};
use keystead_crypto::ed25519::SigningKey;
use keystead_crypto::signature::PrivateKey;
use serde_json::{Value, json};

const PEOPLE: [&str; 3] = ["alice", "bob", "carol"];
const PENDING: &str = "/securitydomain/download/pending";

fn key(name: &str) -> PrivateKey {
    PrivateKey::Ed25519(SigningKey::from_seed(&keystead_crypto::sha256(&[name.as_bytes()])))
}

fn pem(name: &str) -> String {
    Approver::pem_of_key(&key(name).public().unwrap().to_spki())
}

impl Bed {
    /// From now on these operations need two of three.
    fn asks_approvals(&self, name: &str, rules: &[&str]) {
        let approvers: Vec<Value> = PEOPLE.iter().map(|who| json!({ "name": who, "key": pem(who) })).collect();
        let rules: serde_json::Map<String, Value> = rules.iter().map(|rule| ((*rule).to_owned(), 2.into())).collect();
        let body = json!({ "approvers": approvers, "approvals": rules });
        self.call(name, "PUT", "/keystead/v1/policy/approvals", &body).ok();
    }

    /// The same request as a proposal; its id.
    fn proposes(&self, name: &str, path: &str, body: &Value) -> String {
        let (host, bearer) = (
            format!("{name}.localhost:{}", self.site.place.port),
            format!("Bearer {}", self.tokens[usize::from(name == "two")]),
        );
        let headers = [("host", host.as_str()), ("authorization", &bearer), ("x-keystead-propose", "as we agreed")];
        let path = format!("{path}?api-version=7.6");
        let reply = self.site.http().send("POST", &path, &headers, body.to_string().as_bytes()).unwrap();
        assert_eq!((reply.status, &reply.json()["state"]), (202, &"pending".into()), "{reply:?}");
        reply.header("x-keystead-proposal").unwrap().to_owned()
    }

    fn proposal(&self, name: &str, id: &str) -> Value {
        self.get(name, &format!("/keystead/v1/approvals/{id}"))
    }

    fn approves(&self, name: &str, id: &str, who: &str) -> Reply {
        let proposal: Proposal = serde_json::from_value(self.proposal(name, id)["proposal"].clone()).unwrap();
        let signature = key(who).sign(proposal.text(Verdict::Approve).as_bytes()).unwrap();
        let vote = json!({ "verdict": "approve", "key": pem(who), "signature": b64(&signature) });
        self.call(name, "POST", &format!("/keystead/v1/approvals/{id}/votes"), &vote)
    }
}

/// 403, and how to go on.
#[track_caller]
fn needs_approvals(reply: &Reply) {
    refused(reply, 403, "ApprovalRequired");
    assert!(reply.message().contains("x-keystead-propose"), "{}", reply.message());
}

#[test]
fn a_download_that_two_approvers_signed_is_given_once_and_none_without_them() {
    let mut bed = Bed::new();
    bed.asks_approvals("one", &["export"]);
    let ask = custodians::download();
    let nothing_was_made = |bed: &Bed| assert_eq!(bed.call("one", "GET", PENDING, &Value::Null).status, 404);
    needs_approvals(&bed.call("one", "POST", DOWNLOAD, &ask));
    let id = bed.proposes("one", DOWNLOAD, &ask);
    nothing_was_made(&bed);
    assert_eq!(bed.approves("one", &id, "alice").ok()["state"], "pending");
    needs_approvals(&bed.call("one", "POST", DOWNLOAD, &ask));
    assert_eq!(bed.approves("one", &id, "bob").ok()["state"], "approved");
    // What was approved is this quorum of these custodians.
    let mut other = ask.clone();
    other["required"] = 3.into();
    needs_approvals(&bed.call("one", "POST", DOWNLOAD, &other));
    other = ask.clone();
    other["certificates"][2] = custodians::jwk(3);
    needs_approvals(&bed.call("one", "POST", DOWNLOAD, &other));
    nothing_was_made(&bed);
    bed.restart();
    // Of several at once one has it.
    let replies = std::thread::scope(|scope| {
        let asked = [(); 4].map(|()| scope.spawn(|| bed.call("one", "POST", DOWNLOAD, &ask)));
        asked.map(|one| one.join().unwrap())
    });
    let (given, others): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 202);
    let [given] = given.as_slice() else { panic!("{replies:?}") };
    assert!(others.iter().all(|reply| [403, 409].contains(&reply.status)), "{others:?}");
    assert!(custodians::opened(given.ok()["value"].as_str().unwrap(), &[0, 2]).is_ok());
    assert_eq!(bed.proposal("one", &id)["state"], "executed");
    needs_approvals(&bed.call("one", "POST", DOWNLOAD, &ask));
    // The vault that asks for none is as it was.
    assert!(custodians::opened(&bed.file("two"), &[0, 1]).is_ok());
}

#[test]
fn an_upload_that_two_approvers_signed_is_taken_once_and_none_without_them() {
    let bed = Bed::new();
    let (domain, own) = (bed.domain("one"), bed.bytes("two"));
    bed.asks_approvals("two", &["restore"]);
    let body = custodians::upload(&domain, &bed.get("two", UPLOAD));
    needs_approvals(&bed.call("two", "POST", UPLOAD, &body));
    let id = bed.proposes("two", UPLOAD, &body);
    for who in ["carol", "alice"] {
        needs_approvals(&bed.call("two", "POST", UPLOAD, &body));
        bed.approves("two", &id, who).ok();
    }
    // The same domain, sent anew, is another operation.
    needs_approvals(&bed.call("two", "POST", UPLOAD, &custodians::upload(&domain, &bed.get("two", UPLOAD))));
    assert!(bed.bytes("two") == own, "nothing was taken");
    assert_eq!(bed.call("two", "POST", UPLOAD, &body).status, 202);
    assert!(bed.bytes("two") == bed.bytes("one"));
    assert_eq!(bed.proposal("two", &id)["state"], "executed");
    let again = bed.call("two", "POST", UPLOAD, &body);
    assert!([403, 409].contains(&again.status), "{again:?}");
    needs_approvals(&bed.call("two", "POST", UPLOAD, &custodians::upload(&domain, &bed.get("two", UPLOAD))));
    bed.doctor();
}
