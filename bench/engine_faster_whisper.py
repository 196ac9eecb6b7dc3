"""Recognises files with faster-whisper in its own process, so that its CPU time and memory can be told apart.

Invariant: nothing but the output file depends on how the process is measured; `recognitionSeconds` leaves out imports
and model loading, which favours faster-whisper over an engine whose whole process is timed.

Output: {"recognitionSeconds", "files": [{"language", "text", "segments": [{"start", "end", "text"}]}]}.
"""

import argparse
import json
import time
from concurrent.futures import ThreadPoolExecutor

from faster_whisper import BatchedInferencePipeline, WhisperModel
from faster_whisper.audio import decode_audio
from faster_whisper.vad import VadOptions, get_speech_timestamps

SAMPLE_RATE = 16_000
WINDOW_SECONDS = 30


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="folder of a Whisper model in CTranslate2 format")
    parser.add_argument("--mode", choices=["sequential", "batched"], required=True)
    parser.add_argument("--beam", type=int, default=5)
    parser.add_argument("--batch", type=int, default=8, help="windows a batch, batched mode only")
    parser.add_argument("--vad", action="store_true", help="Silero before sequential mode; batched mode always has it")
    parser.add_argument("--word-times", action="store_true", help="align words as well, as Subrosa always does")
    parser.add_argument("--compute-type", default="int8")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--language", default="auto")
    parser.add_argument("--threads", type=int, default=2, help="threads a worker")
    parser.add_argument("--workers", type=int, default=1, help="model replicas; each reads an equal share of a file")
    parser.add_argument("--output", required=True)
    parser.add_argument("files", nargs="+")
    return parser.parse_args()


def common_options(options):
    language = None if options.language == "auto" else options.language
    return {"language": language, "beam_size": options.beam, "word_timestamps": options.word_times}


def transcribe_whole(model, options, path):
    """One call of the library, as its README shows it."""
    common = common_options(options)
    if options.mode == "batched":
        segments, info = BatchedInferencePipeline(model).transcribe(path, batch_size=options.batch, **common)
    else:
        segments, info = model.transcribe(path, vad_filter=options.vad, **common)
    return info.language, list(segments)


def transcribe_split(model, options, path):
    """Shares the windows of one file between the replicas, which the library leaves to its caller."""
    audio = decode_audio(path, sampling_rate=SAMPLE_RATE)
    speech = get_speech_timestamps(audio, VadOptions(max_speech_duration_s=WINDOW_SECONDS, min_silence_duration_ms=160))
    windows = pack_windows(speech)
    share = -(-len(windows) // options.workers)
    shares = [windows[start : start + share] for start in range(0, len(windows), share)]

    def read(windows):
        segments, info = BatchedInferencePipeline(model).transcribe(
            audio, batch_size=options.batch, vad_filter=False, clip_timestamps=windows, **common_options(options)
        )
        return info.language, list(segments)

    with ThreadPoolExecutor(options.workers) as pool:
        answers = list(pool.map(read, shares))
    return answers[0][0], [segment for _, segments in answers for segment in segments]


def pack_windows(speech):
    """Joins neighbouring stretches of speech (in samples) into windows of at most 30 s (in seconds)."""
    windows = []
    for stretch in speech:
        start, end = stretch["start"] / SAMPLE_RATE, stretch["end"] / SAMPLE_RATE
        if windows and end - windows[-1]["start"] <= WINDOW_SECONDS:
            windows[-1]["end"] = end
        else:
            windows.append({"start": start, "end": end})
    return windows


def main():
    options = parse_arguments()
    model = WhisperModel(
        options.model,
        device=options.device,
        compute_type=options.compute_type,
        cpu_threads=options.threads,
        num_workers=options.workers,
    )
    transcribe = transcribe_split if options.workers > 1 else transcribe_whole
    started = time.perf_counter()
    files = []
    for path in options.files:
        language, segments = transcribe(model, options, path)
        files.append(
            {
                "language": language,
                "text": " ".join(segment.text.strip() for segment in segments),
                "segments": [{"start": s.start, "end": s.end, "text": s.text.strip()} for s in segments],
            }
        )
    answer = {"recognitionSeconds": time.perf_counter() - started, "files": files}
    with open(options.output, "w", encoding="utf-8") as output:
        json.dump(answer, output, ensure_ascii=False)


if __name__ == "__main__":
    main()
