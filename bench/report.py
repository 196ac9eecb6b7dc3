"""Markdown tables from measurements, and their place in a document.

Invariant: only the text between the two marks of a document is replaced; what people wrote around them stays.
"""

import importlib.metadata
import os
import platform
import subprocess
from datetime import date
from pathlib import Path
from statistics import median

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
PACKAGES = ("faster-whisper", "ctranslate2", "pywhispercpp", "onnxruntime", "pyannote.metrics")
KIB_PER_GIB = 1024 * 1024


def table(header, rows):
    """A Markdown table; the first column is text, the others are right-aligned."""
    lines = [header, ["---"] + ["--:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def setting(options):
    """On what was measured: machine, versions, weights, and how busy the machine was."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    lines = [
        f"- {date.today()}, {_processor()}, {os.cpu_count()} cores, {_memory_gib()} GiB, Linux {platform.release().split('-')[0]}",
        f"- {_subrosa_version(options.subrosa)}, {versions}, Python {platform.python_version()}",
        f"- model `{options.model_name}` (int8; whisper.cpp q8_0 from the same weights), {options.threads} threads",
        f"- load average when the run began {os.getloadavg()[0]:.1f} (other work on the machine stretches wall time)",
    ]
    return "\n".join(lines)


def accuracy_table(errors):
    """`errors[engine][group]` are `WordErrors`; a cell says rate and count."""
    groups = list(dict.fromkeys(group for of_engine in errors.values() for group in of_engine))
    rows = []
    for group in groups:
        counts = [of_engine.get(group) for of_engine in errors.values()]
        rows.append([group, *(f"{c.rate:.1%} ({c.total}/{c.reference_words})" if c else "–" for c in counts)])
    return table(["WER", *errors], rows)


def detection_line(hits):
    """`hits[engine]` is (right, of) over the clips whose language had to be found."""
    return "Language found: " + "; ".join(f"{engine} {right}/{of}" for engine, (right, of) in hits.items()) + "."


def speed_table(usages, word_errors, seconds):
    """Medians over the rounds; `usages[engine]` are the rounds in order."""
    rows = [
        [
            engine,
            f"{median(u.recognition for u in rounds) / seconds:.4f}",
            f"{median(u.wall for u in rounds) / seconds:.4f}",
            f"{median(u.cpu for u in rounds):.1f}",
            f"{median(u.peak_memory for u in rounds):.0f}",
            f"{word_errors[engine].rate:.1%}",
        ]
        for engine, rounds in usages.items()
    ]
    header = [f"{seconds:.0f} s of speech", "RTF, recognition", "RTF, process", "CPU s", "peak MB", "WER"]
    return table(header, rows)


def paired_table(usages):
    """How many times faster than a rival: the rival's recognition time over Subrosa's whole process, of the same round.

    The rival is the fastest of its kind in that round. Median of the rounds (lowest to highest).
    """
    ours = {engine: rounds for engine, rounds in usages.items() if engine.startswith("Subrosa")}
    kinds = {
        kind: [rounds for engine, rounds in usages.items() if engine.startswith(kind)]
        for kind in ("faster-whisper", "whisper.cpp")
    }
    rows = []
    for engine, rounds in ours.items():
        cells = []
        for rivals in kinds.values():
            fastest = [min(rival.recognition for rival in of_round) for of_round in zip(*rivals, strict=True)]
            cells.append(_ratio([rival / own.wall for rival, own in zip(fastest, rounds, strict=False)]))
        rows.append([engine, *cells])
    return table(["times as fast as the fastest", *kinds], rows)


def _ratio(paired):
    return f"{median(paired):.2f}× ({min(paired):.2f}–{max(paired):.2f})" if paired else "–"


def diarization_table(rows):
    """`rows` are (recording, count given or not, speakers in truth, found, DER, DER with collar, JER)."""
    header = ["recording", "count", "speakers", "found", "DER", "DER, collar 0.25 s", "JER"]
    cells = [[*row[:4], *(f"{rate:.1%}" for rate in row[4:])] for row in rows]
    return table(header, cells)


def replace_between_marks(path, text):
    """Puts `text` between the marks of `path`, or at its end with marks where it has none."""
    path = Path(path)
    document = path.read_text(encoding="utf-8") if path.exists() else ""
    before, begin, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END) if begin else ("", "", "\n")
    path.write_text(f"{before.rstrip()}\n\n{BEGIN}\n\n{text}\n\n{END}{after}".lstrip(), encoding="utf-8")


def _processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory_gib():
    line = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    return round(int(line.split()[1]) / KIB_PER_GIB)


def _subrosa_version(binary):
    if binary is None:
        return "Subrosa not measured"
    return subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout.strip()
