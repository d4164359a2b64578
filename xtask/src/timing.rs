//! Whether RSA1_5 decryption tells by its time what was wrong: Welch's t-test between kinds of ciphertext, as in
//! "Dude, is my code constant time?" (Reparaz, Balasch, Verbauwhede, 2017).

use crate::{Failure, out};
use keystead_crypto::rsa::{EXPONENT, PrivateKey, Scheme, Size};
use keystead_crypto::{random, random_bytes};
use std::fmt::Write as _;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::Instant;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Decryptions of each kind
    #[arg(long, default_value_t = 100_000)]
    samples: usize,
    /// Write the page here too
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Kinds of ciphertext, and how one of each is made.
const KINDS: [(&str, Make); 3] = [
    ("whole padding, 16 bytes", |key| key.encrypt(Scheme::Pkcs1, &random_bytes(16))),
    ("whole padding, 245 bytes", |key| key.encrypt(Scheme::Pkcs1, &random_bytes(245))),
    ("no padding", |key| {
        let mut number = random_bytes(key.size().modulus_len()).to_vec();
        // Below every modulus.
        if let Some(first) = number.first_mut() {
            *first &= 0x7f;
        }
        Ok(number)
    }),
];

type Make = fn(&PrivateKey) -> Result<Vec<u8>, keystead_crypto::CryptoError>;

/// Ciphertexts of each kind, so that no single one decides.
const EACH: usize = 256;

/// Above this the two kinds can be told apart.
const THRESHOLD: f64 = 4.5;

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let key = PrivateKey::generate(Size::Bits2048, EXPONENT)?;
    let mut inputs = Vec::new();
    for (_, make) in KINDS {
        inputs.push((0..EACH).map(|_| make(&key)).collect::<Result<Vec<_>, _>>()?);
    }
    let times = measure(&key, &inputs, args.samples)?;
    let page = page(&times, args.samples);
    page.lines().for_each(out::say);
    if let Some(file) = &args.out {
        std::fs::write(file, page)?;
    }
    Ok(())
}

/// Nanoseconds of each kind. Which kind is next is drawn, so that a drift of the machine falls on all.
fn measure(key: &PrivateKey, inputs: &[Vec<Vec<u8>>], samples: usize) -> Result<Vec<Vec<f64>>, Failure> {
    let mut times = vec![Vec::with_capacity(samples); inputs.len()];
    while times.iter().any(|t| t.len() < samples) {
        let [which, at] = random::<2>().map(usize::from);
        let kind = which.checked_rem(inputs.len()).unwrap_or_default();
        let (Some(of), Some(done)) = (inputs.get(kind), times.get_mut(kind)) else { continue };
        let Some(cipher) = of.get(at % EACH) else { continue };
        let before = Instant::now();
        black_box(key.decrypt(Scheme::Pkcs1, black_box(cipher))?);
        done.push(before.elapsed().as_nanos() as f64);
    }
    Ok(times)
}

fn page(times: &[Vec<f64>], samples: usize) -> String {
    let mut page = format!(
        "# Timing of RSA1_5 decryption\n\nWritten by `cargo xtask timing --samples {samples} --out docs/timing.md`; not \
         edited by hand. RSA-2048, the slowest tenth of each kind left out. Welch's t between two kinds: below {THRESHOLD} \
         they cannot be told apart by the mean of so many samples.\n\n| kind of ciphertext | samples | median, us | mean, us |\n|---|---:|---:|---:|\n"
    );
    let kept: Vec<Kept> = times.iter().map(|t| Kept::of(t)).collect();
    for ((name, _), kept) in KINDS.iter().zip(&kept) {
        let _ = writeln!(page, "| {name} | {} | {:.2} | {:.2} |", kept.n, kept.median / 1e3, kept.mean / 1e3);
    }
    page.push_str("\n| between | t | |\n|---|---:|---|\n");
    for (i, (a, (first, _))) in kept.iter().zip(KINDS).enumerate() {
        for (b, (second, _)) in kept.iter().zip(KINDS).skip(i.saturating_add(1)) {
            let t = a.welch(b);
            let verdict = if t.abs() < THRESHOLD { "not told apart" } else { "TOLD APART" };
            let _ = writeln!(page, "| {first} / {second} | {t:.2} | {verdict} |");
        }
    }
    page
}

struct Kept {
    n: usize,
    median: f64,
    mean: f64,
    variance: f64,
}

impl Kept {
    /// Without the slowest tenth: what interrupted it says nothing of the work.
    fn of(times: &[f64]) -> Self {
        let mut sorted = times.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted.truncate(sorted.len().saturating_mul(9) / 10);
        let n = sorted.len().max(2);
        let count = n as f64;
        let mean = sorted.iter().sum::<f64>() / count;
        let variance = sorted.iter().map(|t| (t - mean) * (t - mean)).sum::<f64>() / (count - 1.0);
        Self { n, median: sorted.get(n / 2).copied().unwrap_or_default(), mean, variance }
    }

    fn welch(&self, other: &Self) -> f64 {
        let spread = self.variance / self.n as f64 + other.variance / other.n as f64;
        (self.mean - other.mean) / spread.sqrt().max(f64::MIN_POSITIVE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_that_differ_are_told_apart_and_the_same_are_not() {
        let at = |base: f64| (0..1000).map(|n| base + f64::from(n % 7)).collect::<Vec<_>>();
        let (a, b) = (Kept::of(&at(100.0)), Kept::of(&at(101.0)));
        assert!(a.welch(&a).abs() < THRESHOLD && a.welch(&b).abs() > THRESHOLD);
    }
}
