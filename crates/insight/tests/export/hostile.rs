//! Whatever a transcript holds, its exports are valid.

use std::io::{Cursor, Read as _};

use crate::fixtures::transcript;
use insight::export::{Format, Style, write};
use proptest::prelude::*;
use speech::transcript::{Transcript, Word};

fn export(transcript: &Transcript, format: Format) -> Vec<u8> {
    let mut out = Vec::new();
    write(
        transcript,
        format,
        Style { title: "a \u{7} <title>", words: true, turns: &[], analysis: None, talk: None },
        &mut out,
    )
    .unwrap();
    out
}

/// Text of letters, spaces, markup, marks of both directions and control characters.
fn any_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-zäß]{1,12} ",
        1 => Just("שלום ".to_owned()),
        1 => Just("字幕字幕".to_owned()),
        1 => Just("\u{202e}e\u{301}👩\u{200d}🚀".to_owned()),
        1 => "[<>&=+@,\"'`*{}\\\\|-]{1,4}",
        1 => any::<char>().prop_map(String::from),
        1 => "[\u{0}-\u{20}]{1,3}",
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

fn any_seconds() -> impl Strategy<Value = f64> {
    prop_oneof![8 => 0.0..400_000.0f64, 1 => any::<f64>()]
}

prop_compose! {
    fn any_transcript()(
        lines in prop::collection::vec((1usize..4, any_seconds(), 0.0..60.0f64, any_text(), any::<bool>()), 0..6),
        name in prop::option::of(any_text()),
    ) -> Transcript {
        let rows: Vec<_> = lines.iter().map(|(who, at, length, text, _)| (*who, *at, at + length, text.as_str())).collect();
        let mut transcript = transcript(&rows);
        for (segment, (_, at, _, text, timed)) in transcript.segments.iter_mut().zip(&lines) {
            if *timed {
                let word = |(i, w): (usize, &str)| Word {
                    text: w.to_owned(),
                    start_seconds: at + i as f64 / 3.0,
                    end_seconds: at + i as f64 / 3.0 + 0.2,
                    confidence: 0.5,
                };
                segment.words = text.split_whitespace().enumerate().map(word).collect();
            }
        }
        if let Some(speaker) = transcript.speakers.first_mut() {
            speaker.display_name = name;
        }
        transcript
    }
}

/// Start, end and lines of each cue of an SRT file, which is to hold nothing else.
fn srt_cues(srt: &str) -> Vec<(u64, u64, Vec<&str>)> {
    let millis = |stamp: &str| {
        let (clock, millis) = stamp.split_once(',').unwrap();
        let seconds = clock.split(':').fold(0, |sum, part| sum * 60 + part.parse::<u64>().unwrap());
        seconds * 1000 + millis.parse::<u64>().unwrap()
    };
    let blocks = srt.split_terminator("\n\n").enumerate();
    blocks
        .map(|(index, block)| {
            let mut lines = block.lines();
            assert_eq!(lines.next().unwrap(), (index + 1).to_string());
            let (start, end) = lines.next().unwrap().split_once(" --> ").unwrap();
            (millis(start), millis(end), lines.collect())
        })
        .collect()
}

/// The cells of a row (RFC 4180) that holds no line break.
fn csv_cells(row: &str) -> Vec<String> {
    let (mut cells, mut quoted) = (vec![String::new()], false);
    let mut chars = row.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.next_if_eq(&'"').is_some() => cells.last_mut().unwrap().push('"'),
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            c => cells.last_mut().unwrap().push(c),
        }
    }
    assert!(!quoted, "{row}");
    cells
}

fn assert_well_formed(xml: &str) {
    let mut reader = quick_xml::Reader::from_str(xml);
    loop {
        match reader.read_event().unwrap() {
            quick_xml::events::Event::Eof => break,
            quick_xml::events::Event::Text(text) => {
                text.decode().unwrap();
            }
            _ => {}
        }
    }
    let illegal = |c: char| (c < ' ' && !matches!(c, '\t' | '\n' | '\r')) || matches!(c, '\u{fffe}' | '\u{ffff}');
    assert!(!xml.contains(illegal), "a character that XML 1.0 forbids");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn srt_cues_are_in_order_short_and_of_two_lines_at_most(transcript in any_transcript()) {
        let srt = String::from_utf8(export(&transcript, Format::Srt)).unwrap();
        let mut latest = 0;
        for (start, end, lines) in srt_cues(&srt) {
            prop_assert!(start >= latest, "cues in order");
            prop_assert!(end > start && end - start <= 7_000, "between 0 and 7 s");
            prop_assert!((1..=2).contains(&lines.len()), "{lines:?}");
            latest = start;
        }
    }

    #[test]
    fn vtt_has_nothing_but_cues_and_every_word_in_one(transcript in any_transcript()) {
        let vtt = String::from_utf8(export(&transcript, Format::Vtt)).unwrap();
        let mut blocks = vtt.split_terminator("\n\n");
        prop_assert_eq!(blocks.next(), Some("WEBVTT"));
        let mut shown = 0;
        for block in blocks {
            let (times, text) = block.split_once('\n').unwrap();
            let (start, end) = times.split_once(" --> ").unwrap();
            prop_assert!(!text.contains("-->"));
            let tags: Vec<&str> = text.split('<').skip(1).map(|tag| tag.split_once('>').unwrap().0).collect();
            let [voice, words @ .., close] = &tags[..] else { panic!("no voice span: {text}") };
            prop_assert!(voice.starts_with("v ") && *close == "/v" && text.ends_with("</v>"), "{}", text);
            let stamps: Vec<&str> = [&[start], words, &[end]].concat();
            // Hours may have more digits than two, but a longer number is a larger one.
            prop_assert!(stamps.is_sorted_by(|a, b| (a.len(), a) < (b.len(), b)), "{:?}", stamps);
            let foreign = |c: char| !(c.is_ascii_digit() || c == ':' || c == '.');
            prop_assert!(!stamps.iter().any(|stamp| stamp.contains(foreign)), "{:?}", stamps);
            shown += text.matches('ä').count();
        }
        let name = transcript.speakers.first().and_then(|speaker| speaker.display_name.as_deref()).unwrap_or_default();
        if !name.contains('ä') {
            let said: usize = transcript.segments.iter().map(|segment| segment.text.matches('ä').count()).sum();
            prop_assert_eq!(shown, said);
        }
    }

    #[test]
    fn line_based_formats_keep_a_record_a_line(transcript in any_transcript()) {
        let txt = String::from_utf8(export(&transcript, Format::Txt)).unwrap();
        prop_assert_eq!(txt.lines().count(), transcript.segments.len());
        prop_assert!(!txt.contains(|c: char| c.is_control() && c != '\n'));
        let rttm = String::from_utf8(export(&transcript, Format::Rttm)).unwrap();
        prop_assert!(rttm.lines().all(|line| line.split(' ').count() == 10), "{}", rttm);
        let csv = String::from_utf8(export(&transcript, Format::Csv)).unwrap();
        let words: usize = transcript.segments.iter().map(|segment| segment.words.len()).sum();
        let rows: Vec<_> = csv.split_terminator("\r\n").map(csv_cells).collect();
        prop_assert_eq!(rows.len(), words + 1);
        for row in rows {
            prop_assert_eq!(row.len(), 6, "{:?}", row);
            prop_assert!(!row.iter().any(|cell| cell.starts_with(['=', '+', '-', '@'])), "{:?}", row);
        }
    }

    #[test]
    fn docx_is_an_archive_of_well_formed_xml(transcript in any_transcript()) {
        let mut archive = zip::ZipArchive::new(Cursor::new(export(&transcript, Format::Docx))).unwrap();
        let mut document = String::new();
        for index in 0..archive.len() {
            let mut part = archive.by_index(index).unwrap();
            if part.is_file() {
                let mut xml = String::new();
                part.read_to_string(&mut xml).unwrap();
                assert_well_formed(&xml);
                if part.name() == "word/document.xml" {
                    document = xml;
                }
            }
        }
        let said: usize = transcript.segments.iter().map(|segment| segment.text.matches('ß').count()).sum();
        prop_assert!(document.matches('ß').count() >= said);
    }

    #[test]
    fn json_reads_back(transcript in any_transcript()) {
        let json = String::from_utf8(export(&transcript, Format::Json)).unwrap();
        prop_assert!(!json.contains(|c: char| c.is_control() && c != '\n'));
        let document: serde_json::Value = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(document["segments"].as_array().unwrap().len(), transcript.segments.len());
    }
}
