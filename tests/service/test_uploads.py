"""An upload from file to transcript: as one form with curl, and resumed with tus's own client."""

import json
import subprocess

import pytest
from conftest import DATA, PROGRAM, completed, eventually, get, upload
from tusclient import client as tus


@pytest.fixture(scope="module")
def uploaded(service, token, sample):
    return upload(service, token, sample)


def objects(service, kind):
    return [path for path in (service.directory / "objects").rglob("*") if path.is_file() and kind in path.parts]


def test_progress_is_followed_to_the_end(service, token, uploaded):
    events = get(service, token, f"/api/calls/{uploaded}/events").decode()
    status = [json.loads(line.removeprefix("data: ")) for line in events.splitlines() if '"percent"' in line]
    assert status[-1] == {"callId": uploaded, "status": "COMPLETED", "percent": 100}
    for stage in ("AUDIO_PREPROCESSED", "DIARIZED", "TRANSCRIBED", "TRANSCRIPT_NORMALIZED"):
        assert f'"stage":"{stage}","outcome":"COMPLETED"' in events


def test_the_transcript_is_that_of_the_command_line(service, token, uploaded, sample):
    completed(service, token, uploaded)
    ours = json.loads(get(service, token, f"/api/calls/{uploaded}/transcript?format=json"))
    command = [PROGRAM, "--data-dir", DATA, "transcribe", "--model=base", "--format=json", sample]
    theirs = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert ours["cleanText"] == theirs["cleanText"] and len(ours["cleanText"]) > 300
    assert len(ours["segments"]) == len(theirs["segments"])


def test_the_recording_is_gone_when_the_transcript_is_there(service, token, uploaded):
    completed(service, token, uploaded)
    eventually(lambda: True if not objects(service, uploaded) else None, seconds=30)


@pytest.mark.parametrize("format, start", [
    ("json", b"{"), ("txt", b"["), ("srt", b"1\n"), ("vtt", b"WEBVTT"), ("md", b"#"), ("docx", b"PK"), ("rttm", b"SPEAKER"),
])
def test_every_format_is_exported(service, token, uploaded, format, start):
    completed(service, token, uploaded)
    assert get(service, token, f"/api/calls/{uploaded}/transcript?format={format}").startswith(start)


def test_an_upload_that_broke_off_is_resumed_by_the_client_of_tus(service, token, sample):
    # A recording of its own: the same bytes would be recognised as a call that is there.
    recording = service.directory / "resumed.wav"
    recording.write_bytes(sample.read_bytes() + b"\0\0")
    headers = {"Authorization": f"Bearer {token}"}

    def uploader(url=None):
        made = tus.TusClient(f"{service.url}/api/uploads", headers=headers)
        return made.uploader(str(recording), url=url, chunk_size=100_000, metadata={"filename": "call.wav"})

    first = uploader()
    first.upload_chunk()
    resumed = uploader(first.url)
    assert resumed.offset == 100_000
    resumed.upload()
    call = first.url.rsplit("/", 1)[1]
    assert completed(service, token, call)["durationSeconds"] == pytest.approx(30, abs=1)
