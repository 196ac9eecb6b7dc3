//! What a quality warning means to a reader, in one sentence without content.

use speech::transcript::QualityWarning;

/// The sentence for `warning`, with a capital and a full stop.
pub fn sentence(warning: QualityWarning) -> &'static str {
    match warning {
        QualityWarning::LowSnr => "The speech is hardly louder than the background noise.",
        QualityWarning::Clipping => "The recording is overdriven.",
        QualityWarning::DualMono => "Both channels carry the same signal; they were mixed.",
        QualityWarning::Echo => "One channel is heard in the other; its echo was left out.",
        QualityWarning::OneSpeaker => "Only one speaker was found.",
        QualityWarning::LanguageSwitch => "The language changes during the conversation.",
        QualityWarning::LowConfidence => "Many words are uncertain.",
        QualityWarning::NoSpeech => "No speech was found.",
        QualityWarning::DiarizationFailed => "The speakers could not be told apart.",
        QualityWarning::Truncated => "The recording ends in the middle of its data.",
        QualityWarning::AnalysisFailed => "The call could not be analysed.",
        QualityWarning::AnalysisFallback => "The language model gave no analysis; the call was analysed by rules.",
    }
}
