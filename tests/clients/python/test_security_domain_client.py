"""Microsoft's security-domain client downloads on one vault and uploads to another, and keys that were made on the
first sign on the second: vaults of software keys, and Managed HSMs before a token each."""

import base64
import hashlib
import itertools
import json
import shutil
import subprocess

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.identity import ClientSecretCredential
from azure.keyvault.administration import KeyVaultAccessControlClient, KeyVaultBackupClient, KeyVaultRoleScope as Scope
from azure.keyvault.keys.crypto import SignatureAlgorithm
from azure.keyvault.securitydomain import SecurityDomainClient
from azure.keyvault.securitydomain.models import CertificateInfo, SecurityDomain, SecurityDomainJsonWebKey
from cryptography import x509

import security_domain as sd
from conftest import Vault
from customer import PASSPHRASE, Owner
from dev_server import KEYSTEAD, DevServer
from verify_with import verifies

HSM_ADMINISTRATOR = "a290e904-7015-4bba-90c8-60543313cdb4"
DIGEST = hashlib.sha256(b"payments").digest()
QUICK = {"polling_interval": 1}
WHOLE = {"use_managed_identity": True, "_polling_interval": 1}


@pytest.fixture(scope="module")
def custodians(tmp_path_factory):
    """Four; two have an encrypted key."""
    directory = tmp_path_factory.mktemp("custodians")
    return [Owner(directory, f"custodian-{n}", n % 2 == 1) for n in range(4)]


@pytest.fixture
def servers(tmp_path, monkeypatch):
    """Two, each with a token of its own; that of the second is empty."""
    servers = [DevServer(tmp_path / name / "data", more=["--softhsm"]) for name in ("first", "second")]
    for server in servers:
        server.data.parent.mkdir()
        server.start()
    bundle = tmp_path / "both.pem"
    bundle.write_text("".join(open(server.setting("REQUESTS_CA_BUNDLE")).read() for server in servers))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    yield servers
    for server in servers:
        assert server.stop() == 0, server.log.read_text(errors="replace")


class Side(Vault):
    """A vault and the client of its security domain."""

    def __init__(self, server, kind, answers, held=None):
        """`held`: id and secret of another client than that of dev.env."""
        client, secret = held or (server.setting("AZURE_CLIENT_ID"), server.setting("AZURE_CLIENT_SECRET"))
        self.kind, self.answers = kind, answers
        credential = ClientSecretCredential("adfs", client, secret, authority=server.url)
        options = {"verify_challenge_resource": False, "raw_response_hook": answers}
        super().__init__(server.url if kind == "dev" else server.hsm_url, credential, server, kind, **options)
        self.domain = SecurityDomainClient(self.url, credential, **options)
        self.backups = KeyVaultBackupClient(self.url, credential, **options)

    def download(self, custodians, required):
        certificates = [SecurityDomainJsonWebKey(owner.jwk()) for owner in custodians]
        asked = CertificateInfo(certificates=certificates, required=required)
        return self.domain.begin_download(asked, **QUICK).result().value

    def transfer(self):
        [certificate] = json.loads(self.domain.get_transfer_key()["transfer_key"])["x5c"]
        return x509.load_der_x509_certificate(base64.b64decode(certificate))

    def upload(self, data):
        blob = json.dumps(sd.restore_blob(data, self.transfer()))
        assert self.domain.begin_upload(SecurityDomain(value=blob), **QUICK).result() is None
        assert self.domain.get_upload_status().status == "Success"

    def restorer(self):
        """The same as one who administers nothing: what he restores leaves the vault its own policy."""
        made = self.server.command("client", "create", "restorer", "--secret", "--env", self.server.env_file)
        assert made.returncode == 0, made.stderr
        subject = made.stdout.splitlines()[1].split()[2]
        client, secret = (line.split("=", 1)[1] for line in made.stdout.splitlines() if line.startswith("AZURE_"))
        with KeyVaultAccessControlClient(self.url, self.credential, **self.options) as access:
            role = access.get_role_definition(Scope.GLOBAL, HSM_ADMINISTRATOR).id
            access.create_role_assignment(Scope.GLOBAL, role, client if self.hsm else subject)
        return Side(self.server, self.kind, self.answers, (client, secret))

    def signs(self, key):
        return self.crypto(self.keys.get_key(key.name)).sign(SignatureAlgorithm.es256, DIGEST).signature


@pytest.fixture(params=["dev", "softhsm2"])
def sides(request, servers, answers):
    return [Side(server, request.param, answers) for server in servers]


def opened(file, owners):
    domain = json.loads(file)
    return sd.open_with(domain, [sd.share_of(domain, owner.certificate, owner.key) for owner in owners])


def test_keys_of_one_vault_sign_on_another_after_its_domain_was_uploaded(sides, custodians, name):
    first, second = sides
    key = first.keys.create_ec_key(name, hardware_protected=first.hsm, tags={"a": "b"})
    one = first.keys.create_ec_key(f"{name}-one", hardware_protected=first.hsm)
    blob = first.keys.backup_key(one.name)
    folder = first.backups.begin_backup(f"{first.url}/backups", **WHOLE).result().folder_url
    with pytest.raises(HttpResponseError):
        second.keys.restore_key_backup(blob)

    file = first.download(custodians, 2)
    assert first.domain.get_download_status().status == "Success"
    second.upload(opened(file, custodians[1:3]))

    # All of the vault, and then a key's own backup.
    shutil.copytree(first.server.data / "backups", second.server.data / "backups", dirs_exist_ok=True)
    second.restorer().backups.begin_restore(folder.replace(first.url, second.url), **WHOLE).wait()
    for made in (key, one):
        there = second.keys.get_key(made.name)
        assert (there.key.x, there.key_type) == (made.key.x, made.key_type)
        assert verifies(made.key, "ES256", DIGEST, second.signs(made))
    assert second.keys.get_key(name).properties.tags == {"a": "b"}
    second.keys.begin_delete_key(one.name).wait()
    second.keys.purge_deleted_key(one.name)
    assert second.keys.restore_key_backup(blob).key.x == one.key.x
    assert verifies(one.key, "ES256", DIGEST, second.signs(one))
    # The other way round, and after another start.
    newer = second.keys.create_ec_key(f"{name}-back", hardware_protected=second.hsm)
    back = second.keys.backup_key(newer.name)
    assert second.server.stop() == 0
    second.server.start()
    assert verifies(key.key, "ES256", DIGEST, second.signs(key))
    assert first.keys.restore_key_backup(back).key.x == newer.key.x
    assert verifies(newer.key, "ES256", DIGEST, first.signs(newer))


def test_every_quorum_opens_what_was_downloaded_and_keystead_reads_it(sides, custodians, tmp_path):
    vault = sides[0]
    files = [vault.download(custodians, 3), vault.download(custodians[:3], 2)]
    found = {
        opened(file, owners)["keystead_domain"]
        for file, required, of in ((files[0], 3, custodians), (files[1], 2, custodians[:3]))
        for owners in itertools.permutations(of, required)
    }
    assert len(found) == 1, "the same domain each time"
    shares = [sd.share_of(json.loads(files[0]), owner.certificate, owner.key) for owner in custodians]
    assert sd.interpolate(shares[:2]) != list(sd.combine(shares[:3])), "two of three give another key"
    (tmp_path / "security-domain.json").write_text(files[0])
    shown = subprocess.run(
        [str(KEYSTEAD), "domain", "show", "security-domain.json"], cwd=tmp_path, capture_output=True, text=True,
        env={"KEYSTEAD_CUSTODIAN_PASSPHRASE": PASSPHRASE.decode()},
    )  # fmt: skip
    assert shown.returncode == 0 and "3 of 4" in shown.stdout, shown


def test_a_vault_with_keys_and_a_blob_for_another_key_are_refused_by_name(sides, custodians, name):
    first, second = sides
    data = opened(first.download(custodians, 2), custodians[:2])
    stranger = json.dumps(sd.restore_blob(data, custodians[0].certificate))
    second.transfer()
    with pytest.raises(ResourceExistsError, match="another transfer key"):
        second.domain.begin_upload(SecurityDomain(value=stranger), **QUICK)
    second.keys.create_ec_key(name, hardware_protected=second.hsm)
    with pytest.raises(ResourceExistsError, match="make a new vault"):
        second.upload(data)
    with pytest.raises(ResourceNotFoundError, match="not downloaded"):
        second.domain.get_download_status()
    with pytest.raises(HttpResponseError, match="3 to 10"):
        first.download(custodians[:2], 2)
    assert verifies(second.keys.get_key(name).key, "ES256", DIGEST, second.signs(second.keys.get_key(name)))
    # What it has it may be sent.
    second.upload(opened(second.download(custodians, 2), custodians[2:]))
