//! A data directory that lives through many ends of its server: load, an end, a start, all checks, again.

use super::history::History;
use super::load::{Client, Dice};
use crate::support::{NotStarted, Place, Server, Vault};
use std::fs;
use std::io;
use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::Duration;

/// Clients at once.
const CLIENTS: u64 = 4;

pub(super) struct Life {
    pub(super) place: Place,
    pub(super) dice: Dice,
    clients: Vec<Client>,
    /// The newest checkpoint that was seen over HTTPS.
    checkpoint: Option<Vec<u8>>,
}

impl Life {
    pub(super) fn new(seed: u64) -> Self {
        let clients = (0..CLIENTS).map(|number| Client::new(number, seed)).collect();
        Self { place: Place::new(), dice: Dice(seed), clients, checkpoint: None }
    }

    /// Receipts given so far.
    pub(super) fn receipts(&self) -> usize {
        self.clients.iter().map(|client| client.ledger.receipts.len()).sum()
    }

    /// All clients work until `end` returns and the server answers no more, or until `end` returns true.
    pub(super) fn load(&mut self, server: &mut Server, end: impl FnOnce(&mut Server) -> bool) {
        let Ok(vault) = log_in(server) else {
            // It was struck before anybody could log in.
            end(server);
            return;
        };
        let (stop, watching) = (AtomicBool::new(false), AtomicBool::new(true));
        let (checkpoint, clients) = (&mut self.checkpoint, &mut self.clients);
        scope(|threads| {
            let workers: Vec<_> = clients
                .iter_mut()
                .map(|client| {
                    let (mut vault, stop) = (vault.another(), &stop);
                    threads.spawn(move || client.work(&mut vault, stop))
                })
                .collect();
            let mut witness = vault.another();
            let watching = &watching;
            threads.spawn(move || {
                while watching.load(Ordering::Relaxed)
                    && let Ok(found) = newest_checkpoint(&mut witness)
                {
                    *checkpoint = found.or(checkpoint.take());
                    sleep(Duration::from_millis(100));
                }
            });
            stop.store(end(server), Ordering::Relaxed);
            let panicked = workers.into_iter().filter_map(|worker| worker.join().err()).next();
            watching.store(false, Ordering::Relaxed);
            if let Some(panicked) = panicked {
                std::panic::resume_unwind(panicked);
            }
        });
    }

    /// Starts a server over what is left and compares everything with what was acknowledged. Whether the next start
    /// finds an orderly end or not is left to the dice.
    pub(super) fn check(&mut self) {
        let server = self.place.dev();
        let vault = server.vault();
        scope(|threads| {
            for client in &mut self.clients {
                let mut vault = vault.another();
                threads.spawn(move || client.check(&mut vault));
            }
        });
        let history = History::read(&self.place.data);
        history.check_receipts(self.clients.iter().flat_map(|client| &client.ledger.receipts));
        history.check_store(&self.place.data);
        self.verify();
        self.prove();
        if self.dice.below(2) == 0 {
            server.kill();
        } else {
            assert!(server.stop().success());
        }
    }

    /// `audit verify`, also against the checkpoint kept from before the end.
    fn verify(&self) {
        let mut args = vec!["audit", "verify", "--output", "json", "--data", self.place.data_str()];
        let kept = self.place.beside("kept.checkpoint");
        if let Some(note) = &self.checkpoint {
            fs::write(&kept, note).unwrap();
            args.extend(["--checkpoint", kept.to_str().unwrap()]);
        }
        let report: serde_json::Value = serde_json::from_slice(&succeed(&self.place.cli(&args)).stdout).unwrap();
        assert_eq!(report["verified"], true, "{report}");
        assert_eq!(report["awaited"].as_array().unwrap().len(), 0, "a revision without a record: {report}");
    }

    /// `audit prove` for the newest receipt of each client and a random one.
    fn prove(&mut self) {
        for client in &self.clients {
            let receipts = &client.ledger.receipts;
            let Some(newest) = receipts.last() else { continue };
            let random = &receipts[self.dice.below(receipts.len() as u64) as usize];
            for receipt in [newest, random] {
                succeed(&self.place.cli(&["audit", "prove", &receipt.text, "--data", self.place.data_str()]));
            }
        }
    }
}

/// A server that starts under the shim, or what it said when the power failed before it was ready.
pub(super) fn start(place: &Place, env: &[(&str, &str)]) -> Result<Server, NotStarted> {
    fs::create_dir_all(&place.data).unwrap();
    place.dev_with(env)
}

fn log_in(server: &Server) -> io::Result<Vault> {
    Vault::try_log_in(server.http(), &server.env["AZURE_CLIENT_ID"], &server.env["AZURE_CLIENT_SECRET"])
}

/// The checkpoint of the vault's log, if there is one yet.
fn newest_checkpoint(vault: &mut Vault) -> io::Result<Option<Vec<u8>>> {
    let logs = vault.http.get("/keystead/v1/audit/logs")?;
    if logs.status != 200 {
        return Err(io::Error::other(logs.code()));
    }
    let id = logs.json()["logs"][0]["id"].as_str().unwrap().to_owned();
    let reply = vault.http.get(&format!("/keystead/v1/audit/logs/{id}/checkpoint"))?;
    Ok((reply.status == 200).then_some(reply.body))
}

#[track_caller]
fn succeed(output: &Output) -> &Output {
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}: {out}{error}", output.status);
    output
}
