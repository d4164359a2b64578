//! Keys at work while their worker is killed: no wrong answer, no wait past the deadline, no lost key.

use crate::soft::*;
use crate::software::{OWNER, RESIDENT};
use keystead_hsm::client::{Ciphertext, Made};
use keystead_hsm::{Client, Held, HsmError, KeyId, Stored, TokenState};
use keystead_model::{CipherAlgorithm, KeySpec, PublicExponent, SignAlgorithm};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// Of calls under load; past the second a call has hung.
const DEADLINE: u64 = 3_000;
const LATE: Duration = Duration::from_millis(DEADLINE + 500);

const DIGEST: [u8; 32] = [0x5c; 32];

fn held(id: KeyId, spec: KeySpec) -> Held {
    Held { id, spec, stored: Stored::Resident }
}

async fn generate(client: &Client, id: u8, spec: KeySpec, by: u64) -> Result<Made, HsmError> {
    let exponent = PublicExponent::default();
    client.generate(KeyId([id; 16]), spec, exponent, RESIDENT, within(by)).await
}

async fn rs256(client: &Client, by: u64) -> Result<Vec<u8>, HsmError> {
    client.sign(held(KeyId([1; 16]), KeySpec::Rsa2048), SignAlgorithm::Rs256, DIGEST.to_vec(), within(by)).await
}

/// What a call under load may come to: an answer, or one of these, after which a caller waits a little.
async fn answered<T>(call: impl Future<Output = Result<T, HsmError>>) -> Option<T> {
    let began = Instant::now();
    let result = call.await;
    assert!(began.elapsed() < LATE, "{:?}", began.elapsed());
    match result {
        Ok(value) => Some(value),
        Err(HsmError::Down { .. } | HsmError::Deadline | HsmError::Busy) => {
            sleep(Duration::from_millis(20)).await;
            None
        }
        Err(e) => panic!("{e}"),
    }
}

/// Callers who go on until they are told that it is over.
#[derive(Clone)]
struct Load {
    client: Client,
    over: Arc<AtomicBool>,
    /// The id of the next key that is made.
    next: Arc<AtomicU8>,
    /// RS256 gives the same signature every time.
    right: Arc<Vec<u8>>,
}

impl Load {
    fn goes_on(&self) -> bool {
        !self.over.load(Ordering::Relaxed)
    }

    async fn signs(self) -> u32 {
        let mut signed = 0;
        while self.goes_on() {
            if let Some(signature) = answered(rs256(&self.client, DEADLINE)).await {
                assert!(signature == *self.right, "a wrong signature");
                signed += 1;
            }
        }
        signed
    }

    /// What was encrypted decrypts to itself.
    async fn encrypts(self, text: [u8; 40]) -> u32 {
        let (key, algorithm) = (held(KeyId([2; 16]), KeySpec::Oct256), CipherAlgorithm::A256Gcm);
        let mut done = 0;
        while self.goes_on() {
            let (data, none) = (text.to_vec().into(), Vec::new);
            let encrypting = self.client.encrypt(key.clone(), algorithm, data, none(), none(), within(DEADLINE));
            let Some(it) = answered(encrypting).await else { continue };
            let (iv, tag) = (it.iv.unwrap(), it.tag.unwrap());
            let ciphertext = Ciphertext { key: key.clone(), algorithm, data: it.value, iv, tag, aad: none() };
            if let Some(plain) = answered(self.client.decrypt(ciphertext, within(DEADLINE))).await {
                assert!(plain[..] == text, "a wrong plaintext");
                done += 1;
            }
        }
        done
    }

    /// Makes keys, and says which are there for sure and which nobody knows about.
    async fn makes(self) -> (Vec<u8>, Vec<u8>) {
        let (mut made, mut unknown) = (Vec::new(), Vec::new());
        while self.goes_on() && self.next.load(Ordering::Relaxed) < 250 {
            let id = self.next.fetch_add(1, Ordering::Relaxed);
            match answered(generate(&self.client, id, KeySpec::EcP256, DEADLINE)).await {
                Some(_) => made.push(id),
                None => unknown.push(id),
            }
            sleep(Duration::from_millis(40)).await;
        }
        (made, unknown)
    }
}

/// Kills the worker again and again, each time once it has worked for a while.
async fn kills(client: &Client, times: usize) {
    for _ in 0..times {
        eventually("the token is open", || client.state() == TokenState::Ready).await;
        sleep(Duration::from_millis(600)).await;
        let worker = process(client);
        kill(worker);
        eventually("the worker is gone", || client.worker() != Some(worker)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_under_load_cost_no_wrong_answer_no_hang_and_no_key() {
    let soft = Soft::new();
    let client = ready(soft.config()).await;
    generate(&client, 1, KeySpec::Rsa2048, SOON).await.unwrap();
    generate(&client, 2, KeySpec::Oct256, SOON).await.unwrap();
    let right = Arc::new(rs256(&client, SOON).await.unwrap());
    let (next, over) = (Arc::new(AtomicU8::new(10)), Arc::new(AtomicBool::new(false)));
    let load = Load { client: client.clone(), over: Arc::clone(&over), next, right };
    let signing: Vec<_> = (0..6).map(|_| tokio::spawn(load.clone().signs())).collect();
    let ciphers: Vec<_> = (0..4).map(|n| tokio::spawn(load.clone().encrypts([n; 40]))).collect();
    let making: Vec<_> = (0..2).map(|_| tokio::spawn(load.clone().makes())).collect();
    kills(&client, 6).await;
    over.store(true, Ordering::Relaxed);
    let (mut signed, mut deciphered, mut made, mut unknown) = (0, 0, Vec::new(), Vec::new());
    for task in signing {
        signed += task.await.unwrap();
    }
    for task in ciphers {
        deciphered += task.await.unwrap();
    }
    for task in making {
        let (sure, perhaps) = task.await.unwrap();
        made.extend(sure);
        unknown.extend(perhaps);
    }
    recovered(&client).await;
    println!(
        "6 kills: {signed} signatures, {deciphered} decryptions, {} keys made, {} not known; {:?}",
        made.len(),
        unknown.len(),
        client.figures()
    );
    assert!(signed > 50 && deciphered > 50 && made.len() > 10);
    for id in &made {
        let key = held(KeyId([*id; 16]), KeySpec::EcP256);
        let signature = client.sign(key, SignAlgorithm::Es256, DIGEST.to_vec(), within(SOON)).await;
        assert_eq!(signature.map(|signature| signature.len()), Ok(64), "key {id} is lost");
    }
    let there: BTreeSet<_> = client.residents(OWNER, within(SOON)).await.unwrap().into_iter().collect();
    let of = |ids: &[u8]| ids.iter().map(|id| KeyId([*id; 16])).collect::<BTreeSet<_>>();
    assert!(of(&made).is_subset(&there), "a key is lost");
    assert!(there.is_subset(&of(&[&made[..], &unknown, &[1, 2]].concat())), "a key that nobody asked for");
}

#[tokio::test]
async fn a_key_that_was_being_made_is_not_made_twice() {
    let soft = Soft::new();
    let client = ready(soft.faulty()).await;
    soft.rules("C_GenerateKeyPair 1 once then abort");
    let Err(HsmError::Down { why }) = generate(&client, 7, KeySpec::EcP256, SOON).await else { panic!("made") };
    assert!(why.contains("whether it did generate before is not known"), "{why}");
    assert_eq!(client.figures().retried, 0);
    // The sweep of orphans finds it, if the token kept it.
    let ids = client.residents(OWNER, within(SOON)).await.unwrap();
    assert!(ids.len() <= 1 && ids.iter().all(|id| *id == KeyId([7; 16])));
    client.destroy(OWNER, KeyId([7; 16]), within(SOON)).await.unwrap();
    assert_eq!(client.residents(OWNER, within(SOON)).await.unwrap(), []);
}

#[tokio::test]
async fn a_signature_that_a_crash_took_along_is_made_once_more() {
    let soft = Soft::new();
    let client = ready(soft.faulty()).await;
    generate(&client, 1, KeySpec::Rsa2048, SOON).await.unwrap();
    let right = rs256(&client, SOON).await.unwrap();
    for when in ["", "then "] {
        soft.rules(&format!("C_Sign 1 once {when}abort"));
        let again = rs256(&client, SOON).await;
        assert!(again.as_ref() == Ok(&right), "{again:?}");
    }
    assert_eq!(client.figures().retried, 2);
}

/// Codes that vendors give under load or when something breaks, each from the function of its turn.
const STORM: [&str; 12] = [
    "CKR_DEVICE_ERROR",
    "CKR_DEVICE_MEMORY",
    "CKR_DEVICE_REMOVED",
    "CKR_FUNCTION_FAILED",
    "CKR_GENERAL_ERROR",
    "CKR_HOST_MEMORY",
    "CKR_OPERATION_ACTIVE",
    "CKR_SESSION_CLOSED",
    "CKR_SESSION_HANDLE_INVALID",
    "CKR_TOKEN_NOT_PRESENT",
    "CKR_USER_NOT_LOGGED_IN",
    "0x80000123",
];

const FUNCTIONS: [&str; 3] = ["C_SignInit", "C_Sign", "C_FindObjectsInit"];

#[tokio::test]
async fn a_storm_of_codes_gives_no_wrong_signature_and_loses_no_key() {
    let soft = Soft::new();
    let client = ready(soft.faulty()).await;
    generate(&client, 1, KeySpec::Rsa2048, SOON).await.unwrap();
    let right = rs256(&client, SOON).await.unwrap();
    client.stop().await;
    for (code, function) in STORM.iter().zip(FUNCTIONS.iter().cycle()) {
        soft.rules("");
        let client = ready(soft.faulty()).await;
        soft.rules(&format!("{function} /2 rv {code}"));
        for _ in 0..4 {
            let began = Instant::now();
            let signature = rs256(&client, DEADLINE).await;
            assert!(began.elapsed() < LATE, "{function} {code}: {:?}", began.elapsed());
            match signature {
                Ok(signature) => assert!(signature == right, "{function} {code}: a wrong signature"),
                Err(HsmError::PinRefused | HsmError::Damaged | HsmError::NoSuchKey) => panic!("{function} {code}"),
                Err(_) => {}
            }
        }
        soft.rules("");
        recovered(&client).await;
        assert!(rs256(&client, SOON).await == Ok(right.clone()), "{function} {code}");
        client.stop().await;
    }
}
