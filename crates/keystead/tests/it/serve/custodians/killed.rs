//! Servers that are killed while the root of a vault without an unseal path is rotated, or its custodians are replaced:
//! what is unfinished is named before anybody unsealed, and goes on when the right custodians did.

use super::super::quorum::{Customer, SIGN, custodian, good};
use super::super::steps::{STEPS, TRIES, kill, killed_at};
use super::super::{Running, said, stop};
use super::{OTHERS, replacing};
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

const KEYS: usize = 200;
const FIRST: [&str; 3] = ["alice", "bob", "carol"];

/// A vault that only its custodians open, and who they are now.
struct Held {
    customer: Customer,
    token: String,
    custodians: &'static [&'static str; 3],
    domain: String,
    /// Rotations and replacements so far.
    count: usize,
    /// How often a sealed vault named what was unfinished.
    named: usize,
}

impl Held {
    fn new() -> (Self, Running) {
        let customer = Customer::new();
        OTHERS.iter().for_each(|name| custodian(&customer.site, name));
        let (running, token) = customer.activated();
        for n in 0..KEYS {
            customer.site.call("pay", &token, "POST", &format!("/keys/k{n}/create"), r#"{"kty":"EC"}"#).ok();
        }
        (Self { customer, token, custodians: &FIRST, domain: "domain".to_owned(), count: 0, named: 0 }, running)
    }

    fn root(&self) -> u64 {
        self.customer.shown()["root"].as_u64().unwrap()
    }

    /// Findings of the doctor about one thing of the vault: verdicts and words. It has found nothing bad.
    fn doctor(&self, what: &str) -> Vec<(String, String)> {
        let doctor = self.customer.site.operator("doctor", &["--output", "json"]);
        assert!(doctor.status.success(), "{doctor:?}");
        let found: Value = serde_json::from_slice(&doctor.stdout).unwrap();
        let of = found["findings"].as_array().unwrap().iter().filter(|f| f["what"] == what);
        let text = |f: &Value, member: &str| f[member].as_str().unwrap().to_owned();
        of.map(|f| (text(f, "verdict"), text(f, "says"))).collect()
    }

    /// Nobody has unsealed: what the store says is told, and whom to call.
    fn is_told_while_sealed(&mut self, what: &str) {
        let id = self.customer.id(&self.domain);
        let vault = self.doctor("vault");
        let waits = |(verdict, says): &(String, String)| verdict == "warning" && says.contains("keystead unseal pay");
        assert!(vault.iter().all(waits), "{vault:?}");
        let [(_, says)] = &self.doctor("root")[..] else { panic!("one vault has one root") };
        assert!(says.contains(&id) && says.contains("unproven until unsealed"), "{says}");
        assert!(says.starts_with(what) || says.starts_with("sealed to"), "{says}");
        assert!(
            self.count == 0 || self.domain == "domain" || says.contains("took the place of others at 20"),
            "{says}"
        );
        self.named += usize::from(says.starts_with(what));
        let shown = self.customer.shown();
        assert_eq!((&shown["status"], &shown["store_says"]["domain"]), (&"sealed".into(), &id.clone().into()));
        assert_eq!(shown["store_says"]["says"], says.as_str());
        let asked = good(self.customer.unseal(&[]));
        assert!(asked.contains(&id) && asked.contains(says.as_str()), "{asked}");
    }

    /// A server that goes on as soon as the custodians there are have unsealed.
    fn goes_on(&mut self, what: &str, root: u64) -> Running {
        let running = self.customer.site.start();
        self.is_told_while_sealed(what);
        self.customer.opens_by([self.custodians[0], self.custodians[2]], &self.domain, &format!("start{}", self.count));
        let roots = self.doctor("root");
        assert!(roots.iter().all(|(_, says)| says.starts_with("sealed to") || says.starts_with(what)), "{roots:?}");
        self.customer.signs(&self.token);
        self.customer.ends();
        assert_eq!(self.root(), root);
        for n in (0..KEYS).step_by(40) {
            self.customer.site.call("pay", &self.token, "POST", &format!("/keys/k{n}/sign"), SIGN).ok();
        }
        running
    }

    fn rotate(&mut self) -> Child {
        self.count += 1;
        let place = &self.customer.site.place;
        let socket = place.data.join("operator.sock");
        let words = ["vault", "--socket", socket.to_str().unwrap(), "rotate-root", "pay"];
        place.command(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Brings the last answers for others, who are the custodians from then on.
    fn replace(&mut self) -> Child {
        self.count += 1;
        let others = if *self.custodians == FIRST { &OTHERS } else { &FIRST };
        let (next, asked) = (format!("domain{}", self.count), format!("asked{}", self.count));
        self.customer.make_other(others, &next);
        let now = [self.custodians[0], self.custodians[1]];
        let answers = self.customer.agreed(now, &self.domain, &next, &asked);
        (self.custodians, self.domain) = (others, next);
        replacing(&self.customer, &answers)
    }

    /// Killed when the command's first line is printed, and at each step that follows.
    fn killed_at_each(
        &mut self,
        mut running: Running,
        begin: fn(&mut Self) -> Child,
        what: &str,
        first: &str,
    ) -> Running {
        let before = self.root();
        let mut child = begin(self);
        let line = BufReader::new(child.stdout.take().unwrap()).lines().next().unwrap().unwrap();
        kill(running);
        assert!(line.starts_with(first), "{line}");
        child.wait().unwrap();
        running = self.goes_on(what, before + 1);
        for step in STEPS {
            running = self.killed_at(running, begin, what, step);
        }
        assert!(self.named > 0, "a sealed vault never named what was unfinished");
        running
    }

    fn killed_at(&mut self, mut running: Running, begin: fn(&mut Self) -> Child, what: &str, step: &str) -> Running {
        for _ in 0..TRIES {
            let before = self.root();
            let mut child = begin(self);
            let met = killed_at(&self.customer.site, running, "pay", (step, before + 1));
            child.wait().unwrap();
            running = match met {
                None => return self.goes_on(what, before + 1),
                Some(running) => running,
            };
        }
        panic!("none was met while {step}");
    }

    fn ends(&self, running: Running) {
        stop(running);
        let place = &self.customer.site.place;
        let verified = place.cli(&["audit", "verify", "--data", place.data_str()]);
        assert!(verified.status.success(), "{verified:?}");
    }
}

#[test]
fn a_server_that_is_killed_at_any_printed_step_of_a_rotation_names_it_before_its_custodians_unseal() {
    let (mut held, running) = Held::new();
    let running = held.killed_at_each(running, Held::rotate, "rotating root", "root ");
    held.ends(running);
}

#[test]
fn a_server_that_is_killed_at_any_printed_step_of_a_replacement_goes_on_with_it() {
    let (mut held, running) = Held::new();
    let running =
        held.killed_at_each(running, Held::replace, "replacing custodians, root", "the custodians were replaced");
    held.ends(running);
}

#[test]
fn a_sealed_vault_says_how_many_shares_it_has_and_who_is_not_asked_any_more_is_told_why() {
    let (mut held, running) = Held::new();
    held.replace().wait().unwrap();
    held.customer.ends();
    stop(running);
    let running = held.customer.site.start();
    good(held.customer.unseal(&["--out", "asked"]));
    let former = held.customer.answers("alice", "domain", "asked", &[]);
    for named in [&*held.customer.id("domain"), &held.customer.id(&held.domain), "replace-custodians"] {
        assert!(former.status.code() == Some(1) && said(&former).contains(named), "{named}: {former:?}");
    }
    let show = || good(held.customer.site.vault(&["show", "pay"]));
    assert!(show().contains("2 are needed; there: none; missing: 2"), "{}", show());
    good(held.customer.answers(OTHERS[1], &held.domain, "asked", &[]));
    good(held.customer.unseal(&["--answer", &format!("{}.asked.answer", OTHERS[1])]));
    assert!(show().contains("2 are needed; there: of custodian 2; missing: 1"), "{}", show());
    let refused = held.customer.site.vault(&["rotate-root", "pay"]);
    let told = said(&refused);
    assert!(refused.status.code() == Some(4) && told.contains("needs it to be open"), "{told}");
    assert!(told.contains("keystead unseal pay") && told.contains("missing: 1"), "{told}");
    // The same name wherever people see the domain.
    let id = held.customer.id(&held.domain);
    let domain = good(held.customer.site.place.cli(&["domain", "show", &held.domain]));
    assert!(domain.contains(&id) && show().contains(&id), "{domain}");
    // Clients are told no more than that it is sealed.
    let client = held.customer.site.call("pay", &held.token, "GET", "/keys/k1", "");
    assert!(client.code() == "VaultSealed" && !client.message().contains(&id), "{}", client.message());
    stop(running);
}
