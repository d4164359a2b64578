"""What CryptographyClient makes with a key, another library accepts, and the reverse."""

import os

import pytest
from azure.core.exceptions import HttpResponseError
from azure.keyvault.keys.crypto import EncryptionAlgorithm, KeyWrapAlgorithm, SignatureAlgorithm

from verify_with import OAEP_256, b64, digest, public_key, unb64, verifies


@pytest.mark.parametrize("kty, algorithm", [("EC", "ES256"), ("RSA", "RS256"), ("RSA", "PS256")])
def test_a_signature_verifies_with_the_fetched_public_key(vault, name, kty, algorithm):
    vault.keys.create_key(name, kty)
    key = vault.keys.get_key(name)
    made = vault.crypto(key).sign(SignatureAlgorithm(algorithm), digest())
    assert made.key_id == key.id and made.algorithm == algorithm
    assert verifies(key.key, algorithm, digest(), made.signature)
    assert not verifies(key.key, algorithm, digest(b"something else"), made.signature)
    assert vault.crypto(key).verify(SignatureAlgorithm(algorithm), digest(), made.signature).is_valid


@pytest.mark.parametrize("kty, algorithm", [("EC", "ES256"), ("RSA", "RS256"), ("RSA", "PS256")])
def test_a_client_that_knows_only_the_id_fetches_the_public_key_and_verifies(vault, name, kty, algorithm):
    key = vault.keys.create_key(name, kty)
    signature = vault.crypto(key).sign(SignatureAlgorithm(algorithm), digest()).signature

    def verify(of, signature):
        return vault.crypto(key.id).verify(SignatureAlgorithm(algorithm), of, signature).is_valid

    assert verify(digest(), signature) is True
    assert verify(digest(b"something else"), signature) is False
    assert verify(digest(), bytes(len(signature))) is False


def test_an_operation_without_a_version_uses_the_newest_and_says_which(vault, name):
    old, new = vault.keys.create_ec_key(name), vault.keys.create_ec_key(name)
    answer = vault.post(f"/keys/{name}//sign", {"alg": "ES256", "value": b64(digest())})
    assert answer["kid"] == new.id and verifies(new.key, "ES256", digest(), unb64(answer["value"]))
    by_id = vault.crypto(f"{vault.url}/keys/{name}/{old.properties.version}")
    made = by_id.sign(SignatureAlgorithm.es256, digest())
    assert made.key_id == old.id and verifies(old.key, "ES256", digest(), made.signature)


def test_rsa_oaep_256_unwraps_what_the_sdk_or_another_library_wrapped(vault, name):
    key = vault.keys.create_rsa_key(name, size=2048)
    crypto, secret = vault.crypto(key), os.urandom(32)
    by_sdk = crypto.wrap_key(KeyWrapAlgorithm.rsa_oaep_256, secret).encrypted_key
    by_library = public_key(key.key).encrypt(secret, OAEP_256)
    with vault.unless_lacking("RSA-OAEP-256"):
        for wrapped in (by_sdk, by_library):
            assert crypto.unwrap_key(KeyWrapAlgorithm.rsa_oaep_256, wrapped).key == secret
            assert crypto.decrypt(EncryptionAlgorithm.rsa_oaep_256, wrapped).plaintext == secret


@pytest.mark.parametrize("there, back", [("wrapkey", "unwrapkey"), ("encrypt", "decrypt")])
def test_rsa_oaep_256_done_by_the_service_is_undone_by_it(vault, name, there, back):
    vault.keys.create_rsa_key(name, size=2048)
    longest = os.urandom(2048 // 8 - 66)
    for secret in (b"\0", longest):
        made = vault.post(f"/keys/{name}//{there}", {"alg": "RSA-OAEP-256", "value": b64(secret)})
        assert len(unb64(made["value"])) == 256
        with vault.unless_lacking("RSA-OAEP-256"):
            undone = vault.post(f"/keys/{name}//{back}", {"alg": "RSA-OAEP-256", "value": made["value"]})
            assert unb64(undone["value"]) == secret and undone["kid"] == made["kid"]


@pytest.mark.parametrize("size", [1, 1024, 65536])
@pytest.mark.parametrize("aad", [None, b"bound to this"])
def test_a256gcm_encrypts_under_an_iv_of_the_service_and_decrypts(vault, name, size, aad):
    key = vault.keys.create_key(name, "oct", size=256)
    crypto, plain = vault.crypto(key), os.urandom(size)
    made = [crypto.encrypt(EncryptionAlgorithm.a256_gcm, plain, additional_authenticated_data=aad) for _ in range(2)]
    assert made[0].iv != made[1].iv, "never the same IV twice"
    for one in made:
        assert len(one.iv) == 12 and len(one.tag) == 16 and len(one.ciphertext) == size
        back = crypto.decrypt(
            EncryptionAlgorithm.a256_gcm, one.ciphertext, iv=one.iv, authentication_tag=one.tag,
            additional_authenticated_data=aad,
        )  # fmt: skip
        assert back.plaintext == plain


@pytest.mark.parametrize("part", ["ciphertext", "iv", "authentication_tag", "additional_authenticated_data"])
def test_a256gcm_refuses_whatever_was_changed(vault, name, part):
    crypto = vault.crypto(vault.keys.create_key(name, "oct", size=256))
    made = crypto.encrypt(EncryptionAlgorithm.a256_gcm, b"secret", additional_authenticated_data=b"aad")
    parts = {
        "ciphertext": made.ciphertext, "iv": made.iv, "authentication_tag": made.tag,
        "additional_authenticated_data": b"aad",
    }  # fmt: skip
    assert crypto.decrypt(EncryptionAlgorithm.a256_gcm, **parts).plaintext == b"secret"
    parts[part] = bytes([parts[part][0] ^ 1]) + parts[part][1:]
    with pytest.raises(HttpResponseError) as refused:
        crypto.decrypt(EncryptionAlgorithm.a256_gcm, **parts)
    assert refused.value.status_code == 400 and refused.value.error.code == "BadParameter"


def test_what_encrypt_answers_is_what_decrypt_takes(vault, name):
    vault.keys.create_key(name, "oct", size=256)
    made = vault.post(f"/keys/{name}//encrypt", {"alg": "A256GCM", "value": b64(b"plain"), "aad": b64(b"x")})
    body = {"alg": "A256GCM", **{part: made[part] for part in ("value", "iv", "tag", "aad")}}
    assert unb64(vault.post(f"/keys/{name}//decrypt", body)["value"]) == b"plain"
