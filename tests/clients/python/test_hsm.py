"""The vault `dev-hsm` before real tokens, through Microsoft's client: keys of an HSM, each token in turn."""

import json

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.keyvault.keys import KeyRotationPolicy
from azure.keyvault.keys.crypto import EncryptionAlgorithm, KeyWrapAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from test_algorithms import check_signature
from verify_with import OAEP_1, b64, public_key, unb64


@pytest.mark.parametrize("curve, algorithm", [("P-256", "ES256"), ("P-384", "ES384"), ("P-521", "ES512"), ("P-256K", "ES256K")])
def test_an_elliptic_curve_key_of_the_hsm_signs(hsm, name, curve, algorithm):
    with hsm.unless_lacking(algorithm, named=curve):
        key = hsm.keys.create_ec_key(name, curve=curve, hardware_protected=True)
        assert key.key_type == "EC-HSM" and key.key.crv == curve
        check_signature(hsm, key, algorithm)


@pytest.mark.parametrize("size", [2048, 4096])
def test_an_rsa_key_of_the_hsm_signs_and_decrypts(hsm, name, size):
    key = hsm.keys.create_rsa_key(name, size=size, hardware_protected=True)
    assert key.key_type == "RSA-HSM"
    for algorithm in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"):
        check_signature(hsm, key, algorithm)
    crypto = hsm.crypto(key)
    cipher = public_key(key.key).encrypt(b"plain", OAEP_1)
    assert crypto.decrypt(EncryptionAlgorithm.rsa_oaep, cipher).plaintext == b"plain"
    assert crypto.unwrap_key(KeyWrapAlgorithm.rsa_oaep, cipher).key == b"plain"
    with_256 = crypto.encrypt(EncryptionAlgorithm.rsa_oaep_256, b"plain").ciphertext
    with hsm.unless_lacking("RSA-OAEP-256"):
        assert crypto.decrypt(EncryptionAlgorithm.rsa_oaep_256, with_256).plaintext == b"plain"


@pytest.mark.parametrize("size", [128, 192, 256])
def test_a_symmetric_key_of_the_hsm_encrypts_wraps_and_authenticates(hsm, name, size):
    ops = ["encrypt", "decrypt", "wrapKey", "unwrapKey", "sign", "verify"]
    key = hsm.keys.create_oct_key(name, size=size, key_operations=ops, hardware_protected=True)
    assert key.key_type == "oct-HSM"
    crypto = hsm.crypto(key)
    sealed = crypto.encrypt(EncryptionAlgorithm(f"A{size}GCM"), b"plain", additional_authenticated_data=b"aad")
    opened = crypto.decrypt(
        EncryptionAlgorithm(f"A{size}GCM"), sealed.ciphertext, iv=sealed.iv, authentication_tag=sealed.tag,
        additional_authenticated_data=b"aad",
    )  # fmt: skip
    assert opened.plaintext == b"plain"
    sealed = hsm.post(f"/keys/{name}//encrypt", {"alg": f"A{size}CBCPAD", "value": b64(b"plain"), "iv": b64(bytes(16))})
    opened = hsm.post(f"/keys/{name}//decrypt", {"alg": f"A{size}CBCPAD", "value": sealed["value"], "iv": b64(bytes(16))})
    assert unb64(opened["value"]) == b"plain"
    wrapped = hsm.post(f"/keys/{name}//wrapkey", {"alg": f"A{size}KW", "value": b64(bytes(32))})
    assert unb64(hsm.post(f"/keys/{name}//unwrapkey", {"alg": f"A{size}KW", "value": wrapped["value"]})["value"]) == bytes(32)
    with hsm.unless_lacking("short HMAC keys" if size < 256 else None, named="HS256"):
        signed = hsm.post(f"/keys/{name}//sign", {"alg": "HS256", "value": b64(bytes(32))})
        body = {"alg": "HS256", "digest": b64(bytes(32)), "value": signed["value"]}
        assert hsm.post(f"/keys/{name}//verify", body)["value"]


def test_the_life_of_a_key_of_the_hsm(hsm, name):
    made = hsm.keys.create_rsa_key(name, hardware_protected=True, tags={"a": "b"})
    rotated = hsm.keys.rotate_key(name)
    assert rotated.key_type == "RSA-HSM" and rotated.key.n != made.key.n
    assert len(list(hsm.keys.list_properties_of_key_versions(name))) == 2
    hsm.keys.update_key_rotation_policy(name, KeyRotationPolicy(expires_in="P2Y"))
    backup = hsm.keys.backup_key(name)
    hsm.keys.begin_delete_key(name).wait()
    hsm.keys.begin_recover_deleted_key(name).wait()
    hsm.keys.begin_delete_key(name).wait()
    hsm.keys.purge_deleted_key(name)
    with pytest.raises(ResourceNotFoundError):
        hsm.keys.get_key(name)
    assert hsm.keys.restore_key_backup(backup).id == rotated.id
    check_signature(hsm, hsm.keys.get_key(name, made.properties.version), "PS256")
    assert len(hsm.keys.get_random_bytes(64)) == 64


def test_what_is_stated_of_a_key_is_stated_as_the_servers_word(hsm, name):
    key = hsm.keys.create_ec_key(name, hardware_protected=True)
    assert key.properties.attestation is None and hsm.keys.get_key(name).properties.attestation is None
    attestation = hsm.keys.get_key_attestation(name).properties.attestation
    statement = json.loads(attestation.private_key_attestation)
    assert statement["protection"] == "hsm" and statement["placement"] == "wrapped"
    assert "no device signed it" in statement["statement"]
    assert attestation.public_key_attestation and attestation.certificate_pem_file is not None and attestation.version
    hsm.keys.update_key_properties(name, tags={"a": "b"})
    for version in ("", key.properties.version):
        again = hsm.keys.get_key_attestation(name, version).properties.attestation
        assert again.private_key_attestation == attestation.private_key_attestation


@pytest.mark.parametrize("kty, asked", [("RSA", "RSA-HSM"), ("EC", "EC-HSM"), ("oct", "oct-HSM")])
def test_a_managed_hsm_has_no_software_keys_whatever_is_asked_for(hsm, name, kty, asked):
    for word in (kty, asked):
        assert hsm.keys.create_key(name, word).key_type == asked


def test_a_software_vault_without_a_token_refuses_keys_of_an_hsm_by_name(software, name):
    for kty in ("RSA-HSM", "EC-HSM", "oct-HSM"):
        with pytest.raises(HttpResponseError) as refused:
            software.keys.create_key(name, kty)
        assert (refused.value.status_code, refused.value.error.code) == (400, "BadParameter")
        assert "has no HSM" in refused.value.message


def test_the_sdks_own_key_objects_sign_and_decrypt(hsm, name):
    crypto = hsm.crypto(hsm.keys.create_rsa_key(name, hardware_protected=True).id)
    private, public = crypto.create_rsa_private_key(), crypto.create_rsa_public_key()
    signature = private.sign(b"message", PKCS1v15(), SHA256())
    public.verify(signature, b"message", PKCS1v15(), SHA256())
    public.public_numbers().public_key().verify(signature, b"message", PKCS1v15(), SHA256())
    assert private.decrypt(public.encrypt(b"plain", OAEP_1), OAEP_1) == b"plain"
