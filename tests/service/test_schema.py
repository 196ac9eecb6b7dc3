"""Schemathesis against the running service: what /openapi.json says is what the service does."""

import os
import pathlib
import subprocess
import sys

import pytest
from conftest import completed, running, upload

HERE = pathlib.Path(__file__).parent

# These end the caller's own sign-in, and everything after them would be a 401.
ENDS_THE_CALLER = ["/api/auth/logout", "/api/auth/logout-all", "/api/auth/password", "/api/auth/sessions/{sessionId}"]


@pytest.fixture(scope="module")
def service():
    """One of its own: calls and keys that are found are deleted, too."""
    with running() as service:
        yield service


def test_no_operation_breaks_or_answers_what_the_document_does_not_say(service, sample):
    token = service.sign_in()
    call = upload(service, token, sample)
    completed(service, token, call)
    program = [sys.executable, "-m", "schemathesis.cli", f"--config-file={HERE / 'schemathesis.toml'}", "run"]
    excluded = [f"--exclude-path={path}" for path in ENDS_THE_CALLER]
    # Neither does a tenant that is gone have callers.
    excluded.append("--exclude-operation-id=delete_tenant")
    options = ["--checks=all", "--max-examples=15", "--no-shrink", "--continue-on-failure", "--seed=1"]
    key = ["-H", f"Authorization: Bearer {token}"]
    command = [*program, *excluded, *options, *key, f"{service.url}/openapi.json"]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": str(HERE / "hooks.py"), "CALL": call}
    # Its cache of what it found lies where it runs.
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=service.directory)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    # All of it was asked by somebody who was signed in.
    assert service.request("GET", "/api/users/me", token)[0] == 200
