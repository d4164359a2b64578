use super::*;
use crate::sink::{Delivery, FileSink, Pump, Sink};
use std::io;
use std::sync::mpsc;

struct Blocked(mpsc::Receiver<()>);

impl Sink for Blocked {
    fn name(&self) -> &str {
        "blocked"
    }
    fn position(&self) -> u64 {
        0
    }
    fn deliver(&mut self, _: &[Delivery]) -> io::Result<()> {
        self.0.recv().map_err(|_| io::Error::other("hung up"))
    }
}

struct Failing(Vec<u64>, u32);

impl Sink for Failing {
    fn name(&self) -> &str {
        "failing"
    }
    fn position(&self) -> u64 {
        0
    }
    fn deliver(&mut self, batch: &[Delivery]) -> io::Result<()> {
        self.1 += 1;
        if self.1 == 2 {
            return Err(io::Error::other("scripted"));
        }
        self.0.extend(batch.iter().map(|d| d.frame));
        assert!(self.0.iter().enumerate().all(|(i, f)| i as u64 == *f), "each once, in order");
        Ok(())
    }
}

#[test]
fn a_blocked_sink_blocks_neither_requests_nor_the_end() {
    let dir = tempfile::tempdir().unwrap();
    run(async {
        let journal = open(dir.path());
        let (_hold, gate) = mpsc::channel();
        let pump = Pump::start(&journal, Blocked(gate)).unwrap();
        for n in 0..500 {
            let _ = write(&journal, &record(1, n, 300)).await;
        }
        assert_eq!((pump.health().behind, pump.health().error), (500, None));
        journal.close().await;
    });
}

#[test]
fn a_sink_that_failed_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    run(async {
        let journal = open(dir.path());
        let pump = Pump::start(&journal, Failing(Vec::new(), 0)).unwrap();
        let _ = write(&journal, &record(1, 0, 300)).await;
        until("the first", || pump.health().behind == 0).await;
        for n in 1..300 {
            let _ = write(&journal, &record(1, n, 300)).await;
        }
        until("the rest", || pump.health().behind == 0).await;
        until("the error has gone", || pump.health().error.is_none()).await;
    });
}

fn lines(path: &Path) -> Vec<u64> {
    let text = fs::read_to_string(path).unwrap();
    let frame = |line| serde_json::from_str::<serde_json::Value>(line).unwrap()["frame"].as_u64().unwrap();
    text.lines().map(frame).collect()
}

#[test]
fn a_file_sink_has_each_record_exactly_once_over_restarts_and_crashes() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.jsonl");
    run(async {
        let journal = open(dir.path());
        for round in 0..3_u64 {
            let pump = Pump::start(&journal, FileSink::open(&out).unwrap()).unwrap();
            for n in 0..100 {
                let _ = write(&journal, &record(1, round * 100 + n, 300)).await;
            }
            until("all is there", || pump.health().behind == 0).await;
            drop(pump);
            until("the file is let go", || FileSink::open(&out).is_ok()).await;
            // A crash between the lines and the cursor.
            use std::io::Write as _;
            fs::OpenOptions::new().append(true).open(&out).unwrap().write_all(b"{\"frame\":7").unwrap();
        }
        let sink = FileSink::open(&out).unwrap();
        assert_eq!((lines(&out), sink.position()), ((0..300).collect(), 300));
        drop(sink);
        let text = fs::read_to_string(&out).unwrap();
        let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!(last["action"], "vault/created");
        assert_eq!(last["log"], vault(1).to_string());
        fs::write(&out, "").unwrap();
        assert!(FileSink::open(&out).is_err());
    });
}

#[test]
fn closing_delivers_what_was_durable() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.jsonl");
    run(async {
        let journal = open(dir.path());
        let pump = Pump::start(&journal, FileSink::open(&out).unwrap()).unwrap();
        for n in 0..50 {
            let _ = write(&journal, &record(1, n, 300)).await;
        }
        journal.close().await;
        until("all is there", || pump.health().behind == 0).await;
        assert_eq!(lines(&out).len(), 50);
    });
}
