"""One `keystead dev` for the whole run; clients of the unmodified SDK, whose answers are all checked for a receipt."""

import os
import re
import uuid

import pytest
from azure.core.rest import HttpRequest
from azure.identity import DefaultAzureCredential
from azure.keyvault.keys import KeyClient
from azure.keyvault.keys.crypto import CryptographyClient

from dev_server import API_VERSION, DevServer

RECEIPT = re.compile(r"^1\.[0-9a-f]{32}\.(0|[1-9][0-9]*)\.[A-Za-z0-9_-]{43}$")


@pytest.fixture(scope="session")
def dev(tmp_path_factory):
    """The server, with its dev.env sourced into this process."""
    server = DevServer(tmp_path_factory.mktemp("keystead") / "data").start()
    before = dict(os.environ)
    os.environ.update(server.env)
    yield server
    os.environ.clear()
    os.environ.update(before)
    assert server.stop() == 0, server.log.read_text(errors="replace")


class Answers:
    """Hears every final answer of a client: (method and path, status, receipt)."""

    def __init__(self):
        self.heard = []

    def __call__(self, response):
        http = response.http_response
        if http.status_code != 401:
            where = f"{response.http_request.method} {response.http_request.url.split('?')[0]}"
            self.heard.append((where, http.status_code, http.headers.get("x-keystead-receipt")))

    @property
    def last_receipt(self):
        return self.heard[-1][2]


@pytest.fixture
def answers():
    """What the clients of one test were answered. Each answer must have carried a well-formed receipt."""
    answers = Answers()
    yield answers
    for where, status, receipt in answers.heard:
        assert receipt and RECEIPT.match(receipt), f"{status} without a receipt: {where}: {receipt!r}"


@pytest.fixture
def credential(dev):
    with DefaultAzureCredential() as credential:
        yield credential


class Vault:
    """The SDK's clients for one vault address, and the few calls it makes locally, made remotely."""

    def __init__(self, url, credential, **options):
        self.url, self.credential, self.options = url, credential, options
        self.keys = KeyClient(url, credential, **options)

    def crypto(self, key):
        return CryptographyClient(key, self.credential, **self.options)

    def send(self, method, path, body=None):
        """A request through the SDK's own pipeline (authentication, retries, parsing of errors)."""
        request = HttpRequest(method, path, params={"api-version": API_VERSION}, json=body)
        return self.keys.send_request(request)

    def post(self, path, body):
        answer = self.send("POST", path, body)
        answer.raise_for_status()
        return answer.json()


@pytest.fixture
def vault(dev, credential, answers):
    """The dev vault by its first address, https://localhost:PORT."""
    vault = Vault(dev.url, credential, verify_challenge_resource=False, raw_response_hook=answers)
    with vault.keys:
        yield vault


@pytest.fixture
def name(request):
    """A key name of this test's own."""
    return re.sub(r"[^0-9A-Za-z]+", "-", request.node.name)[:90].strip("-") + "-" + uuid.uuid4().hex[:8]
