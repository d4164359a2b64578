//! The product: `keystead dev`, asked as clients ask it.

use crate::Failure;
use crate::client::Door;
use crate::op::{IV, Op, PLAINTEXT};
use crate::process::{Child, free_addresses};
use crate::target::Target;
use crate::template::Template;
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
pub(crate) const FLOOD_RSA_BITS: u32 = 4096;

/// Of the API.
pub(crate) const VERSION: &str = "api-version=7.6";

/// A state directory with its addresses, which stand in the vaults made there.
pub(crate) struct Place {
    pub(crate) binary: PathBuf,
    pub(crate) data: PathBuf,
    pub(crate) address: SocketAddr,
    hsm_address: SocketAddr,
    /// Whether the vault that is asked is the one before a SoftHSM2 token.
    pub(crate) softhsm: bool,
}

impl Place {
    pub(crate) fn new(binary: &Path, data: PathBuf) -> Result<Self, Failure> {
        let [address, hsm_address] = free_addresses()?;
        Ok(Self { binary: binary.to_owned(), data, address, hsm_address, softhsm: false })
    }

    /// Starts the server without waiting for it.
    pub(crate) fn start(&self) -> Result<Child, Failure> {
        let mut command = Command::new(&self.binary);
        command.arg("dev").arg("--data").arg(&self.data);
        command.args(["--listen", &self.address.to_string(), "--listen-hsm", &self.hsm_address.to_string()]);
        if self.softhsm {
            command.arg("--softhsm");
        }
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
    pub(crate) async fn ready(&self, process: &mut Child) -> Result<BTreeMap<String, String>, Failure> {
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

/// Starts it with empty state, gets a token, makes a key for each operation.
pub(crate) async fn start(place: &Place, ops: &[Op]) -> Result<Target, Failure> {
    let mut process = place.start()?;
    let environment = place.ready(&mut process).await?;
    let door = door(place, &environment).await?;
    let mut templates = Vec::new();
    for &op in ops {
        templates.push((op, template(&door, op).await?));
    }
    Ok(Target::new("keystead", process, door, templates))
}

/// A door with a token.
async fn door(place: &Place, environment: &BTreeMap<String, String>) -> Result<Door, Failure> {
    let value = |name: &str| environment.get(name).ok_or_else(|| format!("dev.env has no {name}"));
    let mut door = Door::new(place.address, Path::new(value("KEYSTEAD_CA_FILE")?))?;
    let tenant = value("AZURE_TENANT_ID")?;
    let url = if place.softhsm { "KEYSTEAD_HSM_URL" } else { "KEYSTEAD_VAULT_URL" };
    let scope = format!("{}/.default", value(url)?);
    let form = [
        ("client_id", value("AZURE_CLIENT_ID")?.as_str()),
        ("client_secret", value("AZURE_CLIENT_SECRET")?),
        ("grant_type", "client_credentials"),
        ("scope", &scope),
    ];
    let token = door.form(&format!("/{tenant}/oauth2/v2.0/token"), &form).await?;
    if place.softhsm {
        door = Door::new(place.hsm_address, Path::new(value("KEYSTEAD_CA_FILE")?))?;
    }
    door.authorize("authorization", &format!("Bearer {}", text(&token, "/access_token")?))?;
    Ok(door)
}

/// A key for the operation, and how to ask for it.
async fn template(door: &Door, op: Op) -> Result<Template, Failure> {
    if op == Op::Create {
        return Ok(post("/keys/load-{n}/create", &ec("P-256")));
    }
    let (kind, algorithm) = key(op);
    let key = create(door, &format!("load-{}", op.name()), kind).await?;
    let (digest, with) = (text_of(op.digest()), |value: &str| json!({ "alg": algorithm, "value": value }));
    Ok(match op {
        Op::Get => Template::new(Method::GET, format!("{key}?{VERSION}"), ""),
        Op::Encrypt => post(&format!("{key}/encrypt"), &with(&text_of(&PLAINTEXT))),
        Op::EncryptCbc => {
            let body = json!({ "alg": algorithm, "value": text_of(&PLAINTEXT), "iv": text_of(&IV) });
            post(&format!("{key}/encrypt"), &body)
        }
        Op::WrapAes => post(&format!("{key}/wrapkey"), &with(&digest)),
        Op::Unwrap => {
            let wrapped = value(door, &format!("{key}/wrapkey"), &with(&digest)).await?;
            post(&format!("{key}/unwrapkey"), &with(&wrapped))
        }
        Op::Decrypt | Op::DecryptOld => {
            let encrypted = value(door, &format!("{key}/encrypt"), &with(&digest)).await?;
            post(&format!("{key}/decrypt"), &with(&encrypted))
        }
        Op::VerifyP256 | Op::VerifyRsa => {
            let signature = value(door, &format!("{key}/sign"), &with(&digest)).await?;
            let body = json!({ "alg": algorithm, "digest": digest, "value": signature });
            post(&format!("{key}/verify"), &body)
        }
        _ => post(&format!("{key}/sign"), &with(&digest)),
    })
}

/// What key an operation needs, and the algorithm.
fn key(op: Op) -> (Value, &'static str) {
    let rsa = |bits: u32| json!({ "kty": "RSA", "key_size": bits });
    let oct = |ops: &[&str]| json!({ "kty": "oct", "key_size": 256, "key_ops": ops });
    match op {
        Op::Get | Op::Create | Op::SignP256 | Op::VerifyP256 => (ec("P-256"), "ES256"),
        Op::SignP384 => (ec("P-384"), "ES384"),
        Op::SignP521 => (ec("P-521"), "ES512"),
        Op::SignP256K => (ec("P-256K"), "ES256K"),
        Op::SignRsa | Op::VerifyRsa => (rsa(2048), "RS256"),
        Op::SignRsa3072 => (rsa(3072), "RS256"),
        Op::SignRsa4096 => (rsa(4096), "RS256"),
        Op::SignPss => (rsa(2048), "PS256"),
        Op::Unwrap | Op::Decrypt => (rsa(2048), "RSA-OAEP-256"),
        Op::DecryptOld => (rsa(2048), "RSA1_5"),
        Op::Encrypt => (oct(&["encrypt", "decrypt"]), "A256GCM"),
        Op::EncryptCbc => (oct(&["encrypt", "decrypt"]), "A256CBCPAD"),
        Op::WrapAes => (oct(&["wrapKey", "unwrapKey"]), "A256KW"),
        Op::SignHmac => (oct(&["sign", "verify"]), "HS256"),
    }
}

fn ec(curve: &str) -> Value {
    json!({ "kty": "EC", "crv": curve })
}

fn text_of(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn post(path: &str, body: &Value) -> Template {
    Template::new(Method::POST, format!("{path}?{VERSION}"), body.to_string())
}

/// The value of one answer.
async fn value(door: &Door, path: &str, body: &Value) -> Result<String, Failure> {
    let answer = door.json(Method::POST, &format!("{path}?{VERSION}"), body).await?;
    Ok(text(&answer, "/value")?.to_owned())
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
    let body = json!({ "alg": "RS256", "value": text_of(Op::SignRsa4096.digest()) });
    Ok((door, post(&format!("{rsa}/sign"), &body)))
}

/// Makes a key and gives the path of its version. Large primes may not be found before a busy machine's deadline.
async fn create(door: &Door, name: &str, body: Value) -> Result<String, Failure> {
    let path = format!("/keys/{name}/create?{VERSION}");
    let mut made = door.json(Method::POST, &path, &body).await;
    for _ in 0..4 {
        if made.is_ok() {
            break;
        }
        made = door.json(Method::POST, &path, &body).await;
    }
    let made = made?;
    let kid = text(&made, "/key/kid")?;
    let at = kid.find("/keys/").ok_or("a kid without /keys/")?;
    Ok(kid.get(at..).unwrap_or_default().to_owned())
}

/// The text at a JSON pointer.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> Result<&'a str, Failure> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.ok_or_else(|| format!("an answer without {pointer}: {value}").into())
}
