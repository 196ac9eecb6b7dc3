"""A service for the tests: `subrosa serve` on its embedded defaults, in a directory that goes afterwards."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("SUBROSA_TEST_PROGRAM", ROOT / "target/debug/subrosa"))
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
        return json.loads(answer)["token"]


# Schemathesis asks more often than a person; the limits have tests of their own.
RATES = [f"--set=rates.{kind}=1000000/1m" for kind in ("public", "read", "write", "upload", "sign_in")]


def start(directory, *arguments):
    """Starts the program on ports that are free, and waits until it says where to go."""
    environment = {**os.environ, "SUBROSA_DATA_DIR": str(directory), "SUBROSA_MODEL": "base"}
    process = subprocess.Popen(
        [PROGRAM, "serve", "--listen=127.0.0.1:0", "--set=metrics.listen=127.0.0.1:0", *RATES, *arguments],
        env=environment, stdout=subprocess.PIPE, stderr=(directory / "log").open("a"), text=True,
    )
    said = ""
    while "metrics are at" not in said:
        line = process.stdout.readline()
        assert line, f"the service did not start:\n{said}\n{(directory / 'log').read_text()}"
        said += line
    url = re.search(r"the API is at (\S+)/api", said)[1]
    owner = re.search(r"signs in as (\S+) with (\S+)", said)
    return Service(url, *(owner.groups() if owner else (None, None)), directory, process)


def stop(service):
    """Asks the program to end, as a service manager does. It ends well, and its PostgreSQL before it."""
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(60) == 0
    assert not list((service.directory / "postgres").rglob("postmaster.pid"))


@contextlib.contextmanager
def running(*arguments):
    """A service with the models of `make models`, in a directory of its own. PostgreSQL's own user has to get through it."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="subrosa-service-"))
    directory.chmod(0o711)
    (directory / "models").symlink_to(DATA / "models")
    service = start(directory, *arguments)
    yield service
    stop(service)
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def service():
    with running() as service:
        yield service


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


@pytest.fixture(scope="session")
def token(service):
    return service.sign_in()


def upload(service, token, file):
    """The call that a recording becomes, which curl uploads."""
    url, key = f"{service.url}/api/calls/analyze", f"authorization: Bearer {token}"
    command = ["curl", "-sSf", "-H", key, "-H", "idempotency-key: sample", "-F", f"file=@{file}", url]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["callId"]


def calls(service):
    """The ids of the owner's calls."""
    answer = json.loads(get(service, service.sign_in(), "/api/calls?limit=200"))
    return {call["callId"] for call in answer["items"]}


def get(service, token, path):
    status, _, body = service.request("GET", path, token)
    assert status == 200, body
    return body


def completed(service, token, call):
    """The detail of a call, once it has a transcript."""
    def look():
        detail = json.loads(get(service, token, f"/api/calls/{call}"))
        assert detail["status"] != "FAILED", detail
        return detail if detail["status"] == "COMPLETED" else None

    return eventually(look)
