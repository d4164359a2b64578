//! From the start of the process to its first answer over TLS.

use crate::Failure;
use crate::client::Door;
use crate::figures::median;
use crate::keystead::Place;
use crate::process::Child;
use bytes::Bytes;
use hyper::Method;
use serde::Serialize;
use std::path::Path;
use std::time::{Duration, Instant};

/// Medians, in milliseconds.
#[derive(Serialize)]
pub(crate) struct StartUp {
    /// An empty directory: CA, node key and two vaults are made.
    pub(crate) first_millis: f64,
    /// A directory with state: vaults are opened.
    pub(crate) again_millis: f64,
    /// How many starts of each sort.
    pub(crate) starts: usize,
}

/// Measures starts in directories of their own below `parent`.
pub(crate) async fn measure(binary: &Path, parent: &Path, starts: usize) -> Result<StartUp, Failure> {
    std::fs::create_dir_all(parent)?;
    let (mut first, mut again) = (Vec::new(), Vec::new());
    for n in 0..starts {
        let place = Place::new(binary, parent.join(format!("start-{n}")))?;
        first.push(once(&place).await?);
        again.push(once(&place).await?);
    }
    Ok(StartUp { first_millis: median(&first), again_millis: median(&again), starts })
}

/// Starts the server and waits for its first answer; that took so many milliseconds.
pub(crate) async fn one(place: &Place) -> Result<(Child, f64), Failure> {
    let _ = std::fs::remove_file(place.data.join("dev.env"));
    let began = Instant::now();
    let mut process = place.start()?;
    while answer(place).await.is_err() {
        process.check()?;
        if began.elapsed() > Duration::from_secs(30) {
            return Err("no answer within 30 s of the start".into());
        }
        tokio::time::sleep(Duration::from_micros(300)).await;
    }
    Ok((process, began.elapsed().as_secs_f64() * 1e3))
}

/// The same, and stops it again.
async fn once(place: &Place) -> Result<f64, Failure> {
    let (mut process, millis) = one(place).await?;
    // It is asked to stop only when it has said that it is ready.
    place.ready(&mut process).await?;
    process.stop();
    Ok(millis)
}

/// The discovery document: the vault must be there, and no token is needed.
async fn answer(place: &Place) -> Result<(), Failure> {
    let mut connection = Door::new(place.address, &place.ca())?.connect().await?;
    let path = "/adfs/.well-known/openid-configuration";
    let (status, body) = connection.ask(Method::GET, path, "application/json", Bytes::new()).await?;
    if status.is_success() { Ok(()) } else { Err(format!("{status}: {}", String::from_utf8_lossy(&body)).into()) }
}
