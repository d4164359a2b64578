"""Checks with the `cryptography` package alone what the service made, from the public key it shows."""

import base64
import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

SHA256 = utils.Prehashed(hashes.SHA256())
OAEP_256 = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
PSS_256 = padding.PSS(padding.MGF1(hashes.SHA256()), 32)


def digest(message=b"to be signed"):
    return hashlib.sha256(message).digest()


def b64(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def unb64(text):
    assert "=" not in text and "+" not in text and "/" not in text, f"not base64url without padding: {text}"
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(data):
    return int.from_bytes(data, "big")


def public_key(jwk):
    """The public key of the SDK's JsonWebKey."""
    if jwk.kty == "EC":
        assert jwk.crv == "P-256" and len(jwk.x) == len(jwk.y) == 32
        return ec.EllipticCurvePublicNumbers(number(jwk.x), number(jwk.y), ec.SECP256R1()).public_key()
    assert jwk.kty == "RSA" and jwk.n[0] != 0 and jwk.e == b"\x01\x00\x01"
    return rsa.RSAPublicNumbers(number(jwk.e), number(jwk.n)).public_key()


def verifies(jwk, algorithm, message_digest, signature):
    """Whether `signature` is one of `algorithm` over the digest under the key."""
    key = public_key(jwk)
    try:
        if algorithm == "ES256":
            assert len(signature) == 64, "r|s, not DER"
            der = utils.encode_dss_signature(number(signature[:32]), number(signature[32:]))
            key.verify(der, message_digest, ec.ECDSA(SHA256))
        else:
            key.verify(signature, message_digest, {"RS256": padding.PKCS1v15(), "PS256": PSS_256}[algorithm], SHA256)
        return True
    except InvalidSignature:
        return False
