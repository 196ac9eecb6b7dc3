"""Compares Subrosa with faster-whisper and whisper.cpp on the same recordings, weights and threads, in one run.

Invariant: nothing is downloaded, and nothing is written but derived files in `--derived` and the document of `--write`.
See bench/README.md.
"""

import argparse
from pathlib import Path

import accuracy
import corpus
import diarization
import report
import service
import speed
from engines import ENGINES, Options, Subrosa
from to_ggml import convert

PARTS = ("accuracy", "speed", "service", "diarization")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subrosa", type=Path, help="the binary; without it only the other engines are measured")
    parser.add_argument("--model", type=Path, required=True, help="folder of Whisper in CTranslate2 format")
    parser.add_argument("--model-name", default="base", help="what Subrosa calls the same model")
    parser.add_argument("--audio", type=Path, required=True, help="folder with calls/, meetings/ and read-speech/")
    parser.add_argument("--derived", type=Path, default=Path("target/bench"), help="where derived files are kept")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of the comparisons of speed")
    parser.add_argument("--seconds", type=int, default=600, help="length of the speech of the comparisons of speed")
    parser.add_argument("--threads", type=int, default=2, help="threads an engine, over all its replicas")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--engines", default="", help="only rivals whose name contains this text")
    parser.add_argument("--write", type=Path, help="document whose measured section is replaced")
    return parser.parse_args()


def options_of(arguments):
    """The settings that all engines share; converts the weights for whisper.cpp where that was not done yet."""
    arguments.derived.mkdir(parents=True, exist_ok=True)
    ggml = arguments.derived / f"ggml-{arguments.model_name}-q8_0.bin"
    if not ggml.exists():
        convert(arguments.model, ggml, "q8_0")
    return Options(arguments.subrosa, arguments.model_name, arguments.model, ggml, arguments.threads)


def chosen_engines(arguments):
    """All of Subrosa's ways, and the rivals asked for."""
    ours = [engine for engine in ENGINES if isinstance(engine, Subrosa) and arguments.subrosa]
    rivals = [engine for engine in ENGINES if not isinstance(engine, Subrosa) and arguments.engines in engine.name]
    return ours + rivals


def taking(engines, part):
    return [engine for engine in engines if part in engine.parts]


def main():
    arguments = parse_arguments()
    options, engines = options_of(arguments), chosen_engines(arguments)
    sections = [report.setting(options)]
    if "accuracy" in arguments.parts:
        table = accuracy.compare(taking(engines, "accuracy"), options, arguments.audio, arguments.derived)
        sections.append("### Words\n\n" + table)
    if "speed" in arguments.parts:
        recording = corpus.long_speech(arguments.audio, arguments.derived, arguments.seconds)
        table = speed.compare(taking(engines, "speed"), options, recording, arguments.rounds)
        sections.append("### Speed and memory\n\n" + table)
    if "service" in arguments.parts and arguments.subrosa:
        recording = corpus.long_speech(arguments.audio, arguments.derived, arguments.seconds)
        table = service.compare(options, recording, arguments.rounds)
        sections.append("### From upload to transcript\n\n" + table)
    if "diarization" in arguments.parts and arguments.subrosa:
        sections.append("### Speakers\n\n" + diarization.compare(options, arguments.audio))
    text = "\n\n".join(sections)
    print(text)
    if arguments.write:
        report.replace_between_marks(arguments.write, text)


if __name__ == "__main__":
    main()
