// Roles and settings, asked for as Microsoft's JavaScript administration client asks (its URLs begin with three slashes):
// what it takes for an error and what it swallows. The client itself is tested in Python.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { before, describe, test } from "node:test";
import { DefaultAzureCredential } from "@azure/identity";
import { KeyClient } from "@azure/keyvault-keys";

const { env } = process;
const AUDITOR = "2c18b078-7c48-4d3a-af88-5a3a1b3f82b3";
const kind = (collection) => `Microsoft.Authorization/${collection}`;
/** For either kind of vault. */
function surface(url) {
  let authorization;

  async function ask(method, path, body) {
    const headers = { authorization, accept: "application/json", "content-type": "application/json" };
    const answer = await fetch(`${url}/${path}?api-version=7.6`, { method, headers, body: body && JSON.stringify(body) });
    const text = await answer.text();
    return { status: answer.status, body: text ? JSON.parse(text) : undefined, receipt: answer.headers.get("x-keystead-receipt") };
  }
  const definitions = (name = "") => `//providers/${kind("roleDefinitions")}${name && `/${name}`}`;
  const assignments = (name = "") => `//providers/${kind("roleAssignments")}${name && `/${name}`}`;
  async function gives(status, method, path, body) {
    const answer = await ask(method, path, body);
    assert.equal(answer.status, status, `${method} ${path}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  before(async () => {
    const challenge = (await fetch(`${url}/keys?api-version=7.6`)).headers.get("www-authenticate");
    const [, resource] = /resource="([^"]+)"/.exec(challenge);
    const { token } = await new DefaultAzureCredential().getToken(`${resource}/.default`);
    authorization = `Bearer ${token}`;
  });

  test("role definitions are listed, and each is read by its name", async () => {
    const { value } = await gives(200, "GET", definitions());
    assert.ok(value.length > 15 && value.every((d) => d.type === kind("roleDefinitions")));
    assert.deepEqual(await gives(200, "GET", definitions(value[0].name)), value[0]);
    for (const name of ["Key Vault Administrator", "Key Vault Reader", "Key Vault Crypto Service Release User"]) {
      assert.ok(value.some((d) => d.properties.roleName === name && d.properties.type === "AKVBuiltInRole"), name);
    }
  });

  test("what is sought or deleted by a name that cannot be is not found, and nothing is made under it", async () => {
    for (const [path, code, text] of [
      [definitions("foobar"), "RoleDefinitionNotFound", /^Requested role definition not found/],
      [definitions(randomUUID()), "RoleDefinitionNotFound", /^Requested role definition not found/],
      [assignments("foobar"), "RoleAssignmentNotFound", /^Requested role assignment not found/],
      [assignments(randomUUID()), "RoleAssignmentNotFound", /^Requested role assignment not found/],
    ]) {
      for (const method of ["GET", "DELETE"]) {
        const { error } = await gives(404, method, path);
        assert.equal(error.code, code);
        assert.match(error.message, text);
      }
    }
    await gives(400, "PUT", definitions("foo unique value"), { properties: { roleName: "foo", permissions: [] } });
    await gives(400, "PUT", definitions(AUDITOR), { properties: { roleName: "Mine", permissions: [] } });
    await gives(400, "DELETE", definitions(AUDITOR));
  });

  test("a role definition is made, changed, and deleted with the assignment that names it", async () => {
    const [name, assigned, principalId] = [randomUUID(), randomUUID(), randomUUID()];
    const permission = { actions: [], notActions: [], dataActions: ["Microsoft.KeyVault/managedHsm/backup/start/action"], notDataActions: [] };
    const properties = { roleName: name, description: "of a test", type: "CustomRole", permissions: [permission], assignableScopes: ["/"] };
    const made = await gives(201, "PUT", definitions(name), { properties });
    assert.deepEqual({ ...made.properties }, properties);
    const more = { ...properties, permissions: [permission, { ...permission, dataActions: [], notDataActions: ["Microsoft.KeyVault/managedHsm/keys/encrypt/action"] }] };
    const changed = await gives(201, "PUT", definitions(name), { properties: more });
    assert.equal(changed.id, made.id);
    assert.deepEqual(changed.properties.permissions, more.permissions);

    const held = await gives(201, "PUT", assignments(assigned), { properties: { roleDefinitionId: made.id, principalId } });
    assert.deepEqual(held.properties, { principalId, roleDefinitionId: made.id, scope: "/" });
    assert.deepEqual(await gives(200, "GET", assignments(assigned)), held);
    const gone = await ask("DELETE", definitions(name));
    assert.equal(gone.status, 200);
    assert.match(gone.receipt, /^1\./);
    await gives(404, "GET", assignments(assigned));
    const { value } = await gives(200, "GET", definitions());
    assert.ok(!value.some((d) => d.name === name));
  });

  test("settings are listed, read and changed", async () => {
    const { settings } = await gives(200, "GET", "settings");
    assert.ok(settings.length > 0);
    const path = "settings/AllowKeyManagementOperationsThroughARM";
    const one = await gives(200, "GET", path);
    assert.deepEqual([one.type, ["true", "false"].includes(one.value)], ["boolean", true]);
    for (const value of [one.value === "true" ? "false" : "true", one.value]) {
      assert.deepEqual(await gives(200, "PATCH", path, { value }), { ...one, value });
      assert.deepEqual(await gives(200, "GET", path), { ...one, value });
    }
    await gives(404, "PATCH", "settings/other", { value: "true" });
  });

  test("what is no backup is refused in the words that Microsoft's suites expect", async () => {
    const keys = new KeyClient(url, new DefaultAzureCredential());
    const error = await keys.restoreKeyBackup(new Uint8Array(8693)).catch((e) => e);
    assert.equal(error.message, "Backup blob contains invalid or corrupt version.");
  });
}

describe("dev", () => surface(`https://dev.localhost:${env.KEYSTEAD_TEST_PORT}`));
describe("dev-hsm", () => surface(`https://dev-hsm.localhost:${env.KEYSTEAD_TEST_HSM_PORT}`));
