// The unmodified @azure/keyvault-keys and @azure/identity against the `keystead dev` that run.mjs started: the vault `dev`
// of software keys, and the Managed HSM `dev-hsm` before a SoftHSM2 token.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { constants, createHash, createPublicKey, publicEncrypt, randomBytes, randomUUID, verify } from "node:crypto";
import { after, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { ClientSecretCredential, DefaultAzureCredential, ManagedIdentityCredential } from "@azure/identity";
import { CryptographyClient, KeyClient } from "@azure/keyvault-keys";

const { env } = process;
const url = `https://localhost:${env.KEYSTEAD_TEST_PORT}`;
const namedUrl = `https://dev.localhost:${env.KEYSTEAD_TEST_PORT}`;
const hsmUrl = `https://localhost:${env.KEYSTEAD_TEST_HSM_PORT}`;
const namedHsmUrl = `https://dev-hsm.localhost:${env.KEYSTEAD_TEST_HSM_PORT}`;
const RECEIPT = /^1\.[0-9a-f]{32}\.(0|[1-9][0-9]*)\.[A-Za-z0-9_-]{43}$/;
const message = Buffer.from("to be signed");
const digest = createHash("sha256").update(message).digest();
const name = (prefix) => `js-${prefix}-${randomUUID()}`;

/** Every final answer a client was given: what was asked, the status, the receipt. */
const heard = [];
const hear = {
  name: "hear",
  async sendRequest(request, next) {
    const answer = await next(request);
    const receipt = answer.headers.get("x-keystead-receipt");
    heard.push({ asked: `${request.method} ${request.url.split("?")[0]}`, status: answer.status, receipt });
    return answer;
  },
};
const options = (more) => ({ additionalPolicies: [{ policy: hear, position: "perCall" }], ...more });
const bare = options({ disableChallengeResourceVerification: true });

/** The SDK's clients for one address. */
function vault(credential = new DefaultAzureCredential(), at = url, how = [url, hsmUrl].includes(at) ? bare : options()) {
  return {
    keys: new KeyClient(at, credential, how),
    crypto: (key) => new CryptographyClient(key, credential, how),
  };
}

function publicKey({ kty, crv, x, y, n, e }) {
  const text = (part) => part && Buffer.from(part).toString("base64url");
  const parts = { kty: kty.replace("-HSM", ""), crv, x: text(x), y: text(y), n: text(n), e: text(e) };
  return createPublicKey({ key: Object.fromEntries(Object.entries(parts).filter(([, v]) => v)), format: "jwk" });
}

/** Whether Node's own library accepts the signature over `message`. */
function accepted(jwk, algorithm, signature) {
  const padding = { PS256: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }, RS256: {} }[algorithm];
  return verify("sha256", message, { key: publicKey(jwk), ...(padding ?? { dsaEncoding: "ieee-p1363" }) }, signature);
}

async function signs({ keys, crypto }) {
  const key = await keys.createEcKey(name("signs"));
  const { result, keyID } = await crypto(key).sign("ES256", digest);
  assert.equal(keyID, key.id);
  assert.ok(accepted(key.key, "ES256", result));
}

/** A tenant as ordinary configurations name it: the one in the challenge or, where that is `adfs`, any. */
async function guidTenant() {
  const answer = await fetch(`${url}/keys?api-version=7.6`);
  const [, tenant] = /authorization="https:\/\/[^/]+\/([^/"]+)"/.exec(answer.headers.get("www-authenticate")) ?? [];
  const guid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
  return guid.test(tenant) ? tenant : "7d3a0c52-5b1e-4a7c-9f7e-2b1d5f0c9a34";
}

const secret = (tenant, how) => new ClientSecretCredential(tenant, env.AZURE_CLIENT_ID, env.AZURE_CLIENT_SECRET, how);
const authorityHost = env.AZURE_AUTHORITY_HOST;

after(() => {
  assert.ok(heard.length > 0);
  for (const { asked, status, receipt } of heard) assert.match(String(receipt), RECEIPT, `${status} for ${asked}`);
});

test("DefaultAzureCredential signs ES256 over localhost", () => signs(vault()));

test("dev.localhost needs no option", () => signs(vault(new DefaultAzureCredential(), namedUrl)));

test("dev-hsm.localhost needs no option", () => signs(vault(new DefaultAzureCredential(), namedHsmUrl)));

test("ClientSecretCredential with tenant adfs needs no flag", async () => {
  await signs(vault(secret("adfs", { authorityHost }), namedUrl));
});

test("ClientSecretCredential with a GUID tenant needs only the discovery flag", async () => {
  const credential = secret(await guidTenant(), { authorityHost, disableInstanceDiscovery: true });
  await signs(vault(credential, namedUrl));
});

test("ManagedIdentityCredential works through the App Service endpoint", async () => {
  assert.ok(env.IDENTITY_ENDPOINT && env.IDENTITY_HEADER, "dev.env sets both");
  await signs(vault(new ManagedIdentityCredential(), namedUrl));
});

/** What either kind of vault does. A Managed HSM makes every key its own, and refuses by name what its token lacks. */
function surface(at, hsm) {
  const open = () => vault(new DefaultAzureCredential(), at);
  const kty = (family) => (hsm ? `${family}-HSM` : family);

  for (const algorithm of ["RS256", "PS256"]) {
    test(`an ${algorithm} signature verifies with the fetched public key`, async () => {
      const { keys, crypto } = open();
      const { name: made } = await keys.createRsaKey(name("rsa"), { keySize: 2048 });
      const key = await keys.getKey(made);
      const { result } = await crypto(key).sign(algorithm, digest);
      assert.ok(accepted(key.key, algorithm, result));
    });
  }

  test("RSA-OAEP-256 unwraps what the SDK or another library wrapped", async () => {
    const { keys, crypto } = open();
    const key = await keys.createRsaKey(name("oaep"), { keySize: 2048 });
    const plain = randomBytes(32);
    const padding = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha256" };
    const byLibrary = publicEncrypt({ key: publicKey(key.key), ...padding }, plain);
    const bySdk = (await crypto(key).wrapKey("RSA-OAEP-256", plain)).result;
    for (const wrapped of [byLibrary, bySdk]) {
      const unwrap = crypto(key).unwrapKey("RSA-OAEP-256", wrapped);
      if (hsm) await assert.rejects(unwrap, { statusCode: 400, code: "NotSupported", message: /RSA-OAEP-256/ });
      else assert.deepEqual(Buffer.from((await unwrap).result), plain);
    }
  });

  test("A256GCM encrypts under an IV of the service and decrypts", async () => {
    const { keys, crypto } = open();
    // As Microsoft's suite for a Managed HSM calls it.
    const made256 = await keys.createKey(name("oct"), "AES", { keySize: 256 });
    assert.equal(made256.keyType, kty("oct"));
    const client = crypto(made256);
    const [plaintext, additionalAuthenticatedData] = [randomBytes(1024), Buffer.from("bound")];
    const made = await client.encrypt({ algorithm: "A256GCM", plaintext, additionalAuthenticatedData });
    assert.equal(made.iv.length, 12);
    assert.equal(made.authenticationTag.length, 16);
    const parts = { algorithm: "A256GCM", ciphertext: made.result, iv: made.iv, additionalAuthenticatedData };
    const back = await client.decrypt({ ...parts, authenticationTag: made.authenticationTag });
    assert.deepEqual(Buffer.from(back.result), plaintext);
    const forged = Buffer.from(made.authenticationTag);
    forged[0] ^= 1;
    const refused = { statusCode: 400, code: "BadParameter" };
    await assert.rejects(client.decrypt({ ...parts, authenticationTag: forged }), refused);
  });

  test("versions are listed, updated, and pages name each key once", async () => {
    const { keys } = open();
    const [one, prefix] = [name("versions"), name("page")];
    const versions = [];
    for (let i = 0; i < 3; i++) versions.push((await keys.createEcKey(one)).properties.version);
    const listed = [];
    for await (const properties of keys.listPropertiesOfKeyVersions(one)) listed.push(properties.version);
    assert.deepEqual(listed.sort(), versions.toSorted());
    const expiresOn = new Date(Math.floor(Date.now() / 1000) * 1000 + 3_600_000);
    const updated = await keys.updateKeyProperties(one, versions[2], { enabled: false, expiresOn, tags: { a: "b" } });
    assert.equal(updated.properties.enabled, false);
    assert.deepEqual(updated.properties.expiresOn, expiresOn);
    assert.deepEqual(updated.properties.tags, { a: "b" });

    const names = Array.from({ length: 27 }, (_, i) => `${prefix}-${i}`);
    for (const n of names) await keys.createEcKey(n);
    const found = [];
    for await (const page of keys.listPropertiesOfKeys().byPage({ maxPageSize: 10 })) {
      assert.ok(page.length <= 10);
      found.push(...page.map((key) => key.name).filter((n) => n.startsWith(prefix)));
    }
    assert.deepEqual(found.sort(), names.toSorted());
  });

  test("a key is deleted, recovered, deleted again and purged", async () => {
    const { keys } = open();
    const key = await keys.createEcKey(name("cycle"));
    const polling = { intervalInMs: 50 };
    const deleted = await (await keys.beginDeleteKey(key.name, polling)).pollUntilDone();
    assert.ok(deleted.properties.recoveryId.endsWith(`/deletedkeys/${key.name}`));
    await assert.rejects(keys.getKey(key.name), { statusCode: 404, code: "KeyNotFound" });
    await assert.rejects(keys.createEcKey(key.name), { statusCode: 409, code: "Conflict" });
    await (await keys.beginRecoverDeletedKey(key.name, polling)).pollUntilDone();
    assert.equal((await keys.getKey(key.name)).id, key.id);
    await (await keys.beginDeleteKey(key.name, polling)).pollUntilDone();
    await keys.purgeDeletedKey(key.name);
    await assert.rejects(keys.getDeletedKey(key.name), { statusCode: 404, code: "KeyNotFound" });
  });

  test("a disabled key and an operation outside key_ops are forbidden", async () => {
    const { keys, crypto } = open();
    const disabled = await keys.createEcKey(name("disabled"));
    await keys.updateKeyProperties(disabled.name, { enabled: false });
    await assert.rejects(crypto(disabled).sign("ES256", digest), { statusCode: 403, code: "Forbidden" });
    // By its id alone, so that the SDK learns of key_ops from the service.
    const verifyOnly = await keys.createEcKey(name("verify-only"), { keyOps: ["verify"] });
    await assert.rejects(crypto(verifyOnly.id).sign("ES256", digest), /sign/i);
  });

  test("a receipt is proven within two seconds, a changed one is not", async () => {
    const { keys } = open();
    await keys.createEcKey(name("receipt"));
    const { receipt } = heard.at(-1);
    const prove = (text) => spawnSync(env.KEYSTEAD, ["audit", "prove", text, "--data", env.KEYSTEAD_TEST_DATA]);
    let last;
    for (const end = Date.now() + 2000; ; await pause(50)) {
      last = prove(receipt);
      if (last.status === 0 || Date.now() > end) break;
    }
    assert.equal(last.status, 0, `${last.stdout}${last.stderr}`);
    const leaf = receipt.lastIndexOf(".") + 1;
    const other = receipt[leaf] === "A" ? "B" : "A";
    assert.equal(prove(receipt.slice(0, leaf) + other + receipt.slice(leaf + 1)).status, 1);
  });
}

describe("dev", () => surface(url, false));
describe("dev-hsm", () => surface(hsmUrl, true));

test("a key of an HSM is asked for, stated and random bytes are given, as Microsoft's suites ask a Managed HSM", async () => {
  const { keys } = vault(new DefaultAzureCredential(), hsmUrl);
  assert.equal((await keys.createOctKey(name("oct"), { hsm: true })).keyType, "oct-HSM");
  const key = await keys.createRsaKey(name("stated"));
  assert.equal(key.keyType, "RSA-HSM");
  assert.equal((await keys.getKey(key.name)).properties.attestation, undefined);
  for (const version of [undefined, key.properties.version]) {
    const { attestation } = (await keys.getKeyAttestation(key.name, { version })).properties;
    assert.ok(attestation.privateKeyAttestation && attestation.publicKeyAttestation);
  }
  assert.equal((await keys.getRandomBytes(10)).length, 10);
  for (const count of [-1, 0, 129]) {
    await assert.rejects(keys.getRandomBytes(count), { statusCode: 400, code: "BadParameter" });
    assert.equal(heard.pop().receipt, undefined, "it never became a command");
  }
});

test("exportable and release policy go together, and a policy is replaced", async () => {
  const { keys } = vault(new DefaultAzureCredential(), hsmUrl);
  const policy = (equals) => ({
    encodedPolicy: Buffer.from(
      JSON.stringify({
        version: "1.0",
        anyOf: [{ authority: "https://issuer.example", anyOf: [{ claim: "sdk-test", equals }] }],
      }),
    ),
  });
  await assert.rejects(keys.createRsaKey(name("no-policy"), { exportable: true }), /exportable/i);
  await assert.rejects(keys.createRsaKey(name("fixed"), { releasePolicy: policy("true") }), /exportable/i);
  const options = { exportable: true, releasePolicy: policy("true"), keyOps: ["encrypt", "decrypt"] };
  const key = await keys.createKey(name("policy"), "RSA", options);
  assert.ok(key.properties.exportable && key.properties.releasePolicy.encodedPolicy);
  const { releasePolicy } = (await keys.updateKeyProperties(key.name, { releasePolicy: policy("false") })).properties;
  assert.equal(JSON.parse(Buffer.from(releasePolicy.encodedPolicy)).anyOf[0].anyOf[0].equals, "false");
});
