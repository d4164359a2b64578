"""`az login` at the built-in issuer, by both kinds of authority that `az` knows."""

import json


def test_an_authority_that_ends_in_adfs_needs_no_setting(dev, fresh):
    fresh.cloud(f"{dev.url}/adfs")
    login = fresh.login(dev.setting("AZURE_CLIENT_ID"), dev.setting("AZURE_CLIENT_SECRET"))
    assert login.returncode == 0, login.stderr
    [account] = json.loads(login.stdout)
    assert account["user"] == {"name": dev.setting("AZURE_CLIENT_ID"), "type": "servicePrincipal"}
    assert fresh.key("list") is not None
    fresh("logout")
    code, said = fresh.refused("list")
    assert code == 1 and "az login" in said


def test_another_authority_needs_only_the_discovery_switch(dev, fresh):
    fresh.cloud(dev.url)("config", "set", "core.instance_discovery=false")
    # `az` reads the tenant of a word from the path of the issuer in its metadata, and goes on with that.
    for tenant in ("adfs", "7d3a0c52-5b1e-4a7c-9f7e-2b1d5f0c9a34"):
        login = fresh.login(dev.setting("AZURE_CLIENT_ID"), dev.setting("AZURE_CLIENT_SECRET"), tenant)
        assert login.returncode == 0, login.stderr
        assert fresh.key("list") is not None
        fresh("logout")


def test_a_wrong_secret_is_no_login(dev, fresh):
    fresh.cloud(f"{dev.url}/adfs")
    login = fresh.login(dev.setting("AZURE_CLIENT_ID"), "wrong")
    assert login.returncode == 1 and "AADSTS7000215" in login.stderr


def test_a_client_without_a_role_is_told_so(dev, fresh):
    made = dev.command("client", "create", "stranger", "--secret", "--env", dev.env_file)
    assert made.returncode == 0, made.stderr
    held = dict(line.split("=", 1) for line in made.stdout.splitlines() if line.startswith("AZURE_"))
    fresh.cloud(f"{dev.url}/adfs")
    login = fresh.login(held["AZURE_CLIENT_ID"], held["AZURE_CLIENT_SECRET"])
    assert login.returncode == 0, login.stderr
    code, said = fresh.refused("show", "--name", "any")
    assert code == 1 and "(Forbidden)" in said and "ForbiddenByRbac" in said
