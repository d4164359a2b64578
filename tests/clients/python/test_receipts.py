"""Every answer of the data plane carries a receipt, and anybody with the log can check it."""

import json

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.keyvault.keys.crypto import SignatureAlgorithm

from dev_server import wait_until
from verify_with import digest


def prove(vault, receipt):
    dev = vault.server
    return dev.command("audit", "prove", receipt, "--data", dev.data)


def proven(vault, receipt):
    """Accepts within the two seconds in which a checkpoint must cover the record."""
    last = []

    def probe():
        last[:] = [prove(vault, receipt)]
        return last[0].returncode == 0

    try:
        wait_until("the receipt is proven", 2, probe, step=0.05)
    except TimeoutError:
        pytest.fail(f"audit prove {receipt}: exit {last[0].returncode}\n{last[0].stdout}{last[0].stderr}")


def test_each_kind_of_call_is_receipted_and_each_receipt_is_proven(vault, answers, name):
    key = vault.keys.create_ec_key(name)
    vault.keys.get_key(name)
    vault.crypto(key).sign(SignatureAlgorithm.es256, digest())
    list(vault.keys.list_properties_of_keys(max_page_size=25))
    list(vault.keys.list_properties_of_key_versions(name))
    vault.keys.update_key_properties(name, tags={"a": "b"})
    vault.keys.begin_delete_key(name).wait()
    list(vault.keys.list_deleted_keys())
    vault.keys.begin_recover_deleted_key(name).wait()
    vault.keys.begin_delete_key(name).wait()
    vault.keys.purge_deleted_key(name)
    receipts = [receipt for _, _, receipt in answers.heard]
    assert len(set(receipts)) == len(receipts) >= 10, "one record each"
    assert len({r.split(".")[1] for r in receipts}) == 1, "one vault on one node is one log"
    indices = [int(r.split(".")[2]) for r in receipts]
    assert indices == sorted(indices), "the log is in the order of the answers"
    for receipt in receipts:
        proven(vault, receipt)


def test_refusals_are_receipted_too(vault, answers, name):
    with pytest.raises(ResourceNotFoundError):
        vault.keys.get_key(name)
    proven(vault, answers.last_receipt)
    key = vault.keys.create_ec_key(name, enabled=False)
    with pytest.raises(HttpResponseError):
        vault.crypto(key).sign(SignatureAlgorithm.es256, digest())
    proven(vault, answers.last_receipt)


def test_a_receipt_that_was_changed_is_not_accepted(vault, answers, name):
    vault.keys.create_ec_key(name)
    receipt = answers.last_receipt
    proven(vault, receipt)
    one, log, index, leaf = receipt.split(".")
    other_leaf = ("B" if leaf[0] == "A" else "A") + leaf[1:]
    for forged in (f"{one}.{log}.{index}.{other_leaf}", f"{one}.{log}.{int(index) - 1}.{leaf}"):
        assert prove(vault, forged).returncode == 1, forged
    for elsewhere in (f"{one}.{log}.{int(index) + 10**9}.{leaf}", f"{one}.{'0' * 32}.{index}.{leaf}"):
        assert prove(vault, elsewhere).returncode != 0, elsewhere
    assert prove(vault, "not a receipt").returncode == 2


def test_the_log_of_a_running_server_verifies(vault, name):
    vault.keys.create_ec_key(name)
    dev = vault.server
    checked = dev.command("audit", "verify", "--data", dev.data)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_bodies_of_answers_are_json_and_never_stored_by_caches(vault, name):
    vault.keys.create_ec_key(name)
    answer = vault.send("GET", f"/keys/{name}/")
    assert json.loads(answer.text())["key"]["kid"]
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert "no-" in answer.headers["Cache-Control"] and answer.headers["x-ms-request-id"]
