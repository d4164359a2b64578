//! Where the server's time goes, by sampling with `perf`.

use crate::Failure;
use crate::drive::Lanes;
use crate::op::Op;
use crate::out;
use crate::target::Target;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Samples the server under load and writes its hottest functions into `directory`; the samples stay beside them.
pub(crate) async fn sample(target: &mut Target, op: Op, connections: usize, directory: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(directory)?;
    let (data, text) = (directory.join(format!("{}.data", op.name())), directory.join(format!("{}.txt", op.name())));
    let mut lanes = Lanes::open(target, op, connections, Duration::from_millis(500)).await?;
    let mut perf = Command::new("perf");
    // Without hardware counters, as in most virtual machines, the clock samples as well.
    perf.args(["record", "-q", "-e", "cpu-clock", "-F", "997", "--call-graph", "dwarf,16384", "-p"]);
    perf.arg(target.process.id().to_string()).arg("-o").arg(&data).args(["--", "sleep", "2"]);
    let mut recording = match perf.stdout(Stdio::null()).stderr(Stdio::null()).spawn() {
        Ok(recording) => recording,
        Err(e) => {
            out::warn(&format!("warning: no profile: cannot start perf: {e}"));
            return Ok(());
        }
    };
    lanes.turn(target, Duration::from_secs(3)).await?;
    let status = tokio::task::spawn_blocking(move || recording.wait()).await??;
    if !status.success() {
        out::warn(&format!("warning: no profile: perf record ended with {status}"));
        return Ok(());
    }
    out::progress(&format!("{}: reading the samples", op.name()));
    std::fs::write(&text, hottest(&data)?)?;
    out::say(&format!("profile of {}: {}", op.name(), text.display()));
    Ok(())
}

/// By thread, then by function: with what it calls, and alone.
fn hottest(data: &Path) -> Result<Vec<u8>, Failure> {
    let mut whole = Vec::new();
    for fields in ["overhead,comm", "overhead_children,overhead,comm,sym"] {
        let mut perf = Command::new("perf");
        perf.args(["report", "--stdio", "--no-inline", "--children", "-g", "none", "--percent-limit", "0.4"]);
        perf.args(["-F", fields, "-i"]).arg(data);
        whole.extend(perf.stdin(Stdio::null()).stderr(Stdio::null()).output()?.stdout);
    }
    Ok(whole)
}
