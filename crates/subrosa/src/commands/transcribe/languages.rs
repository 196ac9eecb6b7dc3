//! What a person calls a language, and what may have been meant.

use speech::language::LANGUAGES;

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
