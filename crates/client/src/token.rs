//! Credentials, and the token that is got for them and kept until it expires.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Method, Request};
use serde::{Deserialize, Deserializer};
use tokio::sync::Mutex;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::challenge::Challenge;
use crate::error::{printable, refused};
use crate::pool::Pool;
use crate::reply::Reply;
use crate::transport::{Place, https_authority};
use crate::{API_VERSION, ClientError, form};

/// A token is renewed this long before it expires, or after nine tenths of its life if that comes later.
const EARLY: Duration = Duration::from_secs(60);

/// No token is kept longer, whatever its issuer says.
const LONGEST: Duration = Duration::from_secs(86_400);

/// Who the client is. No Debug: it holds secrets.
#[derive(Clone)]
pub enum Credential {
    /// Nobody: for routes that ask for no token.
    Anonymous,
    /// A token got elsewhere.
    Bearer(Zeroizing<String>),
    /// The client-credentials grant (RFC 6749, section 4.4) at the authority that the vault's challenge names.
    ClientSecret {
        /// The client's GUID.
        client_id: String,
        /// Its secret.
        client_secret: Zeroizing<String>,
        /// `https://host[:port]` of the authority. If none is given, the one in the challenge is trusted only on the
        /// vault's own host or one above it.
        authority: Option<String>,
    },
}

impl Credential {
    /// A client of the vault's own authority.
    pub fn client_secret(client_id: &str, client_secret: String) -> Self {
        let client_secret = Zeroizing::new(client_secret);
        Self::ClientSecret { client_id: client_id.to_owned(), client_secret, authority: None }
    }
}

/// `Bearer ...`, marked sensitive.
pub(crate) type Authorization = HeaderValue;

/// The token of one client of one vault.
pub(crate) struct Tokens {
    credential: Credential,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    challenge: Option<Challenge>,
    token: Option<(Authorization, Instant)>,
}

impl Tokens {
    pub(crate) fn new(credential: Credential) -> Self {
        Self { credential, held: Mutex::default() }
    }

    /// The header for a request; none for the anonymous. Logs in if need be, once for all who wait.
    pub(crate) async fn authorization(&self, vault: &Pool) -> Result<Option<Authorization>, ClientError> {
        let (id, secret, authority) = match &self.credential {
            Credential::Anonymous => return Ok(None),
            Credential::Bearer(token) => return bearer(token).map(Some),
            Credential::ClientSecret { client_id, client_secret, authority } => (client_id, client_secret, authority),
        };
        let mut held = self.held.lock().await;
        if let Some((header, _)) = held.token.as_ref().filter(|(_, until)| *until > Instant::now()) {
            return Ok(Some(header.clone()));
        }
        let challenge = match held.challenge.take() {
            Some(known) => known,
            None => discover(vault).await?,
        };
        let login = Login { id, secret, authority: authority.as_deref() };
        let (header, lives) = login.run(vault, &challenge).await?;
        held.challenge = Some(challenge);
        let now = Instant::now();
        let lives = lives.min(LONGEST);
        let early = EARLY.min(lives.checked_div(10).unwrap_or_default());
        let until = now.checked_add(lives.saturating_sub(early)).unwrap_or(now);
        held.token = Some((header.clone(), until));
        Ok(Some(header))
    }

    /// After a 401: forgets the token that was refused and takes up the new challenge. False if nothing can be done.
    pub(crate) async fn refused(&self, used: &Authorization, headers: &HeaderMap) -> Result<bool, ClientError> {
        if !matches!(self.credential, Credential::ClientSecret { .. }) || !headers.contains_key(WWW_AUTHENTICATE) {
            return Ok(false);
        }
        let challenge = challenge_in(headers)?;
        let mut held = self.held.lock().await;
        // Another call may have renewed it meanwhile.
        held.token.take_if(|(header, _)| header == used);
        held.challenge = Some(challenge);
        Ok(true)
    }
}

/// Asks for something without a token, to be told how to get one.
async fn discover(vault: &Pool) -> Result<Challenge, ClientError> {
    let request = request(Method::GET, &format!("/keys?api-version={API_VERSION}"), vault.place(), Bytes::new())?;
    let reply = vault.send(request).await?;
    if reply.headers().contains_key(WWW_AUTHENTICATE) {
        return challenge_in(reply.headers());
    }
    if reply.status().is_success() {
        return Err(ClientError::BadChallenge("it asked for none where it should".to_owned()));
    }
    Err(refused(reply.status(), reply.headers(), reply.body()))
}

fn challenge_in(headers: &HeaderMap) -> Result<Challenge, ClientError> {
    let text = headers.get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    Challenge::parse(text)
}

/// One run of the client-credentials grant.
struct Login<'a> {
    id: &'a str,
    secret: &'a str,
    authority: Option<&'a str>,
}

impl Login<'_> {
    async fn run(&self, vault: &Pool, challenge: &Challenge) -> Result<(Authorization, Duration), ClientError> {
        let Place::Tls { authority: vault_authority, config } = vault.place() else {
            return Err(ClientError::BadChallenge("a secret is sent over TLS only".to_owned()));
        };
        challenge.check_resource(vault_authority)?;
        let authority = match self.authority {
            Some(configured) => https_authority(configured)?,
            None => {
                challenge.check_authority(vault_authority)?;
                challenge.authority.clone()
            }
        };
        let place = Place::Tls { authority: authority.clone(), config: Arc::clone(config) };
        let request = self.request(&place, challenge)?;
        let reply = if authority == *vault_authority {
            vault.send(request).await?
        } else {
            Pool::new(place, 64 << 10).send(request).await?
        };
        read_token(&authority.to_string(), &reply)
    }

    fn request(&self, place: &Place, challenge: &Challenge) -> Result<Request<Full<Bytes>>, ClientError> {
        let text = form::encode(&[
            ("client_id", self.id),
            ("client_secret", self.secret),
            ("grant_type", "client_credentials"),
            ("scope", &format!("{}/.default", challenge.resource)),
        ]);
        let path = format!("/{}/oauth2/v2.0/token", challenge.tenant);
        // The body is wiped when the connection has sent it.
        let mut request = request(Method::POST, &path, place, Bytes::from_owner(Wiped(text)))?;
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(CONTENT_TYPE, kind);
        Ok(request)
    }
}

struct Wiped(Zeroizing<String>);

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

#[derive(Deserialize)]
struct Granted {
    #[serde(deserialize_with = "secret")]
    access_token: Zeroizing<String>,
    expires_in: u64,
}

fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(from).map(Zeroizing::new)
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct NotGranted {
    error: String,
    error_description: String,
}

pub(crate) fn read_token(authority: &str, reply: &Reply) -> Result<(Authorization, Duration), ClientError> {
    if reply.status().is_success() {
        let granted: Granted = serde_json::from_slice(reply.body())
            .map_err(|_| ClientError::BadAnswer("the token is not in the form of RFC 6749".to_owned()))?;
        return Ok((bearer(&granted.access_token)?, Duration::from_secs(granted.expires_in)));
    }
    match serde_json::from_slice::<NotGranted>(reply.body()) {
        Ok(not) if !not.error.is_empty() => Err(ClientError::LoginFailed {
            authority: authority.to_owned(),
            error: printable(&not.error),
            description: printable(&not.error_description),
        }),
        _ => Err(refused(reply.status(), reply.headers(), reply.body())),
    }
}

fn bearer(token: &str) -> Result<Authorization, ClientError> {
    let text = Zeroizing::new(format!("Bearer {token}"));
    let mut header =
        HeaderValue::from_str(&text).map_err(|_| ClientError::BadArgument("the token has characters no token has"))?;
    header.set_sensitive(true);
    Ok(header)
}

/// A request with its `Host`.
pub(crate) fn request(
    method: Method,
    path: &str,
    place: &Place,
    body: Bytes,
) -> Result<Request<Full<Bytes>>, ClientError> {
    Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, place.host())
        .body(Full::new(body))
        .map_err(|_| ClientError::BadArgument("a name, path or link has characters that no URL may have"))
}
