"""`az keyvault key`: the key at work. What it signed is checked with another library."""

import base64
import os

import pytest
from azure.keyvault.keys import JsonWebKey
from cryptography.hazmat.primitives.asymmetric import padding

from verify_with import OAEP_1, OAEP_256, digest, public_key, verifies

EC = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "ES256K": "P-256K"}
RSA = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
PADDINGS = {"RSA1_5": padding.PKCS1v15(), "RSA-OAEP": OAEP_1, "RSA-OAEP-256": OAEP_256}


def b64(data):
    return base64.b64encode(data).decode()


def jwk(shown):
    """What `az` shows, as the SDK's class."""
    parts = {part: shown[part] and base64.b64decode(shown[part]) for part in ("n", "e", "x", "y")}
    return JsonWebKey(kty=shown["kty"], crv=shown["crv"], **parts)


def signs(az, name, algorithm):
    """Signs, lets the service and a flipped bit be judged, and gives the raw signature."""
    said = b64(digest(algorithm=algorithm))
    made = az.key("sign", "--name", name, "--algorithm", algorithm, "--digest", said)
    assert made["algorithm"] == algorithm
    raw = base64.b64decode(made["signature"])
    for signature, good in ((raw, True), (bytes([raw[0] ^ 1]) + raw[1:], False)):
        words = ["--name", name, "--algorithm", algorithm, "--digest", said, "--signature", b64(signature)]
        assert az.key("verify", *words)["isValid"] is good, algorithm
    return raw


@pytest.mark.parametrize("algorithm", EC)
def test_ecdsa_signs(az, name, algorithm):
    key = az.key("create", "--name", name, "--kty", "EC", "--curve", EC[algorithm])["key"]
    assert verifies(jwk(key), algorithm, digest(algorithm=algorithm), signs(az, name, algorithm))


def test_rsa_signs(az, name):
    key = az.key("create", "--name", name, "--kty", "RSA")["key"]
    for algorithm in RSA:
        assert verifies(jwk(key), algorithm, digest(algorithm=algorithm), signs(az, name, algorithm))


def test_hmac_signs(az, name):
    az.key("create", "--name", name, "--kty", "oct", "--size", 256, "--ops", "sign", "verify")
    for algorithm in ("HS256", "HS384", "HS512"):
        assert len(signs(az, name, algorithm)) == int(algorithm[2:]) // 8


def test_rsa_encrypts_and_decrypts(az, name):
    key = az.key("create", "--name", name, "--kty", "RSA")["key"]
    for algorithm, its_padding in PADDINGS.items():
        words = ["--name", name, "--algorithm", algorithm]
        made = az.key("encrypt", *words, "--value", b64(b"\0plain"))
        elsewhere = b64(public_key(jwk(key)).encrypt(b"\0plain", its_padding))
        for ciphertext in (made["result"], elsewhere):
            assert az.key("decrypt", *words, "--value", ciphertext)["result"] == b64(b"\0plain")
    # Text is text again.
    words += ["--data-type", "plaintext"]
    made = az.key("encrypt", *words, "--value", "Grüße")
    assert az.key("decrypt", *words, "--value", made["result"])["result"] == "Grüße"


@pytest.mark.parametrize("size", [128, 192, 256])
def test_aes_encrypts_and_decrypts(az, name, size):
    az.key("create", "--name", name, "--kty", "oct", "--size", size)
    for mode, given, plain in (
        ("GCM", ["--aad", "00ff"], b"any length"),
        ("CBC", ["--iv", os.urandom(16).hex()], bytes(32)),
        ("CBCPAD", ["--iv", os.urandom(16).hex()], b"any length"),
    ):
        if (mode, size) == ("CBCPAD", 256):
            continue  # Never asks the service: the SDK encrypts this under a key it makes up, and forgets (docs/clients.md).
        words = ["--name", name, "--algorithm", f"A{size}{mode}"]
        made = az.key("encrypt", *words, "--value", b64(plain), *given)
        beside = ["--iv", made["iv"]] + (["--tag", made["tag"], *given] if mode == "GCM" else [])
        assert az.key("decrypt", *words, "--value", made["result"], *beside)["result"] == b64(plain)
        if mode == "GCM":
            beside[-1] = "00fe"
            code, said = az.refused("decrypt", *words, "--value", made["result"], *beside)
            assert code == 1 and "(BadParameter)" in said


def test_random_bytes_are_as_many_as_asked_for(az, dev):
    # The command knows no `--vault-name`: in Azure only a Managed HSM gives random bytes.
    for where in (["--hsm-name", "dev"], ["--id", dev.named_url]):
        given = az("keyvault", "key", "random", *where, "--count", 24)
        assert len(base64.b64decode(given["value"])) == 24


def test_a_key_refuses_what_it_is_not_for(az, name):
    az.key("create", "--name", name, "--kty", "EC", "--ops", "verify")
    words = ["--name", name, "--digest", b64(digest())]
    code, said = az.refused("sign", *words, "--algorithm", "ES256")
    assert code == 1 and "(Forbidden)" in said and "KeyOperationForbidden" in said
    az.key("create", "--name", name, "--kty", "EC", "--disabled", "true")
    code, said = az.refused("sign", *words, "--algorithm", "ES256")
    assert code == 1 and "(Forbidden)" in said and "KeyDisabled" in said
    az.key("create", "--name", name, "--kty", "EC")
    code, said = az.refused("sign", *words, "--algorithm", "ES384")
    assert code == 1 and "(BadParameter)" in said
    code, said = az.refused("sign", "--name", name + "-x", "--digest", b64(digest()), "--algorithm", "ES256")
    assert code == 1 and "(KeyNotFound)" in said
