// An issuer that is not ours: oidc-provider over TLS with a certificate of the development CA. It counts who asks for
// its keys, and can change them.
import { spawnSync } from "node:child_process";
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:https";
import { join } from "node:path";
import Provider from "oidc-provider";

function openssl(...args) {
  const run = spawnSync("openssl", args, { encoding: "utf8" });
  if (run.status !== 0) throw new Error(run.stderr);
  return run.stdout;
}

/** A certificate from the development CA, with its key, as files. */
export function certificate(directory, ca, name, extensions) {
  const file = (end) => join(directory, `${name}.${end}`);
  openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", file("key"), "-out", file("csr"), "-subj", `/CN=${name}`);
  writeFileSync(file("ext"), extensions);
  openssl("x509", "-req", "-in", file("csr"), "-CA", ca.certificate, "-CAkey", ca.key, "-CAcreateserial", "-CAserial", file("srl"), "-days", "2", "-out", file("pem"), "-extfile", file("ext"));
  return { key: readFileSync(file("key")), cert: readFileSync(file("pem")), file: file("pem") };
}

function signingKey(alg) {
  const pair = alg.startsWith("ES")
    ? generateKeyPairSync("ec", { namedCurve: { ES256: "P-256", ES384: "P-384", ES512: "P-521" }[alg] })
    : generateKeyPairSync("rsa", { modulusLength: 2048 });
  const jwk = { ...pair.privateKey.export({ format: "jwk" }), kid: randomUUID(), alg, use: "sig" };
  return { ...pair, jwk, alg, kid: jwk.kid };
}

/** One HTTPS exchange with a chosen Host and perhaps a client certificate. */
export function exchange({ port, ca, host = `localhost:${port}`, method = "GET", path, headers = {}, body, tls = {} }) {
  return new Promise((resolve, reject) => {
    const all = { host, ...headers };
    if (body !== undefined) all["content-length"] = Buffer.byteLength(body);
    const sent = request({ host: "127.0.0.1", port, servername: "localhost", ca, method, path, headers: all, ...tls }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part)).on("error", reject);
      answer.on("end", () => {
        const text = Buffer.concat(parts).toString();
        const json = () => JSON.parse(text);
        resolve({ status: answer.statusCode, headers: answer.headers, text, json });
      });
    });
    sent.on("error", reject).end(body);
  });
}

/** Starts one. `audience` is what its tokens are for. */
export async function startIssuer({ directory, ca, port, audience }) {
  const iss = `https://localhost:${port}`;
  const own = certificate(directory, ca, "localhost", "subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\n");
  const asked = { keys: 0, metadata: 0 };
  let current, signing;
  /** New keys, and none of the old. */
  const rotate = (alg = "RS256") => {
    signing = signingKey(alg);
    const resource = { scope: "", audience, accessTokenFormat: "jwt", accessTokenTTL: 3600, jwt: { sign: { alg } } };
    const provider = new Provider(iss, {
      jwks: { keys: [signing.jwk, signingKey("RS256").jwk] },
      clients: [
        { client_id: "caller", client_secret: "caller-secret", grant_types: ["client_credentials"], redirect_uris: [], response_types: [] },
      ],
      features: {
        clientCredentials: { enabled: true },
        devInteractions: { enabled: false },
        resourceIndicators: { enabled: true, defaultResource: () => audience, useGrantedResource: () => true, getResourceServerInfo: () => resource },
      },
      enabledJWA: { idTokenSigningAlgValues: ["RS256", "PS256", "ES256", "ES384", "ES512"] },
      extraTokenClaims: () => ({ groups: ["signers"] }),
    });
    current = provider.callback();
  };
  rotate();
  const server = createServer({ key: own.key, cert: own.cert }, (asking, answer) => {
    if (asking.url.startsWith("/jwks")) asked.keys += 1;
    if (asking.url.startsWith("/.well-known")) asked.metadata += 1;
    current(asking, answer);
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const pem = readFileSync(ca.certificate);
  const token = async () => {
    const form = new URLSearchParams({ grant_type: "client_credentials", resource: audience });
    const headers = {
      "content-type": "application/x-www-form-urlencoded",
      authorization: `Basic ${Buffer.from("caller:caller-secret").toString("base64")}`,
    };
    const answer = await exchange({ port, ca: pem, method: "POST", path: "/token", headers, body: form.toString() });
    if (answer.status !== 200) throw new Error(answer.text);
    return answer.json().access_token;
  };
  return { iss, asked, rotate, token, key: () => signing, close: () => server.close() };
}
