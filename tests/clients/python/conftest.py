"""One `keystead dev` for the whole run; clients of the unmodified SDK, whose answers are all checked for a receipt."""

import hashlib
import os
import re
import uuid

import pytest
from azure.core.rest import HttpRequest
from azure.identity import ClientSecretCredential, DefaultAzureCredential
from azure.keyvault.keys import KeyClient
from azure.keyvault.keys.crypto import CryptographyClient

import tokens
from dev_server import API_VERSION, DevServer

RECEIPT = re.compile(r"^1\.[0-9a-f]{32}\.(0|[1-9][0-9]*)\.[A-Za-z0-9_-]{43}$")
# What each token lacks is refused by name.
LACKS = {"softhsm2": {"RSA-OAEP-256", "short HMAC keys"}, "kryoptic": {"ES256K"}}


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


@pytest.fixture(scope="module", params=["softhsm2", "kryoptic"])
def hsm_server(request, tmp_path_factory):
    """A server whose vault `dev-hsm` stands before a token; each token in turn."""
    directory = tmp_path_factory.mktemp(request.param)
    file = directory / "hsm.toml"
    file.write_text(tokens.configured(request.param, directory / "token"))
    server = DevServer(directory / "data", more=["--hsm", file])
    server.kind = request.param
    server.start()
    yield server
    assert server.stop() == 0, server.log.read_text(errors="replace")


@pytest.fixture
def hsm(hsm_server, answers, monkeypatch):
    """Its vault `dev-hsm`."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", hsm_server.setting("REQUESTS_CA_BUNDLE"))
    client, secret = hsm_server.setting("AZURE_CLIENT_ID"), hsm_server.setting("AZURE_CLIENT_SECRET")
    with ClientSecretCredential("adfs", client, secret, authority=hsm_server.url) as credential:
        vault = Vault(hsm_server.hsm_url, credential, verify_challenge_resource=False, raw_response_hook=answers)
        vault.lacks = LACKS[hsm_server.kind]
        with vault.keys:
            yield vault


@pytest.fixture
def name(request):
    """A key name of this test's own."""
    return re.sub(r"[^0-9A-Za-z]+", "-", request.node.name)[:90].strip("-") + "-" + uuid.uuid4().hex[:8]


class Second:
    """A second vault on the same server, made by its operator: `officer` administers it and does everything with keys,
    `policy` manages roles and has no key, `stranger` and `user` have nothing."""

    subjects = {"officer": "officer", "stranger": "stranger", "policy": str(uuid.uuid4()), "user": str(uuid.uuid4())}

    def __init__(self, dev, directory):
        self.clients = {who: (str(uuid.uuid4()), uuid.uuid4().hex) for who in self.subjects}
        self.url = f"https://dev-hsm.localhost:{dev.port}"
        file = directory / "policy.toml"
        file.write_text(self._policy())
        made = dev.command(
            "vault", "create", "second", "--socket", dev.data / "operator.sock",
            "--authority", self.url.removeprefix("https://"), "--retention", "7", "--policy", file,
        )  # fmt: skip
        assert made.returncode == 0, made.stderr

    def credential(self, who):
        return ClientSecretCredential("adfs", *self.clients[who], authority=self.url)

    def _policy(self):
        policy = '[[administrators]]\nissuer = "built-in"\nsubject = "officer"\n'
        for who, role in (("officer", "Key Vault Crypto Officer"), ("policy", "Managed HSM Policy Administrator")):
            principal = f'{{ issuer = "built-in", subject = "{self.subjects[who]}" }}'
            policy += f'[[assignments]]\nscope = "/"\nrole = "{role}"\nprincipal = {principal}\n'
        for who, (client, secret) in self.clients.items():
            held = hashlib.sha256(secret.encode()).hexdigest()
            policy += f'[[clients]]\nid = "{client}"\nname = "{who}"\nsubject = "{self.subjects[who]}"\n'
            policy += f'secrets = ["{held}"]\n'
        return policy


@pytest.fixture(scope="session")
def second(dev, tmp_path_factory):
    return Second(dev, tmp_path_factory.mktemp("second"))
