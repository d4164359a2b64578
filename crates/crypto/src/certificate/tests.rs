use super::*;

const RSA: &[u8] = include_bytes!("../../tests/golden/owners/certificate.der");
const EC: &[u8] = include_bytes!("../../tests/golden/owners/ec-certificate.der");

#[test]
fn the_key_is_read_of_a_whole_certificate_only() {
    let (n, e) = rsa_key(RSA).unwrap();
    assert_eq!((n.len(), e.as_slice()), (256, &[1, 0, 1][..]));
    assert_eq!(rsa_key(&[RSA, &[0]].concat()), None);
    for length in 0..RSA.len() {
        assert_eq!(rsa_key(&RSA[..length]), None, "{length}");
    }
}

#[test]
fn a_certificate_of_another_kind_of_key_has_none() {
    assert_eq!(rsa_key(EC), None);
    assert_eq!(rsa_key(&vec![0x30; MAX_CERTIFICATE + 1]), None);
}
