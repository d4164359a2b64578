"""Runs a command in the environment that a fresh `keystead dev` gives its clients: with_dev.py COMMAND [WORD...]"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from dev_server import KEYSTEAD, DevServer


def main(command):
    with tempfile.TemporaryDirectory(prefix="keystead-") as directory:
        dev = DevServer(Path(directory) / "data").start()
        try:
            code = subprocess.run(command, env=os.environ | dev.env | {"KEYSTEAD": str(KEYSTEAD)}).returncode
        finally:
            stopped = dev.stop()
        if stopped:
            print(f"keystead dev stopped with {stopped}, not 0", file=sys.stderr)
        if code or stopped:
            print(dev.log.read_text(errors="replace"), file=sys.stderr)
        return code or stopped


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
