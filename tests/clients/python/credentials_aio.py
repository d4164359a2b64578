"""The asynchronous credentials, made after dev.env was sourced."""

from test_credentials import guid_tenant


class AsyncCredentials:
    """azure.identity.aio for the built-in client of `keystead dev`."""

    def __init__(self, dev):
        from azure.identity import aio

        self.aio, self.dev = aio, dev

    def default(self):
        return self.aio.DefaultAzureCredential()

    def managed_identity(self):
        return self.aio.ManagedIdentityCredential()

    def guid_secret(self):
        return self._secret(guid_tenant(self.dev))

    def adfs_secret(self):
        return self._secret("adfs")

    def _secret(self, tenant):
        return self.aio.ClientSecretCredential(
            tenant, self.dev.setting("AZURE_CLIENT_ID"), self.dev.setting("AZURE_CLIENT_SECRET"),
            authority=self.dev.setting("AZURE_AUTHORITY_HOST"),
        )  # fmt: skip
