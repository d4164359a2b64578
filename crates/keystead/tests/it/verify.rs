//! `keystead audit verify` as an auditor runs it: exit 1 and a name for whatever is damaged, missing or rolled back.

use crate::support::{Place, Vault};
use keystead_audit::journal::segment::{list, path_of};
use keystead_audit::{Journal, Limits, Node, Record, system_clock};
use keystead_crypto::ed25519::SigningKey;
use keystead_model::{InstanceId, NodeId};
use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// `audit verify` of a data directory, with what this place has kept.
fn verify(place: &Place, data: &Path, more: &[&str]) -> Output {
    place.cli(&[&["audit", "verify", "--data", data.to_str().unwrap()], more].concat())
}

/// Exit code, and what was said about it.
fn said(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[track_caller]
fn assert_whole(output: &Output) {
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("whole"), "{:?}", said(output));
}

/// Exit 1, and each of these words.
#[track_caller]
fn assert_found(output: &Output, words: &[&str]) {
    let (code, text) = said(output);
    assert!(code == Some(1) && words.iter().all(|word| text.contains(word)), "{words:?}: {code:?}: {text}");
    assert!(output.stdout.is_empty(), "nothing is called whole: {}", String::from_utf8_lossy(&output.stdout));
}

/// Some keys made and used.
fn work(vault: &mut Vault, name: &str) {
    vault.create(name, "EC").unwrap().ok();
    for _ in 0..3 {
        vault.sign(name, &[7; 32]).unwrap().ok();
    }
}

/// A place whose server has worked and has been stopped.
fn stopped() -> Place {
    let place = Place::new();
    let server = place.dev();
    work(&mut server.vault(), "first");
    assert!(server.stop().success());
    place
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { all.extend(files(&path)) } else { all.push(path) }
    }
    all.sort();
    all
}

#[test]
fn one_flipped_byte_in_any_kind_of_audit_file_is_named_with_exit_1() {
    let place = stopped();
    let audit = place.data.join("audit");
    assert_whole(&verify(&place, &place.data, &[]));
    let is = |kind: &'static str| move |path: &Path| path.strip_prefix("/").unwrap().to_str().unwrap().contains(kind);
    for kind in [".seg", "journal/spare", "tile/entries", "tile/0", "checkpoint", "audit/vkey"] {
        let mut seen = 0;
        for path in files(&audit).into_iter().filter(|path| is(kind)(path)) {
            let len = fs::metadata(&path).unwrap().len();
            let file = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
            // The last byte of a segment or of the spare one is no record's.
            for at in [2, len / 2, len - 1] {
                let mut byte = [0];
                file.read_exact_at(&mut byte, at).unwrap();
                file.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
                assert_found(&verify(&place, &place.data, &[]), &[path.to_str().unwrap()]);
                file.write_all_at(&byte, at).unwrap();
            }
            seen += 1;
        }
        assert!(seen > 0, "{kind}: there is none");
    }
    assert_whole(&verify(&place, &place.data, &[]));
}

#[test]
fn one_flipped_byte_in_a_record_names_the_record() {
    let place = stopped();
    let journal = place.data.join("audit/journal");
    let path = path_of(&journal, list(&journal).unwrap()[0]);
    let bytes = fs::read(&path).unwrap();
    // A byte of each tenth of what was written.
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    let (_, mut scan) = keystead_audit::journal::scan::Scan::open(&path).unwrap();
    let mut placed = Vec::new();
    while let keystead_audit::journal::scan::Next::Found(found) = scan.step().unwrap() {
        placed.push((found.offset, found.frame.record.vault(), found.frame.index));
    }
    assert!(placed.len() > 5, "{placed:?}");
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    let mut named = std::collections::BTreeSet::new();
    for tenth in 1..10 {
        let at = (end * tenth / 10) as u64;
        let Some((_, log, index)) = placed.iter().rfind(|(offset, ..)| *offset <= at) else { continue };
        file.write_all_at(&[bytes[at as usize] ^ 1], at).unwrap();
        assert_found(&verify(&place, &place.data, &[]), &[&format!("record {index} of log {log} ")]);
        file.write_all_at(&[bytes[at as usize]], at).unwrap();
        named.insert((*log, *index));
    }
    assert!(named.len() > 3, "{named:?}");
}

#[test]
fn an_older_copy_of_everything_is_found_against_a_file_and_against_what_the_command_line_kept() {
    let place = stopped();
    let (older, kept) = (place.beside("older"), place.beside("kept.checkpoint"));
    let copied = Command::new("cp").arg("-a").args([&place.data, &older]).status().unwrap();
    assert!(copied.success());
    let server = place.dev();
    let mut vault = server.vault();
    work(&mut vault, "second");
    // The newest checkpoint comes a moment later than its records.
    let size = |note: &str| note.lines().nth(1).and_then(|line| line.parse::<u64>().ok());
    let before = size(&note(&place)).unwrap();
    work(&mut vault, "third");
    let newer = std::iter::repeat_with(|| note(&place)).find(|note| size(note) > Some(before)).unwrap();
    fs::write(&kept, newer).unwrap();
    assert!(server.stop().success());

    let file = ["--checkpoint", kept.to_str().unwrap()];
    assert_whole(&verify(&place, &place.data, &file));
    let gone = ["was rolled back", "is the first missing one", "record "];
    assert_found(&verify(&place, &older, &[]), &gone);
    assert_found(&verify(&place, &older, &file), &gone);
    let forgetful = |more: &[&str]| {
        let words = [&["audit", "verify", "--data", older.to_str().unwrap()], more].concat();
        place.command(&words).env("XDG_STATE_HOME", place.beside("empty")).output().unwrap()
    };
    assert_found(&forgetful(&file), &gone);
    let unknown = forgetful(&[]);
    assert_whole(&unknown);
    assert!(said(&unknown).1.contains("rollback would not be noticed"), "{unknown:?}");
}

/// The vault's newest checkpoint, which the command line keeps too.
fn note(place: &Place) -> String {
    let shown = place.cli(&["audit", "checkpoint"]);
    assert!(shown.status.success(), "{:?}", said(&shown));
    String::from_utf8(shown.stdout).unwrap()
}

#[test]
fn the_directory_of_another_node_is_not_the_one_that_a_checkpoint_is_of() {
    let (one, other) = (stopped(), stopped());
    let logs = one.data.join("audit/logs");
    let checkpoint = files(&logs).into_iter().find(|path| path.ends_with("checkpoint")).unwrap();
    let file = ["--checkpoint", checkpoint.to_str().unwrap()];
    assert_whole(&verify(&one, &one.data, &file));
    assert_found(&verify(&other, &other.data, &file), &["a checkpoint of another node"]);
}

/// A journal in this data directory, with segments as small as they get.
fn journal(data: &Path) -> Journal {
    let node = Node {
        instance: InstanceId::from_bytes([0xa1; 16]),
        node: NodeId::from_bytes([0xb2; 16]),
        key: SigningKey::from_seed(&[5; 32]),
    };
    fs::create_dir_all(data.join("audit")).unwrap();
    let limits = Limits { segment_bytes: 64 << 10, ..Limits::default() };
    Journal::open(&data.join("audit"), node, limits, system_clock()).unwrap().0
}

/// The `n`th record of a vault's log, of this revision of the vault or of none.
fn record(n: u64, revision: u64) -> Record {
    let mut bytes = vec![1, 0, 0, 13, 0, 0, 0, 0];
    bytes.extend((1_700_000_000_000 + n).to_be_bytes());
    bytes.extend([[0x11; 16], [0xb2; 16]].concat());
    bytes.extend([n.to_be_bytes(), [9; 8]].concat());
    bytes.extend([0; 32]);
    bytes.extend(revision.to_be_bytes());
    bytes.extend([0; 40]);
    bytes.extend(300_u16.to_be_bytes());
    bytes.extend([0; 302]);
    Record::parse(&bytes).unwrap()
}

async fn write(journal: &Journal, records: impl Iterator<Item = Record>) {
    let mut writes = tokio::task::JoinSet::new();
    for record in records {
        writes.spawn(journal.reserve().unwrap().write(record));
    }
    writes.join_all().await.into_iter().for_each(|receipt| _ = receipt.unwrap());
}

#[tokio::test]
async fn oldest_segments_that_are_gone_are_named_unless_they_were_archived() {
    let place = Place::new();
    let writing = journal(&place.data);
    // A segment of this size has room for few at once.
    for n in (0..600).step_by(8) {
        write(&writing, (n..n + 8).map(|n| record(n, 0))).await;
    }
    writing.close().await;
    drop(writing);
    let segments = place.data.join("audit/journal");
    let numbers = list(&segments).unwrap();
    assert!(numbers.len() > 2, "{numbers:?}");
    assert_whole(&verify(&place, &place.data, &[]));
    fs::remove_file(path_of(&segments, numbers[0])).unwrap();
    let first = format!("record 0 of log {} (frame 0, ", "11".repeat(16));
    let until = numbers[1].to_string();
    let found = [first.as_str(), &format!("was removed, as was every record before frame {until}")];
    assert_found(&verify(&place, &place.data, &[]), &found);
    assert_found(&verify(&place, &place.data, &["--output", "json"]), &found);
    let archived = verify(&place, &place.data, &["--archived", &until]);
    assert_whole(&archived);
    assert!(said(&archived).1.contains(&format!("archived, the oldest records: {until};")), "{archived:?}");
    fs::remove_file(path_of(&segments, numbers[1])).unwrap();
    assert_found(&verify(&place, &place.data, &["--archived", &until]), &[&format!("(frame {until}, ")]);
}

#[tokio::test]
async fn a_revision_without_a_record_is_named_where_no_server_runs_and_noted_where_one_does() {
    let place = Place::new();
    let writing = journal(&place.data);
    for (n, revision) in [1, 2, 4, 5].into_iter().enumerate() {
        write(&writing, std::iter::once(record(n as u64, revision))).await;
    }
    let noted = verify(&place, &place.data, &[]);
    assert_whole(&noted);
    assert!(said(&noted).1.contains("no record of revision 3 yet"), "{noted:?}");
    writing.close().await;
    drop(writing);
    let log = "11".repeat(16);
    let words = [format!("record 2 of log {log} "), format!("follows a gap: revision 3 of vault {log} has no record")];
    assert_found(&verify(&place, &place.data, &[]), &words.each_ref().map(String::as_str));
}
