//! The languages of Whisper: the 99 of the multilingual models, and Cantonese, which large-v3 added.

/// How alike (Jaro-Winkler, 0..=1) a name has to be to be suggested.
const ALIKE: f64 = 0.75;
/// The most suggestions in a message.
const MAX_SUGGESTIONS: usize = 3;

/// Code of the language that `name` means (a code or an English name, in either case), or `None` for `auto`.
pub(super) fn parse(name: &str) -> Result<Option<String>, String> {
    let name = name.trim().to_lowercase();
    if name == "auto" {
        return Ok(None);
    }
    let found = LANGUAGES.iter().find(|(code, english)| *code == name || *english == name);
    found.map(|(code, _)| Some((*code).to_owned())).ok_or_else(|| {
        let near = near(&name);
        let hint =
            if near.is_empty() { "use a code such as en, a name such as german, or auto".to_owned() } else { near };
        format!("there is no such language; {hint}")
    })
}

fn near(name: &str) -> String {
    let alike = |(code, english): &(&str, &str)| {
        strsim::jaro_winkler(name, english).max(if name.len() == 2 { strsim::jaro_winkler(name, code) } else { 0.0 })
    };
    let mut scored: Vec<_> = LANGUAGES.iter().map(|language| (alike(language), language)).collect();
    scored.retain(|(score, _)| *score >= ALIKE);
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let names: Vec<_> =
        scored.iter().take(MAX_SUGGESTIONS).map(|(_, (code, name))| format!("{name} ({code})")).collect();
    if names.is_empty() { String::new() } else { format!("did you mean {}?", names.join(", ")) }
}

/// ISO 639 codes as Whisper writes them, and English names.
#[rustfmt::skip]
const LANGUAGES: [(&str, &str); 100] = [
    ("en", "english"), ("zh", "chinese"), ("de", "german"), ("es", "spanish"), ("ru", "russian"), ("ko", "korean"),
    ("fr", "french"), ("ja", "japanese"), ("pt", "portuguese"), ("tr", "turkish"), ("pl", "polish"), ("ca", "catalan"),
    ("nl", "dutch"), ("ar", "arabic"), ("sv", "swedish"), ("it", "italian"), ("id", "indonesian"), ("hi", "hindi"),
    ("fi", "finnish"), ("vi", "vietnamese"), ("he", "hebrew"), ("uk", "ukrainian"), ("el", "greek"), ("ms", "malay"),
    ("cs", "czech"), ("ro", "romanian"), ("da", "danish"), ("hu", "hungarian"), ("ta", "tamil"), ("no", "norwegian"),
    ("th", "thai"), ("ur", "urdu"), ("hr", "croatian"), ("bg", "bulgarian"), ("lt", "lithuanian"), ("la", "latin"),
    ("mi", "maori"), ("ml", "malayalam"), ("cy", "welsh"), ("sk", "slovak"), ("te", "telugu"), ("fa", "persian"),
    ("lv", "latvian"), ("bn", "bengali"), ("sr", "serbian"), ("az", "azerbaijani"), ("sl", "slovenian"),
    ("kn", "kannada"), ("et", "estonian"), ("mk", "macedonian"), ("br", "breton"), ("eu", "basque"),
    ("is", "icelandic"), ("hy", "armenian"), ("ne", "nepali"), ("mn", "mongolian"), ("bs", "bosnian"),
    ("kk", "kazakh"), ("sq", "albanian"), ("sw", "swahili"), ("gl", "galician"), ("mr", "marathi"), ("pa", "punjabi"),
    ("si", "sinhala"), ("km", "khmer"), ("sn", "shona"), ("yo", "yoruba"), ("so", "somali"), ("af", "afrikaans"),
    ("oc", "occitan"), ("ka", "georgian"), ("be", "belarusian"), ("tg", "tajik"), ("sd", "sindhi"), ("gu", "gujarati"),
    ("am", "amharic"), ("yi", "yiddish"), ("lo", "lao"), ("uz", "uzbek"), ("fo", "faroese"), ("ht", "haitian creole"),
    ("ps", "pashto"), ("tk", "turkmen"), ("nn", "nynorsk"), ("mt", "maltese"), ("sa", "sanskrit"),
    ("lb", "luxembourgish"), ("my", "myanmar"), ("bo", "tibetan"), ("tl", "tagalog"), ("mg", "malagasy"),
    ("as", "assamese"), ("tt", "tatar"), ("haw", "hawaiian"), ("ln", "lingala"), ("ha", "hausa"), ("ba", "bashkir"),
    ("jw", "javanese"), ("su", "sundanese"), ("yue", "cantonese"),
];

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_language_has_a_code_and_a_name_in_either_case() {
        assert_eq!(parse("de"), Ok(Some("de".to_owned())));
        assert_eq!(parse("German"), Ok(Some("de".to_owned())));
        assert_eq!(parse("AUTO"), Ok(None));
    }

    #[test]
    fn a_misspelt_language_gets_suggestions() {
        assert!(parse("germn").is_err_and(|message| message.contains("german (de)")));
        assert!(parse("qqqq").is_err_and(|message| message.contains("a code such as en")));
    }
}
