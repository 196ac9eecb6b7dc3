"""Recognises files with whisper.cpp in its own process, so that its CPU time and memory can be told apart.

Invariant: the settings are those of whisper.cpp's own command line (greedy with best-of 5, or a beam, both with
temperature fallback); only threads and language are chosen. The audio is decoded as for faster-whisper.

Output, in seconds: {"recognitionSeconds", "files": [{"language", "text", "segments": [{"start", "end", "text"}]}]}.
"""

import argparse
import json
import time

import _pywhispercpp
from faster_whisper.audio import decode_audio
from pywhispercpp.model import Model

GREEDY, BEAM_SEARCH = 0, 1
TICKS_PER_SECOND = 100  # whisper.cpp counts in centiseconds
BEST_OF = 5


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="ggml file, as to_ggml.py writes it")
    parser.add_argument("--beam", type=int, default=1)
    parser.add_argument("--language", default="auto")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", required=True)
    parser.add_argument("files", nargs="+")
    return parser.parse_args()


def load(options):
    search = {"greedy": {"best_of": BEST_OF}}
    if options.beam > 1:
        search = {"beam_search": {"beam_size": options.beam, "patience": -1.0}}
    return Model(
        options.model,
        params_sampling_strategy=BEAM_SEARCH if options.beam > 1 else GREEDY,
        redirect_whispercpp_logs_to=None,
        n_threads=options.threads,
        language=options.language,
        print_progress=False,
        **search,
    )


def main():
    options = parse_arguments()
    model = load(options)
    started = time.perf_counter()
    files = []
    for path in options.files:
        segments = model.transcribe(decode_audio(path))
        language = _pywhispercpp.whisper_lang_str(_pywhispercpp.whisper_full_lang_id(model._ctx))
        files.append(
            {
                "language": language,
                "text": " ".join(segment.text.strip() for segment in segments),
                "segments": [
                    {"start": s.t0 / TICKS_PER_SECOND, "end": s.t1 / TICKS_PER_SECOND, "text": s.text.strip()}
                    for s in segments
                ],
            }
        )
    answer = {"recognitionSeconds": time.perf_counter() - started, "files": files}
    with open(options.output, "w", encoding="utf-8") as output:
        json.dump(answer, output, ensure_ascii=False)


if __name__ == "__main__":
    main()
