"""Managed HSM's security domain, and what Keystead keeps in it: a second implementation, written from the descriptions
of the formats. The golden files of the crate `custody` were made with it (`python security_domain.py DIRECTORY`)."""

import base64
import hashlib
import hmac
import json
import os
import secrets
import struct

from cryptography.hazmat.primitives import hashes, padding, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, x25519
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PRIME = 257
OAEP = rsa_padding.OAEP(rsa_padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
PSS = rsa_padding.PSS(rsa_padding.MGF1(hashes.SHA256()), 32)


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


# Shares


def split(master, required, custodians):
    """The shares of 1 to `custodians`: a polynomial over GF(257) for each byte."""
    polynomials = [[byte] + [secrets.randbelow(PRIME) for _ in range(required - 1)] for byte in master]
    value = lambda polynomial, x: sum(c * x**power for power, c in enumerate(polynomial)) % PRIME
    return [
        b"".join(struct.pack("<H", x << 9 | value(polynomial, x)) for polynomial in polynomials)
        for x in range(1, custodians + 1)
    ]


def combine(shares):
    return bytes(interpolate(shares))


def interpolate(shares):
    """The values at 0, by Lagrange: of too few or of foreign shares, some may be 256."""
    words = [struct.unpack("<32H", share) for share in shares]
    numbers = [of[0] >> 9 for of in words]
    assert all({word >> 9 for word in of} == {x} for of, x in zip(words, numbers))
    master = []
    for at in range(32):
        total = 0
        for of, x in zip(words, numbers):
            term = of[at] & 0x1FF
            for other in numbers:
                if other != x:
                    term = term * other * pow(other - x, -1, PRIME)
            total += term
        master.append(total % PRIME)
    return master


# Encrypted values


def derive(master, tag):
    """SP 800-108 in counter mode, one block."""
    text = struct.pack(">I", 1) + tag.encode() + b"\0" + struct.pack(">I", 512)
    return hmac.digest(master, text, "sha512")


def seal(key, header, encrypted_key, plain):
    protected = b64(json.dumps(header, separators=(",", ":")).encode())
    iv, pad = os.urandom(16), padding.PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(key[32:]), modes.CBC(iv)).encryptor()
    text = encryptor.update(pad.update(plain) + pad.finalize()) + encryptor.finalize()
    tag = mac(key, protected.encode(), iv, text)
    return ".".join([protected, *map(b64, (encrypted_key, iv, text, tag))])


def unseal(value, key_of):
    """`key_of(header, encrypted key)` gives the content key."""
    protected, *rest = value.split(".")
    encrypted_key, iv, text, tag = map(unb64, rest)
    header = json.loads(unb64(protected))
    assert header["enc"] == "A256CBC-HS512"
    key = key_of(header, encrypted_key)
    assert hmac.compare_digest(tag, mac(key, protected.encode(), iv, text)), "the tag does not hold"
    decryptor, pad = Cipher(algorithms.AES(key[32:]), modes.CBC(iv)).decryptor(), padding.PKCS7(128).unpadder()
    return pad.update(decryptor.update(text) + decryptor.finalize()) + pad.finalize()


def mac(key, aad, iv, text):
    return hmac.digest(key[:32], aad + iv + text + struct.pack(">Q", 8 * len(aad)), "sha512")[:32]


def seal_datum(master, tag, plain):
    header = {"alg": "dir", "enc": "A256CBC-HS512", "kid": tag}
    return {"compact_jwe": seal(derive(master, tag), header, b"", plain), "tag": tag}


def open_datum(master, datum):
    return unseal(datum["compact_jwe"], lambda header, _: derive(master, datum["tag"]))


def wrap(certificate, plain):
    """For the owner of a certificate."""
    key, header = os.urandom(64), {"alg": "RSA-OAEP-256", "enc": "A256CBC-HS512", "kid": "not used"}
    value = seal(key, header, certificate.public_key().encrypt(key, OAEP), plain)
    return {"enc_key": value, "x5t_256": b64(certificate.fingerprint(hashes.SHA256()))}


def unwrap(key, wrapped):
    return unseal(wrapped["enc_key"], lambda header, encrypted: key.decrypt(encrypted, OAEP))


# Files


def make(data, certificates, required, master=None):
    """A security domain of these data, by their tags."""
    master = master or os.urandom(32)
    shares = split(master, required, len(certificates))
    domain = {
        "EncData": {"data": [seal_datum(master, tag, plain) for tag, plain in data.items()], "kdf": "sp108_kdf"},
        "SharedKeys": {
            "enc_shares": [wrap(*pair) for pair in zip(certificates, shares)],
            "key_algorithm": "shamir_share",
            "required": required,
        },
        "version": 2,
    }
    return domain, shares


def share_of(domain, certificate, key):
    thumbprint = b64(certificate.fingerprint(hashes.SHA256()))
    [wrapped] = [of for of in domain["SharedKeys"]["enc_shares"] if of["x5t_256"] == thumbprint]
    return unwrap(key, wrapped)


def open_with(domain, shares):
    """The data, by their tags."""
    master = combine(shares[: domain["SharedKeys"]["required"]])
    return {datum["tag"]: open_datum(master, datum) for datum in domain["EncData"]["data"]}


def restore_blob(data, transfer):
    """The data under a new master key, for the owner of the transfer certificate."""
    master = os.urandom(32)
    data = [seal_datum(master, tag, plain) for tag, plain in data.items()]
    return {"EncData": {"data": data, "kdf": "sp108_kdf"}, "WrappedKey": wrap(transfer, master)}


# What Keystead keeps


def head(major, number):
    if number < 24:
        return bytes([major << 5 | number])
    size = next(size for size in range(4) if number < 1 << (8 << size))
    return bytes([major << 5 | 24 + size]) + number.to_bytes(1 << size, "big")


def cbor(fields):
    """Version 1, and a map of numbers to byte strings or numbers that are not negative."""
    value = lambda v: head(0, v) if isinstance(v, int) else head(2, len(v)) + v
    return b"\1" + head(5, len(fields)) + b"".join(head(0, tag) + value(v) for tag, v in sorted(fields.items()))


def working_digest(identity, blob, wrapping):
    has = bytes([wrapping is not None])
    return hashlib.sha256(b"keystead working keys 1" + identity + blob + has + (wrapping or b"")).digest()


def confirmation(record, certificate, key):
    vault, digest = bytes.fromhex(json.loads(record)["vault"]), hashlib.sha256(record).digest()
    return {
        "keystead_confirmation": 1,
        "vault": vault.hex(),
        "record": digest.hex(),
        "certificate": certificate.fingerprint(hashes.SHA256()).hex(),
        "signature": base64.b64encode(
            key.sign(b"keystead confirmation 1" + vault + digest, PSS, hashes.SHA256())
        ).decode(),
    }


def der(certificate):
    return base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()


def activation(identity, settings, public, working, file, required, custodians, node):
    """The bytes of a record. `settings`: what the vault says of itself; `node`: its id and key."""
    node_id, node_key = node
    custodian = lambda certificate, share: {"certificate": der(certificate), "share": hashlib.sha256(share).hexdigest()}
    record = {
        "keystead_activation": 1,
        "vault": identity.hex(),
        **settings,
        "purge_protection": True,
        "policy": {"administrators": [{"issuer": "built-in", "subject": "a"}], "clients": []},
        "domain_public": public.hex(),
        "working_keys": working.hex(),
        "security_domain": hashlib.sha256(file).hexdigest(),
        "required": required,
        "custodians": [custodian(*pair) for pair in custodians],
        "nodes": [{"id": node_id.hex(), "key": raw(node_key.public_key()).hex()}],
    }
    return compact(record)


def offered(identity, settings, transfer, node):
    """What a node signs of a vault that waits."""
    node_id, node_key = node
    fields = {"transfer_key": der(transfer), "node": node_id.hex(), "node_key": raw(node_key.public_key()).hex()}
    return {"vault": identity.hex(), **settings, **fields}


def words_of(digest):
    """The first 132 bits as words of BIP-39."""
    from pathlib import Path

    words = (Path(__file__).resolve().parents[3] / "crates/custody/src/words/english.txt").read_text().split()
    bits = int.from_bytes(digest, "big") >> 124
    return " ".join(words[bits >> 11 * (11 - at) & 2047] for at in range(12))


def raw(public):
    return public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def transfer_offer(offer, node):
    text = json.dumps(offer, separators=(",", ":"))
    signature = node.sign(b"keystead transfer offer 1" + text.encode()).hex()
    return {"keystead_transfer_offer": 1, "offer": text, "signature": signature}


def challenge(vault, domain, single_use, node_id, node, expires):
    fields = {0: vault, 1: domain, 2: raw(single_use.public_key()), 3: node_id, 4: raw(node.public_key()), 5: expires}
    fields[6] = 1  # to unseal
    signed = cbor(fields)
    return signed + node.sign(b"keystead challenge 1" + signed)


def hpke_key(secret, encapsulated, public, info):
    """Key and nonce of RFC 9180's base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM."""
    extract = lambda suite, salt, label, ikm: hmac.digest(salt, b"HPKE-v1" + suite + label + ikm, "sha256")

    def expand(suite, prk, label, context, length):
        text = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + context
        return hmac.digest(prk, text + b"\1", "sha256")[:length]

    kem, suite = b"KEM\0\x20", b"HPKE\0\x20\0\1\0\2"
    shared = expand(kem, extract(kem, b"", b"eae_prk", secret), b"shared_secret", encapsulated + public, 32)
    context = b"\0" + extract(suite, b"", b"psk_id_hash", b"") + extract(suite, b"", b"info_hash", info)
    prk = extract(suite, shared, b"secret", b"")
    return expand(suite, prk, b"key", context, 32), expand(suite, prk, b"base_nonce", context, 12)


def answer(asked, vault, single_use, share):
    """To the single-use public key of a challenge."""
    ephemeral = x25519.X25519PrivateKey.generate()
    encapsulated, secret = raw(ephemeral.public_key()), ephemeral.exchange(single_use)
    key, nonce = hpke_key(secret, encapsulated, raw(single_use), b"keystead answer 1" + vault)
    sealed = encapsulated + AESGCM(key).encrypt(nonce, share, asked)
    return b"\1" + hashlib.sha256(asked).digest() + sealed


def open_answer(given, asked, vault, single_use):
    assert given[0] == 1 and given[1:33] == hashlib.sha256(asked).digest()
    encapsulated, sealed = given[33:65], given[65:]
    secret = single_use.exchange(x25519.X25519PublicKey.from_public_bytes(encapsulated))
    key, nonce = hpke_key(secret, encapsulated, raw(single_use.public_key()), b"keystead answer 1" + vault)
    return AESGCM(key).decrypt(nonce, sealed, asked)


def compact(document):
    return json.dumps(document, separators=(",", ":")).encode()


def golden(directory):
    from pathlib import Path

    from cryptography import x509

    directory = Path(directory)
    read = lambda name: (directory / "custodians" / name).read_bytes()
    certificates = [x509.load_der_x509_certificate(read(f"{n}.certificate.der")) for n in range(1, 5)]
    keys = [serialization.load_der_private_key(read(f"{n}.key.der"), None) for n in range(1, 5)]
    transfer = certificates.pop()
    identity, private, blob, wrapping = b"\x22" * 16, b"\x33" * 32, b"\x44" * 32, b"\x55" * 32
    public = raw(x25519.X25519PrivateKey.from_private_bytes(private).public_key())
    secret = cbor({0: identity, 1: private, 2: blob, 3: wrapping})
    working = cbor({0: identity, 2: blob})
    domain, shares = make({"keystead_domain": secret}, certificates, 2, b"\x41" * 32)
    file = compact(domain)
    node, node_id = ed25519.Ed25519PrivateKey.from_private_bytes(b"\x66" * 32), b"\x67" * 16
    settings = {"name": "golden", "kind": "hsm", "authorities": ["golden.example"]}
    settings |= {"tenant": "adfs", "retention_days": 90}
    digest = working_digest(identity, blob, wrapping)
    record = activation(identity, settings, public, digest, file, 2, zip(certificates, shares), (node_id, node))
    offer = offered(identity, settings, transfer, (node_id, node))
    single_use = x25519.X25519PrivateKey.from_private_bytes(b"\x77" * 32)
    asked = challenge(identity, public, single_use, node_id, node, 4_000_000_000_000)
    for name, content in {
        "domain-secrets.hex": secret.hex().encode(),
        "working-keys.hex": working.hex().encode(),
        "security-domain.json": file,
        "restore-domain.json": compact(restore_blob({"keystead_domain": secret}, transfer)),
        "restore-working.json": compact(restore_blob({"keystead_working": working}, transfer)),
        "activation.json": record,
        "activation.words": words_of(hashlib.sha256(record).digest()).encode() + b"\n",
        "confirmation.json": compact(confirmation(record, certificates[1], keys[1])),
        "transfer-offer.json": compact(transfer_offer(offer, node)),
        "challenge.txt": b"keystead-challenge." + b64(asked).encode(),
        "answer.txt": b"keystead-answer." + b64(answer(asked, identity, single_use.public_key(), shares[2])).encode(),
    }.items():
        (directory / name).write_bytes(content)


if __name__ == "__main__":
    import sys

    golden(sys.argv[1])
