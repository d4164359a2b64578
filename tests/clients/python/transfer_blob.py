"""Azure's key transfer blob (`.byok`), made and opened by the `cryptography` package alone."""

import json
import os

from cryptography.hazmat.primitives import keywrap
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from verify_with import OAEP_1, b64, unb64


def pkcs8(key):
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def wrapped(public, secret):
    """CKM_RSA_AES_KEY_WRAP with SHA-1: a fresh AES key under the RSA key, and the secret under that."""
    ephemeral = os.urandom(32)
    return public.encrypt(ephemeral, OAEP_1) + keywrap.aes_key_wrap_with_padding(ephemeral, secret)


def unwrapped(private, ciphertext):
    first = private.key_size // 8
    ephemeral = private.decrypt(ciphertext[:first], OAEP_1)
    assert len(ephemeral) == 32
    return keywrap.aes_key_unwrap_with_padding(ephemeral, ciphertext[first:])


def document(kid, ciphertext):
    header = {"kid": kid, "alg": "dir", "enc": "CKM_RSA_AES_KEY_WRAP"}
    return {"schema_version": "1.0.0", "header": header, "ciphertext": b64(ciphertext), "generator": "the suite"}


def as_file(blob):
    return json.dumps(blob).encode()


def ciphertext(blob):
    return unb64(blob["ciphertext"])
