//! What is read in German, French, Spanish and Portuguese as in English: amounts and the summary. Days are in `languages.tsv`.

use insight::analysis::{
    analyze,
    document::{AmountKind, Analysis},
};

use crate::kit::{call, tuesday};

#[test]
fn amounts_are_read_in_digits_and_words_and_other_numbers_are_none() {
    let lines = include_str!("amounts.tsv").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let (mut wrong, mut rows) = (Vec::new(), 0);
    for line in lines {
        let [language, said, expected] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("columns: {line}") };
        let amounts = analyze(&call(language, &[(0, said)]), &tuesday()).numbers_and_amounts;
        let found: Vec<String> = amounts.iter().map(|amount| format!("{} {}", amount.value, amount.unit)).collect();
        let expected: Vec<&str> = expected.split("; ").filter(|one| *one != "-").collect();
        rows += 1;
        if found != expected {
            wrong.push(format!("{language}: {said}\n    {expected:?} but {found:?}"));
        }
        assert!(amounts.iter().all(|amount| said.contains(&amount.text) && amount.source_segment_ids == ["seg_0001"]));
        assert!(amounts.iter().all(|amount| (amount.unit == "%") == (amount.kind == AmountKind::Percent)));
    }
    assert!(wrong.is_empty(), "{} of {rows}\n{}", wrong.len(), wrong.join("\n"));
}

/// A call of a broken heating in each language: the first sentence says nothing, the others the subject.
const CALLS: [(&str, [&str; 6], &str); 4] = [
    (
        "de",
        [
            "Guten Morgen, hier ist die Hausverwaltung.",
            "Die Heizung in der Wohnung ist seit Sonntag kaputt.",
            "Wie kalt ist es in der Wohnung?",
            "Die Reparatur der Heizung kostet neunhundert Euro.",
            "Der Techniker repariert die Heizung am Mittwoch.",
            "Vielen Dank, auf Wiedersehen.",
        ],
        "heizung",
    ),
    (
        "fr",
        [
            "Bonjour, ici la gérance de l'immeuble.",
            "Le chauffage de l'appartement est en panne depuis dimanche.",
            "Quelle température fait-il dans l'appartement ?",
            "La réparation du chauffage coûte neuf cents euros.",
            "Le technicien répare le chauffage mercredi matin.",
            "Merci beaucoup, au revoir.",
        ],
        "chauffage",
    ),
    (
        "es",
        [
            "Buenos días, le llamo de la administración.",
            "La calefacción del piso está rota desde el domingo.",
            "¿Qué temperatura hace en el piso?",
            "La reparación de la calefacción cuesta novecientos euros.",
            "El técnico repara la calefacción el miércoles.",
            "Muchas gracias, hasta luego.",
        ],
        "calefacción",
    ),
    (
        "pt",
        [
            "Bom dia, aqui é a administração do prédio.",
            "O aquecimento do apartamento está quebrado desde domingo.",
            "Qual é a temperatura no apartamento?",
            "O conserto do aquecimento custa novecentos euros.",
            "O técnico conserta o aquecimento na quarta-feira.",
            "Muito obrigado, até logo.",
        ],
        "aquecimento",
    ),
];

/// Two orders in each language, full of days, prices and politeness, and what they are about.
const BUSY: [(&str, [&str; 6], &str); 4] = [
    (
        "de",
        [
            "Guten Tag, ich möchte nächste Woche einen Drucker, was kostet der?",
            "Der Drucker kostet zweihundert Euro, und die Lieferung dauert eine Woche.",
            "Und was kostet die Lieferung nächste Woche am Morgen?",
            "Die Lieferung kostet zwanzig Euro, in zwei Wochen nur zehn Euro.",
            "Gut, dann möchte ich den Drucker diese Woche, in drei Tagen.",
            "Das geht, die Lieferung in drei Tagen.",
        ],
        "Lieferung, drucker",
    ),
    (
        "fr",
        [
            "Bonjour, je voudrais une imprimante pour la semaine prochaine, elle coûte combien ?",
            "Cette imprimante coûte deux cents euros, et la livraison prend une semaine.",
            "Et combien coûte la livraison la semaine prochaine, à neuf heures ?",
            "La livraison coûte vingt euros, ou dix euros après dix-huit heures.",
            "Alors je voudrais cette imprimante, et la livraison à neuf heures.",
            "Oui, je vous envoie la facture, la semaine prochaine.",
        ],
        "Livraison, imprimante",
    ),
    (
        "es",
        [
            "Buenos días, quiero una impresora para la próxima semana, ¿cuánto cuesta?",
            "La impresora cuesta doscientos euros, y la entrega tarda una semana.",
            "¿Y cuánto cuesta la entrega el próximo lunes por la mañana?",
            "La entrega cuesta veinte euros, o diez euros la próxima semana.",
            "Entonces quiero la impresora y la entrega esta semana.",
            "Claro, la próxima semana a las diez horas, o esta tarde.",
        ],
        "Entrega, impresora",
    ),
    (
        "pt",
        [
            "Bom dia, quero uma impressora para a próxima semana, quanto custa?",
            "A impressora custa duzentos euros, e a entrega demora uma semana.",
            "E quanto custa a entrega na segunda, na próxima semana, de manhã?",
            "A entrega custa vinte euros, ou dez euros na próxima segunda de manhã.",
            "Então quero a impressora e a entrega esta semana.",
            "Claro, na segunda às dez horas, ou esta semana às nove horas.",
        ],
        "Entrega, impressora",
    ),
];

#[test]
fn a_title_has_no_days_prices_or_politeness_in_any_language() {
    for (language, said, title) in BUSY {
        let turns: Vec<(usize, &str)> = said.iter().enumerate().map(|(at, text)| (at % 2, *text)).collect();
        let found = analyze(&call(language, &turns), &tuesday());
        assert_eq!(found.suggested_title.as_deref(), Some(title), "{language}");
        assert_eq!(found.tags.join(", "), title.to_lowercase(), "{language}");
    }
}

#[test]
fn a_call_in_each_language_is_summarised_in_its_own_sentences_where_they_were_said() {
    for (language, said, subject) in CALLS {
        let turns: Vec<(usize, &str)> = said.iter().enumerate().map(|(at, text)| (at % 2, *text)).collect();
        let found = analyze(&call(language, &turns), &tuesday());
        let Analysis { executive_summary, one_line_summary, key_discussion_points: points, tags, .. } = found;
        assert_eq!(executive_summary, Some([said[1], said[3], said[4]].join(" ")), "{language}");
        assert!(one_line_summary.is_some_and(|line| said[1..].contains(&line.as_str())), "{language}");
        assert_eq!(tags.first().map(String::as_str), Some(subject), "{language}");
        let cited: Vec<_> = points.iter().map(|point| (&point.text[..], point.source_segment_ids.join(" "))).collect();
        let expected = [(said[1], "seg_0002"), (said[3], "seg_0004"), (said[4], "seg_0005")];
        assert!(expected.iter().all(|(text, id)| cited.contains(&(*text, (*id).to_owned()))), "{language}: {cited:?}");
        assert_eq!(found.executive_summary_bullets.len(), 3, "{language}");
    }
}
