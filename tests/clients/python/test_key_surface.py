"""Import, backup and restore, rotation, random bytes and release policies, through the unmodified KeyClient."""

import json
from datetime import datetime, timedelta, timezone

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.keyvault.keys import (
    JsonWebKey,
    KeyReleasePolicy,
    KeyRotationLifetimeAction,
    KeyRotationPolicy,
    KeyRotationPolicyAction,
)
from azure.keyvault.keys.crypto import EncryptionAlgorithm, SignatureAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from credentials_aio import AsyncCredentials
from verify_with import digest, verifies

NOTIFY_BY_DEFAULT = ("Notify", None, "P30D")


def number(value, length=None):
    return value.to_bytes(length or (value.bit_length() + 7) // 8, "big")


def ec_jwk():
    n = ec.generate_private_key(ec.SECP256R1()).private_numbers()
    x, y = number(n.public_numbers.x, 32), number(n.public_numbers.y, 32)
    return JsonWebKey(kty="EC", crv="P-256", x=x, y=y, d=number(n.private_value, 32), key_ops=["sign", "verify"])


def rsa_jwk():
    n = rsa.generate_private_key(65537, 2048).private_numbers()
    parts = {"d": n.d, "p": n.p, "q": n.q, "dp": n.dmp1, "dq": n.dmq1, "qi": n.iqmp}
    # As some clients write them: with a zero byte in front.
    public = {"n": b"\0" + number(n.public_numbers.n), "e": number(n.public_numbers.e)}
    return JsonWebKey(kty="RSA", **public, **{name: number(part) for name, part in parts.items()})


def actions(policy):
    return [(a.action.value, a.time_after_create, a.time_before_expiry) for a in policy.lifetime_actions]


def release_policy(authority="https://issuer.example/", **options):
    condition = {"claim": "sdk-test", "equals": True}
    document = {"version": "1.0.0", "anyOf": [{"authority": authority, "allOf": [condition]}]}
    return KeyReleasePolicy(json.dumps(document).encode(), **options)


def unparsed(answers):
    """The last answer was to a request that never became a command: it has no receipt."""
    where, status, receipt = answers.heard.pop()
    assert (status, receipt) == (400, None), where


def gone(vault, name):
    vault.keys.begin_delete_key(name).wait()
    vault.keys.purge_deleted_key(name)


def test_an_imported_ec_key_signs_as_the_key_it_is(vault, name):
    jwk = ec_jwk()
    key = vault.keys.import_key(name, jwk, tags={"from": "elsewhere"})
    assert (key.key.x, key.key.y, key.key.d) == (jwk.x, jwk.y, None)
    assert key.properties.tags == {"from": "elsewhere"} and set(key.key_operations) == {"sign", "verify"}
    made = vault.crypto(key).sign(SignatureAlgorithm.es256, digest())
    assert verifies(jwk, "ES256", digest(), made.signature)


def test_an_imported_rsa_key_signs_and_decrypts(vault, name):
    jwk = rsa_jwk()
    key = vault.keys.import_key(name, jwk, hardware_protected=False, enabled=True)
    assert key.key.n == jwk.n.lstrip(b"\0") and not any(getattr(key.key, part) for part in ("d", "p", "q"))
    crypto = vault.crypto(key)
    made = crypto.sign(SignatureAlgorithm.rs256, digest())
    assert verifies(key.key, "RS256", digest(), made.signature)
    sealed = crypto.encrypt(EncryptionAlgorithm.rsa_oaep, b"plain")
    assert crypto.decrypt(EncryptionAlgorithm.rsa_oaep, sealed.ciphertext).plaintext == b"plain"


def test_an_import_under_a_name_that_exists_is_a_new_version(vault, name):
    first = vault.keys.create_ec_key(name)
    second = vault.keys.import_key(name, JsonWebKey(kty="oct", k=bytes(range(32))))
    assert second.properties.version != first.properties.version and second.key_type == vault.kty("oct")
    assert vault.keys.get_key(name).id == second.id and second.key.k is None


def test_what_is_not_one_sound_key_is_refused(vault, name, answers):
    bad = ec_jwk()
    bad.d = ec_jwk().d
    other = rsa_jwk()
    other.p = rsa_jwk().p
    for jwk in (bad, other, JsonWebKey(kty="oct", k=b"short")):
        with pytest.raises(HttpResponseError) as refused:
            vault.keys.import_key(name, jwk)
        assert (refused.value.status_code, refused.value.error.code) == (400, "BadParameter")
    if not vault.hsm:
        with pytest.raises(HttpResponseError) as refused:
            vault.keys.import_key(name, ec_jwk(), hardware_protected=True)
        assert refused.value.status_code == 400 and "software" in refused.value.message
    with pytest.raises(HttpResponseError) as refused:
        vault.keys.import_key(name, JsonWebKey(kty="EC", crv="P-256", x=b"x", y=b"y"))
    assert "key.d" in refused.value.message
    unparsed(answers)
    with pytest.raises(ResourceNotFoundError):
        vault.keys.get_key(name)


def test_a_backup_brings_a_purged_key_back_with_all_its_versions(vault, name):
    first = vault.keys.create_ec_key(name, tags={"a": "1"})
    made = vault.crypto(first).sign(SignatureAlgorithm.es256, digest())
    newest = vault.keys.rotate_key(name)
    vault.keys.update_key_rotation_policy(name, KeyRotationPolicy(), expires_in="P90D")
    before = sorted(v.id for v in vault.keys.list_properties_of_key_versions(name))
    backup = vault.keys.backup_key(name)
    assert isinstance(backup, bytes) and name.encode() not in backup
    with pytest.raises(ResourceExistsError):
        vault.keys.restore_key_backup(backup)
    vault.keys.begin_delete_key(name).wait()
    with pytest.raises(ResourceExistsError):
        vault.keys.restore_key_backup(backup)
    vault.keys.purge_deleted_key(name)
    restored = vault.keys.restore_key_backup(backup)
    assert restored.id == newest.id and restored.properties.tags == {"a": "1"}
    assert restored.properties.created_on == newest.properties.created_on
    assert restored.properties.updated_on == newest.properties.updated_on
    assert sorted(v.id for v in vault.keys.list_properties_of_key_versions(name)) == before
    assert vault.keys.get_key_rotation_policy(name).expires_in == "P90D"
    assert vault.crypto(first).verify(SignatureAlgorithm.es256, digest(), made.signature).is_valid


def test_a_damaged_backup_is_refused_by_name(vault, name):
    vault.keys.create_ec_key(name)
    backup = bytearray(vault.keys.backup_key(name))
    gone(vault, name)
    for at, word in [(-1, "damaged"), (0, "corrupt version"), (3, "format"), (5, "another security domain")]:
        changed = bytearray(backup)
        changed[at] ^= 0x40
        with pytest.raises(HttpResponseError) as refused:
            vault.keys.restore_key_backup(bytes(changed))
        assert refused.value.status_code == 400 and word in refused.value.message, refused.value.message


def test_rotation_makes_a_new_version_of_the_same_kind(vault, name):
    ends = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(days=100)
    first = vault.keys.create_rsa_key(name, size=2048, key_operations=["sign"], tags={"a": "1"}, expires_on=ends)
    second = vault.keys.rotate_key(name)
    assert second.id != first.id and second.key.n != first.key.n
    assert (second.key_type, second.key_operations, second.properties.tags) == (vault.kty("RSA"), ["sign"], {"a": "1"})
    assert second.properties.expires_on is None, "the policy says how long versions last, and there is none"
    vault.keys.update_key_rotation_policy(name, KeyRotationPolicy(), expires_in="P90D")
    third = vault.keys.rotate_key(name)
    assert third.properties.expires_on - third.properties.created_on == timedelta(days=90)


def test_a_rotation_policy_is_kept_as_it_was_written(vault, name, answers):
    vault.keys.create_ec_key(name)
    unset = vault.keys.get_key_rotation_policy(name)
    assert actions(unset) == [NOTIFY_BY_DEFAULT] and unset.expires_in is None
    rotate = KeyRotationLifetimeAction(KeyRotationPolicyAction.rotate, time_after_create="P2M")
    stored = vault.keys.update_key_rotation_policy(
        name, KeyRotationPolicy(), lifetime_actions=[rotate], expires_in="P1Y10D"
    )
    found = vault.keys.get_key_rotation_policy(name)
    for policy in (stored, found):
        assert policy.id == f"{vault.url}/keys/{name}/rotationpolicy"
        assert actions(policy) == [("Rotate", "P2M", None), NOTIFY_BY_DEFAULT] and policy.expires_in == "P1Y10D"
        assert abs(policy.created_on - datetime.now(timezone.utc)) < timedelta(minutes=1)
        assert policy.updated_on >= policy.created_on
    notify = KeyRotationLifetimeAction(KeyRotationPolicyAction.notify, time_before_expiry="P45D")
    before = KeyRotationLifetimeAction(KeyRotationPolicyAction.rotate, time_before_expiry="P30D")
    replaced = vault.keys.update_key_rotation_policy(name, found, lifetime_actions=[notify, before], expires_in="P90D")
    assert actions(replaced) == [("Rotate", None, "P30D"), ("Notify", None, "P45D")]
    assert replaced.created_on == stored.created_on
    for bad in ("P5D", "P88D", "soon"):
        rotate = KeyRotationLifetimeAction(KeyRotationPolicyAction.rotate, time_after_create=bad)
        with pytest.raises(HttpResponseError) as refused:
            vault.keys.update_key_rotation_policy(name, found, lifetime_actions=[rotate], expires_in="P90D")
        assert refused.value.status_code == 400
        if bad == "soon":
            unparsed(answers)
    assert actions(vault.keys.get_key_rotation_policy(name)) == actions(replaced)


def test_random_bytes_are_as_many_as_asked_for(vault, answers):
    for count in (1, 16, 128):
        assert len(vault.keys.get_random_bytes(count)) == count
    assert vault.keys.get_random_bytes(32) != vault.keys.get_random_bytes(32)
    with pytest.raises(HttpResponseError) as refused:
        vault.keys.get_random_bytes(129)
    assert refused.value.status_code == 400 and "1 to 128" in refused.value.message
    unparsed(answers)


def test_an_exportable_key_keeps_its_release_policy_until_it_is_immutable(vault, name, answers):
    policy = release_policy()
    key = vault.keys.create_ec_key(name, exportable=True, release_policy=policy)
    for shown in (key, vault.keys.get_key(name), vault.keys.rotate_key(name)):
        assert shown.properties.exportable and not shown.properties.hsm_platform
        kept = shown.properties.release_policy
        assert json.loads(kept.encoded_policy) == json.loads(policy.encoded_policy) and not kept.immutable
    fixed = release_policy("https://other.example/", immutable=True)
    changed = vault.keys.update_key_properties(name, release_policy=fixed)
    assert b"other" in changed.properties.release_policy.encoded_policy
    with pytest.raises(HttpResponseError) as refused:
        vault.keys.update_key_properties(name, release_policy=policy)
    assert refused.value.status_code == 403 and "immutable" in refused.value.message
    assert vault.keys.get_key(name).properties.release_policy.immutable
    with pytest.raises(HttpResponseError) as refused:
        vault.keys.release_key(name, "a.b.c")
    assert refused.value.status_code == 400 and "release" in refused.value.message, "not served yet, by name"
    unparsed(answers)


def test_exportable_and_release_policy_go_together(vault, name, answers):
    for options in ({"exportable": True}, {"release_policy": release_policy()}):
        with pytest.raises(HttpResponseError) as refused:
            vault.keys.create_ec_key(name, **options)
        assert refused.value.status_code == 400 and "release policy" in refused.value.message
    with pytest.raises(HttpResponseError):
        vault.keys.create_ec_key(name, exportable=True, release_policy=KeyReleasePolicy(b"{}"))
    unparsed(answers)
    imported = vault.keys.import_key(name, ec_jwk(), exportable=True, release_policy=release_policy())
    assert imported.properties.exportable and imported.properties.release_policy
    plain = vault.keys.create_ec_key(name)
    assert not plain.properties.exportable and plain.properties.release_policy is None


@pytest.mark.parametrize("hsm", [False, True], ids=["dev", "dev-hsm"])
async def test_async_the_whole_surface(dev, name, answers, hsm):
    from azure.keyvault.keys.aio import KeyClient

    url = dev.named_hsm_url if hsm else dev.named_url
    async with AsyncCredentials(dev).default() as credential, KeyClient(
        url, credential, raw_response_hook=answers
    ) as keys:
        imported = await keys.import_key(name, ec_jwk(), exportable=True, release_policy=release_policy())
        assert imported.properties.release_policy
        rotated = await keys.rotate_key(name)
        assert rotated.id != imported.id
        rotate = KeyRotationLifetimeAction(KeyRotationPolicyAction.rotate, time_before_expiry="P30D")
        stored = await keys.update_key_rotation_policy(
            name, KeyRotationPolicy(), lifetime_actions=[rotate], expires_in="P90D"
        )
        assert actions(await keys.get_key_rotation_policy(name)) == actions(stored)
        assert len(await keys.get_random_bytes(64)) == 64
        backup = await keys.backup_key(name)
        await keys.delete_key(name)
        await keys.purge_deleted_key(name)
        assert (await keys.restore_key_backup(backup)).id == rotated.id
