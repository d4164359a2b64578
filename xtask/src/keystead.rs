//! The product: `keystead dev`, asked as clients ask it.

use crate::Failure;
use crate::client::Door;
use crate::op::{DIGEST, Op, PLAINTEXT};
use crate::process::{Child, free_addresses};
use crate::target::{Target, Template};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Of the key that one caller floods the server with: the largest that it makes.
pub(crate) const FLOOD_RSA_BITS: u32 = 2048;

const VERSION: &str = "api-version=7.6";

/// A state directory with its addresses, which stand in the vaults made there.
pub(crate) struct Place {
    pub(crate) binary: PathBuf,
    pub(crate) data: PathBuf,
    pub(crate) address: SocketAddr,
    hsm_address: SocketAddr,
}

impl Place {
    pub(crate) fn new(binary: &Path, data: PathBuf) -> Result<Self, Failure> {
        let [address, hsm_address] = free_addresses()?;
        Ok(Self { binary: binary.to_owned(), data, address, hsm_address })
    }

    /// Starts the server without waiting for it.
    pub(crate) fn start(&self) -> Result<Child, Failure> {
        let mut command = Command::new(&self.binary);
        command.arg("dev").arg("--data").arg(&self.data);
        command.args(["--listen", &self.address.to_string(), "--listen-hsm", &self.hsm_address.to_string()]);
        // One caller is the whole load: what is measured is the work, not the bound on a caller.
        let limits = self.data.with_extension("limits.toml");
        let rates = "caller_requests_per_second = 4000000\nvault_requests_per_second = 4000000\n";
        std::fs::write(&limits, format!("[limits]\n{rates}"))?;
        command.arg("--limits").arg(&limits);
        Child::start(&mut command, &self.data.with_extension("log"))
    }

    /// The CA that the server makes at its first start.
    pub(crate) fn ca(&self) -> PathBuf {
        self.data.join("tls").join("ca.pem")
    }

    /// The environment file's values; it appears when the server is ready.
    async fn ready(&self, process: &mut Child) -> Result<BTreeMap<String, String>, Failure> {
        let (file, began) = (self.data.join("dev.env"), Instant::now());
        while !file.exists() {
            process.check().map_err(|e| format!("{e}; see {}", self.data.with_extension("log").display()))?;
            if began.elapsed() > Duration::from_secs(30) {
                return Err("keystead dev was not ready within 30 s".into());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let text = std::fs::read_to_string(&file)?;
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        Ok(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

/// Starts it with empty state, gets a token, makes a key of each kind.
pub(crate) async fn start(place: &Place) -> Result<Target, Failure> {
    let mut process = place.start()?;
    let environment = place.ready(&mut process).await?;
    let value = |name: &str| environment.get(name).ok_or_else(|| format!("dev.env has no {name}"));
    let mut door = Door::new(place.address, Path::new(value("KEYSTEAD_CA_FILE")?))?;
    let tenant = value("AZURE_TENANT_ID")?;
    let scope = format!("{}/.default", value("KEYSTEAD_VAULT_URL")?);
    let form = [
        ("client_id", value("AZURE_CLIENT_ID")?.as_str()),
        ("client_secret", value("AZURE_CLIENT_SECRET")?),
        ("grant_type", "client_credentials"),
        ("scope", &scope),
    ];
    let token = door.form(&format!("/{tenant}/oauth2/v2.0/token"), &form).await?;
    door.authorize("authorization", &format!("Bearer {}", text(&token, "/access_token")?))?;
    let templates = templates(&door).await?;
    Ok(Target::new("keystead", process, door, templates))
}

async fn templates(door: &Door) -> Result<Vec<(Op, Template)>, Failure> {
    let oct = create(door, "load-oct", json!({ "kty": "oct", "key_size": 256 })).await?;
    let ec = create(door, "load-ec", json!({ "kty": "EC", "crv": "P-256" })).await?;
    let rsa = create(door, "load-rsa", json!({ "kty": "RSA", "key_size": 2048 })).await?;
    let (plaintext, digest) = (URL_SAFE_NO_PAD.encode(PLAINTEXT), URL_SAFE_NO_PAD.encode(DIGEST));
    let wrap = json!({ "alg": "RSA-OAEP-256", "value": digest });
    let wrapped = door.json(Method::POST, &format!("{rsa}/wrapkey?{VERSION}"), &wrap).await?;
    let wrapped = text(&wrapped, "/value")?;
    let post = |path: String, body: Value| Template::new(Method::POST, format!("{path}?{VERSION}"), body.to_string());
    Ok(vec![
        (Op::Encrypt, post(format!("{oct}/encrypt"), json!({ "alg": "A256GCM", "value": plaintext }))),
        (Op::SignP256, post(format!("{ec}/sign"), json!({ "alg": "ES256", "value": digest }))),
        (Op::SignRsa, post(format!("{rsa}/sign"), json!({ "alg": "RS256", "value": digest }))),
        (Op::Unwrap, post(format!("{rsa}/unwrapkey"), json!({ "alg": "RSA-OAEP-256", "value": wrapped }))),
        (Op::Get, Template::new(Method::GET, format!("{ec}?{VERSION}"), "")),
        (Op::Create, post("/keys/load-{n}/create".to_owned(), json!({ "kty": "EC", "crv": "P-256" }))),
    ])
}

/// Another caller on the same server, in a vault of its own, and how it asks for an RSA signature.
pub(crate) async fn second_caller(place: &Place) -> Result<(Door, Template), Failure> {
    let port = place.address.port();
    let socket = place.data.join("operator.sock");
    let mut command = Command::new(&place.binary);
    command.args(["vault", "--socket"]).arg(&socket).args(["create", "flood", "--retention", "7"]);
    command.arg("--authority").arg(format!("flood.localhost:{port}"));
    command.args(["--client", "flood", "--role", "Key Vault Crypto Officer", "--output", "json"]);
    let made = command.output()?;
    if !made.status.success() {
        return Err(format!("no second vault: {}", String::from_utf8_lossy(&made.stderr)).into());
    }
    let made: Value = serde_json::from_slice(&made.stdout)?;
    let mut door = Door::new(place.address, &place.ca())?;
    door.host("flood.localhost")?;
    let scope = format!("https://localhost:{port}/.default");
    let form = [
        ("client_id", text(&made, "/client/id")?),
        ("client_secret", text(&made, "/client/secret")?),
        ("grant_type", "client_credentials"),
        ("scope", &scope),
    ];
    let token = door.form("/adfs/oauth2/v2.0/token", &form).await?;
    door.authorize("authorization", &format!("Bearer {}", text(&token, "/access_token")?))?;
    let rsa = create(&door, "flood-rsa", json!({ "kty": "RSA", "key_size": FLOOD_RSA_BITS })).await?;
    let body = json!({ "alg": "RS256", "value": URL_SAFE_NO_PAD.encode(DIGEST) });
    Ok((door, Template::new(Method::POST, format!("{rsa}/sign?{VERSION}"), body.to_string())))
}

/// Makes a key and gives the path of its version.
async fn create(door: &Door, name: &str, body: Value) -> Result<String, Failure> {
    let made = door.json(Method::POST, &format!("/keys/{name}/create?{VERSION}"), &body).await?;
    let kid = text(&made, "/key/kid")?;
    let at = kid.find("/keys/").ok_or("a kid without /keys/")?;
    Ok(kid.get(at..).unwrap_or_default().to_owned())
}

/// The text at a JSON pointer.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> Result<&'a str, Failure> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.ok_or_else(|| format!("an answer without {pointer}: {value}").into())
}
