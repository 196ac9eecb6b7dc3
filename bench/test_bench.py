"""The measures on cases whose result is known by hand, and the place of the tables in a document."""

import tempfile
import unittest
from pathlib import Path

from pyannote.core import Annotation

import report
from der import add_turn, der, jer, read_rttm
from engines import Usage
from wer import word_errors


def turns(*rows):
    annotation = Annotation()
    for track, (start, end, speaker) in enumerate(rows):
        add_turn(annotation, start, end, speaker, track)
    return annotation


class WordErrorRate(unittest.TestCase):
    def test_case_punctuation_and_spelling_are_no_errors(self):
        self.assertEqual(word_errors("Mr. Smith's colour is 20%!", "mister smith's color is twenty percent", "en").total, 0)

    def test_each_kind_of_error_counts_once(self):
        errors = word_errors("red cat sat on the mat here", "big cat sat the mat here today", "en")
        self.assertEqual((errors.substitutions, errors.deletions, errors.insertions), (1, 1, 1))
        self.assertAlmostEqual(errors.rate, 3 / 7)

    def test_words_in_a_file_without_any_are_insertions(self):
        self.assertEqual(word_errors("", "thanks for watching", "en").insertions, 3)

    def test_other_languages_keep_their_words(self):
        self.assertEqual(word_errors("Größe zählt.", "größe zählt", "de").total, 0)


class DiarizationErrorRate(unittest.TestCase):
    reference = turns((0, 4, "ann"), (4, 10, "bob"))

    def test_names_do_not_matter_and_every_second_does(self):
        self.assertEqual(der(self.reference, turns((0, 4, "x"), (4, 10, "y")), 10).rate, 0)
        errors = der(self.reference, turns((0, 5, "x"), (5, 9, "y"), (11, 12, "y")), 12)
        self.assertAlmostEqual(errors.confusion, 1)
        self.assertAlmostEqual(errors.missed, 1)
        self.assertAlmostEqual(errors.false_alarm, 1)
        self.assertAlmostEqual(errors.rate, 0.3)

    def test_overlap_counts(self):
        overlapping = turns((0, 4, "ann"), (2, 4, "bob"))
        self.assertAlmostEqual(der(overlapping, turns((0, 4, "x")), 4).rate, 2 / 6)

    def test_the_collar_lies_on_each_side_of_a_boundary(self):
        late = turns((0, 4.25, "x"), (4.25, 10, "y"))
        self.assertAlmostEqual(der(self.reference, late, 10, collar=0.25).rate, 0)
        self.assertGreater(der(self.reference, late, 10, collar=0.2).rate, 0)

    def test_jaccard_is_the_mean_over_the_speakers(self):
        # Ann is right, half of Bob's time is missed.
        self.assertAlmostEqual(jer(self.reference, turns((0, 4, "x"), (4, 7, "y")), 10), 0.25)

    def test_rttm_is_read(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.rttm"
            path.write_text("SPEAKER a 1 0.500 1.250 <NA> <NA> spk_1 <NA> <NA>\n\nSPKR-INFO a\n")
            ((segment, _, speaker),) = read_rttm(path).itertracks(yield_label=True)
        self.assertEqual((segment.start, segment.end, speaker), (0.5, 1.75, "spk_1"))


class Report(unittest.TestCase):
    def test_a_ratio_is_taken_within_a_round_against_the_fastest_rival(self):
        def rounds(*seconds):
            return [Usage(wall=wall, recognition=wall, cpu=0, peak_memory=0) for wall in seconds]

        usages = {
            "Subrosa, beam 1": rounds(1, 2),
            "faster-whisper, a": rounds(3, 4),
            "faster-whisper, b": rounds(2, 8),
        }
        self.assertIn("| Subrosa, beam 1 | 2.00× (2.00–2.00) | – |", report.paired_table(usages))

    def test_only_what_is_between_the_marks_changes(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "doc.md"
            path.write_text(f"# Title\n\n{report.BEGIN}\n\nold\n\n{report.END}\n\nafter\n")
            report.replace_between_marks(path, "new")
            self.assertEqual(path.read_text(), f"# Title\n\n{report.BEGIN}\n\nnew\n\n{report.END}\n\nafter\n")


if __name__ == "__main__":
    unittest.main()
