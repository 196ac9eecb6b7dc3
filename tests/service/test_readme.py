"""The README from its first command to its last, as written, in one shell: nothing to the first transcript."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

import pytest
from conftest import DATA, PROGRAM, ROOT

README = (ROOT / "README.md").read_text()

# What installs and fetches, or runs this very test. Everything else is run.
NOT_RUN = {
    "make demo    # installs what the system lacks, builds, fetches small models, starts the service, transcribes a real call over HTTP",
    "make test    # set-up included, then everything that has to pass",
    "make models",
    "python3 -m venv .data/venv && .data/venv/bin/pip install --quiet openai",
    "make build && sudo make install",
    "subrosa models pull",
}

# Between the outputs of two blocks.
MARK = "--- the next block ---"

# Seconds for all of it: three transcriptions of half a minute on whatever a CI has.
PATIENCE = 900


def blocks():
    """The commands of each fenced block, without those that are not run."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.M | re.S)
    assert {language for language, _ in found} == {"sh"}, "a block in another language would not be tested"
    lines = [[line for line in body.splitlines() if line not in NOT_RUN] for _, body in found]
    return ["\n".join(block) for block in lines if block]


@pytest.fixture
def clone():
    """What a clone has after `make models`. PostgreSQL's own user has to get through it."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="subrosa-readme-"))
    directory.chmod(0o711)
    # The program under test, where the README has it.
    (directory / "target").mkdir(mode=0o711)
    (directory / "target/release").symlink_to(PROGRAM.parent)
    (directory / ".data").mkdir(mode=0o711)
    for name in ("models", "samples"):
        (directory / ".data" / name).symlink_to(DATA / name)
    # What `pip install openai` would make.
    (directory / ".data/venv").symlink_to(sys.prefix)
    yield directory
    shutil.rmtree(directory)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def run(clone):
    """What each block prints. The port is another one, because the machine may have the usual one in use."""
    address = f"127.0.0.1:{free_port()}"
    script = f"\necho '{MARK}'\n".join(blocks()).replace("127.0.0.1:8080", address)
    assert address in script
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("SUBROSA_", "OPENAI_"))}
    environment = {**ours, "SUBROSA_HTTP_LISTEN": address, "SUBROSA_METRICS_LISTEN": "127.0.0.1:0"}
    shell = subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", script], cwd=clone, env=environment, text=True, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )
    try:
        said, complained = shell.communicate(timeout=PATIENCE)
        assert shell.returncode == 0, f"{said}\n{complained}\n{(clone / '.data/log').read_text()}"
    finally:
        if shell.returncode != 0:
            # The service that it left behind.
            os.killpg(shell.pid, signal.SIGTERM)
            shell.wait(60)
    return said.split(f"{MARK}\n")


def test_a_newcomer_gets_from_nothing_to_transcripts_by_the_commands_of_the_readme(clone):
    started, signed_in, uploaded, with_sdk, ended, at_the_prompt = run(clone)
    assert '"status":"ok"' in started
    assert (signed_in, ended) == ("", "")
    assert '"stage":"TRANSCRIBED","outcome":"COMPLETED"' in uploaded
    assert '"status":"COMPLETED","percent":100' in uploaded
    words = "Speaker 1: "
    assert uploaded.count(words) > 2 and "\ndeletion-receipt: " in uploaded.lower()
    lines = [line for line in with_sdk.splitlines() if re.match(r" *\d+\.\d [AB]: ", line)]
    assert len(lines) > 4 and len(lines) == len(with_sdk.splitlines())
    assert at_the_prompt.count(words) > 4 and "--speakers" in at_the_prompt
    transcripts = sorted(path.name for path in (clone / ".data/transcripts").iterdir())
    assert transcripts == ["sample.json", "sample.srt"]
    # Nobody was left behind.
    assert not list((clone / ".data/postgres").rglob("postmaster.pid"))
