"""Checks with the `cryptography` package alone what the service made, from the public key it shows."""

import base64
import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
CURVES = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1(), "P-256K": ec.SECP256K1()}
OAEP_256 = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
OAEP_1 = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)


def digest(message=b"to be signed", algorithm="ES256"):
    """Of the algorithm's hash."""
    return hashlib.new(f"sha{algorithm[2:5]}", message).digest()


def b64(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def unb64(text):
    assert "=" not in text and "+" not in text and "/" not in text, f"not base64url without padding: {text}"
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(data):
    return int.from_bytes(data, "big")


def public_key(jwk):
    """The public key of the SDK's JsonWebKey."""
    if jwk.kty.startswith("EC"):
        curve = CURVES[jwk.crv]
        assert len(jwk.x) == len(jwk.y) == field_length(curve)
        return ec.EllipticCurvePublicNumbers(number(jwk.x), number(jwk.y), curve).public_key()
    assert jwk.kty.startswith("RSA") and jwk.n[0] != 0 and jwk.e[0] != 0
    return rsa.RSAPublicNumbers(number(jwk.e), number(jwk.n)).public_key()


def field_length(curve):
    return (curve.key_size + 7) // 8


def verifies(jwk, algorithm, message_digest, signature):
    """Whether `signature` is one of `algorithm` over the digest under the key."""
    key, its_hash = public_key(jwk), HASHES[algorithm[2:5]]
    digested = utils.Prehashed(its_hash)
    try:
        if algorithm.startswith("ES"):
            half = field_length(key.curve)
            assert len(signature) == 2 * half, "r|s, not DER"
            der = utils.encode_dss_signature(number(signature[:half]), number(signature[half:]))
            key.verify(der, message_digest, ec.ECDSA(digested))
        elif algorithm.startswith("PS"):
            pss = padding.PSS(padding.MGF1(its_hash), its_hash.digest_size)
            key.verify(signature, message_digest, pss, digested)
        else:
            key.verify(signature, message_digest, padding.PKCS1v15(), digested)
        return True
    except InvalidSignature:
        return False
