use super::super::proof::{self, Tiles};
use super::*;

const ORIGIN: &str = "keystead/a/b/c";

fn key() -> SigningKey {
    SigningKey::from_seed(&[5; 32])
}

fn entries(from: u64, to: u64) -> Vec<Hash> {
    (from..to).map(|i| keystead_crypto::sha256(&[&i.to_be_bytes()])).collect()
}

fn open(dir: &Path) -> Result<Publisher, PublishError> {
    Publisher::open(dir, ORIGIN, &key())
}

fn signed(dir: &Path) -> Checkpoint {
    let note = fs::read(dir.join("checkpoint")).unwrap();
    Checkpoint::open(&note, &VerifierKey::new(ORIGIN, key().public())).unwrap()
}

fn files(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(at) = todo.pop() {
        for item in fs::read_dir(at).unwrap() {
            let path = item.unwrap().path();
            if path.is_dir() {
                todo.push(path);
            } else {
                found.push(path.strip_prefix(dir).unwrap().display().to_string());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn the_tiles_on_disk_lead_to_the_signed_root_at_every_step_and_after_every_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let mut tree = Tree::new();
    let mut size = 0;
    for step in [1, 1, 3, 250, 1, 1, 255, 513, 600, 256, 2] {
        let new = entries(size, size + step);
        new.iter().for_each(|e| _ = tree.append(e));
        let mut log = open(dir.path()).unwrap();
        assert_eq!(log.published_size(), size);
        log.publish(&new, &key()).unwrap();
        size += step;
        assert_eq!(signed(dir.path()), Checkpoint::new(ORIGIN, size, tree.root()));
        assert_eq!(log.frontier(), tree.frontier());
        let mut tiles = Tiles::new();
        for path in proof::root_tiles(size) {
            tiles.put(path, fs::read(dir.path().join(path.to_string())).unwrap());
        }
        assert_eq!(proof::root(size, &tiles), Ok(tree.root()));
    }
}

#[test]
fn partial_tiles_go_only_once_the_full_tile_stands() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path()).unwrap();
    log.publish(&entries(0, 200), &key()).unwrap();
    log.publish(&entries(200, 250), &key()).unwrap();
    let partial = ["tile/0/000.p/200", "tile/0/000.p/250", "tile/entries/000.p/200", "tile/entries/000.p/250"];
    assert_eq!(files(dir.path()), [&["checkpoint"][..], &partial].concat());
    log.publish(&entries(250, 260), &key()).unwrap();
    let full = ["tile/0/000", "tile/0/001.p/4", "tile/1/000.p/1", "tile/entries/000", "tile/entries/001.p/4"];
    assert_eq!(files(dir.path()), [&["checkpoint"][..], &full].concat());
}

#[test]
fn partial_tiles_of_other_checkpoints_are_put_right_after_a_power_cut() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path()).unwrap();
    for (from, to) in [(0, 300), (300, 400), (400, 450)] {
        log.publish(&entries(from, to), &key()).unwrap();
    }
    let good = files(dir.path());
    let contents = |dir: &Path| files(dir).iter().map(|f| fs::read(dir.join(f)).unwrap()).collect::<Vec<_>>();
    let before = contents(dir.path());
    let put = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    // Torn; of a checkpoint that was lost; unlinked before and back again.
    put("tile/0/001.p/44", &[0; 100]);
    put("tile/entries/001.p/144", b"");
    for lost in ["tile/0/001.p/200", "tile/0/001", "tile/0/002", "tile/0/003.p/9", "tile/1/000.p/3"] {
        put(lost, &[7; 64]);
    }
    put("tile/0/000.p/200", &[0; 512]);
    put("tile/entries/001.p/149.new", b"x");
    open(dir.path()).unwrap().mend_partials();
    let full = ["tile/0/001", "tile/0/002"];
    full.iter().for_each(|tile| fs::remove_file(dir.path().join(tile)).unwrap());
    assert_eq!(files(dir.path()), good);
    assert_eq!(contents(dir.path()), before);
}

#[test]
fn nothing_new_changes_nothing_and_an_empty_log_has_a_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path()).unwrap();
    log.publish(&[], &key()).unwrap();
    assert_eq!(signed(dir.path()), Checkpoint::new(ORIGIN, 0, super::super::EMPTY_ROOT));
    assert_eq!(open(dir.path()).unwrap().published_size(), 0);
    fs::remove_file(dir.path().join("checkpoint")).unwrap();
    log.publish(&[], &key()).unwrap();
    assert!(!dir.path().join("checkpoint").exists());
}

#[test]
fn a_damaged_newest_tile_or_checkpoint_is_found_on_opening_and_rebuilt_from_the_journal() {
    for name in ["checkpoint", "tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/001.p/44"] {
        for remove in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            open(dir.path()).unwrap().publish(&entries(0, 300), &key()).unwrap();
            let (good, path) = (files(dir.path()), dir.path().join(name));
            let mut bytes = fs::read(&path).unwrap();
            bytes[20] ^= 1;
            if remove {
                fs::remove_file(&path).unwrap()
            } else {
                fs::write(&path, bytes).unwrap()
            }
            // Without a checkpoint there is nothing to contradict: the log starts again from the journal.
            assert!(open(dir.path()).map_or(true, |l| l.published_size() == 0), "{name}");
            Publisher::rebuild(dir.path(), ORIGIN, &key(), entries(0, 300)).unwrap();
            assert_eq!(open(dir.path()).unwrap().published_size(), 300);
            assert_eq!(files(dir.path()), good);
        }
    }
}

#[test]
fn a_checkpoint_that_contradicts_what_was_signed_is_never_signed() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).unwrap().publish(&entries(0, 300), &key()).unwrap();
    let before = signed(dir.path());
    for other in [entries(0, 299), entries(1, 301), entries(1, 400), vec![]] {
        let again = Publisher::rebuild(dir.path(), ORIGIN, &key(), other);
        assert!(matches!(again, Err(PublishError::Contradicts { signed: 300, .. })));
        assert_eq!(signed(dir.path()), before);
    }
    assert_eq!(open(dir.path()).unwrap().published_size(), 300);
    let more = Publisher::rebuild(dir.path(), ORIGIN, &key(), entries(0, 301)).unwrap();
    assert_eq!(more.published_size(), 301);
}

#[test]
fn after_a_failed_write_the_same_entries_can_be_given_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path()).unwrap();
    log.publish(&entries(0, 10), &key()).unwrap();
    // A directory where the checkpoint is to be renamed to.
    fs::remove_file(dir.path().join("checkpoint")).unwrap();
    fs::create_dir_all(dir.path().join("checkpoint/x")).unwrap();
    assert!(matches!(log.publish(&entries(10, 300), &key()), Err(PublishError::Io { .. })));
    assert_eq!(log.published_size(), 10);
    fs::remove_dir_all(dir.path().join("checkpoint")).unwrap();
    log.publish(&entries(10, 300), &key()).unwrap();
    let mut tree = Tree::new();
    entries(0, 300).iter().for_each(|e| _ = tree.append(e));
    assert_eq!(signed(dir.path()).root, tree.root());
}
