//! The other ends: a scraper, a collector and a syslog daemon, as small as they can be.

use crate::support::Reply;
use crate::support::http::read_reply;
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

/// A port that was free a moment ago.
pub(super) fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// Waits for something to become true.
#[track_caller]
pub(super) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < end, "in vain: {what}");
        sleep(Duration::from_millis(20));
    }
}

pub(super) fn plain_get(port: u16, path: &str) -> Reply {
    get(TcpStream::connect(("127.0.0.1", port)).unwrap(), "127.0.0.1", path)
}

pub(super) fn get(mut stream: impl Read + Write, host: &str, path: &str) -> Reply {
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").unwrap();
    read_reply(&mut stream, false).unwrap()
}

/// Takes OTLP/HTTP in JSON.
pub(super) struct Collector {
    pub(super) port: u16,
    documents: Arc<Mutex<Vec<String>>>,
}

impl Collector {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let (port, documents) = (listener.local_addr().unwrap().port(), Arc::default());
        let kept = Arc::clone(&documents);
        spawn(move || {
            for stream in listener.incoming() {
                let kept = Arc::clone(&kept);
                spawn(move || collect(stream.unwrap(), &kept));
            }
        });
        Self { port, documents }
    }

    /// All spans so far, and the text they came in.
    pub(super) fn spans(&self) -> (Vec<Value>, String) {
        let documents = self.documents.lock().unwrap();
        let spans = documents.iter().flat_map(|text| {
            let document: Value = serde_json::from_str(text).unwrap();
            document["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone()
        });
        (spans.collect(), documents.join("\n"))
    }
}

fn collect(stream: TcpStream, kept: &Mutex<Vec<String>>) {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut first, mut length) = (String::new(), 0);
        if stream.read_line(&mut first).unwrap_or(0) == 0 {
            return;
        }
        assert_eq!(first.trim_end(), "POST /v1/traces HTTP/1.1");
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).unwrap();
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(n) = line.strip_prefix("content-length:") {
                length = n.trim().parse().unwrap();
            }
            assert!(!line.starts_with("content-type:") || line.ends_with("application/json"), "{line}");
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
        kept.lock().unwrap().push(String::from_utf8(body).unwrap());
        stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").unwrap();
    }
}

/// Takes messages preceded by their length, one connection after the other.
pub(super) struct Syslog {
    pub(super) port: u16,
    messages: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Syslog {
    pub(super) fn start(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let (messages, stop) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let (kept, stopped) = (Arc::clone(&messages), Arc::clone(&stop));
        let thread = spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(SeqCst) {
                    return;
                }
                receive(&stream.unwrap(), &kept, &stopped);
            }
        });
        Self { port, messages, stop, thread }
    }

    pub(super) fn messages(&self) -> Vec<String> {
        self.messages.lock().unwrap().clone()
    }

    /// Lets go of the port; what came until then.
    pub(super) fn stop(self) -> Vec<String> {
        self.stop.store(true, SeqCst);
        // Wakes it, if it waits for a connection.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        self.thread.join().unwrap();
        self.messages.lock().unwrap().clone()
    }
}

fn receive(stream: &TcpStream, kept: &Mutex<Vec<String>>, stop: &AtomicBool) {
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
    while !stop.load(SeqCst) {
        match (&*stream).read(&mut chunk) {
            Ok(0) => return,
            Ok(n) => bytes.extend_from_slice(&chunk[..n]),
            Err(_) => continue,
        }
        while let Some(message) = framed(&mut bytes) {
            kept.lock().unwrap().push(message);
        }
    }
}

/// The next whole message.
fn framed(bytes: &mut Vec<u8>) -> Option<String> {
    let blank = bytes.iter().position(|b| *b == b' ')?;
    let length: usize = std::str::from_utf8(&bytes[..blank]).unwrap().parse().unwrap();
    let end = blank + 1 + length;
    (bytes.len() >= end).then(|| {
        let message = String::from_utf8(bytes[blank + 1..end].to_vec()).unwrap();
        bytes.drain(..end);
        message
    })
}
