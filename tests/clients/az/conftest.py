"""One `keystead dev` for the whole run, and the published `az`, logged in to it as a service principal.

What `az` needs to be told of a server outside Azure:
- a cloud whose login endpoint ends in `/adfs` (else it asks a public server about any other authority, unless
  core.instance_discovery is off), and whose suffixes make `dev` the vault's name. Registering it must skip discovery,
  which asks the resource manager, and there is none;
- login as a service principal that skips subscriptions, for the same reason;
- the CA in REQUESTS_CA_BUNDLE.
"""

import json
import os
import re
import subprocess
import uuid

import pytest

from dev_server import ROOT, DevServer

AZ = ROOT / ".cache/az/bin/az"
ANY_TENANT = "7d3a0c52-5b1e-4a7c-9f7e-2b1d5f0c9a34"


class Az:
    """`az` with a configuration of its own."""

    def __init__(self, dev, home):
        self.dev, self.home = dev, home
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "AZURE_CONFIG_DIR": str(home / "azure"),
            "AZURE_CORE_COLLECT_TELEMETRY": "no",
            "AZURE_CORE_NO_COLOR": "yes",
            "AZURE_CORE_ONLY_SHOW_ERRORS": "yes",
            "REQUESTS_CA_BUNDLE": dev.setting("REQUESTS_CA_BUNDLE"),
        }

    def run(self, *words):
        words = [str(AZ), *map(str, words), "--output", "json"]
        return subprocess.run(words, env=self.env, cwd=self.home, capture_output=True, text=True, timeout=120)

    def __call__(self, *words):
        """What it says, parsed; None if it says nothing."""
        done = self.run(*words)
        assert done.returncode == 0, f"az {' '.join(map(str, words))}: {done.returncode}\n{done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else None

    def key(self, command, *words):
        """`az keyvault key ...` of the dev vault. A command may be of two words."""
        return self("keyvault", "key", *command.split(), "--vault-name", "dev", *words)

    def refused(self, command, *words):
        """(exit code, standard error) of a key command that must fail."""
        done = self.run("keyvault", "key", *command.split(), "--vault-name", "dev", *words)
        assert done.returncode != 0, done.stdout
        return done.returncode, done.stderr

    def cloud(self, active_directory):
        """Registers a cloud with this login endpoint, and makes it the one in use."""
        base, suffix = self.dev.url, f".localhost:{self.dev.port}"
        endpoints = {"resourceManager": base, "activeDirectory": active_directory, "activeDirectoryResourceId": base}
        suffixes = {"keyvaultDns": suffix, "mhsmDns": suffix}
        config = json.dumps({"endpoints": endpoints, "suffixes": suffixes})
        self("cloud", "register", "--name", "keystead", "--skip-endpoint-discovery", "--cloud-config", config)
        self("cloud", "set", "--name", "keystead")
        return self

    def login(self, client, secret, tenant=ANY_TENANT):
        words = ["--tenant", tenant, "--username", client, "--password", secret, "--skip-subscription-discovery"]
        return self.run("login", "--service-principal", *words)


@pytest.fixture(scope="session")
def dev(tmp_path_factory):
    server = DevServer(tmp_path_factory.mktemp("keystead") / "data").start()
    yield server
    assert server.stop() == 0, server.log.read_text(errors="replace")


@pytest.fixture
def fresh(dev, tmp_path):
    """An `az` that knows of nothing yet."""
    return Az(dev, tmp_path)


@pytest.fixture(scope="session")
def az(dev, tmp_path_factory):
    """An `az` that is logged in and may do everything with keys."""
    az = Az(dev, tmp_path_factory.mktemp("az")).cloud(f"{dev.url}/adfs")
    login = az.login(dev.setting("AZURE_CLIENT_ID"), dev.setting("AZURE_CLIENT_SECRET"))
    assert login.returncode == 0, login.stderr
    return az


@pytest.fixture
def name(request):
    """A key name of this test's own."""
    return re.sub(r"[^0-9A-Za-z]+", "-", request.node.name)[:80].strip("-") + "-" + uuid.uuid4().hex[:8]
