// Starts a real `keystead dev`, sources its dev.env, runs the suite in that environment (Node reads NODE_EXTRA_CA_CERTS
// only at its start), and stops the server by SIGTERM. Arguments go to `node --test`.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort } from "./port.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const keystead = process.env.KEYSTEAD ?? join(here, "../../../target/release/keystead");

/** Polls until `probe` gives something true. */
async function waitUntil(what, seconds, probe) {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; await pause(20)) {
    const found = await probe();
    if (found) return found;
  }
  throw new Error(`not within ${seconds} s: ${what}`);
}

function listens(port) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

/** What a POSIX shell has in its environment after sourcing the file. */
function sourced(file) {
  const shell = spawnSync("sh", ["-c", 'set -a; . "$1"; env -0', "sh", file], { env: { PATH: process.env.PATH } });
  if (shell.status !== 0) throw new Error(`${file} cannot be sourced: ${shell.stderr}`);
  const pairs = shell.stdout.toString().split("\0").filter((line) => line.includes("="));
  return Object.fromEntries(pairs.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));
}

async function suite(data, [port, hsmPort], pid, alive) {
  const file = join(data, "dev.env");
  // What stands in it before the server is ready is not enough.
  const named = () => {
    const found = existsSync(file) ? sourced(file) : {};
    return found.AZURE_AUTHORITY_HOST?.endsWith(`:${port}`) && found;
  };
  const dev = await waitUntil("dev.env names this server", 30, () => alive() && named());
  await waitUntil("the listener answers", 30, () => alive() && listens(port));
  const env = { ...process.env, ...dev, KEYSTEAD: keystead };
  Object.assign(env, { KEYSTEAD_TEST_DATA: data, KEYSTEAD_TEST_PORT: String(port), KEYSTEAD_TEST_PID: String(pid) });
  env.KEYSTEAD_TEST_HSM_PORT = String(hsmPort);
  const files = ["keys.test.mjs", "roles.test.mjs", "credentials.test.mjs", "issuers.test.mjs"];
  const words = ["--test", "--test-concurrency=1", "--test-reporter=spec", ...process.argv.slice(2), ...files];
  const [code] = await once(spawn(process.execPath, words, { cwd: here, env, stdio: "inherit" }), "exit");
  return code ?? 1;
}

async function main() {
  if (!existsSync(keystead)) throw new Error(`${keystead} is missing: cargo build --release --workspace --bins`);
  const directory = mkdtempSync(join(tmpdir(), "keystead-js-"));
  const [data, log] = [join(directory, "data"), join(directory, "log")];
  const [port, hsmPort] = [await freePort(), await freePort()];
  const out = openSync(log, "a");
  const listen = ["--listen", `127.0.0.1:${port}`, "--listen-hsm", `127.0.0.1:${hsmPort}`];
  const server = spawn(keystead, ["dev", "--data", data, "--softhsm", ...listen], { stdio: ["ignore", out, out] });
  const ended = once(server, "exit");
  const alive = () => {
    if (server.exitCode !== null) throw new Error(`keystead dev ended with ${server.exitCode}`);
    return true;
  };
  let code = 1;
  try {
    code = await suite(data, [port, hsmPort], server.pid, alive);
  } finally {
    server.kill("SIGTERM");
    const late = setTimeout(() => server.kill("SIGKILL"), 15_000);
    const [exit] = await ended;
    clearTimeout(late);
    if (exit !== 0) console.error(`keystead dev stopped with ${exit}, not 0`);
    if (code !== 0 || exit !== 0) console.error(readFileSync(log, "utf8"));
    rmSync(directory, { recursive: true, force: true });
    code ||= exit === 0 ? 0 : 1;
  }
  return code;
}

process.exitCode = await main();
