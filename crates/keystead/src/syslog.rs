//! Where the syslog copy of the audit goes: `unix:/dev/log`, `tcp://HOST:PORT` or `tls://HOST:PORT`.

use crate::exit::Failure;
use crate::output::time;
use keystead_audit::{Line, SyslogSettings, SyslogSink};
use keystead_client::{Trust, tcp_line, tls_line};
use serde::Deserialize;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long connecting and writing may take before it is tried again.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where it goes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum Target {
    Unix(PathBuf),
    Tcp(String, u16),
    Tls(String, u16),
}

impl TryFrom<String> for Target {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        const EXPECTED: &str = "write unix:/PATH, tcp://HOST:PORT or tls://HOST:PORT";
        let place = |rest: &str| -> Option<(String, u16)> {
            let (host, port) = rest.rsplit_once(':')?;
            let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
            let good =
                !bare.is_empty() && !bare.contains(['/', '@', '[', ']', ' ']) && (bare == host) != bare.contains(':');
            let port: u16 = port.parse().ok().filter(|p| *p > 0)?;
            good.then(|| (bare.to_owned(), port))
        };
        if let Some(path) = text.strip_prefix("unix:").filter(|p| p.starts_with('/')) {
            return Ok(Self::Unix(PathBuf::from(path)));
        }
        if let Some((host, port)) = text.strip_prefix("tcp://").and_then(place) {
            return Ok(Self::Tcp(host, port));
        }
        text.strip_prefix("tls://").and_then(place).map(|(host, port)| Self::Tls(host, port)).ok_or(EXPECTED)
    }
}

/// The sink, its cursor in the data directory.
pub(crate) fn sink(target: &Target, ca: Option<&Path>, data: &Path) -> Result<SyslogSink, Failure> {
    let settings = SyslogSettings { cursor: data.join("syslog.cursor"), host: host_name(), stamp: time::millis };
    let connect: keystead_audit::Connect = match target.clone() {
        Target::Unix(path) => Box::new(move || {
            let socket = UnixDatagram::unbound()?;
            socket.set_write_timeout(Some(PATIENCE))?;
            socket.connect(&path)?;
            Ok(Line::Datagrams(socket))
        }),
        Target::Tcp(host, port) => Box::new(move || Ok(Line::Tcp(tcp_line(&host, port, PATIENCE)?))),
        Target::Tls(host, port) => {
            let trust = trust(ca)?;
            Box::new(move || Ok(Line::Tls(Box::new(tls_line(&host, port, &trust, PATIENCE)?))))
        }
    };
    SyslogSink::open(settings, connect)
        .map_err(|e| Failure::unavailable(format!("cannot start the syslog copy of the audit: {e}")))
}

fn trust(ca: Option<&Path>) -> Result<Trust, Failure> {
    let read = |file: &Path| {
        std::fs::read(file).map_err(|e| Failure::usage(format!("cannot read the CA file {}: {e}", file.display())))
    };
    let pem = ca.map(read).transpose()?;
    Trust::new(pem.as_deref()).map_err(|e| Failure::usage(format!("audit.syslog_ca: {e}")))
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_socket_or_a_host_with_a_port() {
        let of = |text: &str| Target::try_from(text.to_owned());
        assert_eq!(of("unix:/dev/log"), Ok(Target::Unix("/dev/log".into())));
        assert_eq!(of("tcp://logs.example:514"), Ok(Target::Tcp("logs.example".to_owned(), 514)));
        assert_eq!(of("tls://[::1]:6514"), Ok(Target::Tls("::1".to_owned(), 6514)));
        for bad in [
            "",
            "unix:dev/log",
            "tcp://a",
            "tcp://:1",
            "tcp://a:0",
            "tcp://a:70000",
            "udp://a:514",
            "a:514",
            "tls://a/b:1",
            "tls://::1:1",
        ] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }
}
