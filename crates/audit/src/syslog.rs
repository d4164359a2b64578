//! A copy of the audit for a syslog daemon: one RFC 5424 message per record, over a unix socket, TCP or TLS.
//!
//! A message has the clear fields of its record in JSON and `entry`, the record's entry in the log's tree: what stands
//! in the collector can be held against the log, and names stay sealed. Syslog has no acknowledgement. The cursor notes
//! what was given to the socket: a connection that breaks brings its last batch again, and may lose what was on its way
//! before. The journal stays the truth.

use crate::draft::Outcome;
use crate::journal::disk;
use crate::record::Record;
use crate::sink::{Cursor, Delivery, Sink, fields};
use std::io::{self, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

/// Facility "log audit" (RFC 5424, table 1).
const FACILITY: u8 = 13;

/// A connection to the daemon.
pub enum Line {
    /// A message each (`/dev/log`).
    Datagrams(UnixDatagram),
    /// A stream; messages are preceded by their length (RFC 6587, section 3.4.1).
    Tcp(TcpStream),
    /// A stream within TLS, framed alike (RFC 5425).
    Tls(Box<dyn Write + Send>),
}

/// Opens a connection. May block for as long as it bounds itself.
pub type Connect = Box<dyn FnMut() -> io::Result<Line> + Send>;

/// What is said of the sender, and where the cursor stands.
pub struct SyslogSettings {
    /// The file of the cursor.
    pub cursor: PathBuf,
    /// `HOSTNAME` of the messages.
    pub host: String,
    /// Milliseconds since the epoch as RFC 3339 has them, in UTC.
    pub stamp: fn(i64) -> String,
}

/// The sink.
pub struct SyslogSink {
    settings: SyslogSettings,
    host: String,
    connect: Connect,
    line: Option<Line>,
    next: u64,
}

impl SyslogSink {
    /// Goes on where its cursor stands, or begins with the journal's first record. Connects with the first record.
    pub fn open(settings: SyslogSettings, connect: Connect) -> io::Result<Self> {
        let next = match std::fs::read(&settings.cursor) {
            Ok(text) => Cursor::parse(&text)
                .ok_or_else(|| io::Error::other("the cursor of the syslog sink is damaged; remove it to begin anew"))?
                .next(),
            Err(e) if e.kind() == io::ErrorKind::NotFound => 0,
            Err(e) => return Err(e),
        };
        let host = word(&settings.host, 255);
        Ok(Self { settings, host, connect, line: None, next })
    }

    fn message(&self, delivery: &Delivery) -> String {
        let record = &delivery.record;
        let severity = match record.outcome() {
            Outcome::DONE => 6,
            Outcome::DENIED => 5,
            _ => 4,
        };
        let priority = u16::from(FACILITY).saturating_mul(8).saturating_add(severity);
        let (stamp, host) = ((self.settings.stamp)(record.at().0), &self.host);
        let action = word(record.action().map_or("unknown", |a| a.name()), 32);
        format!("<{priority}>1 {stamp} {host} keystead - {action} - {}", body(delivery, record))
    }

    fn send(&mut self, messages: &[String]) -> io::Result<()> {
        let mut line = match self.line.take().filter(|line| !line.is_closed()) {
            Some(line) => line,
            None => (self.connect)()?,
        };
        // Kept only if all of it went through: after an error the next attempt connects anew.
        line.send(messages)?;
        self.line = Some(line);
        Ok(())
    }
}

impl Sink for SyslogSink {
    fn name(&self) -> &str {
        "syslog"
    }

    fn position(&self) -> u64 {
        self.next
    }

    fn deliver(&mut self, batch: &[Delivery]) -> io::Result<()> {
        let messages: Vec<String> = batch.iter().map(|d| self.message(d)).collect();
        self.send(&messages)?;
        let next = batch.last().map_or(self.next, |d| d.frame.saturating_add(1));
        disk::replace(&self.settings.cursor, Cursor::at(next).to_text().as_bytes())?;
        self.next = next;
        Ok(())
    }
}

impl Line {
    fn send(&mut self, messages: &[String]) -> io::Result<()> {
        let to: &mut dyn Write = match self {
            Self::Datagrams(socket) => {
                return messages.iter().try_for_each(|m| socket.send(m.as_bytes()).map(drop));
            }
            Self::Tcp(stream) => stream,
            Self::Tls(stream) => stream,
        };
        let framed = |m: &String| format!("{} {m}", m.len());
        to.write_all(messages.iter().map(framed).collect::<String>().as_bytes())?;
        to.flush()
    }

    /// Whether the other end has let go, as far as can be seen without waiting. Writing into such a connection seems to
    /// succeed once.
    fn is_closed(&self) -> bool {
        let Self::Tcp(stream) = self else { return false };
        let looked = stream.set_nonblocking(true).and_then(|()| stream.peek(&mut [0]));
        let closed = match looked {
            Ok(n) => n == 0,
            Err(e) => e.kind() != io::ErrorKind::WouldBlock,
        };
        closed || stream.set_nonblocking(false).is_err()
    }
}

fn body(delivery: &Delivery, record: &Record) -> String {
    let mut body = fields(delivery);
    if let Some(body) = body.as_object_mut() {
        body.insert("entry".to_owned(), hex(&record.entry()).into());
    }
    body.to_string()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// A field of the header: printable ASCII without blanks, bounded, `-` if nothing is left.
fn word(text: &str, most: usize) -> String {
    let kept: String = text.chars().filter(char::is_ascii_graphic).take(most).collect();
    if kept.is_empty() { "-".to_owned() } else { kept }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_the_header_has_no_blanks_and_is_bounded() {
        assert_eq!(word("a b\nc\u{e9}", 255), "abc");
        assert_eq!(word("", 255), "-");
        assert_eq!(word(&"x".repeat(300), 255).len(), 255);
    }
}
