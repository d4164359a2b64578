//! Telemetry on its way to a collector: JSON in a POST, without a credential.

use std::time::Duration;

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue, USER_AGENT};
use hyper::{Method, StatusCode, Uri};

use crate::client::{AGENT, within};
use crate::pool::Pool;
use crate::token::request;
use crate::transport::Place;
use crate::{ClientError, tls};

/// Bytes of an answer's body: it says little.
const MAX_ANSWER: usize = 64 << 10;

/// A collector at `http://` or `https://HOST[:PORT][/PATH]`. What is sent holds no secret, so it may go in plain.
pub struct Collector {
    pool: Pool,
    path: String,
    deadline: Duration,
}

impl Collector {
    /// Checks the URL; connects with the first call. `below` stands after its path.
    pub fn new(url: &str, below: &str, deadline: Duration) -> Result<Self, ClientError> {
        let bad = |why| ClientError::BadUrl { url: url.to_owned(), why };
        let uri: Uri = url.parse().map_err(|_| bad("it is not a URL"))?;
        let host = uri.authority().filter(|a| !a.as_str().contains('@')).ok_or_else(|| bad("it has no host"))?;
        if uri.query().is_some() {
            return Err(bad("it has a query"));
        }
        let place = match uri.scheme_str() {
            Some("http") => Place::Plain {
                host: host.host().to_owned(),
                port: host.port_u16().unwrap_or(80),
                name: host.to_string(),
            },
            Some("https") => {
                let authority = host.as_str().parse().map_err(|_| bad("its host or port is not valid"))?;
                Place::Tls { authority, config: tls::client_config(None)? }
            }
            _ => return Err(bad("it begins with neither http:// nor https://")),
        };
        let path = format!("{}{below}", uri.path().trim_end_matches('/'));
        Ok(Self { pool: Pool::new(place, MAX_ANSWER), path, deadline })
    }

    /// Sends one document.
    pub async fn post(&self, json: Vec<u8>) -> Result<(), ClientError> {
        let sending = async {
            let mut request = request(Method::POST, &self.path, self.pool.place(), Bytes::from(json))?;
            let headers = request.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
            let reply = self.pool.send(request).await?;
            match reply.status() {
                StatusCode::OK | StatusCode::ACCEPTED | StatusCode::NO_CONTENT => Ok(()),
                status => Err(crate::error::refused(status, reply.headers(), reply.body())),
            }
        };
        within(self.deadline, sending).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_is_a_url_without_a_credential_in_it() {
        let of = |url| Collector::new(url, "/v1/traces", Duration::from_secs(1)).map(|c| c.path);
        assert_eq!(of("http://127.0.0.1:4318").unwrap(), "/v1/traces");
        assert_eq!(of("http://collector/otlp/").unwrap(), "/otlp/v1/traces");
        assert_eq!(of("https://collector.example").unwrap(), "/v1/traces");
        for bad in ["", "collector:4318", "grpc://collector", "http://u:p@collector", "http://collector?x=1"] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }
}
