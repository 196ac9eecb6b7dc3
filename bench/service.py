"""From the start of an upload to the transcript, against `subrosa transcribe` on the same file.

Invariant: both run the same model with as many threads on the same recording and are told the language; they take turns, and
a ratio is taken within a round. The service is fresh in each round, since it knows a recording that it has already.
"""

import contextlib
import http.client
import json
import os
import re
import subprocess
import tempfile
import time
import uuid
import wave
from pathlib import Path
from statistics import median

import report
from engines import ENVIRONMENT, Subrosa

SIGNED_IN = re.compile(r"signs in as (\S+) with (\S+) \(")
LISTENING = re.compile(r"the API is at http://([^/]+)/api")


class Service:
    """A signed-in client of a service that runs."""

    def __init__(self, address, email, password):
        self.address, self.token = address, None
        body = json.dumps({"email": email, "password": password})
        answer = self._request("POST", "/api/auth/login", body, {"content-type": "application/json"})
        self.token = json.load(answer)["accessToken"]

    def upload(self, path, language):
        """Gives the call's id."""
        boundary, metadata = uuid.uuid4().hex, json.dumps({"language": language, "direction": "UNKNOWN"})
        part = f'--{boundary}\r\nContent-Disposition: form-data; name='
        head = f'{part}"metadata"\r\n\r\n{metadata}\r\n{part}"file"; filename="speech.wav"\r\n\r\n'
        body = head.encode() + path.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
        headers = {"content-type": f"multipart/form-data; boundary={boundary}"}
        return json.load(self._request("POST", "/api/calls/analyze", body, headers))["callId"]

    def follow(self, call):
        """Returns when the stream of events says that the call is completed; gives the stages' milliseconds."""
        stages = {}
        for line in self._request("GET", f"/api/calls/{call}/events"):
            if not line.startswith(b"data:"):
                continue
            event = json.loads(line[5:])
            if "stage" in event:
                stages[event["stage"]] = event.get("durationMs")
            elif event["status"] == "COMPLETED":
                return stages
            elif event["status"] == "FAILED":
                raise SystemExit(f"the call failed: {event}")
        raise SystemExit("the stream of events ended before the call did")

    def _request(self, method, path, body=None, headers=None):
        headers = (headers or {}) | ({"authorization": f"Bearer {self.token}"} if self.token else {})
        connection = http.client.HTTPConnection(self.address)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        if answer.status >= 400:
            raise SystemExit(f"{method} {path}: {answer.status} {answer.read().decode()}")
        return answer


@contextlib.contextmanager
def serving(options):
    """A service on a fresh data directory, ended afterwards."""
    models = Path(os.environ["SUBROSA_DATA_DIR"]).resolve() / "models"
    with tempfile.TemporaryDirectory() as folder:
        # The server's account, where that is another one, goes through it.
        os.chmod(folder, 0o711)
        (Path(folder) / "models").symlink_to(models)
        command = [options.subrosa, "serve", "--listen", "127.0.0.1:0"]
        command += ["--set", f"worker.threads={options.threads}", "--set", "metrics.listen=127.0.0.1:0"]
        environment = os.environ | ENVIRONMENT | {"SUBROSA_DATA_DIR": folder, "SUBROSA_MODEL": options.model_name}
        with open(Path(folder) / "log", "w") as log:
            service = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            found = {}
            for line in service.stdout:
                found.update({pattern: match for pattern in (SIGNED_IN, LISTENING) if (match := pattern.search(line))})
                if len(found) == 2:
                    break
            else:
                raise SystemExit(f"subrosa serve did not start:\n{(Path(folder) / 'log').read_text()}")
            yield Service(found[LISTENING][1], *found[SIGNED_IN].groups())
        finally:
            service.terminate()
            service.wait()


def start_of(options, language):
    """Seconds of a process that has nothing to hear: starting and loading the models."""
    with tempfile.TemporaryDirectory() as folder:
        silence = Path(folder) / "silence.wav"
        with wave.open(str(silence), "wb") as file:
            file.setparams((1, 2, 16_000, 0, "NONE", ""))
            file.writeframes(bytes(2 * 16_000))
        return Subrosa("", ()).run(options, [silence], language)[0].wall


def compare(options, recording, rounds):
    """`rounds` of each way in turn; Markdown."""
    took = []
    for number in range(1, rounds + 1):
        with serving(options) as service:
            began = time.perf_counter()
            call = service.upload(recording.path, recording.language)
            uploaded = time.perf_counter() - began
            stages = service.follow(call)
            through = time.perf_counter() - began
        command = Subrosa("", ()).run(options, [recording.path], recording.language)[0].wall
        start = start_of(options, recording.language)
        took.append((through / command, through / (command - start), through, command, start, uploaded))
        print(f"service, round {number}: {took[-1]}, stages {stages}", flush=True)
    ratio, bare, through, command, start, uploaded = (f"{median(column):.3f}" for column in zip(*took, strict=True))
    least, most = min(row[0] for row in took), max(row[0] for row in took)
    rows = [
        ["`subrosa serve`, upload begun to COMPLETED in the stream of events", through],
        ["of it until the upload is answered", uploaded],
        ["`subrosa transcribe`, the process", command],
        ["of it start and models (a process that hears a second of silence)", start],
        ["service to process", f"**{ratio}** ({least:.3f}–{most:.3f})"],
        ["service to process without its start", bare],
    ]
    return report.table(["the same speech", "seconds"], rows)
