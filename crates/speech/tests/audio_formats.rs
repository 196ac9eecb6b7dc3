//! Every format that a call recorder writes comes out as the same sound at the same time.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "these are tests, though outside of a test function")]

mod audio_support;

use audio_support::{Sound, convert, convert_by_sox, open, read_all, wav};

/// How a format may differ from the original: seconds of shift, seconds of length, and the least SNR in dB.
struct Limits {
    shift: f64,
    length: f64,
    snr: f64,
}

/// Bit-exact codecs: only resampling lies between.
const LOSSLESS: Limits = Limits { shift: 0.00001, length: 0.0, snr: 60.0 };
/// Waveform codecs of the telephone network.
const WAVEFORM: Limits = Limits { shift: 0.00001, length: 0.0, snr: 25.0 };
/// Transform codecs, which keep the spectrum more than the wave.
const TRANSFORM: Limits = Limits { shift: 0.0002, length: 0.0001, snr: 12.0 };

/// ffmpeg fills the last block up and does not say how far.
const ADPCM: Limits = Limits { shift: 0.00001, length: 0.064, snr: 20.0 };

/// Containers that do not say how much their encoder put before and behind the sound.
const UNTOLD: Limits = Limits { shift: 0.1, length: 0.2, snr: 12.0 };

/// Speech codecs, which keep how it sounds and not the wave, and are late by their look-ahead.
const SPEECH: Limits = Limits { shift: 0.011, length: 0.02, snr: 0.5 };

fn same_sound(name: &str, bytes: &[u8], original: &Sound, limits: &Limits) {
    let (channels, damage) = read_all(open(name, bytes)).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(damage, Default::default(), "{name} is not damaged");
    assert_eq!(channels.len(), original.channels.len(), "{name}: channels");
    for (decoded, original) in channels.iter().zip(&original.at_16k()) {
        let length = (decoded.len() as f64 - original.len() as f64).abs() / 16_000.0;
        let (shift, snr) = audio_support::compare(original, decoded);
        println!("{name}: length off by {:.2} ms, shifted by {:.3} ms, SNR {snr:.1} dB", length * 1e3, shift * 1e3);
        assert!(length <= limits.length, "{name}: length off by {length} s");
        assert!(shift.abs() <= limits.shift, "{name}: shifted by {shift} s");
        assert!(snr >= limits.snr, "{name}: SNR {snr} dB");
    }
}

#[test]
fn wav_pcm_of_every_width_is_read_to_the_sample() {
    let sound = Sound::speech_like(16_000, 2);
    for (name, format) in
        [("s16", wav::S16), ("s24", wav::S24), ("s32", wav::S32), ("f32", wav::F32), ("f64", wav::F64)]
    {
        same_sound(name, &wav::write(&sound, format), &sound, &LOSSLESS);
    }
    same_sound("u8", &wav::write(&sound, wav::U8), &sound, &Limits { snr: 28.0, ..LOSSLESS });
}

#[test]
fn g711_is_read_at_the_telephone_rate() {
    let sound = Sound::speech_like(8_000, 2);
    same_sound("mulaw", &wav::write(&sound, wav::MULAW), &sound, &WAVEFORM);
    same_sound("alaw", &wav::write(&sound, wav::ALAW), &sound, &WAVEFORM);
}

#[test]
fn every_rate_comes_out_at_16_khz_and_in_time() {
    for rate in [4_000, 8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000] {
        let sound = Sound::speech_like(rate, 1);
        same_sound(
            &format!("{rate} Hz"),
            &wav::write(&sound, wav::F32),
            &sound,
            &Limits { length: 0.0001, ..LOSSLESS },
        );
    }
}

#[test]
fn many_channels_stay_apart() {
    let sound = Sound::speech_like(16_000, 32);
    same_sound("32 channels", &wav::write(&sound, wav::S16), &sound, &LOSSLESS);
}

/// What is too large to encode here: the program that encodes it, the sound's rate and channels, the file's ending, the
/// program's arguments, and how near the decoded sound must come.
macro_rules! formats {
    ($($test:ident: $encode:ident, $rate:expr, $channels:expr, $ending:expr, $arguments:expr, $limits:expr;)*) => {$(
        #[test]
        fn $test() {
            let sound = Sound::speech_like($rate, $channels);
            let Some(bytes) = $encode(&sound, $ending, $arguments) else { return };
            same_sound(stringify!($test), &bytes, &sound, &$limits);
        }
    )*};
}

formats! {
    ima_adpcm_in_wav_is_read: convert, 8_000, 1, "wav", "-c:a adpcm_ima_wav", ADPCM;
    ima_adpcm_in_stereo_is_read: convert, 8_000, 2, "wav", "-c:a adpcm_ima_wav", ADPCM;
    ms_adpcm_in_wav_is_read: convert, 8_000, 2, "wav", "-c:a adpcm_ms", ADPCM;
    gsm_in_wav_is_read: convert, 8_000, 1, "wav", "-c:a libgsm_ms", Limits { shift: 0.0005, length: 0.04, snr: 5.0 };
    gsm_by_sox_is_read: convert_by_sox, 8_000, 1, "wav", "-e gsm-full-rate", Limits { shift: 0.0005, length: 0.04, snr: 5.0 };
    ima_adpcm_by_sox_has_no_padding: convert_by_sox, 8_000, 2, "wav", "-e ima-adpcm", Limits { length: 0.0, ..ADPCM };
    ms_adpcm_by_sox_has_no_padding: convert_by_sox, 8_000, 2, "wav", "-e ms-adpcm", Limits { length: 0.0, ..ADPCM };
    amr_is_read: convert_by_sox, 8_000, 1, "amr-nb", "-C 7", SPEECH;
    amr_at_its_lowest_rate_is_read: convert_by_sox, 8_000, 1, "amr-nb", "-C 0", SPEECH;
    flac_is_read_to_the_sample: convert, 16_000, 2, "flac", "-c:a flac", LOSSLESS;
    flac_of_24_bits_is_read: convert, 44_100, 1, "flac", "-c:a flac -sample_fmt s32", Limits { length: 0.0001, ..LOSSLESS };
    flac_in_ogg_is_read: convert, 16_000, 2, "ogg", "-c:a flac", LOSSLESS;
    aiff_is_read_to_the_sample: convert, 16_000, 2, "aiff", "", LOSSLESS;
    alac_is_read_to_the_sample: convert, 16_000, 2, "m4a", "-c:a alac", LOSSLESS;
    rf64_is_read: convert, 16_000, 1, "wav", "-rf64 always", LOSSLESS;
    mp3_at_8_khz_is_read: convert, 8_000, 1, "mp3", "-b:a 32k", TRANSFORM;
    mp3_at_44_khz_is_read: convert, 44_100, 2, "mp3", "-b:a 160k", TRANSFORM;
    mp3_with_variable_rate_is_read: convert, 44_100, 2, "mp3", "-q:a 2", TRANSFORM;
    mp3_in_wav_is_read: convert, 16_000, 1, "wav", "-c:a libmp3lame -b:a 64k", UNTOLD;
    vorbis_is_read: convert, 44_100, 2, "ogg", "-c:a libvorbis -q 6", TRANSFORM;
    opus_in_ogg_is_read: convert, 48_000, 2, "opus", "-c:a libopus -b:a 96k", Limits { snr: 9.0, ..TRANSFORM };
    opus_for_calls_is_read: convert, 16_000, 1, "opus", "-c:a libopus -b:a 24k -application voip", Limits { shift: 0.0005, snr: 5.0, ..TRANSFORM };
    opus_in_webm_is_read: convert, 48_000, 1, "webm", "-c:a libopus -b:a 64k", Limits { snr: 9.0, length: 0.021, ..TRANSFORM };
    opus_in_mp4_is_read: convert, 48_000, 1, "mp4", "-c:a libopus -b:a 64k", Limits { snr: 9.0, ..TRANSFORM };
    aac_in_m4a_is_read: convert, 44_100, 2, "m4a", "-c:a aac -b:a 128k", TRANSFORM;
    aac_in_m4a_with_its_index_in_front_is_read: convert, 16_000, 1, "m4a", "-c:a aac -b:a 64k -movflags +faststart", TRANSFORM;
    aac_in_fragments_is_read: convert, 16_000, 1, "mp4", "-c:a aac -b:a 64k -movflags frag_keyframe+empty_moov -frag_duration 500000", UNTOLD;
    aac_in_adts_is_read: convert, 44_100, 2, "aac", "-c:a aac -b:a 128k", UNTOLD;
}

/// [`Sound::speech_like`] at 12.65 kbit/s: the encoder that Debian has, libvo-amrwbenc, is not in `sox`.
const AMR_WB: &[u8] = include_bytes!("data/speech_like.awb");

#[test]
fn amr_wideband_is_read() {
    same_sound("amr-wb", AMR_WB, &Sound::speech_like(16_000, 1), &SPEECH);
}

#[test]
fn telephone_codecs_sound_as_in_other_decoders() {
    let sound = Sound::speech_like(8_000, 1);
    let Some(gsm) = convert(&sound, "wav", "-c:a libgsm_ms") else { return };
    let Some(amr) = convert_by_sox(&sound, "amr-nb", "-C 7") else { return };
    for (name, bytes) in [("gsm.wav", gsm), ("speech.amr-nb", amr), ("speech.amr-wb", AMR_WB.to_vec())] {
        let Some(other) = audio_support::decode_by_sox(name, &bytes) else { return };
        let (theirs, _) = read_all(open("theirs.wav", &other)).unwrap();
        let (ours, _) = read_all(open(name, &bytes)).unwrap();
        let (shift, snr) = audio_support::compare(&theirs[0], &ours[0]);
        println!("{name}: shifted by {shift} s, SNR {snr} dB");
        assert!(shift.abs() < 0.0001 && snr > 30.0, "{name}: shifted by {shift} s, SNR {snr} dB");
    }
}

/// A box of MP4 or of its metadata.
fn boxed(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    [&(8 + body.len() as u32).to_be_bytes(), &name[..], body].concat()
}

#[test]
fn what_an_aac_encoder_put_before_the_sound_is_cut_where_itunes_tells_it() {
    let sound = Sound::speech_like(16_000, 1);
    // Apple's comment: 1,024 samples of delay, padding that is not looked at, three seconds of sound.
    let told = b" 00000000 00000400 00000000 000000000000BB80 00000000 00000000 00000000 00000000";
    let comment = boxed(
        b"----",
        &[
            boxed(b"mean", b"\0\0\0\0com.apple.iTunes"),
            boxed(b"name", b"\0\0\0\0iTunSMPB"),
            boxed(b"data", &[&b"\0\0\0\x01\0\0\0\0"[..], told].concat()),
        ]
        .concat(),
    );
    // ffmpeg writes an edit list instead: it is made void, and a title of the same length makes room for the comment.
    let title = "t".repeat(comment.len() - boxed(b"\xa9nam", &boxed(b"data", &[0; 8])).len());
    let Some(mut bytes) = convert(&sound, "m4a", &format!("-c:a aac -b:a 64k -metadata title={title}")) else { return };
    let at = |bytes: &[u8], name: &[u8]| bytes.windows(name.len()).position(|w| w == name).unwrap();
    let (edits, title) = (at(&bytes, b"edts"), at(&bytes, b"\xa9nam") - 4);
    bytes[edits..edits + 4].copy_from_slice(b"free");
    same_sound("untold", &bytes, &sound, &UNTOLD);
    bytes[title..title + comment.len()].copy_from_slice(&comment);
    same_sound("told", &bytes, &sound, &TRANSFORM);
}
