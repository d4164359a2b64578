"""Keys from creation to purge, as KeyClient shows them."""

from collections import Counter
from datetime import datetime, timedelta, timezone

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from dev_server import wait_until
from verify_with import public_key

HOUR = timedelta(hours=1)


def soon(delta):
    """A time as the wire can say it: whole seconds."""
    return datetime.now(timezone.utc).replace(microsecond=0) + delta


@pytest.mark.parametrize(
    "kty, size, operations",
    [
        ("EC", None, {"sign", "verify"}),
        ("RSA", 2048, {"encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"}),
        ("oct", 256, {"encrypt", "decrypt", "wrapKey", "unwrapKey"}),
    ],
)
def test_a_created_key_is_shown_with_its_defaults(vault, name, kty, size, operations):
    key = vault.keys.create_key(name, kty, size=size)
    version = key.properties.version
    assert key.id == f"{vault.url}/keys/{name}/{version}" and len(version) == 32
    assert key.key_type == vault.kty(kty) and set(key.key_operations) <= operations and key.key_operations
    assert key.properties.enabled and key.properties.not_before is None and key.properties.expires_on is None
    assert not key.properties.tags and not key.properties.managed
    assert key.properties.recovery_level in ("Recoverable+Purgeable", "CustomizedRecoverable+Purgeable")
    assert 7 <= key.properties.recoverable_days <= 90
    assert abs(key.properties.created_on - soon(timedelta())) < timedelta(minutes=1)
    if kty == "oct":
        assert key.key.k is None, "a symmetric key never leaves"
    else:
        public_key(key.key)
        assert not any(getattr(key.key, part) for part in ("d", "p", "q", "dp", "dq", "qi"))
    again = vault.keys.get_key(name)
    assert again.id == key.id and again.key.n == key.key.n and again.key.x == key.key.x


def test_aes_is_another_word_for_symmetric_keys(vault, name):
    assert vault.keys.create_key(name, "AES", size=192).key_type == vault.kty("oct")


def test_create_takes_attributes_tags_and_operations(vault, name):
    starts, ends = soon(-HOUR), soon(HOUR)
    key = vault.keys.create_ec_key(
        name, curve="P-256", key_operations=["sign"], enabled=False, not_before=starts, expires_on=ends, tags={"a": "1"}
    )
    for shown in (key, vault.keys.get_key(name)):
        assert shown.key_operations == ["sign"] and shown.properties.enabled is False
        assert (shown.properties.not_before, shown.properties.expires_on) == (starts, ends)
        assert shown.properties.tags == {"a": "1"}


def test_a_second_create_adds_a_version_and_the_first_stays_usable(vault, name):
    first, second = vault.keys.create_ec_key(name), vault.keys.create_ec_key(name)
    assert vault.keys.get_key(name).id == second.id != first.id
    assert vault.keys.get_key(name, first.properties.version).key.x == first.key.x
    listed = list(vault.keys.list_properties_of_key_versions(name))
    assert sorted(v.id for v in listed) == sorted([first.id, second.id])


def test_names_are_found_whatever_their_case(vault, name):
    key = vault.keys.create_ec_key(name)
    assert vault.keys.get_key(name.upper()).properties.version == key.properties.version


def test_lists_are_paged_and_name_each_key_once(vault, name):
    names = {f"{name}-{i}" for i in range(27)}
    for n in names:
        vault.keys.create_ec_key(n)
    for size, least in ((10, 3), (25, 2), (None, 2)):
        options = {"max_page_size": size} if size else {}
        pages = [list(page) for page in vault.keys.list_properties_of_keys(**options).by_page()]
        assert len(pages) >= least and all(len(page) <= (size or 25) for page in pages)
        found = Counter(key.name for page in pages for key in page)
        assert {n for n in found if n in names} == names and set(found.values()) == {1}
        assert all(key.version is None for page in pages for key in page), "a list of names shows no versions"


def test_the_versions_of_a_key_that_is_not_there_are_none(vault, name):
    assert list(vault.keys.list_properties_of_key_versions(name)) == []
    vault.keys.create_ec_key(name)
    vault.keys.begin_delete_key(name).wait()
    assert list(vault.keys.list_properties_of_key_versions(name)) == []


def test_a_list_of_versions_is_paged(vault, name):
    versions = {vault.keys.create_ec_key(name).properties.version for _ in range(5)}
    pages = [list(page) for page in vault.keys.list_properties_of_key_versions(name, max_page_size=2).by_page()]
    assert all(len(page) <= 2 for page in pages)
    assert sorted(v.version for page in pages for v in page) == sorted(versions)


def test_update_changes_what_it_names_and_nothing_else(vault, name):
    key = vault.keys.create_ec_key(name, tags={"team": "blue"})
    starts, ends = soon(-HOUR), soon(2 * HOUR)

    def update(**changes):
        return vault.keys.update_key_properties(name, key.properties.version, **changes)

    assert update(enabled=False).properties.enabled is False
    assert update(not_before=starts).properties.not_before == starts
    dated = update(expires_on=ends)
    assert dated.properties.expires_on == ends and dated.properties.not_before == starts
    assert dated.properties.enabled is False and dated.properties.tags == {"team": "blue"}
    assert update(tags={"x": "y"}).properties.tags == {"x": "y"}, "tags are replaced as one"
    assert not update(tags={}).properties.tags
    assert update(key_operations=["verify"]).key_operations == ["verify"]
    last = update(enabled=True)
    assert last.properties.enabled and last.key_operations == ["verify"] and last.id == key.id
    assert last.properties.created_on == key.properties.created_on
    assert last.key.x == key.key.x


def test_update_without_a_version_is_of_the_newest_and_moves_updated_alone(vault, name):
    vault.keys.create_ec_key(name)
    newest = vault.keys.create_ec_key(name)

    def moved():
        seen = vault.keys.update_key_properties(name, tags={"touched": "yes"})
        return seen.properties.updated_on > newest.properties.updated_on and seen

    seen = wait_until("a second has passed between create and update", 5, moved, step=0.2)
    assert seen.id == newest.id and seen.properties.created_on == newest.properties.created_on


def test_a_deleted_key_is_gone_listed_as_deleted_and_can_be_recovered_whole(vault, name):
    first = vault.keys.create_ec_key(name, tags={"a": "b"})
    newest = vault.keys.create_ec_key(name)
    deleted = vault.keys.begin_delete_key(name).result()
    assert deleted.id == newest.id and deleted.recovery_id == f"{vault.url}/deletedkeys/{name}"
    kept = deleted.scheduled_purge_date - deleted.deleted_date
    assert kept == timedelta(days=deleted.properties.recoverable_days)
    with pytest.raises(ResourceNotFoundError):
        vault.keys.get_key(name)
    assert vault.keys.get_deleted_key(name).id == newest.id
    assert name in [k.name for k in vault.keys.list_deleted_keys(max_page_size=25)]
    assert name not in [k.name for k in vault.keys.list_properties_of_keys()]

    recovered = vault.keys.begin_recover_deleted_key(name)
    recovered.wait()
    assert recovered.result().id == newest.id
    back = vault.keys.get_key(name, first.properties.version)
    assert back.key.x == first.key.x and back.properties.tags == {"a": "b"}
    assert back.properties.created_on == first.properties.created_on
    with pytest.raises(ResourceNotFoundError):
        vault.keys.get_deleted_key(name)


def test_a_purged_key_is_gone_and_its_name_is_free(vault, name):
    key = vault.keys.create_ec_key(name)
    vault.keys.begin_delete_key(name).wait()
    assert vault.keys.purge_deleted_key(name) is None
    for call in (vault.keys.get_key, vault.keys.get_deleted_key, vault.keys.purge_deleted_key):
        with pytest.raises(ResourceNotFoundError):
            call(name)
    assert vault.keys.create_ec_key(name).id != key.id


def test_an_active_key_cannot_be_purged(vault, name):
    vault.keys.create_ec_key(name)
    with pytest.raises(HttpResponseError):
        vault.keys.purge_deleted_key(name)
    assert vault.keys.get_key(name)


@pytest.mark.parametrize("hsm", [False, True], ids=["dev", "dev-hsm"])
def test_a_restart_loses_nothing_and_stops_in_order(tmp_path, hsm):
    from azure.identity import ClientSecretCredential
    from azure.keyvault.keys import KeyClient

    from dev_server import DevServer

    dev = DevServer(tmp_path / "data", more=["--softhsm"] if hsm else [])
    made = None
    for _ in range(2):
        dev.start()
        try:
            tls = {"connection_verify": dev.setting("REQUESTS_CA_BUNDLE")}
            who = (dev.setting("AZURE_CLIENT_ID"), dev.setting("AZURE_CLIENT_SECRET"))
            credential = ClientSecretCredential("adfs", *who, authority=dev.setting("AZURE_AUTHORITY_HOST"), **tls)
            url = dev.hsm_url if hsm else dev.url
            keys = KeyClient(url, credential, verify_challenge_resource=False, **tls)
            made = made or keys.create_rsa_key("survivor", size=2048, tags={"kept": "yes"})
            found = keys.get_key("survivor")
            assert (found.id, found.key.n, found.properties.tags) == (made.id, made.key.n, {"kept": "yes"})
        finally:
            assert dev.stop() == 0
