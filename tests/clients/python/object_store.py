"""Azurite, Microsoft's object store for tests, over TLS with the certificate of the development server. Its client is
imported late: it imports aiohttp, which must see what dev.env sets (test_async.py)."""

import datetime
import ssl
import subprocess
import urllib.error
import urllib.request
import uuid

from dev_server import ROOT, free_ports, wait_until

PROGRAM = ROOT / "tests/azurite/node_modules/.bin/azurite-blob"
# Azurite's own account, which stands in its documentation.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


class ObjectStore:
    """One running Azurite with its own directory."""

    def __init__(self, directory, dev):
        [self.port] = free_ports(1)
        self.url = f"https://127.0.0.1:{self.port}/{ACCOUNT}"
        self.ca = dev.setting("REQUESTS_CA_BUNDLE")
        tls = dev.data / "tls"
        self.log = directory / "azurite.log"
        command = [
            str(PROGRAM), "--blobHost", "127.0.0.1", "--blobPort", str(self.port), "--location", str(directory / "data"),
            "--cert", str(tls / "server.pem"), "--key", str(tls / "server.key"), "--silent", "--disableTelemetry",
            "--skipApiVersionCheck",
        ]  # fmt: skip
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_until("Azurite answers", 60, self._answers)
        except BaseException:
            self.stop()
            raise

    def _answers(self):
        assert self.process.poll() is None, self.log.read_text(errors="replace")
        try:
            urllib.request.urlopen(self.url, context=ssl.create_default_context(cafile=self.ca), timeout=5)
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True

    def stop(self):
        self.process.terminate()
        self.process.wait(15)

    def container(self, permissions="rwdlac"):
        """A new container: its URL and a SAS token for it."""
        name = f"backups-{uuid.uuid4().hex}"
        self.service().create_container(name)
        return f"{self.url}/{name}", self.sas(name, permissions)

    def service(self):
        from azure.storage.blob import BlobServiceClient

        return BlobServiceClient(self.url, credential=KEY, connection_verify=self.ca)

    def sas(self, name, permissions):
        from azure.storage.blob import ContainerSasPermissions, generate_container_sas

        return generate_container_sas(
            ACCOUNT, name, account_key=KEY, permission=ContainerSasPermissions.from_string(permissions),
            expiry=datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1),
        )  # fmt: skip
