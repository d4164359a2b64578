"""`az keyvault key`: what a key looks like, from creation to purge."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)

from verify_with import CURVES

RELEASE_POLICY = {
    "version": "1.0.0",
    "anyOf": [{"authority": "https://issuer.example/", "allOf": [{"claim": "sdk-test", "equals": "true"}]}],
}


def version(key):
    return key["key"]["kid"].rsplit("/", 1)[1]


def deleted(az, name):
    """The names among the deleted."""
    return [key["name"] for key in az.key("list-deleted") if key["name"] == name]


@pytest.mark.parametrize("curve", CURVES)
def test_create_makes_ec_keys_on_every_curve(az, name, curve):
    key = az.key("create", "--name", name, "--kty", "EC", "--curve", curve)["key"]
    assert (key["kty"], key["crv"], key["d"], key["keyOps"]) == ("EC", curve, None, ["sign", "verify"])


def test_create_makes_rsa_keys_with_all_that_can_be_said(az, name):
    key = az.key(
        "create", "--name", name, "--kty", "RSA", "--size", 3072, "--ops", "sign", "verify", "--disabled", "true",
        "--not-before", "2020-01-01T00:00:00Z", "--expires", "2040-01-01T00:00:00Z", "--tags", "a=1", "b",
    )  # fmt: skip
    for shown in (key, az.key("show", "--name", name), az.key("show", "--name", name, "--version", version(key))):
        assert (shown["key"]["kty"], shown["key"]["e"]) == ("RSA", "AQAB") and shown["key"]["d"] is None
        assert shown["key"]["keyOps"] == ["sign", "verify"] and shown["tags"] == {"a": "1", "b": ""}
        attributes = shown["attributes"]
        assert not attributes["enabled"] and attributes["recoverableDays"] == 7
        assert attributes["notBefore"] == "2020-01-01T00:00:00+00:00"
        assert attributes["expires"] == "2040-01-01T00:00:00+00:00"
    assert az("keyvault", "key", "show", "--id", key["key"]["kid"])["key"] == key["key"]


def test_create_makes_an_rsa_key_where_nothing_is_said(az, name):
    assert az.key("create", "--name", name)["key"]["kty"] == "RSA"
    software = az.key("create", "--name", name, "--protection", "software")
    assert software["key"]["kty"] == "RSA"


@pytest.mark.parametrize("size", [128, 192, 256])
def test_create_makes_symmetric_keys_that_never_leave(az, name, size):
    key = az.key("create", "--name", name, "--kty", "oct", "--size", size)["key"]
    assert key["kty"] == "oct" and key["k"] is None


def test_a_software_vault_makes_no_hsm_key(az, name):
    for words in (["--protection", "hsm"], ["--kty", "EC-HSM"], ["--kty", "oct-HSM"]):
        code, said = az.refused("create", "--name", name, *words)
        assert code == 1 and "(BadParameter)" in said and "HSM" in said


def test_keys_and_versions_are_listed(az, name):
    names = [f"{name}-{i}" for i in range(3)]
    for one in names:
        az.key("create", "--name", one, "--kty", "EC")
    listed = [key["name"] for key in az.key("list")]
    assert len(set(listed)) == len(listed) and set(names) <= set(listed)
    assert len(az.key("list", "--maxresults", 2)) == 2
    versions = {version(az.key("create", "--name", names[0], "--kty", "EC")) for _ in range(2)}
    found = [key["kid"].rsplit("/", 1)[1] for key in az.key("list-versions", "--name", names[0])]
    assert len(found) == 3 and versions <= set(found)


def test_set_attributes_changes_what_it_names(az, name):
    first = az.key("create", "--name", name, "--kty", "EC", "--tags", "a=1")
    second = az.key("create", "--name", name, "--kty", "EC", "--tags", "a=1")
    changed = az.key(
        "set-attributes", "--name", name, "--version", version(first), "--enabled", "false", "--ops", "verify",
        "--expires", "2040-01-01T00:00:00Z", "--tags", "b=2",
    )  # fmt: skip
    assert version(changed) == version(first) and changed["tags"] == {"b": "2"}
    shown = az.key("show", "--name", name, "--version", version(first))
    assert shown["attributes"]["enabled"] is False and shown["key"]["keyOps"] == ["verify"]
    assert shown["attributes"]["expires"] == "2040-01-01T00:00:00+00:00"
    assert az.key("show", "--name", name)["attributes"] == second["attributes"], "the newest is another"
    assert az.key("set-attributes", "--name", name, "--tags", "")["tags"] in (None, {})


def test_a_key_is_deleted_shown_recovered_and_purged(az, name):
    key = az.key("create", "--name", name, "--kty", "EC")
    gone = az.key("delete", "--name", name)
    assert gone["recoveryId"].endswith(f"/deletedkeys/{name}") and gone["scheduledPurgeDate"] > gone["deletedDate"]
    assert az.refused("show", "--name", name)[0] == 3, "of `show`, not found has an exit code of its own"
    code, said = az.refused("create", "--name", name, "--kty", "EC")
    assert code == 1 and "(Conflict)" in said
    assert az.key("show-deleted", "--name", name)["key"]["kid"] == key["key"]["kid"]
    assert deleted(az, name) == [name]
    assert az.key("recover", "--name", name)["key"] == key["key"]
    assert az.key("show", "--name", name)["key"] == key["key"] and deleted(az, name) == []
    az.key("delete", "--name", name)
    az.key("purge", "--name", name)
    code, said = az.refused("show-deleted", "--name", name)
    assert deleted(az, name) == [] and code == 1 and "(KeyNotFound)" in said
    assert version(az.key("create", "--name", name, "--kty", "EC")) != version(key), "the name is free"


def test_a_backup_restores_a_purged_key(az, name):
    key = az.key("create", "--name", name, "--kty", "EC", "--tags", "a=1")
    file = az.home / f"{name}.backup"
    az.key("backup", "--name", name, "--file", file)
    code, said = az.refused("restore", "--file", file)
    assert code == 1 and "(Conflict)" in said
    az.key("delete", "--name", name)
    az.key("purge", "--name", name)
    damaged = az.home / f"{name}.damaged"
    damaged.write_bytes(file.read_bytes()[:-1] + b"x")
    code, said = az.refused("restore", "--file", damaged)
    assert code == 1 and "(BadParameter)" in said
    restored = az.key("restore", "--file", file)
    assert restored["key"] == key["key"] and restored["tags"] == {"a": "1"}


@pytest.mark.parametrize("kty", ["EC", "RSA"])
def test_a_key_of_ones_own_is_imported_and_its_public_half_downloaded(az, name, kty):
    made = ec.generate_private_key(ec.SECP384R1()) if kty == "EC" else rsa.generate_private_key(65537, 2048)
    file = az.home / f"{name}.pem"
    file.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
    shown = az.key("import", "--name", name, "--pem-file", file)["key"]
    assert shown["d"] is None
    ours = made.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for encoding, load in (("PEM", load_pem_public_key), ("DER", load_der_public_key)):
        out = az.home / f"{name}.{encoding}"
        az.key("download", "--name", name, "--file", out, "--encoding", encoding)
        assert load(out.read_bytes()).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) == ours


def test_an_exportable_key_keeps_its_release_policy(az, name):
    policy = json.dumps(RELEASE_POLICY)
    key = az.key("create", "--name", name, "--kty", "RSA", "--exportable", "true", "--policy", policy)
    assert key["attributes"]["exportable"] is True and key["releasePolicy"]["immutable"] is False
    fixed = az.key("set-attributes", "--name", name, "--policy", policy, "--immutable", "true")
    assert fixed["releasePolicy"]["immutable"] is True
    code, said = az.refused("create", "--name", name + "-x", "--exportable", "true")
    assert code != 0 and "polic" in said


def test_rotation_makes_a_new_version(az, name):
    first = az.key("create", "--name", name, "--kty", "EC")
    second = az.key("rotate", "--name", name)
    assert version(second) != version(first) and second["key"]["x"] != first["key"]["x"]
    assert version(az.key("show", "--name", name)) == version(second)


def test_a_rotation_policy_is_shown_as_it_was_written(az, name):
    az.key("create", "--name", name, "--kty", "EC")
    notify = {"action": "Notify", "timeAfterCreate": None, "timeBeforeExpiry": "P30D"}
    assert az.key("rotation-policy show", "--name", name)["lifetimeActions"] == [notify]
    wanted = {
        "lifetimeActions": [{"trigger": {"timeAfterCreate": "P90D"}, "action": {"type": "Rotate"}}],
        "attributes": {"expiryTime": "P2Y"},
    }
    stored = az.key("rotation-policy update", "--name", name, "--value", json.dumps(wanted))
    rotate = {"action": "Rotate", "timeAfterCreate": "P90D", "timeBeforeExpiry": None}
    assert stored["lifetimeActions"] == [rotate, notify] and stored["expiresIn"] == "P2Y"
    assert az.key("rotation-policy show", "--name", name) == stored
    wanted["lifetimeActions"][0]["trigger"]["timeAfterCreate"] = "P1D"
    code, said = az.refused("rotation-policy update", "--name", name, "--value", json.dumps(wanted))
    assert code == 1 and "(BadParameter)" in said
