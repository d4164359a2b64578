"""The logs of a running server hold before code that is not ours: tests/tlog-go over golang.org/x/mod/sumdb."""

import base64
import hashlib
import shutil
import subprocess

import pytest
from azure.keyvault.keys.crypto import SignatureAlgorithm

from dev_server import ROOT, wait_until
from verify_with import digest


def go(program, *words):
    command = [str(ROOT / "target/tlog-go" / program), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def audit(dev):
    """The directory with `vkey` and `logs`."""
    found = list(dev.data.rglob("vkey"))
    assert len(found) == 1, found
    return found[0].parent


def origin_of(log):
    return (log / "checkpoint").read_text().split("\n")[0]


def log_judged(log, origin=None):
    """One log directory against the node's key under the log's own name (a verifier key is name+hash+key)."""
    origin = origin or origin_of(log)
    coded = (log.parent.parent / "vkey").read_text().strip().split("+", 2)[2]
    key_hash = hashlib.sha256(origin.encode() + b"\n" + base64.b64decode(coded)).hexdigest()[:8]
    return go("log", log, f"{origin}+{key_hash}+{coded}")


def accepted(*words):
    """The answer about receipts once checkpoint and tiles are there, which two seconds must suffice for."""
    seen = []

    def settled():
        seen[:] = [go("receipts", *words)]
        return seen[0].returncode != 3

    try:
        wait_until("the checkpoint covers it", 2, settled, step=0.05)
    finally:
        assert seen[0].returncode == 0, seen[0].stdout + seen[0].stderr
    return seen[0].stdout


def use(vault, name, times):
    crypto = vault.crypto(vault.keys.create_ec_key(name))
    for _ in range(times):
        crypto.sign(SignatureAlgorithm.es256, digest())


def whole_copy(audit, copy):
    """A copy that was taken while nothing was being published."""

    def holds():
        shutil.rmtree(copy, ignore_errors=True)
        try:
            shutil.copytree(audit, copy)
        except (OSError, shutil.Error):
            return False
        return all(log_judged(log).returncode == 0 for log in (copy / "logs").iterdir())

    wait_until("a copy holds together", 5, holds, step=0.05)
    return copy


def test_go_accepts_every_receipt_and_every_log_across_full_tiles(software, answers, audit, name, tmp_path):
    use(software, name, 300)
    receipts = [receipt for _, _, receipt in answers.heard]
    assert f"ok {len(receipts)} receipts" in accepted(audit, *receipts)
    logs = list((whole_copy(audit, tmp_path / "copy") / "logs").iterdir())
    assert len(logs) >= 2, "the vault's log and the node's own"
    sizes = [int(log_judged(log).stdout.split()[-1]) for log in logs]
    assert max(sizes) > 256, "more than one tile"


def test_go_finds_that_the_logs_only_grew(software, answers, audit, name, tmp_path):
    use(software, name, 3)
    first = answers.last_receipt
    accepted(audit, first)
    old = []
    for number, checkpoint in enumerate(sorted((audit / "logs").glob("*/checkpoint"))):
        old.append(shutil.copy(checkpoint, tmp_path / f"checkpoint-{number}"))
    use(software, name, 20)
    kept = [word for path in old for word in ("-kept", path)]
    assert f"{len(old)} kept checkpoints" in accepted(*kept, audit, first, answers.last_receipt)


@pytest.mark.parametrize("what", ["checkpoint", "tile/0/**/*", "tile/entries/**/*"])
def test_go_refuses_a_log_in_which_one_byte_was_changed(software, answers, audit, name, tmp_path, what):
    use(software, name, 3)
    accepted(audit, answers.last_receipt)
    for log in (whole_copy(audit, tmp_path / "copy") / "logs").iterdir():
        origin = origin_of(log)
        damaged = [f for f in log.glob(what) if f.is_file()]
        assert damaged
        for file in damaged:
            content = bytearray(file.read_bytes())
            content[len(content) // 2] ^= 1
            file.write_bytes(content)
        assert log_judged(log, origin).returncode == 1


def test_go_refuses_a_receipt_of_something_else(software, answers, audit, name):
    use(software, name, 1)
    accepted(audit, answers.last_receipt)
    one, log, index, leaf = answers.last_receipt.split(".")
    other = ("B" if leaf[0] == "A" else "A") + leaf[1:]
    assert go("receipts", audit, f"{one}.{log}.{index}.{other}").returncode == 1
