//! What a worker costs a call: `cargo bench -p keystead-hsm`. SoftHSM2 makes eight random bytes in about a microsecond,
//! so nearly all of a call is the way to the worker and back.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used
)]

use keystead_hsm::worker::{Select, Settings};
use keystead_hsm::{Client, Config};
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

const EACH: u32 = 20_000;

fn main() {
    let dir = tempfile::tempdir().unwrap();
    let (conf, tokens) = (dir.path().join("softhsm2.conf"), dir.path().join("tokens"));
    fs::create_dir(&tokens).unwrap();
    fs::write(&conf, format!("directories.tokendir = {}\n", tokens.display())).unwrap();
    let words = ["--init-token", "--free", "--label", "bench", "--so-pin", "87654321", "--pin", "123456"];
    let made = Command::new("softhsm2-util").args(words).env("SOFTHSM2_CONF", &conf).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let settings = Settings {
            module: "/usr/lib/softhsm/libsofthsm2.so".into(),
            select: Select::Label("bench".to_owned()),
            pin: "123456".to_owned().into(),
            sessions: Some(8),
            guest: false,
        };
        let mut config = Config::new("bench", env!("CARGO_BIN_EXE_keystead-hsm-worker"), settings);
        config.env = vec![("SOFTHSM2_CONF".into(), conf.into())];
        let client = Client::new(config);
        client.check(soon()).await.expect("the token opens");
        for callers in [1, 4, 16, 64] {
            let (took, processor) = (Instant::now(), processor());
            let calls = EACH / callers;
            let all: Vec<_> = (0..callers).map(|_| tokio::spawn(many(client.clone(), calls))).collect();
            for one in all {
                one.await.unwrap();
            }
            let per_call = |time: Duration| time / (calls * callers);
            let rate = f64::from(calls * callers) / took.elapsed().as_secs_f64();
            println!(
                "{callers:>3} callers: {rate:>7.0} calls/s; server CPU {:?} a call; each waits {:?}",
                per_call(self::processor() - processor),
                took.elapsed() / calls,
            );
        }
        client.stop().await;
    });
}

async fn many(client: Client, calls: u32) {
    for _ in 0..calls {
        client.random(8, soon()).await.unwrap();
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

/// What this process has used; the worker's is not in it.
fn processor() -> Duration {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(used.tv_sec.try_into().unwrap(), used.tv_nsec.try_into().unwrap())
}
