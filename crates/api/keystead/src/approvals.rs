//! What was proposed to the approvers, and their votes; who approves what.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use keystead_access::{Approvals, Approver, Verdict};
use keystead_api_table::{BadParameter, Body, Context, Parts, proposal};
use keystead_engine::{ProposalView, ReadProposal, VoteOnProposal, WriteApprovals};
use keystead_model::ObjectId;
use serde::Deserialize;
use serde_json::{Value, json};

/// Longest signature, in bytes: DER of P-256.
const MAX_SIGNATURE: usize = 72;

/// `GET /keystead/v1/approvals`, the newest first.
pub fn list(all: Vec<ProposalView>, _: &Context<'_>) -> Body {
    let all: Vec<Value> = all.iter().map(proposal).collect();
    Body::json(&json!({ "value": all }))
}

/// `GET /keystead/v1/approvals/{id}`
pub fn read(parts: &Parts<'_>) -> Result<ReadProposal, BadParameter> {
    Ok(ReadProposal { id: id(parts)? })
}

/// One proposal.
pub fn one(view: ProposalView, _: &Context<'_>) -> Body {
    Body::json(&proposal(&view))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Voted {
    verdict: Verdict,
    /// PEM.
    key: String,
    /// Base64url.
    signature: String,
}

/// `POST /keystead/v1/approvals/{id}/votes`
pub fn vote(parts: &Parts<'_>) -> Result<VoteOnProposal, BadParameter> {
    let id = id(parts)?;
    let Voted { verdict, key, signature } = serde_json::from_slice(parts.body()).map_err(|e| BadParameter::json(&e))?;
    let expected = "a public key in PEM";
    let key = Approver::key_of_pem(&key).ok_or(BadParameter::Malformed { what: "key", expected })?;
    let expected = "a signature in base64url";
    let signature = URL_SAFE_NO_PAD.decode(signature).ok().filter(|s| s.len() <= MAX_SIGNATURE);
    let signature = signature.ok_or(BadParameter::Malformed { what: "signature", expected })?;
    Ok(VoteOnProposal { id, verdict, key, signature })
}

/// `PUT /keystead/v1/policy/approvals`: all that is to stand.
pub fn write(parts: &Parts<'_>) -> Result<WriteApprovals, BadParameter> {
    let approvals = serde_json::from_slice(parts.body()).map_err(|e| BadParameter::json(&e))?;
    // A list without members would be read as rules without members, which abolish all there are.
    if !parts.body().trim_ascii_start().starts_with(b"{") {
        return Err(BadParameter::WrongType { line: 1, column: 1 });
    }
    Ok(WriteApprovals { approvals })
}

/// As they stand.
pub fn written(approvals: Approvals, _: &Context<'_>) -> Body {
    Body::json(&approvals)
}

fn id(parts: &Parts<'_>) -> Result<ObjectId, BadParameter> {
    let expected = "a proposal's id: 32 hexadecimal digits";
    let id = parts.parameter("id").and_then(|text| text.parse().ok());
    id.ok_or(BadParameter::Malformed { what: "id", expected })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::HeaderMap;
    use keystead_api_table::fuzz::with_parts;

    const ID: &str = "000102030405060708090a0b0c0d0e0f";
    const KEY: &str = "-----BEGIN PUBLIC KEY-----\\nAAEC\\n-----END PUBLIC KEY-----";

    fn of<T>(id: &str, body: &str, parse: fn(&Parts<'_>) -> Result<T, BadParameter>) -> Result<T, BadParameter> {
        with_parts(&format!("/a/{id}"), "/a/{id}", HeaderMap::new(), body.as_bytes(), parse).unwrap()
    }

    #[test]
    fn a_vote_names_verdict_key_and_signature() {
        let body = format!(r#"{{"verdict":"approve","key":"{KEY}","signature":"AAEC"}}"#);
        let vote = of(ID, &body, vote).ok().unwrap();
        assert_eq!((vote.id.to_string().as_str(), vote.verdict), (ID, Verdict::Approve));
        assert_eq!((vote.key, vote.signature), (vec![0, 1, 2], vec![0, 1, 2]));
        let long = "A".repeat(98);
        for bad in [
            body.replace("approve", "abstain"),
            body.replace("PUBLIC", "PRIVATE"),
            body.replace("\"AAEC\"", "\"AA EC\""),
            body.replace("\"AAEC\"", &format!("\"{long}\"")),
            body.replace("}", ",\"name\":\"a\"}"),
            String::new(),
        ] {
            assert!(of(ID, &bad, super::vote).is_err(), "{bad}");
        }
        assert!(of("1", &body, super::vote).is_err());
        assert!(of("1", "", read).is_err());
    }

    #[test]
    fn approvers_and_rules_are_named_in_full() {
        let body = format!(r#"{{"approvers":[{{"name":"a","key":"{KEY}"}}],"approvals":{{"path-removal":1}}}}"#);
        let written = of(ID, &body, write).ok().unwrap().approvals;
        assert_eq!((written.approvers.len(), written.rules.len()), (1, 1));
        for bad in [body.replace("path-removal", "path"), body.replace("\"name\"", "\"nam\""), "[]".to_owned()] {
            assert!(of(ID, &bad, write).is_err(), "{bad}");
        }
    }
}
