//! What PKCS#1 v1.5 decryption gives for good and for wrong paddings is what OpenSSL gives.

use keystead_crypto::rsa::{PrivateKey, Scheme};

#[test]
fn every_ciphertext_decrypts_as_openssl_decrypts_it() {
    let (mut key, mut count) = (None, 0);
    for line in include_str!("../golden/pkcs1-implicit.txt").lines().filter(|line| !line.starts_with('#')) {
        let (first, second) = line.split_once(' ').unwrap();
        if first == "key" {
            key = Some(PrivateKey::from_pkcs8(&hex::decode(second).unwrap()).unwrap());
            continue;
        }
        let expected = if second == "-" { Vec::new() } else { hex::decode(second).unwrap() };
        let plain = key.as_ref().unwrap().decrypt(Scheme::Pkcs1, &hex::decode(first).unwrap());
        let plain = plain.unwrap_or_else(|e| panic!("{e}: {first}"));
        assert_eq!(hex::encode(&*plain), hex::encode(expected), "{first}");
        count += 1;
    }
    assert!(count > 60, "{count}");
}
