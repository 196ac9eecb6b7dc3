"""A service for the tests: `subrosa serve` on its embedded defaults, in a directory that goes afterwards."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from dataclasses import dataclass

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "target/release/subrosa"
DATA = pathlib.Path(os.environ.get("SUBROSA_DATA_DIR", ROOT / ".data"))
SAMPLE = DATA / "samples/sample.wav"


@dataclass
class Service:
    """A running service and its first owner."""

    url: str
    email: str
    password: str
    directory: pathlib.Path
    process: subprocess.Popen

    def request(self, method, path, token=None, body=None, headers=None):
        """An answer as (status, headers, bytes), whatever the status."""
        data = json.dumps(body).encode() if body is not None else None
        headers = {"content-type": "application/json", **(headers or {})} if data else dict(headers or {})
        if token:
            headers["authorization"] = f"Bearer {token}"
        request = urllib.request.Request(self.url + path, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def sign_in(self):
        """An access token of the owner."""
        status, _, body = self.request("POST", "/api/auth/login", body={"email": self.email, "password": self.password})
        assert status == 200, body
        return json.loads(body)["accessToken"]

    def api_key(self):
        """A new API key of the owner."""
        body = {"name": "tests", "scopes": ["calls:read", "calls:write"]}
        status, _, answer = self.request("POST", "/api/tenant/api-keys", token=self.sign_in(), body=body)
        assert status == 201, answer
        return json.loads(answer)["key"]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def start(directory, *arguments):
    """Starts the program and waits until it says where to go."""
    port, metrics = free_port(), free_port()
    environment = {**os.environ, "SUBROSA_DATA_DIR": str(directory)}
    process = subprocess.Popen(
        [PROGRAM, "serve", "--listen", f"127.0.0.1:{port}", "--metrics-listen", f"127.0.0.1:{metrics}", *arguments],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "Ready at" in line:
            break
    text = "".join(lines)
    assert "Ready at" in text, f"the service did not start:\n{text}"
    email = re.search(r"e-mail:\s+(\S+)", text)
    password = re.search(r"password:\s+(\S+)", text)
    # Keeps the pipe from filling up.
    subprocess.Popen(["cat"], stdin=process.stdout, stdout=subprocess.DEVNULL)
    return Service(f"http://127.0.0.1:{port}", email and email[1], password and password[1], directory, process)


@pytest.fixture(scope="session")
def service():
    directory = pathlib.Path(tempfile.mkdtemp(prefix="subrosa-service-"))
    directory.chmod(0o711)
    (directory / "models").symlink_to(DATA / "models")
    running = start(directory)
    yield running
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(60) == 0
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def sample():
    return SAMPLE


def eventually(look, seconds=300):
    """What `look` gives once it gives something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (found := look()) is not None:
            return found
        time.sleep(0.5)
    raise AssertionError("it did not happen in time")
