//! Approvers whose keys are in tokens, and a server.

use super::{proposed, said};
use crate::cli::{code, text};
use crate::hsm::bed::{Maker, Token};
use crate::support::Place;
use std::fs;
use std::process::Output;

/// Who has which key in whose token. Kryoptic, as it is built here, has no Ed25519.
const CARDS: [(&str, Maker, &str); 3] = [
    ("dora", Maker::SoftHsm2, "EC:edwards25519"),
    ("emil", Maker::SoftHsm2, "EC:prime256v1"),
    ("fay", Maker::Kryoptic, "EC:prime256v1"),
];

/// An approver's token, with a key of his and one that nobody knows.
struct Card<'a> {
    place: &'a Place,
    name: &'static str,
    token: Token,
}

impl<'a> Card<'a> {
    fn new(place: &'a Place, (name, maker, kind): (&'static str, Maker, &str)) -> Self {
        let token = Token::new(maker, &place.beside("tokens"), name);
        for (label, id) in [(name, "01"), ("another", "02")] {
            let pair = ["--keypairgen", "--key-type", kind, "--label", label, "--id", id, "--sensitive"];
            token.with_pin(&[&pair[..], &["--usage-sign"]].concat());
        }
        let card = Self { place, name, token };
        let read = card.file("read");
        card.token.with_pin(&["--read-object", "--type", "pubkey", "--id", "01", "-o", &read]);
        let pem = ["pkey", "-pubin", "-in", &read, "-pubout", "-out", &card.public()];
        text(&place.program("openssl").args(pem).output().unwrap());
        card
    }

    fn file(&self, end: &str) -> String {
        self.place.beside(&format!("{}.{end}", self.name)).to_str().unwrap().to_owned()
    }

    fn public(&self) -> String {
        self.file("pub.pem")
    }

    fn votes(&self, verdict: &str, id: &str, label: &str) -> Output {
        let (module, pin, variable) = (self.token.module(), self.token.pin(), self.token.environment());
        let [module, pin] = [&module, &pin].map(|path| path.to_str().unwrap());
        let card = ["--pkcs11", module, "--label", label, "--pin-file", pin, "--environment", &variable, "--yes"];
        self.place.cli(&[&["approval", verdict, id][..], &card].concat())
    }
}

/// The approvers, and how many of them a purge needs.
fn rules(place: &Place, cards: &[Card<'_>]) -> String {
    let people = cards.iter().map(|card| {
        let pem = fs::read_to_string(card.public()).unwrap();
        format!("[[approvers]]\nname = \"{}\"\nkey = \"\"\"\n{pem}\"\"\"\n\n", card.name)
    });
    let file = place.beside("rules.toml");
    fs::write(&file, people.chain([format!("[approvals]\npurge = {}\n", cards.len())]).collect::<String>()).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn approvers_approve_and_reject_with_keys_that_stay_in_their_tokens() {
    let place = Place::new();
    let server = place.dev();
    let cards = CARDS.map(|card| Card::new(&place, card));
    let before = cards.each_ref().map(|card| card.token.labels());
    text(&place.cli(&["approval", "rules", "--set", &rules(&place, &cards)]));
    text(&place.cli(&["key", "create", "payments", "--kty", "EC"]));
    text(&place.cli(&["key", "delete", "payments"]));
    let purge = ["key", "purge", "payments", "--yes"];
    let propose = |reason: &str| proposed(&place.cli(&[&purge[..], &["--propose", reason]].concat()));

    let id = propose("replaced by payments-2");
    for (count, card) in (1..).zip(&cards) {
        assert_eq!(code(&place.cli(&purge)), Some(3), "before {}", card.name);
        // A key that is no approver's counts for nobody.
        let stranger = card.votes("approve", &id, "another");
        assert!(code(&stranger) == Some(2) && said(&stranger).contains("of nobody who approves"), "{stranger:?}");
        let done = card.votes("approve", &id, card.name);
        assert!(said(&done).contains("operation: keys/purge"), "what is signed is shown");
        let state = if count == cards.len() { "approved" } else { "pending" };
        let taken = text(&done);
        assert!(taken.contains(&format!("{count} of 3 approvals; the proposal is {state}")), "{}: {taken}", card.name);
        assert_eq!(code(&card.votes("approve", &id, card.name)), Some(2), "one vote each");
    }
    let whole = place.beside("approved.json");
    text(&place.cli(&["approval", "show", &id, "--out", whole.to_str().unwrap()]));
    assert!(text(&place.cli(&purge)).contains("purged payments"));

    text(&place.cli(&["key", "create", "payments", "--kty", "EC"]));
    text(&place.cli(&["key", "delete", "payments"]));
    let id = propose("again");
    assert!(text(&cards[0].votes("reject", &id, "dora")).contains("reject taken; 0 of 3 approvals"));
    fs::write(cards[2].token.pin(), "0000-wrong").unwrap();
    let refused = cards[2].votes("approve", &id, "fay");
    assert!(code(&refused) == Some(3) && said(&refused).contains("refused the PIN"), "{refused:?}");
    assert_eq!(code(&place.cli(&purge)), Some(3));
    fs::write(cards[2].token.pin(), "7531-user").unwrap();

    // What the tokens signed holds where there is no server, and nothing of ours stays in them.
    assert!(server.stop().success());
    let public = cards.each_ref().map(Card::public);
    let keys = public.iter().flat_map(|file| ["--approver", file]);
    let verify = ["approval", "verify", "--file", whole.to_str().unwrap()];
    let verified = place.cli(&verify.into_iter().chain(keys).collect::<Vec<_>>());
    assert!(text(&verified).contains("3 of 3 approvals hold"));
    assert_eq!(cards.each_ref().map(|card| card.token.labels()), before);
}
