"""The recordings that the benchmark reads, with their reference words and turns.

Invariant: derived files (one channel of a call, clips joined, long speech) depend on the recordings alone, so that
every run and every engine reads the same samples. They lie in a folder of the user's choice and are never committed.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from faster_whisper.audio import decode_audio

SAMPLE_RATE = 16_000
GAP_SECONDS = 0.5  # silence between joined clips
LANGUAGES = ("en", "de", "fr", "es", "pt")
CALLS = ("pricing", "support")
SPEAKER_OF_CHANNEL = ("USER", "CONTACT")


@dataclass(frozen=True)
class Recording:
    """One file for an engine to read. `group` names the line of the table in which its errors are counted."""

    path: Path
    group: str
    language: str
    reference: str


def sample_call(audio):
    """The real call: 30 s, mono, two speakers."""
    lines = (audio / "calls/sample.stm").read_text().splitlines()
    words = " ".join(line.split(maxsplit=5)[5] for line in lines if line.strip())
    return Recording(audio / "calls/sample.wav", "sample.wav", "en", words)


def call_turns(audio, name):
    """The scripted turns of a call in order: dictionaries of `speaker`, `start`, `end` (seconds) and `text`."""
    return json.loads((audio / f"calls/{name}.ref.json").read_text())["turns"]


def call_mixes(audio):
    """Both parties in one channel, 24 kbit/s Opus."""
    return [
        Recording(
            audio / f"calls/{name}.mono.ogg",
            f"{name} mono",
            "en",
            " ".join(turn["text"] for turn in call_turns(audio, name)),
        )
        for name in CALLS
    ]


def stereo_calls(audio):
    """Both parties, a channel each: for an engine that tells channels apart itself."""
    return [(name, audio / f"calls/{name}.stereo-8k-mulaw.wav") for name in CALLS]


def two_channel_group(name):
    return f"{name} two-channel"


def words_by_speaker(audio, name):
    """What each party of a call says, `{speaker: text}`, in the order of the channels."""
    turns = call_turns(audio, name)
    return {
        speaker: " ".join(turn["text"] for turn in turns if turn["speaker"] == speaker)
        for speaker in SPEAKER_OF_CHANNEL
    }


def call_channels(audio, derived):
    """Each channel of the scripted calls as a file of its own, for engines that read one channel."""
    recordings = []
    for name, path in stereo_calls(audio):
        samples, rate = soundfile.read(path, dtype="int16")
        for channel, words in enumerate(words_by_speaker(audio, name).values()):
            target = derived / f"{name}.channel{channel}.wav"
            soundfile.write(target, samples[:, channel], rate, subtype="PCM_16")
            recordings.append(Recording(target, two_channel_group(name), "en", words))
    return recordings


def read_speech(audio, language):
    """FLEURS sentences in one language, one clip each."""
    return [
        Recording(path, f"FLEURS {language}", language, path.with_suffix(".txt").read_text().strip())
        for path in sorted((audio / "read-speech").glob(f"fleurs-{language}-*.ogg"))
    ]


def joined_read_speech(audio, derived, language):
    """The same clips in one file."""
    target = derived / f"fleurs-{language}-joined.wav"
    return join(read_speech(audio, language), target, f"FLEURS {language} joined")


def long_speech(audio, derived, seconds):
    """At least `seconds` of English: FLEURS clips and both calls in turn until the time is reached."""
    cycle = read_speech(audio, "en") + call_mixes(audio)
    parts, length = [], 0.0
    while length < seconds:
        part = cycle[len(parts) % len(cycle)]
        parts.append(part)
        length += len(_decode(part.path)) / SAMPLE_RATE + GAP_SECONDS
    return join(parts, derived / f"speech_{seconds}s.wav", "speech")


def join(recordings, target, group):
    """Writes the recordings to `target` with a gap after each; 16 kHz, 16 bit."""
    gap = np.zeros(int(GAP_SECONDS * SAMPLE_RATE), dtype=np.float32)
    pieces = [piece for recording in recordings for piece in (_decode(recording.path), gap)]
    soundfile.write(target, np.concatenate(pieces), SAMPLE_RATE, subtype="PCM_16")
    words = " ".join(recording.reference for recording in recordings)
    return Recording(target, group, recordings[0].language, words)


def _decode(path):
    return decode_audio(str(path), sampling_rate=SAMPLE_RATE)
