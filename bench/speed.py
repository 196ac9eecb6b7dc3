"""Time, CPU seconds and peak memory of every engine on minutes of English speech, whose language all are told.

Invariant: engines take turns within a round and are compared with the first one of the same round, so that what else
the machine does falls on all alike.
"""

import soundfile

import report
from wer import word_errors


def compare(engines, options, recording, rounds):
    """`rounds` runs of each engine; Markdown."""
    seconds = soundfile.info(recording.path).duration
    usages, errors = {engine.name: [] for engine in engines}, {}
    for number in range(1, rounds + 1):
        for engine in engines:
            usage, (transcript,) = engine.run(options, [recording.path], recording.language)
            usages[engine.name].append(usage)
            errors[engine.name] = word_errors(recording.reference, transcript.text, recording.language)
            print(f"speed, round {number}: {engine.name}: {usage}, WER {errors[engine.name].rate:.1%}", flush=True)
    tables = [report.speed_table(usages, errors, seconds), report.paired_table(usages)]
    return "\n\n".join(["All engines are told the language.", *tables])
