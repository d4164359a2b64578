"""Bring your own key: blobs of the `cryptography` package come in through Microsoft's client, and ours open with it."""

import json
import os
import subprocess

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.keyvault.keys import JsonWebKey
from azure.keyvault.keys.crypto import EncryptionAlgorithm
from cryptography.hazmat.primitives import keywrap
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import (
    Encoding, NoEncryption, PrivateFormat, PublicFormat, load_der_private_key, load_der_public_key,
)  # fmt: skip

from dev_server import KEYSTEAD
from test_algorithms import check_signature
from test_key_surface import unparsed
from transfer_blob import as_file, ciphertext, document, pkcs8, unwrapped, wrapped
from verify_with import CURVES, OAEP_1, b64, public_key, unb64

KEYS = ["RSA", "P-256", "P-384", "P-521", "oct"]
ALGORITHMS = {"RSA": ["RS256", "PS512"], "P-256": ["ES256"], "P-384": ["ES384"], "P-521": ["ES512"]}
OPS = {"RSA": ["sign", "verify", "decrypt", "encrypt"], "EC": ["sign", "verify"], "oct": ["wrapKey", "unwrapKey"]}


class Target:
    """A vault with its key exchange key, all its keys software-protected or all of its HSM."""

    def __init__(self, vault, name, hsm, kek_size=2048):
        self.vault, self.name, self.hsm = vault, name, hsm
        options = {"key_operations": ["import"], "hardware_protected": hsm}
        self.kek = vault.keys.create_rsa_key(name + "-kek", size=kek_size, **options)
        self.public = public_key(self.kek.key)
        assert self.public.key_size == kek_size

    def blob(self, secret):
        return document(self.kek.id, wrapped(self.public, secret))

    def kty(self, family):
        return family + ("-HSM" if self.hsm else "")

    def bring(self, name, kind, blob):
        family = "EC" if kind in CURVES else kind
        curve = {"crv": kind} if kind in CURVES else {}
        jwk = JsonWebKey(kty=self.kty(family), key_ops=OPS[family], t=as_file(blob), **curve)
        return self.vault.keys.import_key(name, jwk, hardware_protected=self.hsm)


def a_key(kind):
    """A private key, or the bytes of a symmetric one, and what of it is wrapped."""
    if kind == "oct":
        key = os.urandom(32)
        return key, key
    key = ec.generate_private_key(CURVES[kind]) if kind in CURVES else rsa.generate_private_key(65537, 2048)
    return key, pkcs8(key)


def comes_in(at, kind):
    own, secret = a_key(kind)
    key = at.bring(at.name, kind, at.blob(secret))
    assert at.vault.keys.get_key(at.name).id == key.id
    assert not any((key.key.k, key.key.d, key.key.p, key.key.t)), "no secret is shown"
    if kind == "oct":
        assert key.key_type == at.kty("oct")
        answer = at.vault.post(f"/keys/{at.name}//wrapkey", {"alg": "A256KW", "value": b64(bytes(range(32)))})
        assert keywrap.aes_key_unwrap(own, unb64(answer["value"])) == bytes(range(32))
        return
    assert key.key_type == at.kty("EC" if kind in CURVES else "RSA")
    # So what checks the signatures is the public key of the key that was wrapped.
    assert public_key(key.key).public_numbers() == own.public_key().public_numbers()
    for algorithm in ALGORITHMS[kind]:
        check_signature(at.vault, key, algorithm)
    if kind == "RSA":
        cipher = own.public_key().encrypt(b"plain", OAEP_1)
        assert at.vault.crypto(key).decrypt(EncryptionAlgorithm.rsa_oaep, cipher).plaintext == b"plain"


@pytest.mark.parametrize("kind", KEYS)
def test_a_wrapped_key_comes_into_a_software_vault_and_is_the_same_key(software, name, kind):
    comes_in(Target(software, name, hsm=False), kind)


@pytest.mark.parametrize("kind", KEYS)
def test_a_wrapped_key_comes_into_an_hsm_and_is_the_same_key(hsm, name, kind):
    comes_in(Target(hsm, name, hsm=True), kind)


@pytest.mark.parametrize("size", [3072, 4096])
def test_larger_key_exchange_keys_of_a_software_vault(software, name, size):
    comes_in(Target(software, name, hsm=False, kek_size=size), "P-256")


@pytest.mark.parametrize("size", [3072, 4096])
def test_larger_key_exchange_keys_of_an_hsm(hsm, name, size):
    comes_in(Target(hsm, name, hsm=True, kek_size=size), "P-256")


def spoilt(at, secret):
    """Blobs that must not come in: what is wrong, the blob, the status."""
    good = at.blob(secret)
    whole, first = ciphertext(good), at.public.key_size // 8
    stranger = rsa.generate_private_key(65537, at.public.key_size).public_key()
    other_use = at.vault.keys.create_rsa_key(at.name + "-use", hardware_protected=at.hsm)

    def altered(byte):
        return whole[:byte] + bytes([whole[byte] ^ 1]) + whole[byte + 1 :]

    for what, cipher in (
        ("for another key exchange key", wrapped(stranger, secret)),
        ("altered in the AES key", altered(first - 1)),
        ("altered in the first block of the key", altered(first)),
        ("altered at the end", altered(len(whole) - 1)),
        ("truncated by a block", whole[:-8]),
        ("truncated by a byte", whole[:-1]),
        ("truncated to the AES key", whole[:first]),
        ("empty", b""),
        ("longer", whole + bytes(8)),
        ("no key inside", wrapped(at.public, b"not a key at all")),
    ):
        yield what, document(at.kek.id, cipher), 400
    yield "no key exchange key", document(at.kek.id.replace("-kek/", "-absent/"), whole), 404
    yield "a version that is not there", document(at.kek.id[:-32] + "0" * 32, whole), 404
    yield "a key for another use", document(other_use.id, wrapped(public_key(other_use.key), secret)), 403


def not_read(good):
    """Files that are no blob of the published shape."""
    yield "another alg", {**good, "header": {**good["header"], "alg": "RSA-OAEP"}}
    yield "another enc", {**good, "header": {**good["header"], "enc": "CKM_AES_KEY_WRAP"}}
    yield "another schema", {**good, "schema_version": "2.0.0"}
    yield "no version in the kid", {**good, "header": {**good["header"], "kid": good["header"]["kid"][:-33]}}
    yield "not base64url", {**good, "ciphertext": "*" + good["ciphertext"]}
    yield "no document", {}


def nothing_else_comes_in(at, answers):
    name = at.name + "-never"

    def refused(what, kind, blob, status, then=lambda answers: None):
        with pytest.raises(HttpResponseError) as error:
            at.bring(name, kind, blob)
        assert error.value.status_code == status, f"{what}: {error.value}"
        then(answers)
        with pytest.raises(ResourceNotFoundError):
            at.vault.keys.get_key(name)

    secrets = {kind: a_key(kind)[1] for kind in KEYS}
    for what, blob, status in spoilt(at, secrets["P-256"]):
        refused(what, "P-256", blob, status)
    for what, blob in not_read(at.blob(secrets["P-256"])):
        refused(what, "P-256", blob, 400, unparsed)
    for inside, said in (("RSA", "P-256"), ("P-256", "RSA"), ("P-256", "P-384"), ("oct", "RSA"), ("RSA", "oct")):
        refused(f"{inside} said to be {said}", said, at.blob(secrets[inside]), 400)
    # The name is still free, and the same blob unspoilt comes in.
    assert at.bring(name, "P-256", at.blob(secrets["P-256"])).name == name


def test_nothing_is_kept_of_a_blob_that_is_not_whole_or_not_for_this_software_vault(software, name, answers):
    nothing_else_comes_in(Target(software, name, hsm=False), answers)


def test_nothing_is_kept_of_a_blob_that_is_not_whole_or_not_for_this_hsm(hsm, name, answers):
    nothing_else_comes_in(Target(hsm, name, hsm=True), answers)


@pytest.mark.parametrize("form", ["PEM", "DER"])
@pytest.mark.parametrize("kind, size", [("RSA", 2048), ("P-256", 3072), ("P-521", 4096), ("oct", 2048)])
def test_a_blob_of_the_command_line_has_the_published_shape_and_opens(tmp_path, kind, size, form):
    kek = rsa.generate_private_key(65537, size)
    own, secret = a_key(kind)
    if kind != "oct" and form == "PEM":
        secret = own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "own").write_bytes(secret)
    pem = kek.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "kek.pem").write_bytes(pem)
    kid = "https://payments.vault.azure.net/keys/kek/" + "0a" * 16
    command = [KEYSTEAD, "byok", "wrap", "--kek", tmp_path / "kek.pem", "--kid", kid, "--in", tmp_path / "own"]
    command += ["--raw"] if kind == "oct" else []
    blob = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)

    assert sorted(blob) == ["ciphertext", "generator", "header", "schema_version"]
    assert blob["schema_version"] == "1.0.0"
    assert blob["header"] == {"kid": kid, "alg": "dir", "enc": "CKM_RSA_AES_KEY_WRAP"}
    assert isinstance(blob["generator"], str) and blob["generator"]
    opened = unwrapped(kek, ciphertext(blob))
    if kind == "oct":
        assert opened == own
    else:
        assert load_der_private_key(opened, None).private_numbers() == own.private_numbers()


SOFTHSM2 = os.environ.get("KEYSTEAD_SOFTHSM2", "/usr/lib/softhsm/libsofthsm2.so")
MAKE = {"RSA": ["--keypairgen", "--key-type", "rsa:2048"], "P-256": ["--keypairgen", "--key-type", "EC:prime256v1"]}
MAKE["oct"] = ["--keygen", "--key-type", "AES:32"]


class Token:
    """A SoftHSM2 token with one key that may leave it."""

    def __init__(self, at, kind):
        (at / "tokens").mkdir()
        (at / "conf").write_text(f"directories.tokendir = {at}/tokens\nlog.level = ERROR\n")
        (at / "pin").write_text("7531-user")
        (at / "pin").chmod(0o600)
        self.at = at
        pins = ["--so-pin", "8642-so", "--pin", "7531-user"]
        self.run("softhsm2-util", "--init-token", "--free", "--label", "his", *pins)
        self.tool(*MAKE[kind], "--label", "his", "--id", "01", "--sensitive", "--extractable")

    def run(self, *command):
        env = {**os.environ, "SOFTHSM2_CONF": str(self.at / "conf")}
        return subprocess.run(command, check=True, capture_output=True, timeout=120, env=env).stdout

    def tool(self, *words):
        login = ["--token-label", "his", "--login", "--pin", "7531-user"]
        self.run("pkcs11-tool", "--module", SOFTHSM2, *login, *map(str, words))

    def blob(self, kek_file, kid):
        words = ["--pkcs11", SOFTHSM2, "--label", "his", "--pin-file", self.at / "pin"]
        words += ["--environment", "SOFTHSM2_CONF", "--kek", kek_file, "--kid", kid]
        return json.loads(self.run(KEYSTEAD, "byok", "wrap", *words))


@pytest.mark.parametrize("kind, size", [("RSA", 2048), ("P-256", 3072), ("oct", 4096)])
def test_a_blob_straight_out_of_a_token_holds_the_tokens_own_key(tmp_path, kind, size):
    kek = rsa.generate_private_key(65537, size)
    pem = kek.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "kek.pem").write_bytes(pem)
    token = Token(tmp_path, kind)
    kid = "https://payments.vault.azure.net/keys/kek/" + "0a" * 16
    blob = token.blob(tmp_path / "kek.pem", kid)

    assert blob["header"] == {"kid": kid, "alg": "dir", "enc": "CKM_RSA_AES_KEY_WRAP"}
    assert "SoftHSM" in blob["generator"]
    opened = unwrapped(kek, ciphertext(blob))
    if kind == "oct":
        (tmp_path / "plain").write_bytes(bytes(32))
        files = ["-i", tmp_path / "plain", "-o", tmp_path / "cipher"]
        token.tool("--encrypt", "-m", "AES-CBC", "--iv", "0" * 32, "--id", "01", *files)
        encryptor = Cipher(algorithms.AES(opened), modes.CBC(bytes(16))).encryptor()
        assert encryptor.update(bytes(32)) + encryptor.finalize() == (tmp_path / "cipher").read_bytes()
        return
    token.tool("--read-object", "--type", "pubkey", "--id", "01", "-o", tmp_path / "public")
    own = load_der_public_key((tmp_path / "public").read_bytes())
    # SoftHSM2 wraps zeros behind the document, which says itself how long it is.
    length = opened[1] + 2 if opened[1] < 0x80 else int.from_bytes(opened[2:4], "big") + 4
    assert not any(opened[length:]) and len(opened) - length < 8
    assert load_der_private_key(opened[:length], None).public_key().public_numbers() == own.public_numbers()
