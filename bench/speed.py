"""Time, CPU seconds and peak memory of every engine on ten minutes of English speech.

Invariant: engines take turns within a round and are compared with the first one of the same round, so that what else
the machine does falls on all alike.
"""

import soundfile

import corpus
import report
from wer import word_errors


def compare(engines, options, audio, derived, rounds):
    """`rounds` runs of each engine; Markdown."""
    recording = corpus.ten_minutes(audio, derived)
    seconds = soundfile.info(recording.path).duration
    usages, errors = {engine.name: [] for engine in engines}, {}
    for number in range(1, rounds + 1):
        for engine in engines:
            usage, (transcript,) = engine.run(options, [recording.path], recording.language)
            usages[engine.name].append(usage)
            errors[engine.name] = word_errors(recording.reference, transcript.text, recording.language)
            print(f"speed, round {number}: {engine.name}: {usage}, WER {errors[engine.name].rate:.1%}", flush=True)
    return report.speed_table(usages, errors, seconds)
