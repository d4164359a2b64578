//! Connections that are kept, and one request over one of them.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONNECTION, HeaderValue};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;

use crate::ClientError;
use crate::reply::Reply;
use crate::transport::Place;

/// Connections that wait for the next request.
const KEPT: usize = 8;

type Sender = SendRequest<Full<Bytes>>;

/// All connections to one server.
pub(crate) struct Pool {
    place: Place,
    kept: Mutex<Vec<Sender>>,
    max_answer: usize,
}

impl Pool {
    /// No connection yet. Answers over `max_answer` bytes are refused.
    pub(crate) fn new(place: Place, max_answer: usize) -> Self {
        Self { place, kept: Mutex::default(), max_answer }
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Sends one request and reads its answer. A request that a kept connection did not take, or a GET that it lost,
    /// goes over a new connection: the server may close an idle one at any time.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Reply, ClientError> {
        let request = match self.take().await {
            None => request,
            Some(mut sender) => {
                let again = (request.method() == Method::GET).then(|| request.clone());
                match sender.try_send_request(request).await {
                    Ok(answer) => return self.receive(sender, answer).await,
                    Err(mut failed) => match failed.take_message().or(again) {
                        Some(request) => request,
                        None => return Err(self.broken(failed.into_error())),
                    },
                }
            }
        };
        let mut sender = self.open().await?;
        let answer = sender.send_request(request).await.map_err(|failed| self.broken(failed))?;
        self.receive(sender, answer).await
    }

    async fn take(&self) -> Option<Sender> {
        loop {
            let mut sender = self.kept.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            if sender.ready().await.is_ok() {
                return Some(sender);
            }
        }
    }

    fn keep(&self, sender: Sender) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.push(sender);
        }
    }

    /// A new connection, driven by a task of its own until either end lets go.
    async fn open(&self) -> Result<Sender, ClientError> {
        let stream = self.place.connect().await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|f| self.broken(f))?;
        tokio::spawn(connection);
        Ok(sender)
    }

    async fn receive(&self, sender: Sender, answer: Response<Incoming>) -> Result<Reply, ClientError> {
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, self.max_answer).collect().await.map_err(|failed| {
            match failed.downcast::<hyper::Error>() {
                Ok(failed) => self.broken(*failed),
                Err(other) if other.is::<LengthLimitError>() => ClientError::AnswerTooLarge { bound: self.max_answer },
                Err(other) => ClientError::BadAnswer(other.to_string()),
            }
        })?;
        if head.headers.get(CONNECTION) != Some(&HeaderValue::from_static("close")) {
            self.keep(sender);
        }
        Ok(Response::from_parts(head, body.to_bytes()))
    }

    fn broken(&self, source: hyper::Error) -> ClientError {
        ClientError::Broken { to: self.place.name(), source }
    }
}
