"""Diarization errors of Subrosa's RTTM output, with the number of speakers told and not told.

Invariant: what is scored is what a user gets, the turns of the RTTM output, which are the diarization's own and may
overlap, over the whole recording.
"""

import tempfile
from pathlib import Path

import soundfile
from pyannote.core import Annotation

import corpus
import report
from der import add_turn, der, jer, read_rttm
from engines import measure

COLLAR_SECONDS = 0.25
MEETINGS = ("dev00", "dev01", "trn01", "trn02", "trn03", "trn04")


def compare(options, audio):
    """One line a recording and way to count; Markdown."""
    rows = []
    for path, reference in recordings(audio):
        seconds = soundfile.info(path).duration
        speakers = len(reference.labels())
        for told, flags in (("told", ["--speakers", speakers]), ("found", [])):
            turns = run(options, path, flags)
            rates = [der(reference, turns, seconds).rate, der(reference, turns, seconds, COLLAR_SECONDS).rate]
            rows.append((path.name, told, speakers, len(turns.labels()), *rates, jer(reference, turns, seconds)))
            print(f"diarization: {rows[-1]}", flush=True)
    return report.diarization_table(rows)


def recordings(audio):
    """Mono recordings and their reference turns."""
    yield audio / "calls/sample.wav", read_rttm(audio / "calls/sample.rttm")
    for name in corpus.CALLS:
        turns = Annotation()
        for number, turn in enumerate(corpus.call_turns(audio, name)):
            add_turn(turns, turn["start"], turn["end"], turn["speaker"], number)
        yield audio / f"calls/{name}.mono.ogg", turns
    for name in MEETINGS:
        if (audio / f"meetings/{name}.flac").exists():
            yield audio / f"meetings/{name}.flac", read_rttm(audio / f"meetings/{name}.rttm")


def run(options, path, flags):
    with tempfile.TemporaryDirectory() as folder:
        command = [options.subrosa, "transcribe", path, "--format", "rttm", "--output-dir", folder, "--quiet"]
        measure([*command, "--model", options.model_name, "--threads", options.threads, *flags])
        return read_rttm(Path(folder) / f"{path.stem}.rttm")
