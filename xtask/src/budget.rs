//! The performance budget of ARCHITECTURE.md, line by line.

use crate::figures::Cell;
use crate::op::Op;
use crate::report::Report;
use serde::Serialize;

/// One line of the budget.
#[derive(Serialize)]
pub(crate) struct Verdict {
    /// What is bounded.
    pub(crate) what: String,
    /// To what.
    pub(crate) most: f64,
    /// What the number is of: ` x bare`, ` MiB`, ` ms`.
    pub(crate) unit: &'static str,
    /// None if this run did not measure it.
    pub(crate) measured: Option<f64>,
}

/// The number of connections for which the budget is stated.
pub(crate) const CONNECTIONS: usize = 16;

/// What is beside the cipher's work, to the bare handler's.
const AROUND: f64 = 2.0;
/// Work with an RSA private key, to the primitive alone.
const RSA: f64 = 1.07;

impl Verdict {
    fn new(what: impl Into<String>, most: f64, unit: &'static str, measured: Option<f64>) -> Self {
        Self { what: what.into(), most, unit, measured: measured.filter(|m| m.is_finite()) }
    }

    pub(crate) fn met(&self) -> Option<bool> {
        self.measured.map(|measured| measured <= self.most)
    }

    /// For people.
    pub(crate) const fn word(met: Option<bool>) -> &'static str {
        match met {
            Some(true) => "MET",
            Some(false) => "NOT MET",
            None => "not measured",
        }
    }
}

/// Every line, measured or not.
pub(crate) fn verdicts(report: &Report) -> Vec<Verdict> {
    let at = |op| nearest(&report.cells, op);
    let mut all = Vec::new();
    let around = |op: Op| {
        let what = format!("everything but the cipher: {}", op.title());
        Verdict::new(what, AROUND, " x bare", at(op).map(Cell::around_cipher))
    };
    let rsa = |op: Op| Verdict::new(op.title(), RSA, " x raw", at(op).and_then(Cell::to_raw));
    all.extend([Op::Get, Op::Encrypt, Op::SignP256].map(around));
    all.push(Verdict::new(Op::Encrypt.title(), 2.0, " x bare", at(Op::Encrypt).map(Cell::to_bare)));
    all.push(Verdict::new(Op::SignP256.title(), 1.5, " x bare", at(Op::SignP256).map(Cell::to_bare)));
    all.push(rsa(Op::SignRsa));
    let create = at(Op::Create).zip(at(Op::SignP256));
    let create = create.map(|(create, sign)| create.keystead.cpu_micros / sign.bare.cpu_micros);
    all.push(Verdict::new("create a P-256 key, durable", 5.0, " x bare P-256 sign", create));
    all.push(Verdict::new("memory, idle", 30.0, " MiB", report.keystead.idle_mebibytes));
    let start = report.start_up.as_ref().map(|start| start.again_millis);
    all.push(Verdict::new("start to first answer", 30.0, " ms", start));
    // Every class of algorithms has a bound: RSA by its primitive, which is most of it, the others by what is beside.
    let classes = Op::ALL.iter().copied().filter(|op| !op.is_main());
    all.extend(classes.map(|op| if op.is_rsa_private() { rsa(op) } else { around(op) }));
    all
}

/// The cell at the budget's number of connections, or the nearest to it.
fn nearest(cells: &[Cell], op: Op) -> Option<&Cell> {
    cells.iter().filter(|cell| cell.op == op).min_by_key(|cell| cell.connections.abs_diff(CONNECTIONS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_met_up_to_its_bound_and_unknown_without_a_figure() {
        let verdict = |measured| Verdict::new("x", 2.0, " x bare", measured);
        assert_eq!(verdict(Some(2.0)).met(), Some(true));
        assert_eq!(verdict(Some(2.01)).met(), Some(false));
        assert_eq!(verdict(Some(f64::NAN)).met(), None);
        assert_eq!(Verdict::word(verdict(None).met()), "not measured");
    }

    #[test]
    fn every_class_of_algorithms_has_a_bound() {
        let report = Report {
            machine: crate::machine::Machine::look(std::path::Path::new("/")),
            command: String::new(),
            turn_seconds: 1.0,
            rounds: 1,
            cells: Vec::new(),
            keystead: crate::report::Footprint::default(),
            peer: None,
            peer_version: None,
            start_up: None,
            dist_start_up: None,
            budgets: Vec::new(),
        };
        let verdicts = verdicts(&report);
        for op in Op::ALL.iter().filter(|op| !op.is_main()) {
            let of_it: Vec<_> = verdicts.iter().filter(|verdict| verdict.what.ends_with(op.title())).collect();
            let [one] = of_it.as_slice() else { panic!("{op:?} has {} bounds", of_it.len()) };
            assert_eq!(one.unit == " x raw", op.is_rsa_private(), "{op:?}");
        }
    }
}
