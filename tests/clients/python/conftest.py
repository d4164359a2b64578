"""One `keystead dev` for the whole run, with a vault of software keys and a Managed HSM; clients of the unmodified SDK,
whose answers are all checked for a receipt.

What uses `vault` runs against each kind of vault. What a kind or its token lacks by design is asserted as the refusal
that names it."""

import hashlib
import os
import re
import uuid
from contextlib import contextmanager

import pytest
from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest
from azure.identity import ClientSecretCredential, DefaultAzureCredential
from azure.keyvault.keys import KeyClient
from azure.keyvault.keys.crypto import CryptographyClient

import tokens
from dev_server import API_VERSION, DevServer

RECEIPT = re.compile(r"^1\.[0-9a-f]{32}\.(0|[1-9][0-9]*)\.[A-Za-z0-9_-]{43}$")
# What each token lacks is refused by name.
LACKS = {"dev": set(), "softhsm2": {"RSA-OAEP-256", "short HMAC keys"}, "kryoptic": {"ES256K"}}
TOKENS = ["softhsm2", "kryoptic"]


@pytest.fixture(scope="session")
def dev(tmp_path_factory):
    """The server, with its dev.env sourced into this process. Its vault `dev-hsm` stands before a SoftHSM2 token."""
    server = DevServer(tmp_path_factory.mktemp("keystead") / "data", more=["--softhsm"]).start()
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

    def __init__(self, url, credential, server=None, kind="dev", **options):
        """`kind`: `dev` for software keys, or the token of a Managed HSM."""
        self.url, self.credential, self.options = url, credential, options
        self.server, self.hsm, self.lacks = server, kind in TOKENS, LACKS[kind]
        self.keys = KeyClient(url, credential, **options)

    def kty(self, family):
        """What keys of this family are here: a Managed HSM makes all of them its own."""
        return family + ("-HSM" if self.hsm else "")

    @contextmanager
    def unless_lacking(self, what, named=None):
        """What is done inside succeeds, or where that is lacking is refused by its name."""
        if what not in self.lacks:
            yield
            return
        with pytest.raises(HttpResponseError) as refused:
            yield
        assert refused.value.status_code == 400 and refused.value.error.code == "NotSupported", refused.value
        assert (named or what) in refused.value.message

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


@contextmanager
def opened(server, kind, answers):
    url = server.hsm_url if kind in TOKENS else server.url
    client, secret = server.setting("AZURE_CLIENT_ID"), server.setting("AZURE_CLIENT_SECRET")
    with ClientSecretCredential("adfs", client, secret, authority=server.url) as credential:
        options = {"verify_challenge_resource": False, "raw_response_hook": answers}
        vault = Vault(url, credential, server, kind, **options)
        with vault.keys:
            yield vault


@pytest.fixture(scope="session")
def kryoptic(tmp_path_factory):
    """A server whose vault `dev-hsm` stands before another maker's token."""
    directory = tmp_path_factory.mktemp("kryoptic")
    file = directory / "hsm.toml"
    file.write_text(tokens.configured("kryoptic", directory / "token"))
    server = DevServer(directory / "data", more=["--hsm", file]).start()
    yield server
    assert server.stop() == 0, server.log.read_text(errors="replace")


@pytest.fixture
def of_kind(request, answers, monkeypatch):
    """Opens a vault by its kind."""

    def of_kind(kind):
        server = request.getfixturevalue("kryoptic" if kind == "kryoptic" else "dev")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", server.setting("REQUESTS_CA_BUNDLE"))
        return opened(server, kind, answers)

    return of_kind


@pytest.fixture(params=["dev", *TOKENS] if os.environ.get("KEYSTEAD_TEST_LONG") else ["dev", TOKENS[0]])
def vault(request, of_kind):
    """The vault `dev` and the Managed HSM `dev-hsm`, each by its first address, https://localhost:PORT. `test --long`
    puts the second before each token in turn."""
    with of_kind(request.param) as vault:
        yield vault


@pytest.fixture
def software(of_kind):
    """The vault `dev` alone."""
    with of_kind("dev") as vault:
        yield vault


@pytest.fixture(params=TOKENS)
def hsm(request, of_kind):
    """The vault `dev-hsm` before each token in turn."""
    with of_kind(request.param) as vault:
        yield vault


@pytest.fixture
def name(request):
    """A key name of this test's own."""
    return re.sub(r"[^0-9A-Za-z]+", "-", request.node.name)[:90].strip("-") + "-" + uuid.uuid4().hex[:8]


class Second:
    """A second vault on the same server, made by its operator: `officer` administers it and does everything with keys,
    `policy` manages roles and has no key, `stranger` and `user` have nothing."""

    subjects = {"officer": "officer", "stranger": "stranger", "policy": str(uuid.uuid4()), "user": str(uuid.uuid4())}

    def __init__(self, dev, directory, hsm):
        self.clients = {who: (str(uuid.uuid4()), uuid.uuid4().hex) for who in self.subjects}
        # A name and port that neither `dev` nor `dev-hsm` has.
        self.url = f"https://dev.localhost:{dev.hsm_port}" if hsm else f"https://dev-hsm.localhost:{dev.port}"
        self.hsm, socket, file = hsm, ["--socket", dev.data / "operator.sock"], directory / "policy.toml"
        file.write_text(self._policy(["Managed HSM Crypto User", "Managed HSM Crypto Officer"] if hsm else
                                     ["Key Vault Crypto Officer"]))  # fmt: skip
        name, create = "second-hsm" if hsm else "second", ["vault", "create"]
        first = [] if hsm else ["--policy", file]
        authority = ["--authority", self.url.removeprefix("https://"), "--retention", "7"]
        steps = [[*create, name, *socket, *authority, "--kind", "hsm" if hsm else "vault", *first]]
        if hsm:
            steps.append(["vault", "activate", name, *socket, "--hsm", "softhsm", "--policy", file])
        for words in steps:
            made = dev.command(*words)
            assert made.returncode == 0, made.stderr

    def credential(self, who):
        return ClientSecretCredential("adfs", *self.clients[who], authority=self.url)

    def _policy(self, officer):
        policy = '[[administrators]]\nissuer = "built-in"\nsubject = "officer"\n'
        for who, role in (*(("officer", role) for role in officer), ("policy", "Managed HSM Policy Administrator")):
            principal = f'{{ issuer = "built-in", subject = "{self.subjects[who]}" }}'
            policy += f'[[assignments]]\nscope = "/"\nrole = "{role}"\nprincipal = {principal}\n'
        for who, (client, secret) in self.clients.items():
            held = hashlib.sha256(secret.encode()).hexdigest()
            policy += f'[[clients]]\nid = "{client}"\nname = "{who}"\nsubject = "{self.subjects[who]}"\n'
            policy += f'secrets = ["{held}"]\n'
        return policy


@pytest.fixture(scope="session", params=["vault", "hsm"])
def second(request, dev, tmp_path_factory):
    """One of each kind."""
    return Second(dev, tmp_path_factory.mktemp("second"), hsm=request.param == "hsm")
