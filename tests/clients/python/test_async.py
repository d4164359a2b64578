"""The asynchronous clients, over aiohttp, work as the others do. They are imported late: aiohttp reads the CA bundle's
name from the environment when it is imported, and dev.env must be sourced by then."""

import json

import pytest

from credentials_aio import AsyncCredentials
from customer import Owner
from verify_with import digest, verifies


@pytest.fixture(params=["dev", "dev-hsm"])
def named_url(request, dev):
    """The vault `dev` and the Managed HSM `dev-hsm`, by names that need no option."""
    return dev.named_url if request.param == "dev" else dev.named_hsm_url


async def sign_over(url, credential, name, answers, **options):
    """Creates a key, signs with it, checks the signature with another library."""
    from azure.keyvault.keys.aio import KeyClient
    from azure.keyvault.keys.crypto import SignatureAlgorithm
    from azure.keyvault.keys.crypto.aio import CryptographyClient

    options["raw_response_hook"] = answers
    async with credential, KeyClient(url, credential, **options) as keys:
        key = await keys.create_ec_key(name)
        async with CryptographyClient(key, credential, **options) as crypto:
            made = await crypto.sign(SignatureAlgorithm.es256, digest())
        assert made.key_id == key.id
        assert verifies(key.key, "ES256", digest(), made.signature)
        assert (await keys.get_key(name)).id == key.id


async def test_async_default_azure_credential_signs_over_localhost(dev, name, answers):
    await sign_over(dev.url, AsyncCredentials(dev).default(), name, answers, verify_challenge_resource=False)


async def test_async_dev_localhost_needs_no_option(dev, named_url, name, answers):
    await sign_over(named_url, AsyncCredentials(dev).default(), name, answers)


async def test_async_client_secret_credential_with_a_guid_tenant_needs_no_flag(dev, name, answers):
    await sign_over(dev.named_url, AsyncCredentials(dev).guid_secret(), name, answers)


async def test_async_client_secret_credential_with_tenant_adfs(dev, name, answers):
    await sign_over(dev.named_url, AsyncCredentials(dev).adfs_secret(), name, answers)


async def test_async_managed_identity_credential_works(dev, name, answers):
    await sign_over(dev.named_url, AsyncCredentials(dev).managed_identity(), name, answers)


async def test_async_lists_are_paged_and_deletion_is_undone(dev, named_url, name, answers):
    from azure.keyvault.keys.aio import KeyClient

    async with AsyncCredentials(dev).default() as credential, KeyClient(
        named_url, credential, raw_response_hook=answers
    ) as keys:
        versions = {(await keys.create_ec_key(name)).properties.version for _ in range(3)}
        listed = [v.version async for v in keys.list_properties_of_key_versions(name, max_page_size=2)]
        assert sorted(listed) == sorted(versions)
        deleted = await keys.delete_key(name)
        assert deleted.recovery_id == f"{named_url}/deletedkeys/{name}"
        assert (await keys.recover_deleted_key(name)).name == name
        await keys.delete_key(name)
        await keys.purge_deleted_key(name)
        assert name not in [k.name async for k in keys.list_deleted_keys()]


async def test_async_security_domain_client_downloads(dev, named_url, answers, tmp_path):
    from azure.keyvault.securitydomain.aio import SecurityDomainClient

    asked = {"certificates": [Owner(tmp_path, f"custodian-{n}").jwk() for n in range(3)], "required": 2}
    async with AsyncCredentials(dev).default() as credential:
        async with SecurityDomainClient(named_url, credential, raw_response_hook=answers) as client:
            file = (await (await client.begin_download(asked, polling_interval=1)).result()).value
            assert json.loads(file)["SharedKeys"]["required"] == 2
            assert (await client.get_download_status()).status == "Success"
            assert "born with" in (await client.get_upload_status()).status_details
