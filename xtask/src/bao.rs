//! The peer: an OpenBao server with raft storage, TLS, a file audit device and the transit engine, asked with a service
//! token that has one small policy and not the default one (which alone would cost several hundred microseconds).

use crate::Failure;
use crate::client::Door;
use crate::keystead::text;
use crate::op::{Op, PLAINTEXT};
use crate::process::{Child, free_addresses};
use crate::target::{Identity, Target};
use crate::template::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::Method;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const POLICY: &str = r#"path "transit/*" { capabilities = ["create", "read", "update"] }"#;

/// Starts it in an empty directory, makes it usable, makes a key for each operation.
pub(crate) async fn start(binary: &Path, directory: &Path, identity: &Identity, ops: &[Op]) -> Result<Target, Failure> {
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
    let mut templates = Vec::new();
    for &op in ops {
        templates.extend(template(&door, op).await?.map(|template| (op, template)));
    }
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

/// A key for the operation and how to ask for it; none for what its transit engine does not do.
async fn template(door: &Door, op: Op) -> Result<Option<Template>, Failure> {
    let Some((kind, hash)) = key(op) else { return Ok(None) };
    let at = |action: &str| format!("/v1/transit/{action}/{}", op.name());
    let post = |action: &str, body: &Value| Template::new(Method::POST, at(action), body.to_string());
    if op == Op::Create {
        return Ok(Some(Template::new(Method::POST, "/v1/transit/keys/load-{n}", json!({ "type": kind }).to_string())));
    }
    door.json(Method::POST, &at("keys"), &json!({ "type": kind })).await?;
    let digest = STANDARD.encode(op.digest());
    let signature = match op {
        Op::SignPss => {
            json!({ "input": digest, "prehashed": true, "hash_algorithm": hash, "signature_algorithm": "pss" })
        }
        _ if op.is_rsa_private() || op == Op::VerifyRsa => {
            json!({ "input": digest, "prehashed": true, "hash_algorithm": hash, "signature_algorithm": "pkcs1v15" })
        }
        _ => json!({ "input": digest, "prehashed": true, "hash_algorithm": hash, "marshaling_algorithm": "jws" }),
    };
    Ok(Some(match op {
        Op::Get => Template::new(Method::GET, at("keys"), ""),
        Op::Encrypt => post("encrypt", &json!({ "plaintext": STANDARD.encode(PLAINTEXT) })),
        Op::Unwrap | Op::Decrypt => {
            let wrapped = door.json(Method::POST, &at("encrypt"), &json!({ "plaintext": digest })).await?;
            post("decrypt", &json!({ "ciphertext": text(&wrapped, "/data/ciphertext")? }))
        }
        Op::SignHmac => post("hmac", &json!({ "input": digest, "algorithm": hash })),
        Op::VerifyP256 | Op::VerifyRsa => {
            let signed = door.json(Method::POST, &at("sign"), &signature).await?;
            let mut body = signature;
            if let Some(members) = body.as_object_mut() {
                members.insert("signature".to_owned(), json!(text(&signed, "/data/signature")?));
            }
            post("verify", &body)
        }
        _ => post("sign", &signature),
    }))
}

/// What key it needs there, and the hash.
const fn key(op: Op) -> Option<(&'static str, &'static str)> {
    Some(match op {
        Op::Encrypt => ("aes256-gcm96", "sha2-256"),
        Op::SignP256 | Op::VerifyP256 | Op::Get | Op::Create => ("ecdsa-p256", "sha2-256"),
        Op::SignP384 => ("ecdsa-p384", "sha2-384"),
        Op::SignP521 => ("ecdsa-p521", "sha2-512"),
        Op::SignRsa | Op::SignPss | Op::VerifyRsa | Op::Unwrap | Op::Decrypt => ("rsa-2048", "sha2-256"),
        Op::SignRsa3072 => ("rsa-3072", "sha2-256"),
        Op::SignRsa4096 => ("rsa-4096", "sha2-256"),
        Op::SignHmac => ("aes256-gcm96", "sha2-256"),
        Op::SignP256K | Op::DecryptOld | Op::EncryptCbc | Op::WrapAes => return None,
    })
}
