//! Vectors of NIST (CAVP, SP 800-38A) and of RFCs, of what the service does; where each is from stands in its file.

use super::{CipherAlgorithm, Curve, Group, Key, RsaPrivate, SignAlgorithm, Vector, Work, by_key, sized};

/// AES: CBC without padding, GCM, key wrap with and without padding.
pub fn aes() -> Vec<Group> {
    let cbc = lines(include_str!("../data/aes-cbc.txt")).enumerate().map(|(id, line)| {
        let [key, iv, plain, value] = parts(&line);
        let work = decrypt(sized(key.len() * 8, "CBC"), value, (Some(iv), None), Vec::new(), Some(plain));
        (Key::Oct(key), Some(Vector { id, work, valid: true }))
    });
    let gcm = lines(include_str!("../data/aes-gcm.txt")).enumerate().map(|(id, mut line)| {
        let plain = line.pop().unwrap();
        let [key, iv, aad, value, tag] = parts(&line);
        let work = decrypt(sized(key.len() * 8, "GCM"), value, (Some(iv), Some(tag)), aad, plain_of(plain));
        (Key::Oct(key), Some(Vector { id, work, valid: plain != "FAIL" }))
    });
    let mut all = by_key("cavp aes-cbc", cbc);
    all.extend(by_key("cavp aes-gcm", gcm));
    let (kw, kwp) = (include_str!("../data/aes-kw.txt"), include_str!("../data/aes-kwp.txt"));
    all.extend(wrapped("cavp aes-kw", kw, |bits| sized(bits, "KW")));
    all.extend(wrapped("cavp aes-kw, any key", kw, |_| CipherAlgorithm::CkmAesKeyWrap));
    all.extend(wrapped("cavp aes-kwp", kwp, |_| CipherAlgorithm::CkmAesKeyWrapPad));
    all
}

fn wrapped(set: &str, text: &'static str, algorithm: impl Fn(usize) -> CipherAlgorithm) -> Vec<Group> {
    let vectors = lines(text).enumerate().map(|(id, mut line)| {
        let plain = line.pop().unwrap();
        let [key, value] = parts(&line);
        let work = decrypt(algorithm(key.len() * 8), value, (None, None), Vec::new(), plain_of(plain));
        (Key::Oct(key), Some(Vector { id, work, valid: plain != "FAIL" }))
    });
    by_key(set, vectors)
}

fn decrypt(
    algorithm: CipherAlgorithm,
    value: Vec<u8>,
    (iv, tag): (Option<Vec<u8>>, Option<Vec<u8>>),
    aad: Vec<u8>,
    plain: Option<Vec<u8>>,
) -> Work {
    Work::Decrypt { algorithm, value, iv, tag, aad, plain }
}

fn plain_of(text: &str) -> Option<Vec<u8>> {
    (text != "FAIL").then(|| bytes(text))
}

/// HMAC with keys and messages of any length (RFC 4231).
pub fn hmac() -> Vec<Group> {
    macs("rfc 4231", include_str!("../data/hmac.txt"))
}

/// HMAC as it is served: keys of 128, 192 and 256 bits, messages as long as the hash.
pub fn hmac_as_served() -> Vec<Group> {
    macs("hmac as served", include_str!("../data/hmac-served.txt"))
}

fn macs(set: &str, text: &'static str) -> Vec<Group> {
    let vectors = lines(text).enumerate().map(|(id, line)| {
        let [key, message, signature] = parts(&line[1..]);
        let algorithm = SignAlgorithm::from_wire(&format!("HS{}", line[0])).unwrap();
        (Key::Oct(key), Some(Vector { id, work: Work::Verify { algorithm, message, signature }, valid: true }))
    });
    by_key(set, vectors)
}

/// ECDSA on all four curves with whole keys, and on NIST's with public ones.
pub fn ecdsa() -> Vec<Group> {
    let signed = lines(include_str!("../data/ecdsa-sign.txt")).enumerate().map(|(id, line)| {
        let curve = curve(line[0]);
        let [x, y, d, message, signature] = parts(&line[1..]);
        let work = Work::Verify { algorithm: of(curve), message, signature };
        (Key::Ec { curve, x, y, d: Some(d) }, Some(Vector { id, work, valid: true }))
    });
    let found = lines(include_str!("../data/ecdsa-verify.txt")).enumerate().map(|(id, mut line)| {
        let (curve, valid) = (curve(line[0]), line.pop() == Some("P"));
        let [x, y, message, signature] = parts(&line[1..]);
        let work = Work::Verify { algorithm: of(curve), message, signature };
        (Key::Ec { curve, x, y, d: None }, Some(Vector { id, work, valid }))
    });
    let mut all = by_key("cavp ecdsa siggen", signed);
    all.extend(by_key("cavp ecdsa sigver", found));
    all
}

/// RSA signatures; keys have n, e and d only.
pub fn rsa_signatures() -> Vec<Group> {
    let mut all: Vec<Group> = Vec::new();
    for (id, line) in lines(include_str!("../data/rsa-sign.txt")).enumerate() {
        if line[0] == "key" {
            let [n, e, d] = parts(&line[1..]);
            let key = Key::Rsa { n, e, private: Some(RsaPrivate { d, primes: None }) };
            all.push(Group { set: "cavp rsa siggen".to_owned(), key, vectors: Vec::new() });
            continue;
        }
        let algorithm = SignAlgorithm::from_wire(line[0]).unwrap();
        let [message, signature] = parts(&line[1..3]);
        let work = Work::Verify { algorithm, message, signature };
        all.last_mut().unwrap().vectors.push(Vector { id, work, valid: line[3] == "P" });
    }
    all
}

const fn of(curve: Curve) -> SignAlgorithm {
    match curve {
        Curve::P256 => SignAlgorithm::Es256,
        Curve::P384 => SignAlgorithm::Es384,
        Curve::P521 => SignAlgorithm::Es512,
        Curve::P256K => SignAlgorithm::Es256K,
    }
}

/// A curve by its name in JWKs.
pub(crate) fn curve(name: &str) -> Curve {
    *Curve::ALL.iter().find(|curve| curve.wire() == name).unwrap()
}

/// Each line's words, comments left out.
pub(crate) fn lines(text: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    text.lines().filter(|line| !line.starts_with('#')).map(|line| line.split(' ').collect())
}

/// Words as bytes, as many as are asked for; `-` is none.
fn parts<const N: usize>(words: &[&str]) -> [Vec<u8>; N] {
    words.iter().map(|word| bytes(word)).collect::<Vec<_>>().try_into().unwrap_or_else(|_| panic!("{words:?}"))
}

fn bytes(word: &str) -> Vec<u8> {
    if word == "-" { Vec::new() } else { hex::decode(word).unwrap_or_else(|e| panic!("{word}: {e}")) }
}
