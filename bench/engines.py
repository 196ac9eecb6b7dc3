"""The engines that are compared, and how one run of one engine is measured.

Invariant: every engine is a process of its own that gets the same files, weights and number of threads; CPU seconds and
peak memory are the kernel's figures for that process and all it started.
"""

import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
KIB_PER_MB = 1_000_000 / 1024
# Waiting threads sleep instead of spinning: beside other work spinning stretches an OpenMP engine's run several times.
ENVIRONMENT = {"OMP_WAIT_POLICY": "PASSIVE"}

BOTH_PARTS = ("accuracy", "speed")


@dataclass(frozen=True)
class Usage:
    """What one process took. Seconds, seconds, seconds, megabytes (10^6 bytes)."""

    wall: float
    recognition: float  # wall time without imports and model loading where the engine tells it, else `wall`
    cpu: float
    peak_memory: float


@dataclass(frozen=True)
class Transcript:
    """What an engine heard in one file; `words_of` holds each speaker's text where the engine tells speakers apart."""

    language: str
    text: str
    words_of: dict


@dataclass(frozen=True)
class Options:
    """What all engines share. `model` is a folder in CTranslate2 format, `ggml` the same weights for whisper.cpp."""

    subrosa: Path | None
    model_name: str
    model: Path
    ggml: Path
    threads: int


@dataclass(frozen=True)
class FasterWhisper:
    name: str
    flags: tuple
    workers: int = 1
    parts: tuple = BOTH_PARTS

    def run(self, options, files, language):
        command = [sys.executable, HERE / "engine_faster_whisper.py", "--model", options.model, *self.flags]
        command += ["--workers", self.workers, "--threads", max(1, options.threads // self.workers)]
        return _run_python(command, files, language)


@dataclass(frozen=True)
class WhisperCpp:
    name: str
    flags: tuple
    parts: tuple = BOTH_PARTS

    def run(self, options, files, language):
        command = [sys.executable, HERE / "engine_whisper_cpp.py", "--model", options.ggml, *self.flags]
        command += ["--threads", options.threads]
        # A wheel built from source (see requirements.txt) has its libraries beside its module and does not look there.
        return _run_python(command, files, language, {"LD_LIBRARY_PATH": sysconfig.get_path("purelib")})


@dataclass(frozen=True)
class Subrosa:
    name: str
    flags: tuple
    parts: tuple = BOTH_PARTS

    def run(self, options, files, language):
        with tempfile.TemporaryDirectory() as folder:
            command = [options.subrosa, "transcribe", *files, "--format", "json", "--output-dir", folder, "--quiet"]
            command += [
                "--model",
                options.model_name,
                "--language",
                language,
                "--threads",
                options.threads,
                *self.flags,
            ]
            usage = measure(command)
            return usage, [_subrosa_transcript(Path(folder) / f"{Path(file).stem}.json") for file in files]


ENGINES = [
    Subrosa("Subrosa, beam 5", ("--beams", "5")),
    Subrosa("Subrosa, beam 1", ("--beams", "1")),
    # One speaker needs no diarization.
    Subrosa("Subrosa, beam 5, recognition only", ("--beams", "5", "--speakers", "1"), parts=("speed",)),
    Subrosa("Subrosa, beam 1, recognition only", ("--beams", "1", "--speakers", "1"), parts=("speed",)),
    FasterWhisper("faster-whisper, sequential, beam 5", ("--mode", "sequential")),
    FasterWhisper("faster-whisper, sequential, beam 5, VAD", ("--mode", "sequential", "--vad")),
    FasterWhisper("faster-whisper, sequential, beam 1, VAD", ("--mode", "sequential", "--beam", "1", "--vad")),
    FasterWhisper("faster-whisper, batched, beam 5", ("--mode", "batched")),
    FasterWhisper("faster-whisper, batched, beam 1", ("--mode", "batched", "--beam", "1")),
    FasterWhisper(
        "faster-whisper, batched, beam 1, a replica a core",
        ("--mode", "batched", "--beam", "1"),
        workers=2,
        parts=("speed",),
    ),
    WhisperCpp("whisper.cpp q8_0, greedy", ()),
    WhisperCpp("whisper.cpp q8_0, beam 5", ("--beam", "5"), parts=("accuracy",)),
]


def measure(command, environment=None):
    """Runs a command to its end; its standard output is dropped, a failure ends the benchmark with its error output."""
    command = [str(part) for part in command]
    with tempfile.NamedTemporaryFile(suffix=".json") as result:
        done = subprocess.run(
            [sys.executable, "-I", "-S", HERE / "measure.py", result.name, *command],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=os.environ | ENVIRONMENT | (environment or {}),
            check=False,
        )
        if done.returncode != 0:
            errors = done.stderr.decode(errors="replace")
            raise SystemExit(f"{' '.join(command)}\nended with {done.returncode}:\n{errors}")
        took = json.load(result)
    wall = took["wallSeconds"]
    return Usage(wall, wall, took["cpuSeconds"], took["peakKib"] / KIB_PER_MB)


def _run_python(command, files, language, environment=None):
    with tempfile.NamedTemporaryFile(suffix=".json") as output:
        usage = measure([*command, "--language", language, "--output", output.name, *files], environment)
        answer = json.load(output)
    usage = Usage(usage.wall, answer["recognitionSeconds"], usage.cpu, usage.peak_memory)
    return usage, [Transcript(file["language"], file["text"], {}) for file in answer["files"]]


def _subrosa_transcript(path):
    transcript = json.loads(path.read_text(encoding="utf-8"))
    words_of = {}
    for segment in transcript["segments"]:
        words_of.setdefault(segment["speakerId"], []).append(segment["text"])
    text = " ".join(segment["text"] for segment in transcript["segments"])
    return Transcript(transcript["language"], text, {key: " ".join(texts) for key, texts in words_of.items()})
