"""The vault `dev-hsm` before real tokens, through Microsoft's client: keys of an HSM, each token in turn."""

import json
import uuid

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.keyvault.administration import KeyVaultAccessControlClient, KeyVaultRoleScope, KeyVaultSettingsClient
from azure.keyvault.keys import KeyRotationPolicy
from azure.keyvault.keys.crypto import EncryptionAlgorithm, KeyWrapAlgorithm, SignatureAlgorithm

from test_algorithms import check_signature
from verify_with import OAEP_1, b64, public_key, unb64


@pytest.mark.parametrize("curve, algorithm", [("P-256", "ES256"), ("P-384", "ES384"), ("P-521", "ES512"), ("P-256K", "ES256K")])
def test_an_elliptic_curve_key_of_the_hsm_signs(hsm, name, curve, algorithm):
    if algorithm in hsm.lacks:
        with pytest.raises(HttpResponseError) as refused:
            hsm.keys.create_ec_key(name, curve=curve, hardware_protected=True)
        assert refused.value.status_code == 400 and refused.value.error.code == "NotSupported"
        return
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
    if "RSA-OAEP-256" in hsm.lacks:
        with pytest.raises(HttpResponseError) as refused:
            crypto.decrypt(EncryptionAlgorithm.rsa_oaep_256, with_256)
        assert refused.value.status_code == 400 and "RSA-OAEP-256" in refused.value.message
    else:
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
    if (size < 256) and "short HMAC keys" in hsm.lacks:
        with pytest.raises(HttpResponseError) as refused:
            hsm.post(f"/keys/{name}//sign", {"alg": "HS256", "value": b64(bytes(32))})
        assert refused.value.status_code == 400 and "HS256" in refused.value.message
        return
    signed = hsm.post(f"/keys/{name}//sign", {"alg": "HS256", "value": b64(bytes(32))})
    assert hsm.post(f"/keys/{name}//verify", {"alg": "HS256", "digest": b64(bytes(32)), "value": signed["value"]})["value"]


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
    hsm.keys.create_ec_key(name, hardware_protected=True)
    attestation = hsm.keys.get_key_attestation(name).properties.attestation
    statement = json.loads(attestation.private_key_attestation)
    assert statement["protection"] == "hsm" and statement["placement"] == "wrapped"
    assert "no device signed it" in statement["statement"]


def test_roles_and_settings_of_a_managed_hsm(hsm):
    options = {"verify_challenge_resource": False}
    with KeyVaultAccessControlClient(hsm.url, hsm.credential, **options) as access:
        names = {d.role_name for d in access.list_role_definitions(KeyVaultRoleScope.GLOBAL)}
        assert {"Managed HSM Crypto User", "Managed HSM Crypto Officer", "Managed HSM Administrator"} <= names
        user = next(d for d in access.list_role_definitions("/") if d.role_name == "Managed HSM Crypto User")
        made = access.create_role_assignment("/keys", user.id, str(uuid.uuid4()))
        assert access.get_role_assignment("/keys", made.name).properties.role_definition_id == user.id
        access.delete_role_assignment("/keys", made.name)
    with KeyVaultSettingsClient(hsm.url, hsm.credential, **options) as settings:
        assert [s.name for s in settings.list_settings()]
