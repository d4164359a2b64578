"""Every credential a user of azure-identity may hold works unchanged: environment, client secret, managed identity."""

import re

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientSecretCredential, DefaultAzureCredential, ManagedIdentityCredential
from azure.keyvault.keys.crypto import SignatureAlgorithm

from conftest import Vault
from verify_with import digest, verifies

GUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
CHALLENGE = re.compile(r'^Bearer authorization="(https://[^/"=, ]+/([^/"=, ]+))", resource="(https://[^/"=, ]+)"$')


def challenge(dev, url=None):
    """(authorization, tenant, resource) as a request without a token is told."""
    status, headers, _ = dev.raw("GET", "/keys?api-version=7.6", url=url)
    found = CHALLENGE.match(headers.get("WWW-Authenticate", ""))
    assert status == 401 and found, (status, headers.get("WWW-Authenticate"))
    return found.groups()


def guid_tenant(dev):
    """A tenant as ordinary configurations name it: the one in the challenge or, where that is `adfs`, any."""
    tenant = challenge(dev)[1]
    return tenant if GUID.match(tenant) else "7d3a0c52-5b1e-4a7c-9f7e-2b1d5f0c9a34"


def signs(vault, name):
    """Creates a key, signs with it, checks the signature with another library."""
    key = vault.keys.create_ec_key(name)
    made = vault.crypto(key).sign(SignatureAlgorithm.es256, digest())
    assert made.key_id == key.id
    assert verifies(key.key, "ES256", digest(), made.signature)
    return key


def test_default_azure_credential_signs_es256_over_localhost(dev, answers, name):
    with DefaultAzureCredential() as credential:
        key = signs(Vault(dev.url, credential, verify_challenge_resource=False, raw_response_hook=answers), name)
    assert key.id.startswith(f"{dev.url}/keys/{name}/")


def test_dev_localhost_needs_no_option(dev, answers, name):
    with DefaultAzureCredential() as credential:
        key = signs(Vault(dev.named_url, credential, raw_response_hook=answers), name)
    assert key.id.startswith(f"{dev.named_url}/keys/{name}/")


def test_client_secret_credential_with_tenant_adfs_needs_no_flag(dev, answers, name):
    credential = ClientSecretCredential(
        "adfs", dev.setting("AZURE_CLIENT_ID"), dev.setting("AZURE_CLIENT_SECRET"),
        authority=dev.setting("AZURE_AUTHORITY_HOST"),
    )  # fmt: skip
    signs(Vault(dev.named_url, credential, raw_response_hook=answers), name)


def test_client_secret_credential_with_a_guid_tenant_needs_only_the_discovery_flag(dev, answers, name):
    credential = ClientSecretCredential(
        guid_tenant(dev), dev.setting("AZURE_CLIENT_ID"), dev.setting("AZURE_CLIENT_SECRET"),
        authority=dev.setting("AZURE_AUTHORITY_HOST"), disable_instance_discovery=True,
    )  # fmt: skip
    signs(Vault(dev.named_url, credential, raw_response_hook=answers), name)


def test_managed_identity_credential_works_through_the_app_service_endpoint(dev, answers, name):
    assert dev.setting("IDENTITY_ENDPOINT") and dev.setting("IDENTITY_HEADER")
    signs(Vault(dev.named_url, ManagedIdentityCredential(), raw_response_hook=answers), name)


def test_managed_identity_without_the_secret_header_gets_no_token(dev, monkeypatch):
    monkeypatch.setenv("IDENTITY_HEADER", "not-the-header")
    with pytest.raises(ClientAuthenticationError):
        ManagedIdentityCredential().get_token(challenge(dev)[2] + "/.default")


def test_a_wrong_client_secret_gets_no_token(dev):
    credential = ClientSecretCredential(
        "adfs", dev.setting("AZURE_CLIENT_ID"), "wrong", authority=dev.setting("AZURE_AUTHORITY_HOST")
    )
    with pytest.raises(ClientAuthenticationError):
        credential.get_token(challenge(dev)[2] + "/.default")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/keys/a//sign?api-version=7.6", "/keys/a", "/no/such/route", "/"])
def test_a_request_without_a_token_is_challenged_whatever_it_asks(dev, method, path):
    status, headers, body = dev.raw(method, path)
    assert status == 401, (method, path, status, body)
    assert CHALLENGE.match(headers["WWW-Authenticate"])
    assert headers["x-keystead-receipt"] is None, "nothing reached a decision"


def test_the_challenge_resource_is_a_parent_domain_with_the_port(dev):
    resource = challenge(dev, dev.named_url)[2]
    assert dev.named_url.removeprefix("https://").endswith("." + resource.removeprefix("https://"))


@pytest.mark.parametrize("token", ["x", "a.b.c", "eyJhbGciOiJub25lIn0.e30."])
def test_a_token_that_proves_nothing_is_challenged_again(dev, token):
    status, headers, _ = dev.raw("GET", "/keys?api-version=7.6", token=token)
    assert status == 401 and CHALLENGE.match(headers["WWW-Authenticate"])


def test_a_token_for_another_audience_is_refused(dev, credential):
    good = credential.get_token(challenge(dev)[2] + "/.default").token
    assert dev.raw("GET", "/keys?api-version=7.6", token=good)[0] == 200
    try:
        other = credential.get_token("https://other.example/.default").token
    except ClientAuthenticationError:
        return  # not even issued
    assert dev.raw("GET", "/keys?api-version=7.6", token=other)[0] == 401
