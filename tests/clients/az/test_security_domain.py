"""`az keyvault security-domain`: what it does offline with a domain that `keystead` made, and from one vault to another
with Microsoft's own code for shares and blobs."""

import base64
import hashlib
import itertools
import json

import pytest
from conftest import Az
from customer import Customer, Owner
from dev_server import DevServer
from security_domain import open_datum, open_with, share_of, unwrap


def test_az_opens_a_domain_that_keystead_made_and_sends_it_on(tmp_path, fresh):
    customer = Customer(tmp_path)
    made = customer.new_domain(2)
    # The first of the two is encrypted.
    keys = [customer.custodians[at] for at in (3, 0)]
    blob = tmp_path / "blob.json"
    fresh(
        "keyvault", "security-domain", "restore-blob", "--sd-file", tmp_path / "made/security-domain.json",
        "--sd-exchange-key", customer.transfer.pem, "--sd-wrapping-keys", *(key.key_pem for key in keys),
        "--passwords", "correct horse", "--sd-file-restore-blob", blob,
    )  # fmt: skip
    sent = json.loads(blob.read_bytes())
    master = unwrap(customer.transfer.key, sent["WrappedKey"])
    [datum] = sent["EncData"]["data"]
    shares = [share_of(made, owner.certificate, owner.key) for owner in customer.custodians[:2]]
    assert (datum["tag"], open_datum(master, datum)) == ("keystead_domain", open_with(made, shares)["keystead_domain"])


@pytest.fixture
def other(tmp_path):
    """Logged in to a second server, whose vault has no keys."""
    (tmp_path / "server").mkdir()
    (tmp_path / "home").mkdir()
    server = DevServer(tmp_path / "server/data").start()
    az = Az(server, tmp_path / "home").cloud(f"{server.url}/adfs")
    login = az.login(server.setting("AZURE_CLIENT_ID"), server.setting("AZURE_CLIENT_SECRET"))
    assert login.returncode == 0, login.stderr
    yield az
    assert server.stop() == 0, server.log.read_text(errors="replace")


def test_az_takes_the_domain_of_one_vault_to_another_where_its_keys_sign(az, other, tmp_path, name):
    custodians = [Owner(tmp_path, f"custodian-{n}") for n in range(3)]
    domain, exchange, backup = (tmp_path / of for of in ("sd.json", "exchange.cer", "key.backup"))
    az.key("create", "--name", name, "--kty", "EC")
    az.key("backup", "--name", name, "--file", backup)
    common = ["keyvault", "security-domain"]
    of = ["--hsm-name", "dev"]
    told = az(
        *common, "download", *of, "--sd-quorum", 2, "--sd-wrapping-keys", *(owner.pem for owner in custodians),
        "--security-domain-file", domain,
    )  # fmt: skip
    assert told["status"] == "Success" and "2 of the 3" in told["statusDetails"], told
    other(*common, "init-recovery", *of, "--sd-exchange-key", exchange)
    # Every two of the three, with Microsoft's code: each blob has the same domain in it.
    for number, two in enumerate(itertools.combinations(custodians, 2)):
        blob = tmp_path / f"blob-{number}.json"
        other(
            *common, "restore-blob", "--sd-file", domain, "--sd-exchange-key", exchange,
            "--sd-wrapping-keys", *(owner.key_pem for owner in two), "--sd-file-restore-blob", blob,
        )  # fmt: skip
        told = other(*common, "upload", *of, "--sd-file", blob, "--restore-blob")
        assert told["status"] == "Success" and "which was uploaded" in told["statusDetails"], told
        # The first of them ends the transfer key's life.
        if number == 0:
            exchange.unlink()
            other(*common, "init-recovery", *of, "--sd-exchange-key", exchange)
    refused = other.run(
        *common, "restore-blob", "--sd-file", domain, "--sd-exchange-key", exchange,
        "--sd-wrapping-keys", custodians[0].key_pem, "--sd-file-restore-blob", tmp_path / "none.json",
    )  # fmt: skip
    assert refused.returncode != 0, "one share is not enough"
    other.key("restore", "--file", backup)
    digest = base64.b64encode(hashlib.sha256(b"payments").digest()).decode()
    signed = other.key("sign", "--name", name, "--algorithm", "ES256", "--digest", digest)["signature"]
    words = ["--name", name, "--algorithm", "ES256", "--digest", digest, "--signature", signed]
    assert az.key("verify", *words)["isValid"] is True
