//! Callers, who are made only by proving themselves, and a command for every action.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use keystead_access::policy::AssignmentDocument;
use keystead_access::{Ask, Denial, Permit, Policy, PolicyDocument, Who};
use keystead_crypto::ec::{Curve, PrivateKey};
use keystead_identity::token::finish;
use keystead_identity::{Caller, Client, Identity, IssuerKey, Principal, Proof, TrustedIssuer, secret_digest};
use keystead_model::{Action, Revision, Target, Time};
use serde_json::json;

pub(crate) const ISS: &str = "https://issuer.example/";
pub(crate) const OFFICER: &str = "14b46e9e-c2b7-41b4-b07b-48a6ebf60603";
pub(crate) const USER: &str = "12338af0-0e69-4776-bea7-57ae8d297424";
pub(crate) const SERVICE: &str = "e147488a-f6f5-4113-8e2d-b22465e65bf6";
pub(crate) const READER: &str = "5d4a1b1e-6a0f-4d2c-9a55-7b1f0c7e8a01";

/// A caller that proved itself to be this subject of this issuer with a client secret.
pub(crate) fn client(issuer: &str, subject: &str) -> Caller {
    let client = Client {
        id: "id".into(),
        name: "name".into(),
        subject: subject.into(),
        secrets: vec![secret_digest("secret")],
        ..Client::default()
    };
    let identity = Identity::new(issuer.into(), Vec::new(), vec![client]);
    let proof = Proof::ClientSecret { client: "id", secret: "secret" };
    identity.authenticate(proof, None, Time(0)).unwrap().caller
}

/// A caller that proved itself to be this subject of this issuer with a token.
pub(crate) fn bearer(issuer: &str, subject: &str) -> Caller {
    member(issuer, subject, &[])
}

/// The same with a token that puts it into these groups.
pub(crate) fn member(issuer: &str, subject: &str, groups: &[&str]) -> Caller {
    let key = PrivateKey::generate(Curve::P256);
    let (x, y) = key.public();
    let trusted = TrustedIssuer {
        iss: issuer.into(),
        audiences: vec!["aud".into()],
        tenant: None,
        subject_claim: "oid".into(),
        keys: vec![IssuerKey { kid: "k".into(), x: x.try_into().unwrap(), y: y.try_into().unwrap() }],
        ..TrustedIssuer::default()
    };
    let encode = |part: serde_json::Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let claims = json!({ "aud": "aud", "iss": issuer, "oid": subject, "groups": groups, "exp": 1 });
    let input = format!("{}.{}", encode(json!({ "alg": "ES256", "kid": "k" })), encode(claims));
    let signature = key.sign_digest(&keystead_crypto::sha256(&[input.as_bytes()])).unwrap().try_into().unwrap();
    let identity = Identity::new(String::new(), vec![trusted], Vec::new());
    identity.authenticate(Proof::Bearer(&finish(input, &signature)), None, Time(0)).unwrap().caller
}

pub(crate) fn assignment(id: u8, scope: &str, principal: Principal, role: &str) -> AssignmentDocument {
    AssignmentDocument { id: [id; 16], scope: scope.into(), principal: principal.into(), role: role.into() }
}

/// A document that `root` of [`ISS`] administers.
pub(crate) fn document(assignments: Vec<AssignmentDocument>) -> PolicyDocument {
    PolicyDocument { administrators: vec![Principal::new(ISS, "root")], assignments, ..PolicyDocument::default() }
}

pub(crate) fn policy(assignments: Vec<AssignmentDocument>, revision: u64) -> Policy {
    Policy::new(&document(assignments), Revision(revision)).unwrap()
}

/// Managed HSM's.
pub(crate) const POLICY_ADMINISTRATOR: &str = "4bd23610-cdcf-4971-bdee-bdc562cc28e4";

pub(crate) fn target(scope: &str) -> Target {
    scope.parse().unwrap()
}

/// The command of the action with this code.
pub(crate) struct Do<const CODE: u16>(pub(crate) Target);

impl<const CODE: u16> Ask for Do<CODE> {
    const ACTION: Action = Action::from_code(CODE).unwrap();

    fn target(&self) -> Target {
        self.0.clone()
    }
}

/// What a decision came to, whatever the command's type.
pub(crate) type Decided = Result<(keystead_access::Ground, Revision), Denial>;

pub(crate) fn outcome<C>(decision: Result<Permit<C>, Denial>) -> Decided {
    decision.map(|permit| (*permit.ground(), permit.policy()))
}

/// Decides a command whose action is known only now.
pub(crate) fn decide(policy: &Policy, who: Who, action: Action, target: &Target) -> Decided {
    macro_rules! of {
        ($($code:literal)+) => {
            match action.code() {
                $($code => outcome(policy.decide(who, Do::<$code>(target.clone()))),)+
                code => panic!("give the action with the code {code} a command here"),
            }
        };
    }
    of!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 40 41 42 43 44 45 46 47 48 50 51 52 53 54 55 56 58 60 61 62 63 64 65 66 67 68 69 70 71 72 73 74 75 76 77 80 81 82 83 84 1000 1001 1002 1003 1004 1005 1006 1007 1008
        1009 1010 1011 1012 1013 1014 1015 1016 1017 1020 1021 1022 1023 1024 1025 1026 1027 1028 1040 1041 1042 1043)
}

pub(crate) fn allowed(policy: &Policy, caller: &Caller, action: Action, target: &Target) -> bool {
    decide(policy, Who::Caller(caller.clone()), action, target).is_ok()
}
