//! Built-in clients.

use keystead_identity::{Client, Identity, NotAuthenticated, Principal, Proof, Proven, secret_digest};
use keystead_model::Time;
use proptest::prelude::*;

const ISS: &str = "https://builtin.example/t/";
const A: &str = "0a0a0a0a-1111-4222-8333-444444444444";
const B: &str = "0b0b0b0b-1111-4222-8333-444444444444";

fn client(id: &str, secrets: &[&str]) -> Client {
    Client {
        id: id.into(),
        name: "name".into(),
        subject: format!("oid-of-{id}"),
        secrets: secrets.iter().map(|s| secret_digest(s)).collect(),
        ..Client::default()
    }
}

fn ask(clients: Vec<Client>, client: &str, secret: &str) -> Result<Proven, NotAuthenticated> {
    let identity = Identity::new(ISS.into(), Vec::new(), clients);
    identity.authenticate(Proof::ClientSecret { client, secret }, None, Time(7))
}

#[test]
fn a_client_with_its_secret_is_a_principal_of_the_built_in_issuer() {
    let proven = ask(vec![client(A, &["s"])], A, "s").unwrap();
    assert_eq!(*proven.caller.principal(), Principal::new(ISS, format!("oid-of-{A}")));
    assert!(proven.caller.is_built_in_client());
    assert_eq!(proven.caller.application(), Some(A));
    assert!(proven.caller.groups().is_empty());
    assert_eq!(proven.until, Time(7), "a secret is checked anew each time");
}

#[test]
fn a_client_id_is_compared_without_case_and_a_secret_exactly() {
    let clients = || vec![client(&A.to_uppercase(), &["s"])];
    assert!(ask(clients(), A, "s").is_ok());
    for secret in ["S", "s ", " s", "s\0", "ss"] {
        assert_eq!(ask(clients(), A, secret), Err(NotAuthenticated::WrongSecret), "{secret:?}");
    }
}

#[test]
fn each_secret_in_force_is_good_and_only_for_its_own_client() {
    let clients = || vec![client(A, &["old", "new"]), client(B, &["b1", "b2", "b3"])];
    for (id, secret) in [(A, "old"), (A, "new"), (B, "b1"), (B, "b2"), (B, "b3")] {
        let proven = ask(clients(), id, secret).unwrap();
        assert_eq!(proven.caller.principal().subject(), format!("oid-of-{id}"));
    }
    assert_eq!(ask(clients(), A, "b1"), Err(NotAuthenticated::WrongSecret));
    assert_eq!(ask(clients(), A, "b3"), Err(NotAuthenticated::WrongSecret));
    assert_eq!(ask(clients(), B, "old"), Err(NotAuthenticated::WrongSecret));
}

#[test]
fn a_client_without_secrets_and_a_client_that_is_none_prove_nothing() {
    assert_eq!(ask(vec![client(A, &[])], A, "s"), Err(NotAuthenticated::WrongSecret));
    assert_eq!(ask(vec![client(A, &["s"])], B, "s"), Err(NotAuthenticated::UnknownClient));
    assert_eq!(ask(Vec::new(), A, "s"), Err(NotAuthenticated::UnknownClient));
    let open = Client { secrets: vec![[0; 32], secret_digest("")], ..client(A, &[]) };
    assert_eq!(ask(vec![open], A, ""), Err(NotAuthenticated::Missing));
    assert_eq!(ask(vec![client(A, &["s"])], "", "s"), Err(NotAuthenticated::Missing));
}

#[test]
fn a_digest_is_no_secret() {
    let stored = client(A, &["s"]);
    let digest: String = stored.secrets[0].iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(ask(vec![stored], A, &digest), Err(NotAuthenticated::WrongSecret));
}

#[test]
fn an_overlong_id_or_secret_is_refused_unread() {
    let long = "s".repeat(Identity::MAX_LEN + 1);
    assert_eq!(ask(vec![client(A, &[&long])], A, &long), Err(NotAuthenticated::TooLarge));
    assert_eq!(ask(vec![client(A, &["s"])], &long, "s"), Err(NotAuthenticated::TooLarge));
}

proptest! {
    #[test]
    fn a_secret_is_good_exactly_if_it_is_one_of_the_clients(
        held in prop::collection::vec("[ab]{1,3}", 0..4), others in prop::collection::vec("[ab]{1,3}", 0..4),
        secret in "[ab]{1,3}",
    ) {
        let held: Vec<_> = held.iter().map(String::as_str).collect();
        let others: Vec<_> = others.iter().map(String::as_str).collect();
        let proven = ask(vec![client(B, &others), client(A, &held)], A, &secret);
        prop_assert_eq!(proven.is_ok(), held.contains(&secret.as_str()));
    }
}
