"""Backups of the whole vault by the unmodified administration client, into the server's directory and into Azurite."""

import hashlib

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.keyvault.administration import KeyVaultBackupClient
from azure.keyvault.keys.crypto import SignatureAlgorithm

from object_store import ObjectStore

QUICK = {"_polling_interval": 1}
DIGEST = hashlib.sha256(b"payments").digest()


@pytest.fixture(scope="module")
def store(dev, tmp_path_factory):
    store = ObjectStore(tmp_path_factory.mktemp("azurite"), dev)
    yield store
    store.stop()


@pytest.fixture(params=["azurite", "directory"])
def place(request, vault):
    """A container and what permits its use."""
    if request.param == "directory":
        return f"{vault.url}/backups", {"use_managed_identity": True}
    url, sas = request.getfixturevalue("store").container()
    return url, {"sas_token": sas}


@pytest.fixture
def backups(vault):
    with KeyVaultBackupClient(vault.url, vault.credential, **vault.options) as client:
        yield client


def purge(vault, name):
    vault.keys.begin_delete_key(name).wait()
    vault.keys.purge_deleted_key(name)


def signed(vault, name):
    key = vault.keys.get_key(name)
    return key, vault.crypto(key).sign(SignatureAlgorithm.es256, DIGEST).signature


def verifies(vault, key, signature):
    return vault.crypto(vault.keys.get_key(key.name, key.properties.version)).verify(
        SignatureAlgorithm.es256, DIGEST, signature
    )


def test_a_backup_is_made_and_restored_and_its_keys_sign(vault, backups, place, name):
    container, access = place
    vault.keys.create_ec_key(name, tags={"a": "b"})
    key, signature = signed(vault, name)
    backups.begin_pre_backup(container, **access, **QUICK).wait()
    folder = backups.begin_backup(container, **access, **QUICK).result().folder_url
    assert folder.startswith(f"{container}/mhsm-dev-" + ("hsm-" if vault.hsm else "")), folder
    backups.begin_pre_restore(folder, **access, **QUICK).wait()
    assert backups.begin_restore(folder, **access, **QUICK).result() is None
    again = vault.keys.get_key(name)
    assert (again.id, again.properties.tags) == (key.id, {"a": "b"})
    assert verifies(vault, key, signature).is_valid


def test_one_key_comes_back_that_was_purged(vault, backups, place, name):
    container, access = place
    vault.keys.create_ec_key(name)
    vault.keys.create_ec_key(name)
    key, signature = signed(vault, name)
    other = vault.keys.create_ec_key(f"{name}-other")
    folder = backups.begin_backup(container, **access, **QUICK).result().folder_url
    purge(vault, name)
    newer = vault.keys.create_ec_key(other.name)
    backups.begin_restore(folder, key_name=name, **access, **QUICK).wait()
    assert verifies(vault, key, signature).is_valid
    assert len(list(vault.keys.list_properties_of_key_versions(name))) == 2
    assert vault.keys.get_key(other.name).id == newer.id, "what is not asked for stays"
    with pytest.raises(HttpResponseError) as missing:
        backups.begin_restore(folder, key_name="there-is-none", **access, **QUICK).result()
    assert "holds no key" in str(missing.value)


def test_a_job_is_followed_by_its_continuation_token(vault, backups, place):
    container, access = place
    poller = backups.begin_backup(container, **access, **QUICK)
    token = poller.continuation_token()
    other = backups.begin_backup(container, continuation_token=token, **access, **QUICK)
    assert other.result().folder_url == poller.result().folder_url


def test_changes_since_are_not_taken_back_unless_that_is_said(vault, backups, place, name):
    container, access = place
    old = vault.keys.create_ec_key(name)
    folder = backups.begin_backup(container, **access, **QUICK).result().folder_url
    newer = vault.keys.create_ec_key(name)
    with pytest.raises(ResourceExistsError, match="changed since"):
        backups.begin_restore(folder, **access, **QUICK)
    assert vault.keys.get_key(name).id == newer.id
    body = {
        "sasTokenParameters": {"storageResourceUri": folder.rsplit("/", 1)[0], "token": access.get("sas_token")},
        "folderToRestore": folder.rsplit("/", 1)[1],
        "rollback": True,
    }
    answer = vault.send("PUT", "/restore", body)
    assert answer.status_code == 202, answer.text()
    assert f"/restore/{answer.json()['jobId']}/pending?" in answer.headers["Azure-AsyncOperation"]
    backups.begin_restore(folder, continuation_token=continued(answer), **access, **QUICK).wait()
    assert vault.keys.get_key(name).id == old.id
    assert vault.keys.get_key(name, newer.properties.version).id == newer.id, "no version is lost"


def continued(answer):
    """The SDK's continuation token for an operation that was begun by hand."""
    import base64

    return base64.b64encode(answer.headers["Azure-AsyncOperation"].encode()).decode("ascii")


def test_what_the_object_store_refuses_is_told_at_once(vault, backups, store):
    container, _ = store.container()
    readonly = store.sas(container.rsplit("/", 1)[1], "rl")
    for token in (readonly, "sv=2020-10-02&sr=c&sp=rwl&sig=AAAA"):
        with pytest.raises(HttpResponseError) as refused:
            backups.begin_backup(container, sas_token=token, **QUICK)
        assert refused.value.status_code == 403 and "SAS" in str(refused.value)
    with pytest.raises(ResourceNotFoundError):
        backups.begin_restore(f"{container}/mhsm-dev-1", sas_token=store.sas(container.rsplit("/", 1)[1], "rl"), **QUICK)
    assert list(store.service().get_container_client(container.rsplit("/", 1)[1]).list_blobs()) == []


def test_a_backup_that_was_cut_or_changed_is_refused(vault, backups, store, name):
    container, sas = store.container()
    vault.keys.create_ec_key(name)
    folder = backups.begin_backup(container, sas_token=sas, **QUICK).result().folder_url
    blob = store.service().get_blob_client(container.rsplit("/", 1)[1], f"{folder.rsplit('/', 1)[1]}/vault.ksbackup")
    whole = blob.download_blob().readall()
    assert name.encode() not in whole
    for damaged, word in (
        (whole[:-1], "cut short"),
        (whole[:-50] + bytes([whole[-50] ^ 1]) + whole[-49:], "changed or damaged"),
        (b"nothing of the kind", "not a backup"),
    ):
        blob.upload_blob(damaged, overwrite=True)
        with pytest.raises(HttpResponseError) as refused:
            backups.begin_restore(folder, sas_token=sas, **QUICK).result()
        assert word in str(refused.value), word
    blob.upload_blob(whole, overwrite=True)
    backups.begin_restore(folder, sas_token=sas, **QUICK).wait()


def test_hsm_keys_come_back_wrapped_as_they_were(hsm, name):
    """The backup has them as the token wrapped them: without the domain's wrapping key nobody opens them."""
    hsm.keys.create_ec_key(name, hardware_protected=True)
    key, signature = signed(hsm, name)
    access = {"use_managed_identity": True, **QUICK}
    with KeyVaultBackupClient(hsm.url, hsm.credential, **hsm.options) as backups:
        folder = backups.begin_backup(f"{hsm.url}/backups", **access).result().folder_url
        purge(hsm, name)
        backups.begin_restore(folder, key_name=name, **access).wait()
    again = hsm.keys.get_key(name)
    assert again.key_type == "EC-HSM" and again.id == key.id
    assert verifies(hsm, key, signature).is_valid
