//! The copy of the audit for elsewhere: a FIFO that nobody reads.

use crate::support::{Place, Server, Vault};
use keystead_audit::Record;
use keystead_audit::tlog::leaf_hash;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::thread::spawn;
use std::time::Duration;

/// What a pipe takes unread, in records: a line has more than 500 bytes.
const PIPE: usize = 64 * 1024 / 500;

fn serve(place: &Place, fifo: &Path) -> Server {
    place.serve(&format!("sink_file = {fifo:?}"), "").unwrap()
}

/// Requests, each answered although nobody reads; their receipts. A blocked one would never be.
fn ask(vault: &mut Vault, requests: usize) -> Vec<String> {
    (0..requests).map(|_| vault.get("copied").unwrap().receipt().unwrap().to_owned()).collect()
}

/// Reads the FIFO until its writer is gone.
fn read(fifo: &Path) -> Receiver<Value> {
    let (lines, received) = channel();
    let fifo = fifo.to_owned();
    spawn(move || {
        for line in BufReader::new(File::open(fifo).unwrap()).lines() {
            lines.send(serde_json::from_str(&line.unwrap()).unwrap()).unwrap();
        }
    });
    received
}

/// The receipt that a line's record would have been given.
fn leaf(line: &Value) -> String {
    use base64::Engine as _;
    let record = base64::engine::general_purpose::STANDARD.decode(line["record"].as_str().unwrap()).unwrap();
    crate::support::b64(&leaf_hash(&Record::parse(&record).unwrap().entry()))
}

#[test]
fn a_blocked_sink_blocks_nobody_and_catches_up_from_its_cursor() {
    let place = Place::new();
    let server = place.dev();
    server.vault().create("copied", "EC").unwrap().ok();
    assert!(server.stop().success());
    let fifo = place.beside("audit.fifo");
    mknodat(CWD, &fifo, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();

    // Nobody reads: neither requests nor the end wait.
    let server = serve(&place, &fifo);
    let mut receipts = ask(&mut server.vault(), 3 * PIPE);
    assert!(server.stop().success(), "waited for without end, had it waited for the sink");

    // Everything comes once somebody reads, and goes on after a restart where it was.
    let mut lines: Vec<Value> = Vec::new();
    for _ in 0..2 {
        let server = serve(&place, &fifo);
        receipts.extend(ask(&mut server.vault(), PIPE));
        let received = read(&fifo);
        while lines.last().is_none_or(|line| !receipts.last().unwrap().ends_with(&leaf(line))) {
            lines.push(received.recv_timeout(Duration::from_secs(120)).expect("the sink catches up"));
        }
        assert!(server.stop().success());
        lines.extend(received.iter());
    }
    for (frame, line) in lines.iter().enumerate() {
        assert_eq!(line["frame"], frame, "each record once, in order");
    }
    let mut leaves = lines.iter().map(leaf);
    for receipt in &receipts {
        assert!(leaves.any(|leaf| receipt.ends_with(&leaf)), "no copy of {receipt}");
    }
}
