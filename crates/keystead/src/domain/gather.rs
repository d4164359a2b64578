//! Shares of custodians at other machines. This process shows a challenge as a server does that unseals, and waits for
//! the answers in a directory. The challenge's key is in this memory only, so no share is in clear anywhere else.

use super::files;
use crate::exit::Failure;
use crate::new_files;
use crate::output;
use crate::setup::moment;
use keystead_crypto::ed25519::SigningKey;
use keystead_custody::activation::{ActivationRecord, NodeIdentity};
use keystead_custody::challenge::{Answer, Challenge, MAX_TEXT, Purpose, SignedChallenge, SingleUseKey};
use keystead_custody::shares::{Gathering, Share};
use keystead_model::NodeId;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long custodians have, in milliseconds.
const PATIENCE: i64 = 3_600_000;
/// Between two looks at the directory.
const BETWEEN: Duration = Duration::from_millis(500);

/// Waits until `missing` custodians have answered.
pub(super) fn gather(
    record: &ActivationRecord,
    shares: &mut Gathering,
    missing: usize,
    (challenge, answers): (&Path, &Path),
) -> Result<(), Failure> {
    if !answers.is_dir() {
        let shown = answers.display();
        return Err(Failure::usage(format!("{shown} is no directory: make it, as the answers are put there")));
    }
    let (asked, key, _file) = ask(record, challenge)?;
    let (mut seen, mut missing) = (BTreeSet::new(), missing);
    while missing > 0 {
        let (share, file) = next(&asked, &key, answers, &mut seen)?;
        let number = share.number();
        match shares.add(share) {
            Ok(_) => {
                missing = missing.saturating_sub(1);
                let still =
                    if missing == 1 { "1 more is needed".to_owned() } else { format!("{missing} more are needed") };
                output::note(&format!("custodian {number} has answered; {still}"));
            }
            Err(why) => output::note(&format!("{}: {why}", file.display())),
        }
    }
    Ok(())
}

/// A challenge whose key goes with this process goes with it, too.
struct Shown<'a>(&'a Path);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.0);
    }
}

fn ask<'a>(record: &ActivationRecord, file: &'a Path) -> Result<(SignedChallenge, SingleUseKey, Shown<'a>), Failure> {
    let (signing, key) = (SigningKey::from_seed(&keystead_crypto::random()), SingleUseKey::generate());
    let node = NodeIdentity { id: NodeId::from_bytes(keystead_crypto::random()), key: signing.public() };
    let (vault, domain, expires) = (record.vault, record.domain_public, moment(0).now.plus_millis(PATIENCE));
    let purpose = Purpose::Recover;
    let asked = Challenge { vault, domain, single_use: key.public(), node, expires, purpose }.sign(&signing);
    new_files::write(file, format!("{}\n", asked.to_text()).as_bytes())?;
    let shown = Shown(file);
    output::note(&format!(
        "The challenge stands in {}. No record names this machine, so each custodian compares these words:\n    {}\n\
         and runs, where his key is: keystead custodian answer --challenge FILE --domain DIR --key KEY.pem --out ANSWER",
        file.display(),
        node.words()
    ));
    Ok((asked, key, shown))
}

/// The next answer that opens, whenever it comes.
fn next(
    asked: &SignedChallenge,
    key: &SingleUseKey,
    directory: &Path,
    seen: &mut BTreeSet<(PathBuf, u64)>,
) -> Result<(Share, PathBuf), Failure> {
    loop {
        asked.check_time(moment(0).now).map_err(|e| Failure::refused(e.to_string()))?;
        for file in listed(directory)? {
            // One that was still being copied is another when it is longer.
            if seen.insert(file.clone()) {
                match opened(asked, key, &file.0) {
                    Ok(share) => return Ok((share, file.0)),
                    Err(why) => output::note(&format!("{}: {why}", file.0.display())),
                }
            }
        }
        std::thread::sleep(BETWEEN);
    }
}

fn listed(directory: &Path) -> Result<Vec<(PathBuf, u64)>, Failure> {
    let failed = |e: std::io::Error| Failure::usage(format!("cannot read {}: {e}", directory.display()));
    let entries = std::fs::read_dir(directory).map_err(failed)?;
    let file = |entry: std::fs::DirEntry| {
        let metadata = entry.metadata().ok().filter(std::fs::Metadata::is_file)?;
        Some((entry.path(), metadata.len()))
    };
    Ok(entries.filter_map(Result::ok).filter_map(file).collect())
}

fn opened(asked: &SignedChallenge, key: &SingleUseKey, file: &Path) -> Result<Share, String> {
    let text = files::read(file, MAX_TEXT.saturating_mul(2)).map_err(Failure::into_message)?;
    let answer = Answer::parse_text(&String::from_utf8_lossy(&text)).map_err(|e| e.to_string())?;
    answer.open(asked, key, moment(0).now).map_err(|e| e.to_string())
}
