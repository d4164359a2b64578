//! A vault's root behind a key in a token.

use super::bed::{Maker, Token};
use crate::support::{Place, Server};
use keystead_custody::{DomainKey, Root, UnsealPath, Wraps};
use keystead_model::{Generation, VaultId};
use keystead_unseal::HsmKey;
use std::fs;
use std::process::Output;

const VAULT: VaultId = VaultId::from_bytes([1; 16]);

#[tokio::test(flavor = "multi_thread")]
async fn what_a_token_wrapped_it_unwraps_and_without_its_key_nothing_does() {
    for (maker, with_gcm) in
        [(Maker::SoftHsm2, true), (Maker::SoftHsm2, false), (Maker::Kryoptic, true), (Maker::Kryoptic, false)]
    {
        let dir = tempfile::tempdir().unwrap();
        let (token, other) = (Token::new(maker, dir.path(), "one"), Token::new(maker, dir.path(), "two"));
        let path = |token: &Token| {
            let path = HsmKey::new("card", token.client());
            if with_gcm { path } else { path.without_gcm() }
        };
        let (domain, root) = (DomainKey::generate(), Root::generate(Generation(3)));
        let card = path(&token);
        assert_eq!((card.name(), card.kind()), ("card", "hsm"));
        let d = card.wrap_domain(VAULT, &domain).await.unwrap();
        let r = card.wrap_root(VAULT, &root).await.unwrap();
        let again = path(&token);
        assert_eq!(again.unwrap_domain(VAULT, &d).await.unwrap().public(), domain.public());
        assert!(again.unwrap_root(VAULT, &r).await.unwrap().same_as(&root));
        // Bound to the vault, and to the token.
        assert!(again.unwrap_root(VaultId::from_bytes([2; 16]), &r).await.is_err());
        assert!(path(&other).unwrap_root(VAULT, &r).await.is_err());
        for at in 0..r.len() {
            let mut changed = r.clone();
            changed[at] ^= 1;
            // Each of them asks the token, which is slow: one in eight is enough, and the whole head.
            if at < 20 || at % 8 == 0 {
                assert!(again.unwrap_root(VAULT, &changed).await.is_err(), "{at}");
            }
        }
        // Its key does not leave the token, and what no wrap needs is destroyed there.
        let listed = token.with_pin(&["--list-objects"]);
        assert!(listed.contains("never extractable") || listed.contains("sensitive"), "{listed}");
        let kept = Wraps { domain: None, roots: vec![r.clone()] };
        again.destroy_others(VAULT, &kept).await.unwrap();
        assert!(again.unwrap_root(VAULT, &r).await.is_ok() && again.unwrap_domain(VAULT, &d).await.is_err());
        again.destroy_others(VAULT, &Wraps::default()).await.unwrap();
        assert!(again.unwrap_root(VAULT, &r).await.is_err());
    }
}

fn serve(place: &Place, token: &Token) -> Server {
    let path = "[[path]]\nname = \"card\"\nkind = \"hsm\"\ntoken = \"one\"\n";
    place.serve("", &format!("{}{path}", token.section("wrapped"))).unwrap_or_else(|e| panic!("{}", e.text))
}

fn operator(place: &Place, command: &str, words: &[&str]) -> Output {
    let socket = place.data.join("operator.sock");
    place.cli(&[&[command, "--socket", socket.to_str().unwrap()], words].concat())
}

fn good(output: Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_vault_behind_a_token_opens_with_the_token_and_stays_sealed_without_it() {
    let place = Place::new();
    let server = place.dev();
    server.vault().create("pay", "EC").unwrap().ok();
    assert!(server.stop().success());
    let token = Token::new(Maker::SoftHsm2, &place.beside(""), "one");
    let server = serve(&place, &token);
    good(operator(&place, "path", &["add", "dev", "card"]));
    assert_eq!(good(operator(&place, "path", &["prove", "dev", "card"])).trim(), "card opens root generation 1");
    good(operator(&place, "path", &["remove", "dev", "file"]));
    good(operator(&place, "vault", &["rotate-root", "dev"]));
    server.vault().sign("pay", &[7; 32]).unwrap().ok();
    // The keys of both generations and of the domain; after a purge only what is needed.
    let keys = || token.labels().iter().filter(|label| label.starts_with("keystead key")).count();
    assert_eq!(keys(), 3);
    good(operator(&place, "vault", &["rotate-root", "dev", "--after-purge"]));
    assert_eq!(keys(), 2);
    good(operator(&place, "doctor", &[]));
    assert!(server.stop().success());

    let server = serve(&place, &token);
    server.vault().sign("pay", &[7; 32]).unwrap().ok();
    good(operator(&place, "doctor", &[]));
    assert!(server.stop().success());
    // The key file opens nothing of it, and a token that was cleared does not either.
    let aside = token.objects().with_extension("aside");
    fs::rename(token.objects(), &aside).unwrap();
    let _empty = Token::new(Maker::SoftHsm2, &place.beside(""), "one");
    let server = serve(&place, &token);
    let shown = good(operator(&place, "vault", &["show", "dev"]));
    assert!(shown.contains("sealed") && shown.contains("card: ") && shown.contains("file: "), "{shown}");
    assert_eq!(operator(&place, "doctor", &[]).status.code(), Some(1));
    assert!(server.stop().success());
    fs::remove_dir_all(token.objects()).unwrap();
    fs::rename(&aside, token.objects()).unwrap();
    let server = serve(&place, &token);
    server.vault().sign("pay", &[7; 32]).unwrap().ok();
    assert!(server.stop().success());
}
