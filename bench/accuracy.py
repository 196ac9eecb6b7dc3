"""Word errors of every engine on calls, read sentences, and the same sentences joined into one file.

Invariant: the language is told for the calls and has to be found for the read sentences, for all engines alike.
"""

from itertools import permutations

import corpus
import report
from engines import Subrosa
from wer import WordErrors, word_errors

CALL_LANGUAGE = "en"
FOUND_BY_THE_ENGINE = "auto"
LANGUAGE_RULE = (
    "The language is told for the calls and found by the engine for the read sentences (FLEURS), for all engines alike. "
    "Engines that read one channel get each channel of a two-channel call as a file of its own; Subrosa reads the call, and "
    "a word on the wrong party counts twice."
)


def compare(engines, options, audio, derived):
    """Reads everything once with each engine; Markdown."""
    errors, hits = {}, {}
    for engine in engines:
        print(f"accuracy: {engine.name}", flush=True)
        calls = read_calls(engine, options, audio, derived)
        sentences, hits[engine.name] = read_sentences(engine, options, audio, derived)
        errors[engine.name] = calls | sentences
        for group, counted in errors[engine.name].items():
            print(f"  {group}: {counted.rate:.1%}", flush=True)
    return f"{LANGUAGE_RULE}\n\n{report.accuracy_table(errors)}\n\n{report.detection_line(hits)}"


def read_calls(engine, options, audio, derived):
    """The calls by group, `{group: WordErrors}`."""
    recordings = [corpus.sample_call(audio), *corpus.call_mixes(audio)]
    if not isinstance(engine, Subrosa):
        recordings += corpus.call_channels(audio, derived)
    _, transcripts = engine.run(options, [recording.path for recording in recordings], CALL_LANGUAGE)
    errors = count(recordings, transcripts)
    return errors | two_channel_errors(engine, options, audio) if isinstance(engine, Subrosa) else errors


def two_channel_errors(engine, options, audio):
    """The two-channel calls for an engine that tells the parties apart: a word on the wrong one counts twice."""
    calls = corpus.stereo_calls(audio)
    _, transcripts = engine.run(options, [path for _, path in calls], CALL_LANGUAGE)
    return {
        corpus.two_channel_group(name): best_assignment(corpus.words_by_speaker(audio, name), transcript.words_of)
        for (name, _), transcript in zip(calls, transcripts, strict=True)
    }


def best_assignment(references, hypotheses):
    """The fewest errors over all ways to pair the speakers; what a surplus speaker says is inserted."""
    speakers = max(len(references), len(hypotheses))
    spoken, heard = ([*texts.values(), *[""] * (speakers - len(texts))] for texts in (references, hypotheses))

    def errors(order):
        return sum(
            (word_errors(reference, text, CALL_LANGUAGE) for reference, text in zip(spoken, order, strict=True)), WordErrors()
        )

    return min(map(errors, permutations(heard)), key=lambda counted: counted.total)


def read_sentences(engine, options, audio, derived):
    """FLEURS by language, clips and joined: `{group: WordErrors}`; and (clips whose language was found, clips)."""
    errors, right, clips_read = {}, 0, 0
    for language in corpus.LANGUAGES:
        clips = corpus.read_speech(audio, language)
        recordings = [*clips, corpus.joined_read_speech(audio, derived, language)]
        _, transcripts = engine.run(options, [recording.path for recording in recordings], FOUND_BY_THE_ENGINE)
        errors |= count(recordings, transcripts)
        right += sum(transcript.language == language for transcript in transcripts[: len(clips)])
        clips_read += len(clips)
    return errors, (right, clips_read)


def count(recordings, transcripts):
    errors = {}
    for recording, transcript in zip(recordings, transcripts, strict=True):
        counted = word_errors(recording.reference, transcript.text, recording.language)
        errors[recording.group] = errors.get(recording.group, WordErrors()) + counted
    return errors
