//! The raw primitive in a tight loop.

use crate::Failure;
use crate::cipher::Ciphers;
use crate::op::Op;
use rustix::time::{ClockId, clock_gettime};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// CPU microseconds per operation of a single thread; none without a cipher. Every core runs such a loop, as every core
/// is busy while a server is measured: two threads of one physical core slow each other down.
pub(crate) fn micros(ciphers: &Ciphers, op: Op, span: Duration) -> Result<Option<f64>, Failure> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        let loops: Vec<_> = (0..cores).map(|_| scope.spawn(move || one(ciphers, op, span))).collect();
        let mut sum = None;
        for ended in loops {
            if let Some(micros) = ended.join().map_err(|_| "a loop of the primitive panicked")?? {
                sum = Some(sum.unwrap_or(0.0) + micros);
            }
        }
        Ok(sum.map(|sum: f64| sum / cores as f64))
    })
}

fn one(ciphers: &Ciphers, op: Op, span: Duration) -> Result<Option<f64>, Failure> {
    // Whatever is made for the first call is not counted.
    if ciphers.run(op)?.is_none() {
        return Ok(None);
    }
    let (end, before) = (Instant::now().checked_add(span), cpu_micros());
    let mut done = 0_u32;
    while end.is_some_and(|end| Instant::now() < end) {
        for _ in 0..8 {
            black_box(ciphers.run(black_box(op))?);
            done = done.saturating_add(1);
        }
    }
    Ok(Some((cpu_micros() - before) / f64::from(done.max(1))))
}

/// Of this thread.
fn cpu_micros() -> f64 {
    let t = clock_gettime(ClockId::ThreadCPUTime);
    t.tv_sec as f64 * 1e6 + t.tv_nsec as f64 / 1e3
}
