"""What needs approvals, as Microsoft's unmodified client meets it: refused by name, and done by the same call once
approvers have signed. The text that they sign is built here from docs/approvals.md, and signed by another library."""

import base64
from datetime import datetime, timezone

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.core.rest import HttpRequest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from conftest import opened
from dev_server import API_VERSION, DevServer


class Approver:
    def __init__(self, name, key):
        self.name, self.key = name, key
        self.pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def sign(self, text):
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return self.key.sign(text)
        return self.key.sign(text, ec.ECDSA(hashes.SHA256()))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One of its own: its vault's policy asks for approvals."""
    server = DevServer(tmp_path_factory.mktemp("approvals") / "data").start()
    yield server
    assert server.stop() == 0, server.log.read_text(errors="replace")


@pytest.fixture
def vault(server, answers, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", server.setting("REQUESTS_CA_BUNDLE"))
    with opened(server, "dev", answers) as vault:
        yield vault


@pytest.fixture(scope="module")
def approvers():
    return [
        Approver("alice", ed25519.Ed25519PrivateKey.generate()),
        Approver("bob", ec.generate_private_key(ec.SECP256R1())),
        Approver("carol", ed25519.Ed25519PrivateKey.generate()),
    ]


def text(proposal, verdict):
    """What is signed."""
    expires = datetime.fromtimestamp(proposal["expires"] / 1000, timezone.utc)
    expires = expires.strftime("%Y-%m-%dT%H:%M:%S.") + f"{proposal['expires'] % 1000:03}Z"
    lines = {
        "verdict": verdict,
        "vault": f"{proposal['vault']} {proposal['vault_name']}",
        "proposal": proposal["id"],
        "rules": ", ".join(proposal["rules"]),
        "operation": proposal["operation"],
        "target": proposal["target"],
        "parameters": proposal["parameters"],
        "proposer": proposal["proposer"],
        "reason": proposal["reason"],
        "policy revision": proposal["policy_revision"],
        "expires": expires,
    }
    return "".join(["keystead approval 2\n", *(f"{name}: {value}\n" for name, value in lines.items())]).encode()


def call(vault, method, path, body=None, propose=None):
    headers = {"x-keystead-propose": propose} if propose else {}
    request = HttpRequest(method, path, params={"api-version": API_VERSION}, json=body, headers=headers)
    answer = vault.keys.send_request(request)
    answer.raise_for_status()
    return answer


def vote(vault, proposal, approver, verdict="approve"):
    signature = base64.urlsafe_b64encode(approver.sign(text(proposal, verdict))).rstrip(b"=").decode()
    body = {"verdict": verdict, "key": approver.pem, "signature": signature}
    return call(vault, "POST", f"/keystead/v1/approvals/{proposal['id']}/votes", body).json()


def refused(purge):
    with pytest.raises(HttpResponseError) as refusal:
        purge()
    assert (refusal.value.status_code, refusal.value.error.code) == (403, "Forbidden")
    assert refusal.value.error.innererror["code"] == "ApprovalRequired", refusal.value
    return refusal.value.message


def test_purge_is_refused_until_two_have_signed_and_then_is_done_once(vault, name, approvers):
    rules = {"approvers": [{"name": a.name, "key": a.pem} for a in approvers], "approvals": {"purge": 2}}
    call(vault, "PUT", "/keystead/v1/policy/approvals", rules)
    vault.keys.create_ec_key(name)
    vault.keys.begin_delete_key(name).wait()
    assert "x-keystead-propose" in refused(lambda: vault.keys.purge_deleted_key(name)), "it says what to do"

    answer = call(vault, "DELETE", f"/deletedkeys/{name}", propose="replaced by another")
    proposal = answer.json()["proposal"]
    assert answer.status_code == 202 and answer.headers["x-keystead-proposal"] == proposal["id"]
    assert (proposal["operation"], proposal["target"]) == ("keys/purge", f"/keys/{name}")
    assert vault.keys.get_deleted_key(name).name == name, "it is only proposed"

    assert vote(vault, proposal, approvers[0])["state"] == "pending"
    assert proposal["id"] in refused(lambda: vault.keys.purge_deleted_key(name))
    assert vote(vault, proposal, approvers[1])["state"] == "approved"
    vault.keys.purge_deleted_key(name)
    with pytest.raises(ResourceNotFoundError):
        vault.keys.purge_deleted_key(name)
    kept = call(vault, "GET", f"/keystead/v1/approvals/{proposal['id']}").json()
    assert kept["state"] == "executed" and [v["approver"] for v in kept["votes"]] == ["alice", "bob"]


def test_what_needs_no_approval_is_not_proposed(vault, name):
    vault.keys.create_ec_key(name)
    with pytest.raises(HttpResponseError) as refusal:
        call(vault, "DELETE", f"/keys/{name}", propose="tidy up")
    assert refusal.value.status_code == 400 and refusal.value.error.innererror["code"] == "ApprovalNotNeeded"
    assert vault.keys.get_key(name).name == name
