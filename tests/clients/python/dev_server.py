"""A real `keystead dev`, started for the tests and stopped by SIGTERM. No part of the service is imitated."""

import json
import os
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
KEYSTEAD = Path(os.environ.get("KEYSTEAD", ROOT / "target/release/keystead"))
API_VERSION = "7.6"


def wait_until(what, seconds, probe, step=0.02):
    """Polls until `probe()` gives something true, and returns it."""
    end = time.monotonic() + seconds
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds} s: {what}")
        time.sleep(step)


def free_ports(n):
    """Ports that nothing listened on a moment ago."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


def sourced(script):
    """What a POSIX shell has in its environment after sourcing `script`, beyond what it had before."""
    run = ["sh", "-c", 'set -a; . "$1"; env -0', "sh", str(script)]
    clean = {"PATH": os.environ["PATH"]}
    lines = subprocess.run(run, env=clean, check=True, capture_output=True, text=True).stdout.split("\0")
    found = dict(line.split("=", 1) for line in lines if "=" in line)
    return {k: v for k, v in found.items() if k not in ("PATH", "PWD", "OLDPWD", "SHLVL", "_")}


class DevServer:
    """One running `keystead dev` with its own data directory."""

    def __init__(self, data, limits=None, more=()):
        """`limits`: lines of the section `[limits]`; `more`: other arguments."""
        self.data = Path(data)
        self.limits = limits
        self.more = list(map(str, more))
        self.port, self.hsm_port = free_ports(2)
        self.url = f"https://localhost:{self.port}"
        self.named_url = f"https://dev.localhost:{self.port}"
        self.hsm_url = f"https://localhost:{self.hsm_port}"
        self.named_hsm_url = f"https://dev-hsm.localhost:{self.hsm_port}"
        self.env = {}
        self.log = self.data.parent / "keystead.log"
        self.process = None

    def start(self):
        assert KEYSTEAD.is_file(), f"{KEYSTEAD} is missing: cargo build --release --workspace --bins"
        command = [
            str(KEYSTEAD), "dev", "--data", str(self.data),
            "--listen", f"127.0.0.1:{self.port}", "--listen-hsm", f"127.0.0.1:{self.hsm_port}",
        ]  # fmt: skip
        command += self.more
        if self.limits:
            file = self.data.parent / "limits.toml"
            file.write_text(f"[limits]\n{self.limits}\n")
            command += ["--limits", str(file)]
        # An earlier start's would be taken for this one's until the server removes it.
        self.env_file.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self.env = wait_until("dev.env names this server", 30, lambda: self._alive() and self._environment())
            wait_until("a request is challenged", 30, lambda: self._alive() and self._challenges())
        except BaseException:
            self.stop()
            raise
        return self

    @property
    def env_file(self):
        return self.data / "dev.env"

    def stop(self):
        """SIGTERM must end it in order, with exit code 0."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def command(self, *words):
        """Runs a subcommand of the same binary, as an operator would."""
        return subprocess.run([str(KEYSTEAD), *map(str, words)], capture_output=True, text=True, timeout=60)

    def raw(self, method, path, token=None, body=None, url=None, host=None):
        """A bare HTTPS request: (status, headers, body). No SDK, no retries."""
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if host:
            headers["Host"] = host
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request((url or self.url) + path, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, context=self.tls(), timeout=30) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def tls(self):
        return ssl.create_default_context(cafile=self.setting("REQUESTS_CA_BUNDLE"))

    def setting(self, name):
        assert self.env.get(name), f"{self.env_file} does not set {name}; it sets {sorted(self.env)}"
        return self.env[name]

    def _alive(self):
        code = self.process.poll()
        assert code is None, f"keystead dev ended with {code}:\n{self.log.read_text(errors='replace')}"
        return True

    def _environment(self):
        """The whole of dev.env: what stands in it before the server is ready is not enough."""
        env = sourced(self.env_file) if self.env_file.is_file() else {}
        return env.get("AZURE_AUTHORITY_HOST", "").endswith(f":{self.port}") and env

    def _challenges(self):
        try:
            return self.raw("GET", "/keys")[0] == 401
        except OSError:
            return False
