"""Diarization and Jaccard error rate of RTTM files, overlap counted.

Invariant: speakers are matched by the one-to-one mapping that shares the most time, and `collar` seconds are left out
on EACH side of a reference boundary, as NIST's md-eval counts it (pyannote.metrics takes the sum of both sides).
JER has no collar: Ryant et al., "The Second DIHARD Diarization Challenge", 2019.

Usage: python der.py REFERENCE.rttm HYPOTHESIS.rttm [COLLAR]
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from pyannote.core import Annotation, Segment, Timeline
from pyannote.metrics.diarization import DiarizationErrorRate, JaccardErrorRate


@dataclass(frozen=True)
class DiarizationErrors:
    """Seconds of missed speech, false alarm and confusion, over `total` seconds of speech; add two to pool files."""

    missed: float = 0.0
    false_alarm: float = 0.0
    confusion: float = 0.0
    total: float = 0.0

    def __add__(self, other):
        return DiarizationErrors(
            self.missed + other.missed,
            self.false_alarm + other.false_alarm,
            self.confusion + other.confusion,
            self.total + other.total,
        )

    @property
    def rate(self):
        return (self.missed + self.false_alarm + self.confusion) / self.total if self.total else 0.0


def read_rttm(path):
    """The turns of an RTTM file of one recording."""
    turns = Annotation()
    for number, line in enumerate(Path(path).read_text().splitlines()):
        fields = line.split()
        if fields and fields[0] == "SPEAKER":
            add_turn(turns, float(fields[3]), float(fields[3]) + float(fields[4]), fields[7], number)
    return turns


def add_turn(turns, start, end, speaker, track):
    """Adds one turn; `track` only has to differ from that of another turn at the same times."""
    if end > start:
        turns[Segment(start, end), track] = speaker


def der(reference, hypothesis, seconds, collar=0.0):
    """Errors over a recording of `seconds`, so that speech outside all reference turns counts as false alarm."""
    metric = DiarizationErrorRate(collar=2 * collar, skip_overlap=False)
    parts = metric(reference, hypothesis, uem=_whole(seconds), detailed=True)
    return DiarizationErrors(parts["missed detection"], parts["false alarm"], parts["confusion"], parts["total"])


def jer(reference, hypothesis, seconds):
    """Jaccard error rate, 0 to 1, the mean over the reference's speakers."""
    return float(JaccardErrorRate()(reference, hypothesis, uem=_whole(seconds)))


def _whole(seconds):
    return Timeline([Segment(0, seconds)])


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        raise SystemExit(__doc__)
    reference, hypothesis = read_rttm(sys.argv[1]), read_rttm(sys.argv[2])
    end = max(turns.get_timeline().extent().end for turns in (reference, hypothesis) if turns)
    errors = der(reference, hypothesis, end, float(sys.argv[3]) if len(sys.argv) == 4 else 0.0)
    print(f"DER {errors.rate:.1%}  JER {jer(reference, hypothesis, end):.1%}  {errors}")
