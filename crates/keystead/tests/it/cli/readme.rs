//! README's five minutes, as they are written there.

use crate::support::Place;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

const README: &str = include_str!("../../../../../README.md");

/// The shell blocks of a section.
fn shell(heading: &str) -> Vec<&'static str> {
    let section = README.split("\n## ").find_map(|section| section.strip_prefix(heading)).unwrap();
    section.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn the_five_minutes_of_the_readme_work_as_they_are_written() {
    let blocks = shell("Five minutes\n");
    let [start, then] = blocks[..] else { panic!("{blocks:?}") };
    assert_eq!(start, "cargo run --release -- dev\n");
    let mut place = Place::new();
    place.data = place.beside("keystead-dev");
    let server = place.dev();
    // The directory is that of the repository, with what cargo has built in it.
    let built = Path::new(env!("CARGO_BIN_EXE_keystead")).parent().unwrap();
    fs::create_dir(place.beside("target")).unwrap();
    symlink(built, place.beside("target/release")).unwrap();
    let done = place.program("sh").args(["-euc", then]).output().unwrap();
    let (out, error) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{out}{error}");
    for part in ["EC P-256", "Verified OK", "keys/sign", "whole: "] {
        assert!(out.contains(part), "{part} is not in: {out}{error}");
    }
    assert!(error.contains("receipt: 1."), "{error}");
    assert!(server.stop().success());
}
