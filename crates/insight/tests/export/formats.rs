//! What each format looks like, in full.

use crate::fixtures::{transcript, words};
use insight::export::{Format, Style, write};
use speech::diarize::Turn;
use speech::transcript::{QualityWarning, Role, Transcript};

const TITLED: Style<'_> = Style { title: "weekly call.wav", words: false, turns: &[], analysis: None, talk: None };
const WITH_WORDS: Style<'_> = Style { title: "weekly call.wav", words: true, turns: &[], analysis: None, talk: None };

fn bytes(transcript: &Transcript, format: Format, style: Style<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    write(transcript, format, style, &mut out).unwrap();
    out
}

fn text(transcript: &Transcript, format: Format) -> String {
    String::from_utf8(bytes(transcript, format, TITLED)).unwrap()
}

fn call() -> Transcript {
    transcript(&[(1, 6.7, 7.9, "Hello?"), (2, 7.5, 9.25, "Hi, this is \"Ann\" & Bob.")])
}

#[test]
fn txt_is_a_line_a_segment() {
    assert_eq!(
        text(&call(), Format::Txt),
        "[00:06.7] Speaker 1: Hello?\n[00:07.5] Speaker 2: Hi, this is \"Ann\" & Bob.\n"
    );
}

#[test]
fn txt_shows_hours_in_every_line_of_a_long_call() {
    let long = transcript(&[(1, 0.0, 1.0, "a"), (1, 360_000.0, 360_001.0, "b")]);
    assert_eq!(text(&long, Format::Txt), "[0:00:00.0] Speaker 1: a\n[100:00:00.0] Speaker 1: b\n");
}

#[test]
fn a_name_replaces_the_label_once_it_is_known() {
    let mut call = call();
    call.speakers[0].display_name = Some("Zoë".to_owned());
    assert!(text(&call, Format::Txt).starts_with("[00:06.7] Zoë: Hello?\n"));
    assert!(text(&call, Format::Srt).contains("\nZoë: Hello?\n"));
}

#[test]
fn srt_numbers_overlapping_cues_and_puts_the_speaker_in_front() {
    let expected = "1\n00:00:06,700 --> 00:00:07,900\nSpeaker 1: Hello?\n\n\
                    2\n00:00:07,500 --> 00:00:09,250\nSpeaker 2: Hi, this is \"Ann\" & Bob.\n\n";
    assert_eq!(text(&call(), Format::Srt), expected);
}

#[test]
fn vtt_escapes_text_and_names_the_voice() {
    let mut call = transcript(&[(1, 6.7, 7.9, "a <b> & c --> d")]);
    call.speakers[0].display_name = Some("A & <B>".to_owned());
    let expected = "WEBVTT\n\n00:00:06.700 --> 00:00:07.900\n\
                    <v A &amp; &lt;B&gt;>a &lt;b&gt; &amp; c --&gt; d</v>\n\n";
    assert_eq!(text(&call, Format::Vtt), expected);
}

#[test]
fn vtt_has_no_arrow_in_a_cue_even_where_a_name_ends_in_dashes() {
    let mut call = transcript(&[(1, 0.0, 1.0, "yes")]);
    call.speakers[0].display_name = Some("A--".to_owned());
    assert!(text(&call, Format::Vtt).ends_with("\n<v A-- >yes</v>\n\n"));
}

#[test]
fn vtt_has_the_time_of_each_word_when_words_are_asked_for() {
    let said = "one <two> three four five six seven eight nine";
    let mut call = transcript(&[(1, 10.0, 14.5, said)]);
    call.segments[0].words = words(said, 10.0);
    for (i, word) in call.segments[0].words.iter_mut().enumerate() {
        // The last two begin at once.
        word.start_seconds = 10.0 + 0.5 * i.min(7) as f64;
        word.end_seconds = word.start_seconds + 0.5;
    }
    let expected = "WEBVTT\n\n00:00:10.000 --> 00:00:14.000\n\
        <v Speaker 1>one <00:00:10.500>&lt;two&gt; <00:00:11.000>three <00:00:11.500>four\n\
        <00:00:12.000>five <00:00:12.500>six <00:00:13.000>seven <00:00:13.500>eight nine</v>\n\n";
    assert_eq!(String::from_utf8(bytes(&call, Format::Vtt, WITH_WORDS)).unwrap(), expected);
    assert!(!text(&call, Format::Vtt).contains("<00:"));
}

#[test]
fn srt_breaks_what_a_player_would_act_upon() {
    let call = transcript(&[(1, 0.0, 1.0, "a <i>b</i> --> {\\an8} c")]);
    assert!(text(&call, Format::Srt).contains("Speaker 1: a < i>b< /i> -- > { \\an8} c\n"));
}

#[test]
fn long_segments_become_cues_of_two_even_lines_cut_at_word_times() {
    let said = "one two three four five six seven eight nine ten eleven twelve thirteen";
    let mut call = transcript(&[(1, 10.0, 23.0, said)]);
    call.segments[0].words = words(said, 10.0);
    let expected = "WEBVTT\n\n\
        00:00:10.000 --> 00:00:17.000\n<v Speaker 1>one two three four five six seven</v>\n\n\
        00:00:17.000 --> 00:00:23.000\n<v Speaker 1>eight nine ten eleven twelve thirteen</v>\n\n";
    assert_eq!(text(&call, Format::Vtt), expected);
    let fast = transcript(&[(1, 10.0, 12.0, said)]);
    let expected = "WEBVTT\n\n00:00:10.000 --> 00:00:12.000\n\
        <v Speaker 1>one two three four five six seven\neight nine ten eleven twelve thirteen</v>\n\n";
    assert_eq!(text(&fast, Format::Vtt), expected);
}

#[test]
fn text_that_a_person_corrected_wins_over_the_words_that_were_heard() {
    let mut call = transcript(&[(1, 0.0, 2.0, "corrected text")]);
    call.segments[0].words = words("core erected text", 0.0);
    assert!(text(&call, Format::Vtt).contains("corrected text"));
    assert!(!text(&call, Format::Vtt).contains("erected text\n"));
}

#[test]
fn scripts_without_spaces_are_cut_as_well() {
    let said = "字".repeat(60);
    let vtt = text(&transcript(&[(1, 0.0, 6.0, &said)]), Format::Vtt);
    assert_eq!(vtt.matches('字').count(), 60);
    assert!(vtt.lines().all(|line| line.matches('字').count() <= 21), "{vtt}");
}

#[test]
fn rttm_has_ten_fields_and_no_space_in_any_of_them() {
    let expected = "SPEAKER weekly_call.wav 1 6.700 1.200 <NA> <NA> spk_1 <NA> <NA>\n\
                    SPEAKER weekly_call.wav 1 7.500 1.750 <NA> <NA> spk_2 <NA> <NA>\n";
    assert_eq!(text(&call(), Format::Rttm), expected);
}

#[test]
fn rttm_holds_the_turns_of_the_diarization_under_the_speakers_of_the_transcript() {
    let turn = |speaker, start, end| Turn { speaker, start, end };
    // The second has no words and so no speaker in the transcript; the last has no length.
    let turns = [turn(1, 0.5, 2.25), turn(2, 2.0, 3.0), turn(0, 2.75, 4.0), turn(0, 5.0, 5.0)];
    let rttm = |call: &Transcript| {
        let style = Style { turns: &turns, ..TITLED };
        String::from_utf8(bytes(call, Format::Rttm, style)).unwrap()
    };
    let expected = "SPEAKER weekly_call.wav 1 0.500 1.750 <NA> <NA> spk_2 <NA> <NA>\n\
                    SPEAKER weekly_call.wav 1 2.000 1.000 <NA> <NA> SPEAKER_02 <NA> <NA>\n\
                    SPEAKER weekly_call.wav 1 2.750 1.250 <NA> <NA> spk_1 <NA> <NA>\n";
    assert_eq!(rttm(&call()), expected);

    let mut by_channel = call();
    by_channel.pipeline.diarization_provider = "channels".to_owned();
    for (number, speaker) in by_channel.speakers.iter_mut().enumerate() {
        speaker.source_speaker_id = format!("CHANNEL_{number}");
    }
    assert_eq!(rttm(&by_channel), expected.replace("SPEAKER_02", "CHANNEL_2"));
}

#[test]
fn json_escapes_every_character_that_a_terminal_acts_upon() {
    let json = text(&transcript(&[(1, 0.0, 1.0, "a\u{7f}b\u{9b}2Jc\u{85}é")]), Format::Json);
    assert!(!json.contains(|c: char| c.is_control() && c != '\n'), "{json}");
    let document: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(document["segments"][0]["text"], "a\u{7f}b\u{9b}2Jc\u{85}é");
}

#[test]
fn csv_quotes_and_disarms_formulas() {
    let call = transcript(&[(1, 0.0, 1.0, "=1+1"), (1, 1.0, 2.0, "yes, \"quoted\""), (1, 2.0, 3.0, "\t-2 degrees")]);
    let expected = "segment,start,end,speaker,language,text\r\n\
                    seg_0001,0.000,1.000,Speaker 1,,'=1+1\r\n\
                    seg_0002,1.000,2.000,Speaker 1,,\"yes, \"\"quoted\"\"\"\r\n\
                    seg_0003,2.000,3.000,Speaker 1,,'-2 degrees\r\n";
    assert_eq!(text(&call, Format::Csv), expected);
}

#[test]
fn csv_has_a_row_a_word_when_words_are_asked_for() {
    let mut call = transcript(&[(1, 0.0, 2.0, "so, yes")]);
    call.segments[0].words = words("so, yes", 0.0);
    let expected = "segment,start,end,speaker,confidence,word\r\n\
                    seg_0001,0.000,1.000,Speaker 1,0.875,\"so,\"\r\n\
                    seg_0001,1.000,2.000,Speaker 1,0.875,yes\r\n";
    assert_eq!(String::from_utf8(bytes(&call, Format::Csv, WITH_WORDS)).unwrap(), expected);
}

#[test]
fn json_is_the_transcript_itself_and_shows_words_only_on_request() {
    let mut call = call();
    call.segments[0].words = words("Hello?", 6.7);
    let with: Transcript = serde_json::from_slice(&bytes(&call, Format::Json, WITH_WORDS)).unwrap();
    assert_eq!(with, call);
    let without: Transcript = serde_json::from_slice(&bytes(&call, Format::Json, TITLED)).unwrap();
    assert!(without.segments[0].words.is_empty());
    assert_eq!(without.segments[0].text, "Hello?");
}

#[test]
fn markdown_has_facts_speakers_and_escaped_paragraphs() {
    let mut call = transcript(&[(1, 6.7, 7.9, "It costs $5 *net* <b>")]);
    call.speakers[0].role = Role::Contact;
    call.pipeline.warnings = vec![QualityWarning::OneSpeaker];
    let expected = "# weekly call.wav\n\n\
        - Duration: 00:07.9\n- Language: en\n- Model: base\n- Note: Only one speaker was found.\n\n\
        ## Speakers\n\n- **Speaker 1** (contact)\n\n\
        ## Conversation\n\n**Speaker 1** (00:06.7): It costs \\$5 \\*net\\* \\<b\\>\n";
    assert_eq!(text(&call, Format::Md), expected);
}

#[test]
fn nothing_said_is_a_valid_document_in_every_format() {
    let silence = transcript(&[]);
    assert_eq!(text(&silence, Format::Txt), "");
    assert_eq!(text(&silence, Format::Srt), "");
    assert_eq!(text(&silence, Format::Vtt), "WEBVTT\n\n");
    assert_eq!(text(&silence, Format::Rttm), "");
    assert_eq!(text(&silence, Format::Csv), "segment,start,end,speaker,language,text\r\n");
    assert!(text(&silence, Format::Md).ends_with("## Conversation\n\n*Nothing was said.*\n"));
    assert!(text(&silence, Format::Json).contains("\"segments\": []"));
}

#[test]
fn formats_are_found_by_name_in_either_case() {
    for format in Format::ALL {
        assert_eq!(format.extension().to_uppercase().parse(), Ok(format));
    }
    assert!("pdf".parse::<Format>().is_err());
}

#[test]
fn an_analysis_follows_text_and_is_a_member_of_json() {
    let call =
        transcript(&[(1, 0.0, 4.0, "I will send you the written offer by 5 June 2027."), (2, 4.0, 5.0, "Thanks.")]);
    let analysis = insight::analysis::analyze(&call, &insight::facts::Facts::default());
    let talk = insight::talk::measure(&call);
    let style = Style { analysis: Some(&analysis), talk: Some(&talk), ..TITLED };
    let text = |format| String::from_utf8(bytes(&call, format, style)).unwrap();
    assert!(text(Format::Txt).contains("Thanks.\n\n"), "{}", text(Format::Txt));
    assert!(text(Format::Txt).contains("Action items\n- Send the written offer (Speaker 1"));
    assert!(text(Format::Md).contains("## Action items\n\n- Send the written offer"));
    let json: serde_json::Value = serde_json::from_str(&text(Format::Json)).unwrap();
    assert_eq!(json["analysis"]["actionItems"][0]["sourceSegmentIds"][0], "seg_0001");
    assert_eq!(json["talkAnalytics"]["turns"], 2);
    assert_eq!(json["schemaVersion"], 2);
}
