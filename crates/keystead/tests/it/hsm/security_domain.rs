//! A vault with an HSM takes the domain of another: its tokens get the key that wrapped the other's keys.

use super::{start, vault};
use crate::support::{Place, Server, Vault, b64, custodians};
use keystead_custody::DomainSecrets;
use serde_json::{Value, json};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

const DOWNLOAD: &str = "/securitydomain/download";
const UPLOAD: &str = "/securitydomain/upload";

fn domain(vault: &mut Vault) -> DomainSecrets {
    let file = vault.call("POST", DOWNLOAD, Some(&custodians::download())).unwrap().ok();
    custodians::opened(file["value"].as_str().unwrap(), &[1, 0]).unwrap()
}

fn bytes(vault: &mut Vault) -> Vec<u8> {
    domain(vault).to_bytes().to_vec()
}

fn blob(vault: &mut Vault, secrets: &DomainSecrets) -> Value {
    custodians::upload(secrets, &vault.call("GET", UPLOAD, None).unwrap().ok())
}

fn create(vault: &mut Vault, name: &str) -> Value {
    vault.call("POST", &format!("/keys/{name}/create"), Some(&json!({ "kty": "EC-HSM" }))).unwrap().ok()
}

fn signs(vault: &mut Vault, name: &str) -> Value {
    let body = json!({ "alg": "ES256", "value": b64(&[7; 32]) });
    vault.call("POST", &format!("/keys/{name}/sign"), Some(&body)).unwrap().ok()["value"].clone()
}

fn purge(vault: &mut Vault, name: &str) {
    vault.delete(name).unwrap().ok();
    assert_eq!(vault.call("DELETE", &format!("/deletedkeys/{name}"), None).unwrap().status, 204);
}

/// A token that starts is not ready yet.
fn doctor(place: &Place) {
    let socket = place.data.join("operator.sock");
    let look = || place.cli(&["doctor", "--socket", socket.to_str().unwrap()]);
    let until = Instant::now() + Duration::from_secs(60);
    while !look().status.success() {
        assert!(Instant::now() < until, "{}", String::from_utf8_lossy(&look().stdout));
        sleep(Duration::from_millis(50));
    }
}

#[test]
fn keys_of_one_hsm_sign_in_another_that_was_given_the_key_of_their_domain() {
    let places = [Place::new(), Place::new()];
    let servers = places.each_ref().map(start);
    let [mut first, mut second] = [0, 1].map(|at| vault(&places[at], &servers[at]));
    create(&mut first, "pay");
    let backup = first.call("POST", "/keys/pay/backup", None).unwrap().ok();
    let taken = domain(&mut first);
    // A domain without a key for an HSM is not for a vault that has one.
    let software = domain(&mut servers[0].vault());
    let refused = blob(&mut second, &software);
    let refused = second.call("POST", UPLOAD, Some(&refused)).unwrap();
    assert_eq!((refused.status, &refused.json()["error"]["innererror"]["code"]), (409, &"NoWrappingKey".into()));
    let body = blob(&mut second, &taken);
    assert_eq!(second.call("POST", UPLOAD, Some(&body)).unwrap().status, 202);
    assert!(bytes(&mut second) == taken.to_bytes().to_vec());
    second.call("POST", "/keys/restore", Some(&backup)).unwrap().ok();
    let signature = signs(&mut second, "pay");
    let check = json!({ "alg": "ES256", "digest": b64(&[7; 32]), "value": signature });
    assert_eq!(first.call("POST", "/keys/pay/verify", Some(&check)).unwrap().ok()["value"], true);
    doctor(&places[1]);
    // A vault without an HSM keeps all of the domain, too: what it gives on is whole.
    let mut without = servers[1].vault();
    let body = blob(&mut without, &taken);
    assert_eq!(without.call("POST", UPLOAD, Some(&body)).unwrap().status, 202);
    assert!(bytes(&mut without) == taken.to_bytes().to_vec());
    let [_, server] = servers;
    assert!(server.stop().success());
    let server = start(&places[1]);
    let mut second = vault(&places[1], &server);
    signs(&mut second, "pay");
    assert!(bytes(&mut second) == bytes(&mut server.vault()));
    doctor(&places[1]);
}

/// Every key that was acknowledged opens, whichever domain its vault had when it was made: there is no such key, or the
/// upload is refused.
#[test]
fn keys_that_are_made_while_a_domain_is_uploaded_are_lost_in_no_case() {
    let places = [Place::new(), Place::new()];
    let servers = places.each_ref().map(start);
    let taken = domain(&mut vault(&places[0], &servers[0]));
    let mut second = vault(&places[1], &servers[1]);
    for round in 0..6 {
        let next = if round % 2 == 0 { &taken } else { &DomainSecrets::generate(taken.working.domain, true) };
        let body = blob(&mut second, next);
        let (uploaded, made) = scope(|threads| {
            let mut makers: Vec<Vault> = (0..3).map(|_| second.another()).collect();
            let making: Vec<_> = makers
                .drain(..)
                .enumerate()
                .map(|(number, mut maker)| {
                    threads.spawn(move || {
                        sleep(Duration::from_millis(10 * number as u64 * round));
                        let name = format!("key-{round}-{number}");
                        let reply =
                            maker.call("POST", &format!("/keys/{name}/create"), Some(&json!({ "kty": "EC-HSM" })));
                        (name, reply.unwrap())
                    })
                })
                .collect();
            let uploaded = second.another().call("POST", UPLOAD, Some(&body)).unwrap();
            (uploaded, making.into_iter().map(|one| one.join().unwrap()).collect::<Vec<_>>())
        });
        assert!([202, 409].contains(&uploaded.status), "{uploaded:?}");
        for (name, reply) in made {
            // The vault was opened anew meanwhile: whoever comes again is let in.
            let turned_away = reply.status == 429 && reply.code() == "Throttled";
            assert!(reply.status == 200 || turned_away, "{reply:?}");
            if reply.status == 200 {
                signs(&mut second, &name);
                purge(&mut second, &name);
            }
        }
    }
}

#[test]
fn a_kill_leaves_the_hsm_vault_one_domain_or_the_other_and_its_keys_sign() {
    let places = [Place::new(), Place::new()];
    let mut server: Server = start(&places[1]);
    let domains = {
        let first = start(&places[0]);
        [domain(&mut vault(&places[0], &first)), domain(&mut vault(&places[1], &server))]
    };
    let known = domains.each_ref().map(|domain| domain.to_bytes().to_vec());
    let mut now = 1;
    for round in 0..6 {
        let mut second = vault(&places[1], &server);
        let body = blob(&mut second, &domains[1 - now]);
        scope(|threads| {
            let mut uploader = second.another();
            let asked = threads.spawn(move || uploader.call("POST", UPLOAD, Some(&body)).map(|reply| reply.status));
            sleep(Duration::from_millis(8 * round));
            let pid = server.pid().to_string();
            assert!(std::process::Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
            let answered = asked.join().unwrap();
            assert!(answered.as_ref().map_or(true, |status| *status == 202), "{answered:?}");
        });
        drop(server);
        server = start(&places[1]);
        doctor(&places[1]);
        let mut second = vault(&places[1], &server);
        let found = bytes(&mut second);
        now = known.iter().position(|domain| *domain == found).expect("the one or the other, and no mixture");
        create(&mut second, "pay");
        signs(&mut second, "pay");
        purge(&mut second, "pay");
    }
}
