"""Word error rate with exactly the text normalisers of openai-whisper.

Invariant: both sides go through the same normaliser, English for `en` and Basic for every other language, as in
appendix C of Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", 2022.

Usage: python wer.py LANGUAGE REFERENCE.txt HYPOTHESIS.txt
"""

import importlib.util
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jiwer


@dataclass(frozen=True)
class WordErrors:
    """Counts of words; add two of them to pool files, so that long files weigh more than short ones."""

    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    reference_words: int = 0

    def __add__(self, other):
        return WordErrors(
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
            self.reference_words + other.reference_words,
        )

    @property
    def total(self):
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self):
        """Errors per reference word, 0.126 for 12.6 %; may exceed 1."""
        return self.total / self.reference_words if self.reference_words else float(self.total > 0)


@cache
def _whisper_normalizers():
    """`whisper.normalizers`, loaded by its path because importing `whisper` itself would need PyTorch."""
    package = importlib.util.find_spec("whisper")
    if package is None:
        raise SystemExit("openai-whisper is not installed: pip install --no-deps -r bench/requirements.txt")
    folder = Path(package.origin).parent / "normalizers"
    spec = importlib.util.spec_from_file_location(
        "whisper_normalizers", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@cache
def _normalizer(language):
    normalizers = _whisper_normalizers()
    return normalizers.EnglishTextNormalizer() if language == "en" else normalizers.BasicTextNormalizer()


def normalize(text, language):
    """The words that are compared, separated by single spaces."""
    return " ".join(_normalizer(language)(text).split())


def word_errors(reference, hypothesis, language):
    """Errors of `hypothesis` against `reference`, both as written; `language` is an ISO 639-1 code."""
    reference, hypothesis = normalize(reference, language), normalize(hypothesis, language)
    if not reference:
        return WordErrors(insertions=len(hypothesis.split()))
    counts = jiwer.process_words(reference, hypothesis)
    return WordErrors(counts.substitutions, counts.deletions, counts.insertions, len(reference.split()))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    errors = word_errors(Path(sys.argv[2]).read_text(), Path(sys.argv[3]).read_text(), sys.argv[1])
    print(f"WER {errors.rate:.1%}  {errors}")
