//! A vault with an HSM beside the token's own rate: what Keystead and its worker cost, and how soon a worker that was
//! killed is back.

mod raw;

pub(crate) use raw::{Args as RawArgs, run as raw};

use crate::Failure;
use crate::drive::{Lanes, Turn, Until};
use crate::figures::{median, percentile};
use crate::keystead::{self, Place};
use crate::op::Op;
use crate::out;
use crate::rounds::Plan;
use crate::target::Target;
use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// What is measured: each is one mechanism of the token.
const OPS: [Op; 3] = [Op::SignP256, Op::SignRsa, Op::Encrypt];
const CALLERS: [usize; 3] = [1, 16, 64];
/// Workers that are killed.
const KILLS: usize = 5;

/// What was found.
pub(crate) struct Hsm {
    cells: Vec<Cell>,
    /// From the kill to the first signature, milliseconds.
    recoveries: Vec<f64>,
    /// A line for each number of callers.
    worker: String,
    token: String,
}

struct Cell {
    op: Op,
    callers: usize,
    /// Of each round, requests per second: through Keystead, and of the token alone.
    ours: Vec<f64>,
    raw: Vec<f64>,
    p50: u32,
    p99: u32,
}

/// Starts a server with a SoftHSM2 token and measures it.
pub(crate) async fn measure(binary: &Path, state: &Path, plan: &Plan) -> Result<Hsm, Failure> {
    let mut place = Place::new(binary, state.join("hsm"))?;
    place.softhsm = true;
    let mut target = keystead::start(&place, &OPS).await?;
    let conf = place.data.join("softhsm").join("softhsm2.conf");
    let mut cells = Vec::new();
    for op in OPS {
        for callers in CALLERS {
            out::progress(&format!("hsm: {}, {callers} callers", op.name()));
            cells.push(cell(&mut target, &conf, op, callers, plan).await?);
        }
    }
    let mut recoveries = Vec::new();
    for _ in 0..KILLS {
        recoveries.push(recovery(&mut target).await?);
    }
    target.process.stop();
    out::progress("hsm: the worker alone");
    Ok(Hsm { cells, recoveries, worker: worker_alone()?, token: raw::token(&conf)? })
}

async fn cell(target: &mut Target, conf: &Path, op: Op, callers: usize, plan: &Plan) -> Result<Cell, Failure> {
    let mut lanes = Lanes::open(target, op, callers, plan.warm).await?;
    let (mut ours, mut raw, mut latencies) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        let turn = lanes.turn(target, plan.span).await?;
        if let Some(failure) = turn.first_failure {
            return Err(format!("{}: {failure}", op.name()).into());
        }
        ours.push(turn.done as f64 / turn.seconds);
        latencies.extend(turn.latencies);
        raw.push(raw::rate(conf, op, callers, plan.span)?);
    }
    latencies.sort_unstable();
    let (p50, p99) = (percentile(&latencies, 50), percentile(&latencies, 99));
    Ok(Cell { op, callers, ours, raw, p50, p99 })
}

/// Kills the worker and asks until it signs again.
async fn recovery(target: &mut Target) -> Result<f64, Failure> {
    let worker = worker(target.process.id())?;
    let mut lanes = Lanes::over(&target.door, target.template(Op::SignP256)?, 1).await?;
    let began = Instant::now();
    kill_process(worker, Signal::KILL)?;
    loop {
        let Turn { done, .. } = lanes.send(&Until::count(1)).await?;
        if done == 1 {
            return Ok(began.elapsed().as_secs_f64() * 1e3);
        }
        if began.elapsed() > Duration::from_secs(60) {
            return Err("the worker is not back after a minute".into());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn worker(server: u32) -> Result<Pid, Failure> {
    let found = Command::new("pgrep").args(["-P", &server.to_string(), "-f", "hsm-worker"]).output()?;
    let text = String::from_utf8_lossy(&found.stdout);
    let pid = text.lines().next().and_then(|line| line.trim().parse().ok()).and_then(Pid::from_raw);
    pid.ok_or_else(|| "the server has no worker".into())
}

/// The benchmark of the package: what a call to the worker costs without a server around it.
fn worker_alone() -> Result<String, Failure> {
    let done =
        Command::new("cargo").args(["bench", "--quiet", "--package", "keystead-hsm", "--bench", "worker"]).output()?;
    if !done.status.success() {
        return Err(format!("cargo bench: {}", String::from_utf8_lossy(&done.stderr)).into());
    }
    Ok(String::from_utf8(done.stdout)?)
}

impl Hsm {
    /// For docs/performance.md.
    pub(crate) fn section(&self) -> String {
        let mut text = format!(
            "The vault `dev-hsm` before {}, beside the same token called directly: one process, a thread and a session for \
             each caller, sessions' own keys. In each round\nboth are measured in turn; the ratio is the median over rounds. \
             Clients, server, worker and token share the cores.\n\n| operation | callers | Keystead, requests/s | token \
             alone, operations/s | Keystead to token | p50 us | p99 us |\n|---|---:|---:|---:|---:|---:|---:|\n",
            self.token
        );
        for cell in &self.cells {
            let ratio: Vec<f64> = cell.ours.iter().zip(&cell.raw).map(|(ours, raw)| ours / raw).collect();
            text.push_str(&format!(
                "| {} | {} | {:.0} | {:.0} | {:.2} | {} | {} |\n",
                cell.op.title(),
                cell.callers,
                median(&cell.ours),
                median(&cell.raw),
                median(&ratio),
                cell.p50,
                cell.p99
            ));
        }
        text.push_str(&format!(
            "\nFrom `kill -9` of the worker to the next signature: {:.0} ms (median of {KILLS}; the longest {:.0} ms).\n\
             What the way to the worker and back costs a call, without a server around it (`cargo bench -p keystead-hsm`:\n\
             eight random bytes, which take the token about a microsecond):\n\n```text\n{}\n```\n",
            median(&self.recoveries),
            self.recoveries.iter().copied().fold(0.0, f64::max),
            self.worker.trim_end().trim_matches('\n')
        ));
        text
    }
}
