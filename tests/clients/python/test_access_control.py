"""Roles and assignments through the unmodified administration SDK, for a vault as for a Managed HSM."""

import uuid

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.keyvault.administration import (
    KeyVaultAccessControlClient,
    KeyVaultDataAction,
    KeyVaultPermission,
    KeyVaultRoleScope,
    KeyVaultSetting,
    KeyVaultSettingsClient,
    KeyVaultSettingType,
)
from azure.keyvault.keys.crypto import SignatureAlgorithm

from conftest import Vault
from test_errors import codes
from verify_with import digest

ES256 = SignatureAlgorithm.es256
CRYPTO_USER = "21dbd100-6940-42c2-9190-5d6cb909625b"
POLICY_ADMINISTRATOR = "4bd23610-cdcf-4971-bdee-bdc562cc28e4"
ROOT, KEYS = KeyVaultRoleScope.GLOBAL, KeyVaultRoleScope.KEYS


@pytest.fixture
def access(vault):
    """The roles of either vault, as the client of dev.env, who administers both."""
    with KeyVaultAccessControlClient(vault.url, vault.credential, **vault.options) as client:
        yield client


@pytest.fixture
def principal():
    return str(uuid.uuid4())


def role(client, guid):
    return client.get_role_definition(ROOT, guid).id


def test_all_built_in_roles_are_listed_with_their_data_actions(access):
    listed = {d.name: d for d in access.list_role_definitions(ROOT)}
    names = {d.role_name for d in listed.values() if d.role_type == "AKVBuiltInRole"}
    managed = {
        "Administrator", "Crypto Officer", "Crypto User", "Policy Administrator", "Crypto Auditor",
        "Crypto Service Encryption User", "Crypto Service Release User", "Backup User", "Restore User",
    }  # fmt: skip
    assert {f"Managed HSM {n}" for n in managed} <= names
    vaults = {
        "Administrator", "Reader", "Crypto Officer", "Crypto User", "Crypto Service Encryption User",
        "Crypto Service Release User",
    }  # fmt: skip
    assert {f"Key Vault {n}" for n in vaults} <= names
    user = listed[CRYPTO_USER]
    assert user.assignable_scopes == ["/"] and user.id.endswith(f"/roleDefinitions/{CRYPTO_USER}")
    given = {a for p in user.permissions for a in p.data_actions}
    assert {KeyVaultDataAction.SIGN_HSM_KEY, KeyVaultDataAction.CREATE_HSM_KEY} <= given
    assert KeyVaultDataAction.PURGE_DELETED_HSM_KEY not in given
    every = {a for d in listed.values() for p in d.permissions for a in p.data_actions}
    assert {a.value for a in KeyVaultDataAction} <= every


def test_a_custom_role_is_made_changed_in_place_and_removed(access):
    name = str(uuid.uuid4())
    given = [KeyVaultPermission(data_actions=[KeyVaultDataAction.READ_HSM_KEY])]
    made = access.set_role_definition(
        ROOT, name=name, role_name=f"test-{name}", description="of a test", permissions=given
    )
    assert (made.name, made.role_type, made.description) == (name, "CustomRole", "of a test")
    assert made.permissions[0].data_actions == [KeyVaultDataAction.READ_HSM_KEY]
    taken = [KeyVaultPermission(data_actions=[], not_data_actions=[KeyVaultDataAction.READ_HSM_KEY])]
    changed = access.set_role_definition(ROOT, name=name, role_name=f"test-{name}", permissions=taken)
    assert (changed.id, changed.description) == (made.id, "")
    assert changed.permissions[0].data_actions == []
    assert changed.permissions[0].not_data_actions == [KeyVaultDataAction.READ_HSM_KEY]
    assert name in {d.name for d in access.list_role_definitions(ROOT)}
    access.delete_role_definition(ROOT, name)
    access.delete_role_definition(ROOT, name)
    with pytest.raises(ResourceNotFoundError):
        access.get_role_definition(ROOT, name)


def test_built_in_roles_stay_and_a_custom_role_goes_with_its_assignments(access, principal):
    with pytest.raises(HttpResponseError, match="built-in role") as refused:
        access.set_role_definition(ROOT, name=CRYPTO_USER, role_name="mine")
    assert codes(refused) == (400, "BadParameter", None)
    with pytest.raises(HttpResponseError):
        access.delete_role_definition(ROOT, CRYPTO_USER)
    definition = access.set_role_definition(ROOT, role_name=f"test-{principal}")
    held = access.create_role_assignment(KEYS, definition.id, principal)
    access.delete_role_definition(ROOT, definition.name)
    with pytest.raises(ResourceNotFoundError, match="Requested role assignment not found"):
        access.get_role_assignment(KEYS, held.name)


def test_what_is_deleted_by_a_name_that_cannot_be_is_not_there_and_that_is_no_error(vault):
    # Nothing of this reaches a decision, so there are no receipts to be heard.
    access = KeyVaultAccessControlClient(vault.url, vault.credential, verify_challenge_resource=False)
    access.delete_role_definition(ROOT, "foobar")
    access.delete_role_assignment(ROOT, "foobar")
    with pytest.raises(ResourceNotFoundError, match="Requested role definition not found"):
        access.get_role_definition(ROOT, "does_not_exist")
    with pytest.raises(HttpResponseError) as refused:
        access.set_role_definition(ROOT, name="foo unique value", role_name="foo")
    assert codes(refused)[0] == 400


def test_assignments_are_made_listed_read_and_removed_at_every_scope(access, principal, name):
    definition = role(access, CRYPTO_USER)
    for scope in (ROOT, KEYS, f"/keys/{name}", "/keys/providers"):
        made = access.create_role_assignment(scope, definition, principal, name=uuid.uuid4())
        p = made.properties
        assert (p.scope, p.principal_id, p.role_definition_id) == (scope, principal, definition)
        assert access.get_role_assignment(scope, made.name).role_assignment_id == made.role_assignment_id
        assert made.name in {a.name for a in access.list_role_assignments(scope)}
        assert made.name in {a.name for a in access.list_role_assignments(ROOT)}
        with pytest.raises((HttpResponseError, ResourceExistsError)) as refused:
            access.create_role_assignment(scope, definition, principal)
        assert codes(refused)[:2] == (409, "RoleAssignmentExists")
        access.delete_role_assignment(scope, made.name)
        access.delete_role_assignment(scope, made.name)
        with pytest.raises(ResourceNotFoundError):
            access.get_role_assignment(scope, made.name)


def test_lists_longer_than_a_page_are_whole(access, principal):
    definition = role(access, CRYPTO_USER)
    made = {access.create_role_assignment(f"/keys/k{n}", definition, principal).name for n in range(105)}
    listed = [a.name for a in access.list_role_assignments(ROOT)]
    assert len(listed) == len(set(listed)) and made <= set(listed)
    for assignment in list(access.list_role_assignments(ROOT)):
        if assignment.name in made:
            access.delete_role_assignment(assignment.properties.scope, assignment.name)


class Parties:
    """Who has what in a second vault: `officer` made the key, `policy` manages roles, `user` has nothing yet."""

    def __init__(self, second, answers, name):
        options = {"raw_response_hook": answers}
        self.officer, self.manager, self.user = (
            Vault(second.url, second.credential(who), **options) for who in ("officer", "policy", "user")
        )
        self.key, self.subject, self.answers = self.officer.keys.create_ec_key(name), second.subjects["user"], answers
        self.access = KeyVaultAccessControlClient(second.url, second.credential("policy"), **options)

    def give(self, scope, definition):
        return self.access.create_role_assignment(scope, definition, self.subject)

    def signs(self, key=None):
        return self.user.crypto((key or self.key).id).sign(ES256, digest()).signature

    def denied(self, who=None, key=None):
        with pytest.raises(HttpResponseError) as refused:
            (who or self.user).crypto((key or self.key).id).sign(ES256, digest())
        assert codes(refused) == (403, "Forbidden", "ForbiddenByRbac")
        assert self.answers.heard[-1][1] == 403 and self.answers.last_receipt
        return refused.value.response.json()["error"]["message"]


@pytest.fixture
def parties(second, answers, name):
    return Parties(second, answers, name)


def test_what_a_policy_administrator_without_keys_gives_and_takes_counts_at_once(parties, name):
    message = parties.denied(parties.manager)
    assert "keys/sign/action" in message and f"/keys/{name}" in message
    parties.denied()
    for scope in (ROOT, KEYS, f"/keys/{name}") * 2:
        held = parties.give(scope, role(parties.access, CRYPTO_USER))
        assert parties.signs()
        parties.access.delete_role_assignment(scope, held.name)
        parties.denied()


def test_what_is_given_at_one_key_reaches_no_other(parties, name):
    other = parties.officer.keys.create_ec_key(name + "-other")
    held = parties.give(f"/keys/{name}", role(parties.access, CRYPTO_USER))
    assert parties.signs()
    parties.denied(key=other)
    with pytest.raises(HttpResponseError) as refused:
        list(parties.user.keys.list_properties_of_keys())
    assert codes(refused) == (403, "Forbidden", "ForbiddenByRbac")
    parties.access.delete_role_assignment(f"/keys/{name}", held.name)
    parties.denied()


def test_a_custom_role_gives_what_it_names_and_its_change_counts_at_once(second, parties):
    options = {"raw_response_hook": parties.answers}
    officer = KeyVaultAccessControlClient(second.url, second.credential("officer"), **options)
    prefix = "Microsoft.KeyVault/" + ("managedHsm/" if second.hsm else "vaults/")

    def define(*actions, name=None):
        given = [KeyVaultPermission(data_actions=[prefix + action for action in actions])]
        return officer.set_role_definition(ROOT, name=name, role_name=f"test-{uuid.uuid4()}", permissions=given)

    read = "keys/read/action" if second.hsm else "keys/read"
    made = define(read, "keys/sign/action")
    held = parties.give(KEYS, made.id)
    assert parties.signs() and parties.user.keys.get_key(parties.key.name)
    with pytest.raises(HttpResponseError) as refused:
        parties.user.keys.create_ec_key(parties.key.name)
    assert codes(refused) == (403, "Forbidden", "ForbiddenByRbac")
    assert define(read, name=made.name).id == made.id
    parties.denied()
    define(read, "keys/sign/action", name=made.name)
    assert parties.signs()
    officer.delete_role_definition(ROOT, made.name)
    parties.denied()
    with pytest.raises(ResourceNotFoundError):
        parties.access.get_role_assignment(KEYS, held.name)


def test_who_manages_roles_gives_himself_no_administration_and_defines_no_more_than_he_has(second, answers):
    options = {"raw_response_hook": answers}
    access = KeyVaultAccessControlClient(second.url, second.credential("policy"), **options)
    roles = {d.role_name: d for d in access.list_role_definitions(ROOT)}
    with pytest.raises(HttpResponseError) as refused:
        access.create_role_assignment(ROOT, roles["Keystead Vault Administrator"].id, second.subjects["policy"])
    assert codes(refused) == (403, "Forbidden", "ForbiddenByRbac")
    with pytest.raises(HttpResponseError, match="keys/sign/action") as refused:
        sign = [KeyVaultPermission(data_actions=[KeyVaultDataAction.SIGN_HSM_KEY])]
        access.set_role_definition(ROOT, role_name=f"test-{uuid.uuid4()}", permissions=sign)
    assert codes(refused) == (403, "Forbidden", "ForbiddenByRbac")
    strange = KeyVaultAccessControlClient(second.url, second.credential("stranger"), **options)
    with pytest.raises(HttpResponseError, match="roleDefinitions/read/action") as refused:
        list(strange.list_role_definitions(ROOT))
    assert codes(refused) == (403, "Forbidden", "ForbiddenByRbac")


def test_the_last_administrator_stays(second, answers):
    officer = KeyVaultAccessControlClient(second.url, second.credential("officer"), raw_response_hook=answers)
    administrator = next(d for d in officer.list_role_definitions(ROOT) if d.role_name == "Keystead Vault Administrator")
    held = [a for a in officer.list_role_assignments(ROOT) if a.properties.role_definition_id == administrator.id]
    assert len(held) == 1
    with pytest.raises(HttpResponseError, match="last administrator") as refused:
        officer.delete_role_assignment(ROOT, held[0].name)
    assert refused.value.status_code == 409


THROUGH_ARM = "AllowKeyManagementOperationsThroughARM"


def test_settings_are_read_and_changed(vault):
    with KeyVaultSettingsClient(vault.url, vault.credential, **vault.options) as client:
        assert [(s.name, s.getboolean()) for s in client.list_settings()] == [(THROUGH_ARM, False)]
        assert client.get_setting(THROUGH_ARM).getboolean() is False
        for value, wanted in ((True, True), ("false", False), ("true", True), (False, False)):
            changed = client.update_setting(KeyVaultSetting(name=THROUGH_ARM, value=value))
            assert (changed.name, changed.setting_type) == (THROUGH_ARM, KeyVaultSettingType.BOOLEAN)
            assert changed.getboolean() is client.get_setting(THROUGH_ARM).getboolean() is wanted
        for call in (client.get_setting, lambda name: client.update_setting(KeyVaultSetting(name=name, value=True))):
            with pytest.raises(ResourceNotFoundError):
                call("other")


def test_who_manages_roles_reads_settings_and_changes_none(second, answers):
    with KeyVaultSettingsClient(second.url, second.credential("policy"), raw_response_hook=answers) as client:
        setting = client.get_setting(THROUGH_ARM)
        with pytest.raises(HttpResponseError, match="settings/write") as refused:
            client.update_setting(setting)
        assert codes(refused) == (403, "Forbidden", "ForbiddenByRbac")
