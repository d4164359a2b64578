//! What a run found, in three forms: lines while it goes on, JSON, and docs/performance.md.

mod lines;
mod markdown;
pub(crate) mod sections;

use crate::budget::Verdict;
use crate::figures::Cell;
use crate::machine::Machine;
use crate::process::Child;
use crate::start::StartUp;
use serde::Serialize;
use std::path::Path;

pub(crate) use lines::{budgets, cell, heading};
pub(crate) use markdown::page;

/// The whole run.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) command: String,
    /// Of one server's turn.
    pub(crate) turn_seconds: f64,
    pub(crate) rounds: u32,
    pub(crate) cells: Vec<Cell>,
    pub(crate) keystead: Footprint,
    pub(crate) peer: Option<Footprint>,
    pub(crate) peer_version: Option<String>,
    pub(crate) start_up: Option<StartUp>,
    /// Of the `dist` profile, if it is built.
    pub(crate) dist_start_up: Option<StartUp>,
    pub(crate) budgets: Vec<Verdict>,
}

/// What a server takes of memory and disk, in MiB.
#[derive(Serialize, Default)]
pub(crate) struct Footprint {
    /// Resident, its keys made, before the load.
    pub(crate) idle_mebibytes: Option<f64>,
    /// Resident after the load.
    pub(crate) loaded_mebibytes: Option<f64>,
    /// The most that was ever resident.
    pub(crate) peak_mebibytes: Option<f64>,
    pub(crate) binary_mebibytes: Option<f64>,
    /// Of the `dist` profile, if it is built.
    pub(crate) dist_mebibytes: Option<f64>,
}

impl Footprint {
    /// Before the load.
    pub(crate) fn idle(process: &Child, binary: &Path, dist: Option<&Path>) -> Self {
        Self {
            idle_mebibytes: process.mebibytes("VmRSS:"),
            binary_mebibytes: size(binary),
            dist_mebibytes: dist.and_then(size),
            ..Self::default()
        }
    }

    /// After the load.
    pub(crate) fn loaded(&mut self, process: &Child) {
        self.loaded_mebibytes = process.mebibytes("VmRSS:");
        self.peak_mebibytes = process.mebibytes("VmHWM:");
    }
}

fn size(file: &Path) -> Option<f64> {
    std::fs::metadata(file).ok().map(|meta| meta.len() as f64 / f64::from(1 << 20))
}
