"""PKCS#11 tokens for the tests: a new one in a directory, as a file with `[[hsm]]` for `keystead dev --hsm`."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PIN, SO_PIN, LABEL = "4711-user", "0815-officer", "suite"


def module(kind):
    places = {
        "softhsm2": ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so"],
        "kryoptic": [ROOT / ".cache/kryoptic/libkryoptic.so"],
    }[kind]
    named = os.environ.get("KEYSTEAD_" + kind.upper())
    for place in [named, *places]:
        if place and Path(place).is_file():
            return Path(place)
    raise FileNotFoundError(f"{kind} is not here: run tests/run/install apt kryoptic")


def configured(kind, directory):
    """Makes a token; gives the `[[hsm]]` section that names it."""
    directory.mkdir(parents=True)
    tokens, pin = directory / "tokens", directory / "pin"
    tokens.mkdir()
    pin.write_text(PIN)
    pin.chmod(0o600)
    variable, conf = {"softhsm2": "SOFTHSM2_CONF", "kryoptic": "KRYOPTIC_CONF"}[kind], directory / "token.conf"
    if kind == "softhsm2":
        conf.write_text(f"directories.tokendir = {tokens}\nlog.level = ERROR\n")
    else:
        conf.write_text(f'[[slots]]\nslot = 0\ndbtype = "sqlite"\ndbargs = "{tokens}/0.sql"\n')
    env = {**os.environ, variable: str(conf)}
    tool = ["pkcs11-tool", "--module", str(module(kind))]
    for words in (
        ["--init-token", "--slot-index", "0", "--label", LABEL, "--so-pin", SO_PIN],
        ["--init-pin", "--token-label", LABEL, "--login", "--so-pin", SO_PIN, "--new-pin", PIN],
    ):
        subprocess.run([*tool, *words], env=env, check=True, capture_output=True)
    return (
        f'[[hsm]]\nname = "{kind}"\nmodule = "{module(kind)}"\nlabel = "{LABEL}"\npin_file = "{pin}"\n'
        f'environment = {{ {variable} = "{conf}" }}\n'
    )
