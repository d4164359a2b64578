"""Security domains: what `keystead` makes offline opens with another implementation, and the other way round."""

import base64
import hashlib
import itertools
import json
import os
import pty
import time

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import x25519

import security_domain as sd
from customer import PASSPHRASE, SETTINGS, Customer
from dev_server import KEYSTEAD


@pytest.fixture
def customer(tmp_path):
    return Customer(tmp_path)


def parts(secret):
    """Domain id, private key, blob key, wrapping key: whatever else stands there would be another spelling."""
    identity, private, blob, wrapping = secret[4:20], secret[23:55], secret[58:90], secret[93:]
    assert secret == sd.cbor({0: identity, 1: private, 2: blob, 3: wrapping})
    return identity, private, blob, wrapping


def test_every_quorum_opens_what_keystead_made(customer):
    made = customer.new_domain(3)
    record = (customer.directory / "made/activation.json").read_bytes()
    said = json.loads(record)
    opened = {
        sd.open_with(made, [sd.share_of(made, owner.certificate, owner.key) for owner in three])["keystead_domain"]
        for three in itertools.permutations(customer.custodians, 3)
    }
    [secret] = opened
    identity, private, blob, wrapping = parts(secret)
    assert identity == customer.identity
    assert sd.raw(x25519.X25519PrivateKey.from_private_bytes(private).public_key()).hex() == said["domain_public"]
    assert sd.working_digest(identity, blob, wrapping).hex() == said["working_keys"]
    for owner, of in zip(customer.custodians, said["custodians"]):
        share = sd.share_of(made, owner.certificate, owner.key)
        assert hashlib.sha256(share).hexdigest() == of["share"] and of["certificate"] == sd.der(owner.certificate)
    # What the vault is sent: the same without the private key.
    blob_sent = json.loads((customer.directory / "made/transfer.json").read_bytes())
    master = sd.unwrap(customer.transfer.key, blob_sent["WrappedKey"])
    [datum] = blob_sent["EncData"]["data"]
    assert datum["tag"] == "keystead_working"
    assert sd.open_datum(master, datum) == sd.cbor({0: identity, 2: blob, 3: wrapping})
    assert customer.run("domain", "show", "made").split(maxsplit=1)[1].startswith(
        sd.words_of(hashlib.sha256(record).digest())
    )


def test_two_shares_of_three_give_another_key(customer):
    made = customer.new_domain(3)
    shares = [sd.share_of(made, owner.certificate, owner.key) for owner in customer.custodians]
    whole = sd.combine(shares[:3])
    assert sd.combine(shares[1:]) == whole
    assert all(sd.interpolate(pair) != list(whole) for pair in itertools.combinations(shares, 2))


def test_custodians_of_a_domain_made_elsewhere_confirm_and_answer(customer):
    private, blob, wrapping = os.urandom(32), os.urandom(32), os.urandom(32)
    public = sd.raw(x25519.X25519PrivateKey.from_private_bytes(private).public_key())
    secret = sd.cbor({0: customer.identity, 1: private, 2: blob, 3: wrapping})
    certificates = [owner.certificate for owner in customer.custodians]
    domain, shares = sd.make({"keystead_domain": secret}, certificates, 2)
    file = sd.compact(domain)
    working = sd.working_digest(customer.identity, blob, wrapping)
    custodians = zip(certificates, shares)
    record = sd.activation(customer.identity, SETTINGS, public, working, file, 2, custodians, customer.node)
    directory = customer.directory / "elsewhere"
    directory.mkdir()
    (directory / "security-domain.json").write_bytes(file)
    (directory / "activation.json").write_bytes(record)

    words = sd.words_of(hashlib.sha256(record).digest())
    single_use = x25519.X25519PrivateKey.generate()
    expires = int(time.time() * 1000) + 60_000
    asked = sd.challenge(customer.identity, public, single_use, customer.node[0], customer.node_key, expires)
    (customer.directory / "challenge.txt").write_text("keystead-challenge." + sd.b64(asked))
    for owner, share in zip(customer.custodians, shares):
        where = ["--domain", directory, "--key", owner.key_pem]
        confirmed = json.loads(customer.run("custodian", "confirm", "--record", directory, *where, "--words", words))
        expected = sd.confirmation(record, owner.certificate, owner.key)
        signature = base64.b64decode(confirmed.pop("signature"))
        del expected["signature"]
        assert confirmed == expected
        message = b"keystead confirmation 1" + customer.identity + hashlib.sha256(record).digest()
        owner.certificate.public_key().verify(signature, message, sd.PSS, hashes.SHA256())

        said = customer.run("custodian", "answer", "--challenge", "challenge.txt", *where).strip()
        given = sd.unb64(said.removeprefix("keystead-answer."))
        assert sd.open_answer(given, asked, customer.identity, single_use) == share


def test_a_custodian_at_a_terminal_is_asked_and_what_he_types_is_not_shown(customer):
    customer.new_domain(2)
    words = ["confirm", "--record", "made", "--domain", "made", "--key", "custodian-1.pem", "--out", "confirmed.json"]
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(customer.directory)
        os.execv(KEYSTEAD, ["keystead", "custodian", *words])
    said = b""
    for question, reply in ((b"Passphrase of", PASSPHRASE), (b"Type yes", b"yes")):
        while question not in said:
            said += os.read(terminal, 4096)
        os.write(terminal, reply + b"\n")
    try:
        while more := os.read(terminal, 4096):
            said += more
    except OSError:
        pass  # The end of a terminal whose program has ended.
    assert os.waitpid(child, 0)[1] == 0, said
    assert b"custodian 2 has confirmed" in said and PASSPHRASE not in said
    record = (customer.directory / "made/activation.json").read_bytes()
    assert sd.words_of(hashlib.sha256(record).digest()).encode() in said
    assert (customer.directory / "confirmed.json").exists()
