"""Refusals arrive as the error classes and codes that Key Vault's users test for."""

from datetime import datetime, timedelta, timezone

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.keyvault.keys.crypto import EncryptionAlgorithm, SignatureAlgorithm

from conftest import Vault
from test_credentials import challenge
from verify_with import b64, digest

ES256 = SignatureAlgorithm.es256


def codes(refused):
    """(status, code, inner code) of a raised error, from its body."""
    error = refused.value.response.json()["error"]
    assert error["message"], "a person reads the message"
    return refused.value.status_code, error["code"], (error.get("innererror") or {}).get("code")


def test_an_unknown_key_or_version_is_not_found(vault, name):
    with pytest.raises(ResourceNotFoundError, match="not found") as refused:
        vault.keys.get_key(name)
    assert codes(refused) == (404, "KeyNotFound", None)
    vault.keys.create_ec_key(name)
    for call in (
        lambda: vault.keys.get_key(name, "0" * 32),
        lambda: vault.crypto(f"{vault.url}/keys/{name}-x/{'0' * 32}").sign(ES256, digest()),
        lambda: vault.keys.get_deleted_key(name),
        lambda: vault.keys.begin_delete_key(name + "-x"),
    ):
        with pytest.raises(ResourceNotFoundError, match="not found") as refused:
            call()
        assert codes(refused)[:2] == (404, "KeyNotFound")


def test_a_disabled_key_refuses_every_operation_and_is_still_shown(vault, name):
    key = vault.keys.create_ec_key(name)
    vault.keys.update_key_properties(name, enabled=False)
    with pytest.raises(HttpResponseError) as refused:
        vault.crypto(key).sign(ES256, digest())
    assert codes(refused) == (403, "Forbidden", "KeyDisabled")
    assert vault.keys.get_key(name).properties.enabled is False
    vault.keys.update_key_properties(name, enabled=True)
    assert vault.crypto(key).sign(ES256, digest()).signature


def test_an_operation_outside_key_ops_is_forbidden(vault, name):
    key = vault.keys.create_rsa_key(name, size=2048, key_operations=["verify"])
    with pytest.raises(HttpResponseError) as refused:
        vault.crypto(key).sign(SignatureAlgorithm.rs256, digest())
    assert codes(refused) == (403, "Forbidden", "KeyOperationForbidden")


def test_outside_its_dates_a_key_signs_nothing_but_its_signatures_verify(vault, name):
    now, hour = datetime.now(timezone.utc), timedelta(hours=1)
    for suffix, dates in (("-old", {"expires_on": now - hour}), ("-new", {"not_before": now + hour})):
        key = vault.keys.create_ec_key(name + suffix)
        signature = vault.crypto(key).sign(ES256, digest()).signature
        vault.keys.update_key_properties(name + suffix, **dates)
        with pytest.raises(HttpResponseError) as refused:
            vault.crypto(key).sign(ES256, digest())
        assert codes(refused)[:2] == (403, "Forbidden")
        assert vault.crypto(vault.keys.get_key(name + suffix)).verify(ES256, digest(), signature).is_valid


def test_create_over_a_deleted_key_conflicts_until_it_is_purged(vault, name):
    vault.keys.create_ec_key(name)
    vault.keys.begin_delete_key(name).wait()
    with pytest.raises(ResourceExistsError) as refused:
        vault.keys.create_ec_key(name)
    assert codes(refused) == (409, "Conflict", "ObjectIsDeletedButRecoverable")
    vault.keys.purge_deleted_key(name)
    assert vault.keys.create_ec_key(name)


def test_a_caller_without_a_role_is_forbidden_by_rbac(second, answers, name):
    url, credential = second.url, second.credential
    key = Vault(url, credential("officer"), raw_response_hook=answers).keys.create_ec_key(name)
    theirs = Vault(url, credential("stranger"), raw_response_hook=answers)
    for call in (
        lambda: theirs.keys.get_key(name),
        lambda: theirs.keys.create_ec_key(name),
        lambda: theirs.keys.begin_delete_key(name),
        lambda: list(theirs.keys.list_properties_of_keys()),
        lambda: theirs.crypto(f"{url}/keys/{name}/{key.properties.version}").sign(ES256, digest()),
    ):
        with pytest.raises(HttpResponseError) as refused:
            call()
        assert codes(refused) == (403, "Forbidden", "ForbiddenByRbac")
    unknown = {theirs.send("GET", f"/keys/{n}/").status_code for n in (name, name + "-unknown")}
    assert unknown == {403}, "whether a key exists is not told to those who may not read it"


def test_an_inactive_hsm_vault_says_so_and_does_not_challenge(dev):
    host = f"idle-hsm.localhost:{dev.hsm_port}"
    words = ["vault", "create", "idle-hsm", "--kind", "hsm", "--authority", host]
    made = dev.command(*words, "--socket", dev.data / "operator.sock")
    assert made.returncode == 0, made.stderr
    status, headers, body = dev.raw("GET", "/keys?api-version=7.6", url=dev.hsm_url, host=host)
    assert status == 403 and b'"VaultNotActivated"' in body, (status, body)
    assert headers["WWW-Authenticate"] is None


def test_an_unknown_authority_is_not_found_and_not_challenged(dev):
    status, headers, _ = dev.raw("GET", "/keys?api-version=7.6", host=f"other.localhost:{dev.port}")
    assert status == 404 and headers["WWW-Authenticate"] is None


@pytest.mark.parametrize(
    "method, path, body",
    [
        ("GET", "/keys/{n}", None),
        ("GET", "/keys?api-version=latest", None),
        ("GET", "/keys?api-version=7.6&maxresults=26", None),
        ("GET", "/keys?api-version=7.6&maxresults=0", None),
        ("GET", "/keys?api-version=7.6&$skiptoken=!!", None),
        ("GET", "/keys/not_a_name?api-version=7.6", None),
        ("POST", "/keys/{n}/create?api-version=7.6", {"kty": "DSA"}),
        ("POST", "/keys/{n}/create?api-version=7.6", {"kty": "RSA", "key_size": 1024}),
        ("POST", "/keys/{n}/create?api-version=7.6", {"kty": "EC", "crv": "P-255"}),
        ("POST", "/keys/{n}/create?api-version=7.6", {"kty": "EC", "key_ops": ["dance"]}),
        ("POST", "/keys/{n}/create?api-version=7.6", ["not an object"]),
        ("POST", "/keys/{n}//sign?api-version=7.6", {"alg": "RS256", "value": b64(digest())}),
        ("POST", "/keys/{n}//sign?api-version=7.6", {"alg": "ES256", "value": b64(digest()[:20])}),
        ("POST", "/keys/{n}//sign?api-version=7.6", {"alg": "ES256", "value": "***"}),
        ("POST", "/keys/{n}//sign?api-version=7.6", {"alg": "es256", "value": b64(digest())}),
    ],
)
def test_what_cannot_be_understood_is_a_bad_parameter(vault, name, method, path, body):
    vault.keys.create_ec_key(name)
    token = vault.credential.get_token(challenge(vault.server, vault.url)[2] + "/.default").token
    status, headers, text = vault.server.raw(method, path.format(n=name), token, body, url=vault.url)
    assert status == 400 and b'"BadParameter"' in text, (status, text)
    assert headers["Content-Type"].startswith("application/json")


def test_a_ciphertext_that_does_not_open_is_one_uniform_bad_parameter(vault, name):
    algorithm = EncryptionAlgorithm.rsa_oaep if vault.hsm else EncryptionAlgorithm.rsa_oaep_256
    crypto = vault.crypto(vault.keys.create_rsa_key(name, size=2048))
    seen = set()
    for ciphertext in (bytes(256), b"\x01" * 256, b"\x00" + b"\x7f" * 255):
        with pytest.raises(HttpResponseError) as refused:
            crypto.decrypt(algorithm, ciphertext)
        assert codes(refused) == (400, "BadParameter", None)
        seen.add(refused.value.response.json()["error"]["message"])
    assert len(seen) == 1, seen
