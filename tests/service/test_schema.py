"""Schemathesis against the running service: what /openapi.json says is what the service does."""

import subprocess
import sys

# These end the caller's own sign-in or account, and everything after them would be a 401.
ENDS_THE_CALLER = ["/api/auth/logout", "/api/auth/logout-all", "/api/auth/password"]


def test_no_operation_breaks_or_answers_what_the_document_does_not_say(service):
    program = [sys.executable, "-m", "schemathesis.cli", "run", f"{service.url}/openapi.json"]
    excluded = [f"--exclude-path={path}" for path in ENDS_THE_CALLER]
    checks = "--checks=all"
    options = ["--max-examples=15", "--workers=2", "--no-shrink", "--continue-on-failure", "--seed=1", "--rate-limit=auto"]
    key = ["-H", f"Authorization: Bearer {service.sign_in()}"]
    done = subprocess.run([*program, *excluded, checks, *options, *key], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
