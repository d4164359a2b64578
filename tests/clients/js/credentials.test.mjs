// Certificates and federated tokens as @azure/identity shows them to the token endpoint of the vault dev, unmodified;
// the client behind each is made on the command line.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash, createPublicKey, randomUUID, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ClientCertificateCredential, WorkloadIdentityCredential } from "@azure/identity";
import { CryptographyClient, KeyClient } from "@azure/keyvault-keys";
import { startIssuer } from "./issuer.mjs";
import { freePort } from "./port.mjs";

const { env } = process;
const data = env.KEYSTEAD_TEST_DATA;
const url = `https://dev.localhost:${env.KEYSTEAD_TEST_PORT}`;
const ca = { certificate: join(data, "tls/ca.pem"), key: join(data, "tls/ca.key") };
const directory = mkdtempSync(join(tmpdir(), "keystead-credentials-"));
const authorityHost = env.AZURE_AUTHORITY_HOST;
const digest = createHash("sha256").update("to be signed").digest();
const audience = "api://AzureADTokenExchange";
let idp;

function run(command, ...args) {
  const made = spawnSync(command, args, { encoding: "utf8", env });
  assert.equal(made.status, 0, `${args.join(" ")}: ${made.stderr}`);
  return made.stdout;
}
const cli = (...args) => run(env.KEYSTEAD, ...args);

/** A client of the vault that uses keys. */
function client(...proof) {
  const { client } = JSON.parse(cli("client", "create", `js-${randomUUID()}`, ...proof, "--output", "json"));
  cli("role", "assign", "Managed HSM Crypto User", client.subject, "--scope", "/keys");
  return client.id;
}

async function signs(credential) {
  const key = await new KeyClient(url, credential).createEcKey(`js-credential-${randomUUID()}`);
  const { keyID } = await new CryptographyClient(key, credential).sign("ES256", digest);
  assert.equal(keyID, key.id);
}
const refused = (credential) => assert.rejects(signs(credential), /invalid_client/);

/** A key with its certificate in one PEM file, and the public half as a JWK. */
function certificate(name) {
  const file = (end) => join(directory, `${name}.${end}`);
  run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", file("key"), "-out", file("crt"), "-days", "2", "-subj", `/CN=${name}`);
  const text = readFileSync(file("crt"), "utf8");
  writeFileSync(file("pem"), readFileSync(file("key"), "utf8") + text);
  const jwk = createPublicKey(new X509Certificate(text).publicKey.export({ type: "spki", format: "pem" })).export({ format: "jwk" });
  writeFileSync(file("jwk"), JSON.stringify(jwk));
  return { pem: file("pem"), jwk: file("jwk") };
}

before(async () => {
  idp = await startIssuer({ directory, ca, port: await freePort(), audience });
});
after(() => {
  idp?.close();
  rmSync(directory, { recursive: true, force: true });
});

test("ClientCertificateCredential signs with the key of its certificate, and with no other", async () => {
  const [own, other] = [certificate("own"), certificate("other")];
  const id = client("--key", own.jwk);
  const by = ({ pem }, tenant, more) => new ClientCertificateCredential(tenant, id, pem, { authorityHost, ...more });
  await signs(by(own, "adfs"));
  await signs(by(own, "7d3a0c52-5b1e-4a7c-9f7e-2b1d5f0c9a34", { disableInstanceDiscovery: true }));
  await refused(by(other, "adfs"));
});

test("WorkloadIdentityCredential signs with the token of the issuer its client is federated with, and with no other", async () => {
  cli("issuer", "add", idp.iss, "--audience", audience);
  const file = join(directory, "token");
  writeFileSync(file, await idp.token());
  const federated = (subject) => client("--federated-issuer", idp.iss, "--federated-subject", subject, "--federated-audience", audience);
  const by = (clientId) => new WorkloadIdentityCredential({ tenantId: "adfs", clientId, tokenFilePath: file, authorityHost });
  await signs(by(federated("caller")));
  await refused(by(federated("another")));
  cli("issuer", "remove", idp.iss);
  await refused(by(federated("caller")));
});
