"""Code signing: `osslsigncode` takes out what is to be signed and attaches a detached CMS that a key of the HSM signed.

The steps of docs/code-signing.md. The private key never leaves the token; what goes to it is one SHA-256 digest.
"""

import datetime
import hashlib
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest
from asn1crypto import cms, core, x509 as asn1_x509
from azure.keyvault.keys.crypto import SignatureAlgorithm
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from verify_with import public_key

# An unsigned program for Windows, of the package distlib.
PROGRAM = Path(sysconfig.get_path("purelib")) / "distlib/t64.exe"
INDIVIDUAL_CODE_SIGNING = "1.3.6.1.4.1.311.2.1.21"
STATEMENT_TYPE = "1.3.6.1.4.1.311.2.1.11"


def osslsigncode(*words):
    assert shutil.which("osslsigncode"), "osslsigncode is not here: run tests/run/install apt"
    return subprocess.run(["osslsigncode", *map(str, words)], capture_output=True, text=True, timeout=60)


def succeeds(*words):
    done = osslsigncode(*words)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"


class Authority:
    """A CA of the test's own, which certifies keys for code signing."""

    def __init__(self, name="The suite's CA"):
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.key = rsa.generate_private_key(65537, 2048)
        usage = _key_usage(key_cert_sign=True, crl_sign=True)
        self.certificate = self._issue(self.name, self.key.public_key(), usage, x509.BasicConstraints(True, 0))

    def certify(self, public, name):
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])
        usage = _key_usage(digital_signature=True)
        return self._issue(subject, public, usage, x509.BasicConstraints(False, None), purpose)

    def _issue(self, subject, public, usage, *more):
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = x509.CertificateBuilder(self.name, subject, public, x509.random_serial_number())
        builder = builder.not_valid_before(now - datetime.timedelta(hours=1))
        builder = builder.not_valid_after(now + datetime.timedelta(days=30))
        for extension in (usage, *more):
            builder = builder.add_extension(extension, critical=not isinstance(extension, x509.ExtendedKeyUsage))
        return builder.sign(self.key, hashes.SHA256())


def _key_usage(**allowed):
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: allowed.get(name, False) for name in names})


def attributes(content_type, digest):
    """What is signed: the kind and the digest of the content (RFC 2315, 9.2), and that the signer is one of its own."""
    statement = core.SequenceOf([core.ObjectIdentifier(INDIVIDUAL_CODE_SIGNING)], spec=core.ObjectIdentifier)
    return cms.CMSAttributes([
        {"type": "content_type", "values": [content_type]},
        {"type": "message_digest", "values": [digest]},
        {"type": "signing_time", "values": [cms.Time({"utc_time": datetime.datetime.now(datetime.timezone.utc)})]},
        {"type": STATEMENT_TYPE, "values": [core.Any(statement)]},
    ])  # fmt: skip


def signed_cms(to_be_signed, certificates, sign):
    """The CMS that `osslsigncode extract-data` wrote, with a signature. `sign` is given a SHA-256 digest."""
    message = cms.ContentInfo.load(to_be_signed)
    data = message["content"]
    content = data["encap_content_info"]
    # PKCS#7's digest is over the content without its tag and length.
    digest = hashlib.sha256(content["content"].parsed.contents).digest()
    signed = attributes(content["content_type"].dotted, digest)
    of = [asn1_x509.Certificate.load(c.public_bytes(Encoding.DER)) for c in certificates]
    signer = cms.SignerInfo({
        "version": "v1",
        "sid": cms.IssuerAndSerialNumber({"issuer": of[0].issuer, "serial_number": of[0].serial_number}),
        "digest_algorithm": {"algorithm": "sha256"},
        "signed_attrs": signed,
        "signature_algorithm": {"algorithm": "rsassa_pkcs1v15"},
        # The signature is over the SET OF, not over the field's implicit tag.
        "signature": sign(hashlib.sha256(signed.dump()).digest()),
    })  # fmt: skip
    data["digest_algorithms"] = [{"algorithm": "sha256"}]
    data["certificates"] = of
    data["signer_infos"] = [signer]
    return cms.ContentInfo({"content_type": "signed_data", "content": data}).dump()


@pytest.fixture
def program(tmp_path):
    copy = tmp_path / "program.exe"
    shutil.copy(PROGRAM, copy)
    assert osslsigncode("verify", "-in", copy).returncode != 0, "it is signed already"
    return copy


def test_a_program_that_a_key_of_the_hsm_signed_is_accepted(hsm, name, program, tmp_path):
    key = hsm.keys.create_rsa_key(name, size=3072, key_operations=["sign"], hardware_protected=True)
    assert key.key_type == "RSA-HSM"
    authority = Authority()
    leaf = authority.certify(public_key(key.key), "The publisher")

    def sign(digest):
        return hsm.crypto(key).sign(SignatureAlgorithm.rs256, digest).signature

    to_be_signed, signature, signed = tmp_path / "data.der", tmp_path / "signature.der", tmp_path / "signed.exe"
    succeeds("extract-data", "-h", "sha256", "-in", program, "-out", to_be_signed)
    signature.write_bytes(signed_cms(to_be_signed.read_bytes(), [leaf, authority.certificate], sign))
    trusted = tmp_path / "ca.pem"
    trusted.write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    attach = ("attach-signature", "-sigin", signature, "-CAfile", trusted, "-in")
    succeeds(*attach, program, "-out", signed)
    succeeds("verify", "-CAfile", trusted, "-in", signed)

    refuses_what_is_not_so(signed, trusted, tmp_path)


def refuses_what_is_not_so(signed, trusted, directory):
    """So that acceptance means something: another CA, another program."""
    other = directory / "other.pem"
    other.write_bytes(Authority().certificate.public_bytes(Encoding.PEM))
    assert osslsigncode("verify", "-CAfile", other, "-in", signed).returncode != 0
    altered = bytearray(signed.read_bytes())
    altered[0x1000] ^= 1
    (directory / "altered.exe").write_bytes(altered)
    assert osslsigncode("verify", "-CAfile", trusted, "-in", directory / "altered.exe").returncode != 0
