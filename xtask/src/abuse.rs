//! Clients that want too much or never finish, and what the server's memory is meanwhile.

use crate::Failure;
use crate::client::{Connection, Door};
use crate::keystead::{self, Place};
use crate::op::Op;
use crate::out;
use crate::process::Child;
use crate::target::Target;
use crate::template::Template;
use bytes::Bytes;
use hyper::Method;
use serde::Serialize;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt as _;
use tokio::runtime::Runtime;

/// More than the server's bound of 1,024.
const CONNECTIONS: usize = 1_200;
/// How long each is kept up.
const SPAN: Duration = Duration::from_secs(6);
/// One byte of a slow head.
const DRIP: Duration = Duration::from_millis(250);

/// What one sort of client did.
#[derive(Serialize)]
pub(crate) struct Abuse {
    pub(crate) what: &'static str,
    pub(crate) before_mebibytes: f64,
    pub(crate) most_mebibytes: f64,
    pub(crate) after_mebibytes: f64,
    /// Requests of an honest client, on a connection it had before, and the slowest of them in milliseconds.
    pub(crate) honest: u64,
    pub(crate) slowest_millis: f64,
    /// Of those, refused.
    pub(crate) honest_refused: u64,
}

/// The sorts, in the order they are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Silent,
    HalfGreeted,
    SlowHead,
    HeadBomb,
    BodyBomb,
    WrongTokens,
}

impl Sort {
    const ALL: [Self; 6] =
        [Self::Silent, Self::HalfGreeted, Self::SlowHead, Self::HeadBomb, Self::BodyBomb, Self::WrongTokens];

    const fn title(self) -> &'static str {
        match self {
            Self::Silent => "1,200 connections that say nothing",
            Self::HalfGreeted => "1,200 TLS handshakes begun and left",
            Self::SlowHead => "1,200 heads, one byte each 250 ms",
            Self::HeadBomb => "1,200 heads of 31 KiB that do not end",
            Self::BodyBomb => "1,200 bodies of 1 MiB that do not end",
            Self::WrongTokens => "1,200 connections that send wrong tokens",
        }
    }
}

/// Each sort in turn at one server.
pub(crate) async fn measure(binary: &Path, state: &Path) -> Result<Vec<Abuse>, Failure> {
    let place = Place::new(binary, state.join("abuse"))?;
    let mut target = keystead::start(&place, &[Op::SignP256]).await?;
    let mut found = Vec::new();
    for sort in Sort::ALL {
        out::progress(sort.title());
        let abuse = one(sort, &mut target).await?;
        abuse.say();
        found.push(abuse);
    }
    target.process.stop();
    Ok(found)
}

async fn one(sort: Sort, target: &mut Target) -> Result<Abuse, Failure> {
    target.process.check()?;
    let mut honest = target.door.connect().await?;
    let template = target.template(Op::SignP256)?.clone();
    let before = rss(&target.process)?;
    let attackers = Attackers::start(sort, &target.door)?;
    let mut abuse = Abuse {
        what: sort.title(),
        before_mebibytes: before,
        most_mebibytes: before,
        after_mebibytes: before,
        honest: 0,
        slowest_millis: 0.0,
        honest_refused: 0,
    };
    let began = Instant::now();
    while began.elapsed() < SPAN {
        abuse.ask(&mut honest, &template).await?;
        abuse.most_mebibytes = abuse.most_mebibytes.max(rss(&target.process)?);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(attackers);
    tokio::time::sleep(Duration::from_secs(2)).await;
    target.process.check()?;
    abuse.after_mebibytes = rss(&target.process)?;
    Ok(abuse)
}

/// They have threads of their own: the honest client must not stand in line behind what they encrypt in this process.
struct Attackers(Option<Runtime>);

impl Attackers {
    fn start(sort: Sort, door: &Door) -> Result<Self, Failure> {
        let threads = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        for _ in 0..CONNECTIONS {
            threads.spawn(attack(sort, door.clone()));
        }
        Ok(Self(Some(threads)))
    }
}

impl Drop for Attackers {
    fn drop(&mut self) {
        if let Some(threads) = self.0.take() {
            threads.shutdown_background();
        }
    }
}

impl Abuse {
    async fn ask(&mut self, honest: &mut Connection, template: &Template) -> Result<(), Failure> {
        let began = Instant::now();
        let path = template.path();
        let asked = honest.ask(Method::POST, &path, "application/json", template.body.clone());
        let (status, _) =
            asked.await.map_err(|e| format!("{}: the honest client's connection broke: {e}", self.what))?;
        self.honest = self.honest.saturating_add(1);
        if !status.is_success() {
            self.honest_refused = self.honest_refused.saturating_add(1);
        }
        self.slowest_millis = self.slowest_millis.max(began.elapsed().as_secs_f64() * 1e3);
        Ok(())
    }

    fn say(&self) {
        out::say(&format!(
            "{:<42} RSS {:>6.1} MiB before, {:>6.1} at most, {:>6.1} after; honest requests: {} answered, slowest {:.0} ms, \
             {} refused",
            self.what,
            self.before_mebibytes,
            self.most_mebibytes,
            self.after_mebibytes,
            self.honest,
            self.slowest_millis,
            self.honest_refused
        ));
    }
}

/// For docs/performance.md.
pub(crate) fn section(all: &[Abuse]) -> String {
    let mut text = "One server with its default limits but for callers' rates, each sort of client in turn for some seconds, all at once from \
                    this machine; the server\ntakes 1,024 connections. Memory is `VmRSS`. Meanwhile an honest client signs \
                    P-256 over a connection that it had before.\n\n\
                    | clients | MiB before | MiB at most | MiB after | honest requests | slowest, ms | refused |\n\
                    |---|---:|---:|---:|---:|---:|---:|\n"
        .to_owned();
    for a in all {
        text.push_str(&format!(
            "| {} | {:.1} | {:.1} | {:.1} | {} | {:.0} | {} |\n",
            a.what,
            a.before_mebibytes,
            a.most_mebibytes,
            a.after_mebibytes,
            a.honest,
            a.slowest_millis,
            a.honest_refused
        ));
    }
    text
}

fn rss(process: &Child) -> Result<f64, Failure> {
    process.mebibytes("VmRSS:").ok_or_else(|| "/proc/PID/status has another form".into())
}

/// One client of the sort, until it is cut; then another, as those who mean it do.
async fn attack(sort: Sort, door: Door) {
    loop {
        let _ = attempt(sort, &door).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn attempt(sort: Sort, door: &Door) -> Result<(), Failure> {
    match sort {
        Sort::Silent => hold(&mut door.tcp().await?, b"").await,
        Sort::HalfGreeted => hold(&mut door.tcp().await?, &[0x16, 3, 1, 2, 0, 1]).await,
        Sort::SlowHead => {
            let mut stream = door.stream().await?;
            stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nx: ").await?;
            loop {
                stream.write_all(b"y").await?;
                stream.flush().await?;
                tokio::time::sleep(DRIP).await;
            }
        }
        Sort::HeadBomb => {
            let head = format!("GET / HTTP/1.1\r\nhost: localhost\r\nx: {}", "y".repeat(31 << 10));
            hold(&mut door.stream().await?, head.as_bytes()).await
        }
        Sort::BodyBomb => {
            let head = "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1048576\r\n\r\n";
            let request = [head.as_bytes(), &vec![b'y'; (1 << 20) - 1]].concat();
            hold(&mut door.stream().await?, &request).await
        }
        Sort::WrongTokens => {
            let mut door = door.clone();
            door.authorize("authorization", "Bearer eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJ4In0.AAAA")?;
            let mut connection = door.connect().await?;
            loop {
                connection.ask(Method::GET, "/keys?api-version=7.6", "application/json", Bytes::new()).await?;
            }
        }
    }
}

/// Says something and waits for the other end to be done with it.
async fn hold<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(
    stream: &mut S,
    bytes: &[u8],
) -> Result<(), Failure> {
    use tokio::io::AsyncReadExt as _;
    stream.write_all(bytes).await?;
    stream.flush().await?;
    while stream.read(&mut [0; 512]).await? > 0 {}
    Ok(())
}
