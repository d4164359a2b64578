//! The token alone: PKCS#11 called in loops, in a process of its own, because a library reads where its tokens are from
//! the environment, once.

use crate::Failure;
use crate::op::Op;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Where Debian has it.
const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";

#[derive(clap::Args)]
pub(crate) struct Args {
    #[arg(long)]
    op: Op,
    #[arg(long)]
    callers: usize,
    #[arg(long)]
    seconds: f64,
    #[arg(long)]
    pin: PathBuf,
}

/// Operations per second of so many callers.
pub(super) fn rate(conf: &Path, op: Op, callers: usize, span: Duration) -> Result<f64, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["raw-hsm", "--op", op.name(), "--callers", &callers.to_string()]);
    command.args(["--seconds", &span.as_secs_f64().to_string()]).arg("--pin").arg(conf.with_file_name("pin"));
    let done = command.env("SOFTHSM2_CONF", conf).output()?;
    let text = String::from_utf8_lossy(&done.stdout);
    text.trim().parse().map_err(|_| format!("no raw rate: {text}{}", String::from_utf8_lossy(&done.stderr)).into())
}

/// What it is.
pub(super) fn token(conf: &Path) -> Result<String, Failure> {
    let done = Command::new("softhsm2-util").arg("--version").env("SOFTHSM2_CONF", conf).output()?;
    Ok(format!("SoftHSM2 {}", String::from_utf8_lossy(&done.stdout).trim()))
}

/// The hidden subcommand: prints the rate.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let pkcs11 = Pkcs11::new(MODULE)?;
    pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))?;
    let slot = pkcs11.get_slots_with_initialized_token()?.into_iter().next().ok_or("no token")?;
    let keeper = pkcs11.open_rw_session(slot)?;
    keeper.login(UserType::User, Some(&AuthPin::from(std::fs::read_to_string(&args.pin)?)))?;
    let span = Duration::from_secs_f64(args.seconds);
    let done: u64 = std::thread::scope(|scope| {
        let loops: Vec<_> = (0..args.callers).map(|_| scope.spawn(|| one(&pkcs11, slot, args.op, span))).collect();
        let mut sum = 0_u64;
        for ended in loops {
            sum = sum.saturating_add(ended.join().map_err(|_| "a caller panicked")??);
        }
        Ok::<_, Failure>(sum)
    })?;
    crate::out::say(&format!("{}", done as f64 / span.as_secs_f64()));
    Ok(())
}

fn one(pkcs11: &Pkcs11, slot: Slot, op: Op, span: Duration) -> Result<u64, Failure> {
    let session = pkcs11.open_rw_session(slot)?;
    let key = key(&session, op)?;
    let (end, mut done) = (Instant::now().checked_add(span), 0_u64);
    while end.is_some_and(|end| Instant::now() < end) {
        work(&session, key, op)?;
        done = done.saturating_add(1);
    }
    Ok(done)
}

fn work(session: &Session, key: ObjectHandle, op: Op) -> Result<(), Failure> {
    match op {
        Op::SignP256 => drop(session.sign(&Mechanism::Ecdsa, key, &[7; 32])?),
        Op::SignRsa => drop(session.sign(&Mechanism::RsaPkcs, key, &[7; 51])?),
        _ => {
            let mut iv = [3; 12];
            let params = GcmParams::new(&mut iv, &[], 128_u64.into())?;
            drop(session.encrypt(&Mechanism::AesGcm(params), key, &[5; 1024])?);
        }
    }
    Ok(())
}

/// A key of the session's own.
fn key(session: &Session, op: Op) -> Result<ObjectHandle, Failure> {
    let signs = [Attribute::Token(false), Attribute::Private(true), Attribute::Sign(true)];
    Ok(match op {
        Op::SignP256 => {
            // The object identifier of P-256 in DER.
            let curve = vec![6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
            session.generate_key_pair(&Mechanism::EccKeyPairGen, &[Attribute::EcParams(curve)], &signs)?.1
        }
        Op::SignRsa => {
            let public = [Attribute::ModulusBits(2048_u64.into()), Attribute::PublicExponent(vec![1, 0, 1])];
            session.generate_key_pair(&Mechanism::RsaPkcsKeyPairGen, &public, &signs)?.1
        }
        _ => {
            let secret = [Attribute::ValueLen(32_u64.into()), Attribute::Token(false), Attribute::Encrypt(true)];
            session.generate_key(&Mechanism::AesKeyGen, &secret)?
        }
    })
}
