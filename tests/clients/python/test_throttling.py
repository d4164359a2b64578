"""Over its rate a caller is told when to come again, and the SDK's own back-off does that."""

import time

import pytest
from azure.core.pipeline.transport import RequestsTransport
from azure.identity import DefaultAzureCredential
from azure.keyvault.keys import KeyClient

from dev_server import DevServer


class Hearing(RequestsTransport):
    """The SDK's transport, which notes each attempt: (when it was sent, status, Retry-After)."""

    def __init__(self):
        super().__init__()
        self.heard = []

    def send(self, request, **options):
        sent = time.monotonic()
        response = super().send(request, **options)
        self.heard.append((sent, response.status_code, response.headers.get("Retry-After")))
        return response


@pytest.fixture
def slow(tmp_path, monkeypatch):
    """A server that lets each caller make two requests a second."""
    server = DevServer(tmp_path / "data", limits="caller_requests_per_second = 2").start()
    for name, value in server.env.items():
        monkeypatch.setenv(name, value)
    yield server
    assert server.stop() == 0, server.log.read_text(errors="replace")


def test_the_back_off_of_the_sdk_waits_as_told_and_every_call_succeeds(slow):
    transport = Hearing()
    with DefaultAzureCredential() as credential:
        with KeyClient(slow.url, credential, transport=transport, verify_challenge_resource=False) as keys:
            made = [keys.create_ec_key(f"key-{n}") for n in range(6)]
            read = [keys.get_key(f"key-{n}") for n in range(6)]
    assert [key.id for key in made] == [key.id for key in read]
    pairs = zip(transport.heard, transport.heard[1:])
    refused = [(attempt, following) for attempt, following in pairs if attempt[1] == 429]
    assert refused, f"never over the rate: {transport.heard}"
    for (sent, _, retry_after), (sent_again, *_) in refused:
        assert int(retry_after) >= 1
        assert sent_again - sent >= int(retry_after), "it came again earlier than told"


def test_what_is_refused_says_so_in_the_shape_of_key_vault(slow):
    with DefaultAzureCredential() as credential:
        token = credential.get_token(f"{slow.url}/.default").token
    for _ in range(100):
        status, headers, body = slow.raw("GET", "/keys?api-version=7.6", token=token)
        if status == 429:
            break
    assert status == 429 and int(headers["Retry-After"]) >= 1
    assert b'"code":"Throttled"' in body and "x-keystead-receipt" not in headers
