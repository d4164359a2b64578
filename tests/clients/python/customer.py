"""A customer who makes a security domain with `keystead`, his custodians, and what a server shows them."""

import datetime
import hashlib
import itertools
import json
import os
import subprocess

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

import security_domain as sd
from dev_server import KEYSTEAD

PASSPHRASE = b"correct horse"
SETTINGS = {"name": "pay", "kind": "hsm", "authorities": ["pay.example"], "tenant": "adfs", "retention_days": 90}
POLICY = '[[administrators]]\nissuer = "built-in"\nsubject = "a"\n'


class Owner:
    """Of a key and a certificate, in files of one directory; every other key is encrypted."""

    def __init__(self, directory, name, encrypted=False):
        self.key = rsa.generate_private_key(65537, 2048)
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.UTC)
        made = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(self.key.public_key())
        made = made.serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
        self.certificate = made.sign(self.key, hashes.SHA256())
        self.pem, self.key_pem = directory / f"{name}.cer", directory / f"{name}.pem"
        self.pem.write_bytes(self.certificate.public_bytes(Encoding.PEM))
        how = BestAvailableEncryption(PASSPHRASE) if encrypted else NoEncryption()
        self.key_pem.write_bytes(self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how))
        self.key_pem.chmod(0o600)

    def jwk(self):
        """Of the certificate, as the sample of Microsoft's security-domain client makes it."""
        numbers, der = self.certificate.public_key().public_numbers(), self.certificate.public_bytes(Encoding.DER)
        number = lambda n: sd.b64(n.to_bytes((n.bit_length() + 7) // 8, "big"))
        return {
            "kid": "", "kty": "RSA", "key_ops": ["verify", "encrypt", "wrapKey"], "n": number(numbers.n),
            "e": number(numbers.e), "x5c": [sd.der(self.certificate)], "use": "enc", "alg": "RSA-OAEP-256",
            "x5t": sd.b64(hashlib.sha1(der).digest()), "x5t#S256": sd.b64(hashlib.sha256(der).digest()),
        }  # fmt: skip


class Customer:
    """Four custodians, and a server's transfer key and node."""

    def __init__(self, directory):
        self.directory = directory
        self.custodians = [Owner(directory, f"custodian-{n}", n % 2 == 1) for n in range(4)]
        self.transfer = Owner(directory, "transfer")
        self.identity, self.node_key = os.urandom(16), ed25519.Ed25519PrivateKey.generate()
        self.node = (os.urandom(16), self.node_key)
        offer = sd.offered(self.identity, SETTINGS, self.transfer.certificate, self.node)
        (directory / "offer.json").write_text(json.dumps(sd.transfer_offer(offer, self.node_key)))
        (directory / "policy.toml").write_text(POLICY)

    def run(self, *words, code=0):
        env = {"KEYSTEAD_CUSTODIAN_PASSPHRASE": PASSPHRASE.decode()}
        words = [str(KEYSTEAD), *map(str, words)]
        done = subprocess.run(words, cwd=self.directory, env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == code, done.stderr
        return done.stdout

    def new_domain(self, required):
        certificates = itertools.chain(*(["--custodian", owner.pem] for owner in self.custodians))
        words = ["--quorum", required, "--transfer-key", "offer.json", "--policy", "policy.toml", "--out", "made"]
        # Of the node whose offer it is, as its operator would read them out.
        node_id, node_key = self.node
        node = sd.words_of(hashlib.sha256(b"keystead node 1" + node_id + sd.raw(node_key.public_key())).digest())
        self.run("domain", "new", *certificates, *words, "--node", node)
        return json.loads((self.directory / "made/security-domain.json").read_bytes())
