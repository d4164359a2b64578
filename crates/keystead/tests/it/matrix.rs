//! The authorisation matrix: every route of the tables, for every role, with every kind of token, in every state of a
//! vault. What must come back is worked out from [`rules`], which knows nothing of the code that decides.

mod cast;
mod over_the_wire;
mod policy;
mod rules;
mod stage;

use crate::inside::Answer;
use hyper::Method;
use keystead_api_table::{Access, RouteInfo};
use rules::{Needs, OPEN_ROUTES, Role, Rule, rows, rules};
use stage::{Case, Stage, State, Token};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_answers_every_caller_in_every_state_as_the_rules_say() {
    let stage = Stage::set().await;
    for row in rows() {
        for state in State::ALL {
            for role in Role::ALL {
                for token in Token::ALL {
                    let case = Case { row: &row, state, role, token };
                    match row.access {
                        Access::Caller => caller(&stage, &case).await,
                        Access::Proof => proof(&stage, &case).await,
                        Access::Anybody => anybody(&stage, &case).await,
                    }
                }
            }
        }
    }
}

/// A route that needs a caller: the vault's state is looked at first, then the token, then the role.
async fn caller(stage: &Stage, case: &Case<'_>) {
    let rule = rules().into_iter().find(|r| (&r.method, r.pattern) == (&case.row.method, case.row.pattern)).unwrap();
    let allowed = case.state == State::Open && case.token == Token::Valid && rule.may.contains(&case.role);
    let request = stage.request(&rule, allowed).await;
    let before = stage.revision(case.state).await;
    let answer = stage.send(case, &request).await;
    match (case.state, case.token) {
        (State::Sealed, _) => no_challenge(&answer, 403, "VaultSealed", case),
        (State::Inactive, _) => no_challenge(&answer, 403, "VaultNotActivated", case),
        (State::Open, Token::Valid) if allowed => {
            assert_eq!(answer.status.as_u16(), rule.ok, "{case}: {:?}", answer.body);
            assert_recorded(stage, &answer, &rule, 0, case);
            stage.restore(&rule, &request).await;
            return;
        }
        (State::Open, Token::Valid) => {
            no_challenge_but_receipt(&answer, case);
            assert_recorded(stage, &answer, &rule, 1, case);
        }
        (State::Open, _) => challenged(&answer, case),
    }
    assert_eq!(stage.revision(case.state).await, before, "{case}: something was changed");
}

/// A request for a token: its own proof counts, the bearer token does not.
async fn proof(stage: &Stage, case: &Case<'_>) {
    let answer = stage.send(case, &stage.token_request(case.row.pattern, case.role)).await;
    let has_receipt = answer.header("x-keystead-receipt").is_some();
    assert_eq!(answer.header("www-authenticate"), None, "{case}");
    if case.state == State::Open {
        assert!(answer.status.is_success() && has_receipt, "{case}: {:?}", answer.body);
        return;
    }
    assert_eq!((answer.status.as_u16(), has_receipt), (403, false), "{case}");
    let body = answer.json();
    let text = body["error_description"].as_str().unwrap();
    let word = if case.state == State::Sealed { "sealed" } else { "not activated" };
    assert!(body["error"] == "access_denied" && text.contains(word), "{case}: {body}");
}

/// An open route: the same answer for everybody, no receipt and no challenge.
async fn anybody(stage: &Stage, case: &Case<'_>) {
    let (_, ok, always) = *OPEN_ROUTES.iter().find(|r| r.0 == case.row.pattern).unwrap();
    let answer = stage.send(case, &stage.open_request(case)).await;
    let expected = match (case.state, always) {
        (State::Open, _) => ok,
        (_, false) => 403,
        (State::Sealed | State::Inactive, true) if case.row.name == "health" || case.row.name == "ready" => 503,
        // A vault of kind hsm has its record of creation, and so a log, before it is activated.
        (State::Sealed | State::Inactive, true) => ok,
    };
    assert_eq!(answer.status.as_u16(), expected, "{case}: {:?}", answer.body);
    assert!(answer.header("www-authenticate").is_none() && answer.header("x-keystead-receipt").is_none(), "{case}");
    if expected == 403 {
        let code = if case.state == State::Sealed { "VaultSealed" } else { "VaultNotActivated" };
        assert_eq!(answer.json()["error"]["code"], code, "{case}");
    }
}

/// 401 with the challenge that every SDK can parse, to the letter.
fn challenged(answer: &Answer, case: &Case<'_>) {
    assert_eq!(answer.status.as_u16(), 401, "{case}: {:?}", answer.body);
    let host = case.state.authority();
    let expected = format!(r#"Bearer authorization="https://{host}/adfs", resource="https://localhost:8443""#);
    assert_eq!(answer.header("www-authenticate"), Some(expected.as_str()), "{case}");
    assert_eq!(answer.header("x-keystead-receipt"), None, "{case}: nothing was decided");
    let body = answer.json();
    assert_eq!(body["error"]["code"], "Unauthorized", "{case}");
    assert!(body["error"]["message"].as_str().unwrap().starts_with("AKV100"), "{case}: {body}");
}

fn no_challenge(answer: &Answer, status: u16, code: &str, case: &Case<'_>) {
    assert_eq!((answer.status.as_u16(), answer.json()["error"]["code"].as_str()), (status, Some(code)), "{case}");
    assert!(answer.header("www-authenticate").is_none() && answer.header("x-keystead-receipt").is_none(), "{case}");
}

fn no_challenge_but_receipt(answer: &Answer, case: &Case<'_>) {
    let error = &answer.json()["error"];
    assert_eq!(answer.status.as_u16(), 403, "{case}: {:?}", answer.body);
    assert_eq!(
        (&error["code"], &error["innererror"]["code"]),
        (&"Forbidden".into(), &"ForbiddenByRbac".into()),
        "{case}"
    );
    assert!(answer.header("www-authenticate").is_none(), "{case}");
}

/// The receipt leads to a record of this action with this outcome (0 done, 1 denied), in this vault's log.
fn assert_recorded(stage: &Stage, answer: &Answer, rule: &Rule, outcome: u16, case: &Case<'_>) {
    let receipt = answer.header("x-keystead-receipt").unwrap_or_else(|| panic!("{case}: no receipt"));
    let record = stage.record(receipt);
    let action = record.action().map(|a| a.name());
    assert_eq!((action, record.outcome().0), (Some(rule.action), outcome), "{case}");
    let changes = outcome == 0 && !matches!(rule.method, Method::GET) && !USES.contains(&rule.action);
    assert_eq!(record.revision().is_some(), changes, "{case}");
}

/// Actions that use a key and change nothing.
const USES: &[&str] = &[
    "keys/sign",
    "keys/verify",
    "keys/encrypt",
    "keys/decrypt",
    "keys/wrap",
    "keys/unwrap",
    "keys/backup",
    "random/generate",
    // Of the domain that the vault has.
    "security-domain/upload",
];

/// The rows that need a caller.
pub(crate) fn caller_rows() -> Vec<RouteInfo> {
    rows().into_iter().filter(|r| r.access == Access::Caller).collect()
}

/// A setting that every vault has.
const SETTING: &str = "AllowKeyManagementOperationsThroughARM";
/// A GUID that nothing has.
const UNKNOWN: &str = "00000000-0000-4000-8000-000000000000";

/// A path of a row.
pub(crate) fn path(row: &RouteInfo, name: &str, log: &str) -> String {
    let path = row.pattern.replace("{name}", name).replace("{version?}", "").replace("{tenant}", "adfs");
    let path = path.replace("{id}", log).replace("{path*}", "0/x001/000").replace("{setting}", SETTING);
    let path = path.replace("{job}", &"0".repeat(32));
    let path = path.replace("{role}", UNKNOWN).replace("{assignment}", UNKNOWN);
    path.replace("{credential}", "none").replace("{thumbprint}", "none")
}

/// Whether a rule's request needs something that is made for it alone.
const fn own(needs: Needs) -> bool {
    matches!(needs, Needs::OwnKey | Needs::OwnDeletedKey | Needs::OwnBackup)
}
