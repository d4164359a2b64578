// Who is let in: tokens of an issuer that is not ours, forged ones, floods of unknown keys; built-in clients with
// secrets, keys and federation; client certificates. Against the `keystead dev` that run.mjs started, in a vault made
// for it, through the command line and REST.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash, createHmac, generateKeyPairSync, randomUUID, sign as signed } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { certificate, exchange, startIssuer } from "./issuer.mjs";
import { freePort } from "./port.mjs";

const { env } = process;
const [data, port] = [env.KEYSTEAD_TEST_DATA, Number(env.KEYSTEAD_TEST_PORT)];
const ca = { certificate: join(data, "tls/ca.pem"), key: join(data, "tls/ca.key") };
const host = `callers.localhost:${port}`;
const audience = `https://${host}`;
const directory = mkdtempSync(join(tmpdir(), "keystead-issuers-"));
const OFFICER = "Key Vault Crypto Officer";
const pem = readFileSync(ca.certificate);
const digest = createHash("sha256").update("message").digest("base64url");
let idp, admin, authority, clientCertificate;

function cli(...args) {
  const run = spawnSync(env.KEYSTEAD, args, { encoding: "utf8", env: { ...env, KEYSTEAD_OPERATOR_SOCKET: join(data, "operator.sock") } });
  assert.equal(run.status, 0, `${args.join(" ")}: ${run.stderr}`);
  return run.stdout;
}

const call = (method, path, token, body, more = {}) => {
  const headers = { "content-type": "application/json", ...(token ? { authorization: `Bearer ${token}` } : {}), ...more.headers };
  const text = body === undefined ? undefined : JSON.stringify(body);
  return exchange({ port, ca: pem, host: more.host ?? host, method, path, headers, body: text, tls: more.tls });
};
const administer = async (method, path, body) => {
  const answer = await call(method, `/keystead/v1/policy${path}`, await admin(), body);
  assert.ok(answer.status < 300, `${method} ${path}: ${answer.text}`);
  assert.match(answer.headers["x-keystead-receipt"], /^1\./);
  return answer.text ? answer.json() : undefined;
};
const list = (token, more) => call("GET", "/keys?api-version=7.4", token, undefined, more);
const uses = async (token, status = 200, more = {}) => {
  const answer = await list(token, more);
  assert.equal(answer.status, status, answer.text);
  return answer;
};

/** Gives a principal the use of keys. */
async function assign(path, principalId, at = host, token) {
  const roleDefinitionId = "Microsoft.KeyVault/providers/Microsoft.Authorization/roleDefinitions/21dbd100-6940-42c2-9190-5d6cb909625b";
  const answer = await call("PUT", path, token ?? (await admin()), { properties: { roleDefinitionId, principalId } }, { host: at });
  assert.equal(answer.status, 201, answer.text);
  assert.equal(answer.json().properties.principalId, principalId);
}

async function grant(form, status = 200, at = host) {
  const body = new URLSearchParams({ grant_type: "client_credentials", scope: `${audience}/.default`, ...form }).toString();
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const answer = await exchange({ port, ca: pem, host: at, method: "POST", path: "/adfs/oauth2/v2.0/token", headers, body });
  assert.equal(answer.status, status, answer.text);
  return answer.json().access_token;
}

const encode = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
/** A token with any header and claims. `with`: a private key, or a function of what is signed. */
function forge(header, claims, key, hash = "sha256") {
  const input = `${encode(header)}.${encode(claims)}`;
  const signature = typeof key === "function" ? key(input) : signed(hash, Buffer.from(input), { key, dsaEncoding: "ieee-p1363" });
  return `${input}.${signature.toString("base64url")}`;
}
const now = () => Math.floor(Date.now() / 1000);
const claims = (more = {}) => ({ iss: idp.iss, sub: "caller", aud: audience, iat: now(), exp: now() + 600, ...more });
const good = (more, header = {}) => forge({ alg: idp.key().alg, typ: "at+jwt", kid: idp.key().kid, ...header }, claims(more), idp.key().privateKey, `sha${idp.key().alg.slice(2)}`);

before(async () => {
  idp = await startIssuer({ directory, ca, port: await freePort(), audience });
  const clients = "subjectAltName=DNS:machine.localhost\nextendedKeyUsage=clientAuth\n";
  clientCertificate = certificate(directory, ca, "machine", clients);
  const print = createHash("sha256").update(Buffer.from(pem.toString().replace(/-----[^-]+-----|\s/g, ""), "base64")).digest("hex");
  authority = `x509:${print}`;
  const assigned = (issuer, subject, more = "") => `[[assignments]]\nscope = "/"\nrole = "${OFFICER}"\nprincipal = { issuer = "${issuer}", subject = "${subject}"${more} }\n`;
  const file = join(directory, "policy.toml");
  writeFileSync(file, assigned(idp.iss, "caller") + assigned(idp.iss, "signers", ", group = true") + assigned(authority, "machine.localhost"));
  const made = cli("vault", "create", "callers", "--authority", host, "--retention", "7", "--policy", file, "--client", "admin", "--role", OFFICER);
  const [, id] = made.match(/AZURE_CLIENT_ID=(\S+)/);
  const [, secret] = made.match(/AZURE_CLIENT_SECRET=(\S+)/);
  let token;
  admin = async () => (token ??= await grant({ client_id: id, client_secret: secret }));
});
after(() => {
  idp?.close();
  rmSync(directory, { recursive: true, force: true });
});

test("an issuer's tokens are believed from the answer that adds it, and refused from the one that removes it", async () => {
  const token = await idp.token();
  await uses(token, 401);
  const issuer = { iss: idp.iss, audiences: [audience], subject_claim: "sub" };
  const added = await administer("POST", "/issuers", issuer);
  assert.equal(added.metadata, `${idp.iss}/.well-known/openid-configuration`);
  await uses(token);
  const made = await call("POST", "/keys/signing/create?api-version=7.4", token, { kty: "EC", crv: "P-256" });
  assert.equal(made.status, 200, made.text);
  const use = await call("POST", "/keys/signing/sign?api-version=7.4", token, { alg: "ES256", value: digest });
  assert.equal(use.status, 200, use.text);
  assert.deepEqual(idp.asked, { keys: 1, metadata: 1 });

  await administer("DELETE", `/issuers?iss=${encodeURIComponent(idp.iss)}`);
  await uses(token, 401); // although it was verified before
  await administer("POST", "/issuers", issuer);
  await uses(token);
  assert.deepEqual(idp.asked.keys, 1, "the keys were still known");
});

test("a new key of the issuer is noticed half a minute after the last look at the latest", async () => {
  const old = await idp.token();
  await uses(old);
  idp.rotate("ES384");
  const [token, rotated] = [await idp.token(), Date.now()];
  assert.equal(JSON.parse(Buffer.from(token.split(".")[0], "base64url")).alg, "ES384");
  while ((await list(token)).status !== 200) {
    assert.ok(Date.now() - rotated < 32_000, "not noticed");
    await pause(250);
  }
  assert.equal(idp.asked.keys, 2);
  await uses(old, 401); // its key is no longer the issuer's
});

test("ten thousand tokens with unknown keys cost no more fetches, little memory, and nobody's service at the same address", async () => {
  const resident = () => Number(readFileSync(`/proc/${env.KEYSTEAD_TEST_PID}/status`, "utf8").match(/VmRSS:\s+(\d+)/)[1]);
  const token = await idp.token();
  await uses(token);
  const made = await administer("POST", "/clients", { name: "beside the flood", credential: "secret" });
  const secret = { client_id: made.client.id, client_secret: made.secret };
  const flood = async (n) => {
    for (let i = 0; i < n; i += 1) await uses(good({}, { kid: randomUUID() }), 401);
  };
  await Promise.all(Array.from({ length: 8 }, () => flood(25)));
  const [before, started, asked] = [resident(), Date.now(), idp.asked.keys];
  const floods = Promise.all(Array.from({ length: 8 }, () => flood(1250)));
  let [over, served] = [false, 0];
  floods.finally(() => (over = true));
  while (!over) {
    await uses(token); // was proven before
    await uses(good({ jti: randomUUID() })); // is new
    await uses(await grant(secret), 403); // is new, and without a role
    served += 1;
    await pause(20);
  }
  await floods;
  const minutes = Math.ceil((Date.now() - started) / 60_000) + 1;
  assert.ok(idp.asked.keys - asked <= 2 * minutes, `${idp.asked.keys - asked} fetches in ${minutes} minutes`);
  assert.ok(served > 5, `served ${served} times`);
  const grown = resident() - before;
  assert.ok(grown < 10 * 1024, `${grown} KiB more`);
});

test("forged and misdirected tokens are refused, each with a challenge", async () => {
  await uses(good());
  const { alg, kid, privateKey, publicKey } = idp.key();
  const stranger = generateKeyPairSync("ec", { namedCurve: "P-384" });
  const spki = publicKey.export({ type: "spki", format: "pem" });
  const rsa = alg.startsWith("RS");
  const hmac = (secret) => (input) => createHmac("sha256", secret).update(input).digest();
  const header = { alg, typ: "at+jwt", kid };
  const jwk = publicKey.export({ format: "jwk" });
  const forged = {
    "alg none": forge({ ...header, alg: "none" }, claims(), () => Buffer.alloc(0)),
    "the public key as HMAC secret": forge({ ...header, alg: "HS256" }, claims(), hmac(spki)),
    "the JWK as HMAC secret": forge({ ...header, alg: "HS256" }, claims(), hmac(JSON.stringify(jwk))),
    "an algorithm of other keys": forge({ ...header, alg: rsa ? "ES256" : "RS256" }, claims(), privateKey),
    "the same key with another digest": forge({ ...header, alg: rsa ? "RS512" : "ES256" }, claims(), privateKey),
    "a stranger's key": forge(header, claims(), stranger.privateKey, "sha384"),
    "a key in the header": forge({ ...header, jwk: stranger.publicKey.export({ format: "jwk" }) }, claims(), stranger.privateKey, "sha384"),
    "a key by URL": forge({ ...header, jku: "https://evil.example/keys" }, claims(), stranger.privateKey, "sha384"),
    "a path as kid": good({}, { kid: "../../../etc/passwd" }),
    "SQL as kid": good({}, { kid: "' OR 1=1 --" }),
    "a line feed as kid": good({}, { kid: `${kid}\n` }),
    "no kid": good({}, { kid: undefined }),
    "another audience": good({ aud: "https://elsewhere.example" }),
    "another issuer": good({ iss: "https://elsewhere.example" }),
    expired: good({ exp: now() - 120 }),
    "not yet valid": good({ nbf: now() + 600 }),
    oversized: good({ filler: "x".repeat(13_000) }),
    "no subject": good({ sub: undefined }),
    "critical extension": good({}, { crit: ["exp"] }),
    "another type": good({}, { typ: "logout+jwt" }),
  };
  for (const [what, token] of Object.entries(forged)) {
    const answer = await list(token);
    assert.equal(answer.status, 401, `${what}: ${answer.text}`);
    assert.match(answer.headers["www-authenticate"], /^Bearer authorization="/, what);
  }
  const other = await exchange({ port, ca: pem, host: `dev.localhost:${port}`, path: "/keys?api-version=7.4", headers: { authorization: `Bearer ${good()}` } });
  assert.equal(other.status, 401, "another vault does not believe this issuer");
});

test("a group of the issuer's tokens has what is assigned to it, and the subject of the same name does not", async () => {
  await uses(good({ sub: "member", groups: ["others", "signers"] }));
  await uses(good({ sub: "signers" }), 403);
  await uses(good({ sub: "member", groups: ["caller"] }), 403);
  await uses(good({ sub: "member" }), 403);
});

test("a group gets a role over REST by the id that the command line prints, and loses it so", async () => {
  const member = () => good({ sub: "member", groups: ["auditors"] });
  const principalId = cli("role", "principal-id", idp.iss, "auditors", "--group").trim();
  const path = `/keys/providers/Microsoft.Authorization/roleAssignments/${randomUUID()}?api-version=7.6`;
  await uses(member(), 403);
  await assign(path, principalId);
  await uses(member());
  await uses(good({ sub: "auditors" }), 403);
  await uses(good({ sub: "member", groups: ["Auditors"] }), 403);
  const taken = await call("DELETE", path, await admin());
  assert.equal(taken.status, 200, taken.text);
  await uses(member(), 403);
});

test("a GUID in the directory's groups has what is assigned to that GUID, and another issuer's has not", async () => {
  const at = `directory.localhost:${port}`;
  const file = join(directory, "directory.toml");
  writeFileSync(file, `directory = "${idp.iss}"\n[[issuers]]\niss = "${idp.iss}"\naudiences = ["${audience}"]\nsubject_claim = "oid"\nmetadata = "${idp.iss}/.well-known/openid-configuration"\n`);
  const made = cli("vault", "create", "directory", "--authority", at, "--retention", "7", "--policy", file, "--client", "admin", "--role", OFFICER);
  const own = { client_id: made.match(/AZURE_CLIENT_ID=(\S+)/)[1], client_secret: made.match(/AZURE_CLIENT_SECRET=(\S+)/)[1] };
  const token = await grant({ ...own, scope: `https://${at}/.default` }, 200, at);
  const [group, path] = [randomUUID(), `/keys/providers/Microsoft.Authorization/roleAssignments/${randomUUID()}?api-version=7.6`];
  const member = (more) => good({ sub: undefined, oid: randomUUID(), groups: [randomUUID(), group], ...more });
  await uses(member(), 403, { host: at });
  await assign(path, group, at, token);
  await uses(member(), 200, { host: at });
  await uses(good({ sub: undefined, oid: group }), 200, { host: at }); // the GUID is one object of the directory
  await uses(member({ groups: [group.toUpperCase()] }), 403, { host: at });
  // In the vault whose directory is another issuer the same GUID is nobody's group.
  await assign(path, group);
  await uses(good({ sub: "member", groups: [group] }), 403);
});

test("a tenant that the policy names is required", async () => {
  await administer("DELETE", `/issuers?iss=${encodeURIComponent(idp.iss)}`);
  await administer("POST", "/issuers", { iss: idp.iss, audiences: [audience], subject_claim: "sub", tenant: "t-1" });
  await uses(good({ tid: "t-1" }));
  await uses(good({ tid: "t-2" }), 401);
  await uses(good(), 401);
  await administer("DELETE", `/issuers?iss=${encodeURIComponent(idp.iss)}`);
  await administer("POST", "/issuers", { iss: idp.iss, audiences: [audience], subject_claim: "sub" });
});

test("tokens from before a revocation are refused at once, and later ones are not", async () => {
  const token = good({ iat: now() - 5 });
  await uses(token);
  await administer("POST", "/not-before", { issuer: idp.iss, subject: "caller" });
  await uses(token, 401);
  await uses(good({ iat: undefined }), 401);
  await uses(good({ iat: now() + 2 }));
});

test("a built-in client has its secret once, and neither it nor its tokens outlive its removal", async () => {
  const made = await administer("POST", "/clients", { name: "payments", credential: "secret" });
  assert.match(made.secret, /^[0-9a-f]{64}$/);
  assert.ok(!JSON.stringify(await administer("GET", "")).includes(made.secret));
  const id = made.client.id;
  const token = await grant({ client_id: id, client_secret: made.secret });
  await uses(token, 403); // proven, and without a role
  const second = await administer("POST", `/clients/${id}/credentials`, { credential: "secret" });
  await grant({ client_id: id, client_secret: second.secret });
  await administer("DELETE", `/clients/${id}/credentials/${made.credential}`);
  await uses(token, 401);
  await grant({ client_id: id, client_secret: made.secret }, 401);
  const last = await grant({ client_id: id, client_secret: second.secret });
  await administer("DELETE", `/clients/${id}`);
  await uses(last, 401);
  await grant({ client_id: id, client_secret: second.secret }, 401);
});

test("a client proves itself with an assertion of its own key, once", async () => {
  const pair = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const made = await administer("POST", "/clients", { name: "signer", credential: { key: pair.publicKey.export({ format: "jwk" }) } });
  const id = made.client.id;
  const endpoint = `https://${host}/adfs/oauth2/v2.0/token`;
  const assertion = (more = {}, key = pair.privateKey) =>
    forge({ alg: "RS256", typ: "JWT" }, { iss: id, sub: id, aud: endpoint, jti: randomUUID(), iat: now(), exp: now() + 300, ...more }, key);
  const type = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
  const ask = (text, status) => grant({ client_id: id, client_assertion_type: type, client_assertion: text }, status);
  const once = assertion();
  await uses(await ask(once, 200), 403);
  await ask(once, 401);
  const stranger = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  for (const bad of [
    assertion({}, stranger),
    assertion({ aud: "https://elsewhere.example" }),
    assertion({ exp: now() - 120 }),
    assertion({ exp: now() + 7200 }),
    assertion({ jti: undefined }),
    assertion({ sub: randomUUID() }),
  ]) {
    await ask(bad, 401);
  }
});

test("a client proves itself with the token of an issuer it is federated with, and with no other", async () => {
  const federated = { iss: idp.iss, sub: "build", aud: "api://keystead" };
  const { client } = await administer("POST", "/clients", { name: "build", credential: { federated } });
  const type = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
  const ask = (text, status) => grant({ client_id: client.id, client_assertion_type: type, client_assertion: text }, status);
  await uses(await ask(good({ sub: "build", aud: "api://keystead" }), 200), 403);
  await ask(good({ sub: "caller", aud: "api://keystead" }), 401);
  await ask(good({ sub: "build", aud: audience }), 401);
  await uses(good({ sub: "build", aud: "api://keystead" }), 401);
});

test("a client certificate is a principal while the policy has its authority, and a header never is", async () => {
  const tls = { key: clientCertificate.key, cert: clientCertificate.cert };
  await uses(undefined, 401, { tls });
  const added = await administer("POST", "/certificates", { certificate: pem.toString(), subject: "dns" });
  assert.equal(added.issuer, authority);
  await uses(undefined, 200, { tls });
  const text = clientCertificate.cert.toString().replaceAll("\n", " ").trim();
  for (const name of ["x-forwarded-client-cert", "x-client-cert", "ssl-client-cert", "x-arr-clientcert"]) {
    await uses(undefined, 401, { headers: { [name]: text } });
  }
  const server = certificate(directory, ca, "server", "subjectAltName=DNS:machine.localhost\nextendedKeyUsage=serverAuth\n");
  await uses(undefined, 401, { tls: { key: server.key, cert: server.cert } });
  const silent = certificate(directory, ca, "silent", "subjectAltName=DNS:machine.localhost\n");
  await uses(undefined, 401, { tls: { key: silent.key, cert: silent.cert } });
  await administer("DELETE", `/certificates/${added.thumbprint}`);
  await uses(undefined, 401, { tls });
});

test("whoever is no administrator neither reads nor changes the policy", async () => {
  const token = good({ iat: now() + 2 });
  for (const [method, path, body] of [
    ["GET", "", undefined],
    ["POST", "/issuers", { iss: "https://evil.example", audiences: ["a"], subject_claim: "sub" }],
    ["POST", "/not-before", { issuer: "built-in" }],
  ]) {
    const answer = await call(method, `/keystead/v1/policy${path}`, token, body);
    assert.equal(answer.status, 403, answer.text);
    assert.match(answer.headers["x-keystead-receipt"], /^1\./);
  }
});

test("the command line creates and removes clients of the vault dev", () => {
  const made = JSON.parse(cli("client", "create", "by-cli", "--secret", "--output", "json"));
  assert.match(made.secret, /^[0-9a-f]{64}$/);
  assert.ok(cli("client", "list").includes("by-cli"));
  cli("client", "remove-credential", made.client.id, made.credential);
  cli("client", "remove", made.client.id);
  assert.ok(!cli("client", "list").includes("by-cli"));
  cli("issuer", "add", "https://issuer.example", "--audience", "a", "--tenant", "t");
  assert.ok(cli("issuer", "list").includes("https://issuer.example"));
  cli("issuer", "remove", "https://issuer.example");
  cli("policy", "revoke", "https://issuer.example", "--subject", "s", "--before", "2020-01-01");
  assert.ok(cli("policy", "show").includes("tokens of s of https://issuer.example from before 2020-01-01"));
  cli("certificate", "add", ca.certificate, "--subject", "uri");
  const [certificate] = JSON.parse(cli("certificate", "list", "--output", "json")).certificates;
  cli("certificate", "remove", certificate.thumbprint);
});
