//! The peer: an OpenBao server with raft storage, TLS, a file audit device and the transit engine, asked with a service
//! token that has one small policy and not the default one (which alone would cost several hundred microseconds).

use crate::Failure;
use crate::client::Door;
use crate::keystead::text;
use crate::op::{DIGEST, Op, PLAINTEXT};
use crate::process::{Child, free_addresses};
use crate::target::{Identity, Target, Template};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::Method;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const POLICY: &str = r#"path "transit/*" { capabilities = ["create", "read", "update"] }"#;

/// Starts it in an empty directory, makes it usable, makes a key of each kind.
pub(crate) async fn start(binary: &Path, directory: &Path, identity: &Identity) -> Result<Target, Failure> {
    std::fs::create_dir_all(directory.join("data"))?;
    let [address, cluster] = free_addresses()?;
    let configuration = directory.join("bao.hcl");
    std::fs::write(&configuration, configure(directory, identity, address, cluster))?;
    let mut command = Command::new(binary);
    command.arg("server").arg(format!("-config={}", configuration.display()));
    let mut process = Child::start(&mut command, &directory.join("bao.log"))?;
    let mut door = Door::new(address, &identity.chain)?;
    listening(&mut process, &door).await?;
    prepare(&mut door).await?;
    let templates = templates(&door).await?;
    Ok(Target::new("openbao", process, door, templates))
}

fn configure(directory: &Path, identity: &Identity, address: SocketAddr, cluster: SocketAddr) -> String {
    let (at, chain, key) = (directory.display(), identity.chain.display(), identity.key.display());
    format!(
        r#"ui = false
api_addr = "https://{address}"
cluster_addr = "https://{cluster}"
storage "raft" {{
  path = "{at}/data"
  node_id = "one"
}}
listener "tcp" {{
  address = "{address}"
  cluster_address = "{cluster}"
  tls_cert_file = "{chain}"
  tls_key_file = "{key}"
}}
audit "file" "to-file" {{
  options {{
    file_path = "{at}/audit.log"
  }}
}}
"#
    )
}

async fn listening(process: &mut Child, door: &Door) -> Result<(), Failure> {
    let began = Instant::now();
    while door.connect().await.is_err() {
        process.check()?;
        if began.elapsed() > Duration::from_secs(30) {
            return Err("OpenBao did not listen within 30 s".into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// From an empty server to one whose transit engine answers our token.
async fn prepare(door: &mut Door) -> Result<(), Failure> {
    let shares = json!({ "secret_shares": 1, "secret_threshold": 1 });
    let made = door.json(Method::PUT, "/v1/sys/init", &shares).await?;
    let unseal = json!({ "key": text(&made, "/keys/0")? });
    door.json(Method::PUT, "/v1/sys/unseal", &unseal).await?;
    door.authorize("x-vault-token", text(&made, "/root_token")?)?;
    active(door).await?;
    door.json(Method::POST, "/v1/sys/mounts/transit", &json!({ "type": "transit" })).await?;
    door.json(Method::POST, "/v1/sys/policies/acl/load", &json!({ "policy": POLICY })).await?;
    let asked = json!({ "policies": ["load"], "no_default_policy": true, "type": "service", "ttl": "24h" });
    let token = door.json(Method::POST, "/v1/auth/token/create", &asked).await?;
    let devices = door.json(Method::GET, "/v1/sys/audit", &Value::Null).await?;
    if devices.pointer("/data/to-file~1").is_none() {
        return Err(format!("OpenBao has no audit device: {devices}").into());
    }
    door.authorize("x-vault-token", text(&token, "/auth/client_token")?)
}

/// Waits for the one node to lead.
async fn active(door: &Door) -> Result<(), Failure> {
    let began = Instant::now();
    while let Err(not_yet) = door.json(Method::GET, "/v1/sys/health", &Value::Null).await {
        if began.elapsed() > Duration::from_secs(30) {
            return Err(format!("OpenBao did not become active within 30 s: {not_yet}").into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

async fn templates(door: &Door) -> Result<Vec<(Op, Template)>, Failure> {
    for kind in ["aes256-gcm96", "ecdsa-p256", "rsa-2048"] {
        door.json(Method::POST, &format!("/v1/transit/keys/{kind}"), &json!({ "type": kind })).await?;
    }
    let (plaintext, digest) = (STANDARD.encode(PLAINTEXT), STANDARD.encode(DIGEST));
    let wrapped = door.json(Method::POST, "/v1/transit/encrypt/rsa-2048", &json!({ "plaintext": digest })).await?;
    let wrapped = text(&wrapped, "/data/ciphertext")?;
    let post = |path: &str, body: Value| Template::new(Method::POST, format!("/v1/transit{path}"), body.to_string());
    let prehashed = json!({ "input": digest, "prehashed": true, "hash_algorithm": "sha2-256" });
    let with = |name: &str, value: &str| {
        let mut body = prehashed.clone();
        body.as_object_mut().map(|members| members.insert(name.to_owned(), json!(value)));
        body
    };
    Ok(vec![
        (Op::Encrypt, post("/encrypt/aes256-gcm96", json!({ "plaintext": plaintext }))),
        (Op::SignP256, post("/sign/ecdsa-p256", with("marshaling_algorithm", "jws"))),
        (Op::SignRsa, post("/sign/rsa-2048", with("signature_algorithm", "pkcs1v15"))),
        (Op::Unwrap, post("/decrypt/rsa-2048", json!({ "ciphertext": wrapped }))),
        (Op::Get, Template::new(Method::GET, "/v1/transit/keys/ecdsa-p256", "")),
        (Op::Create, post("/keys/load-{n}", json!({ "type": "ecdsa-p256" }))),
    ])
}
