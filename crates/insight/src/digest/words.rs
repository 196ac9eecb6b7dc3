//! The words of a digest that are of no call, in the languages in which calls are analysed: a text to share is in one language.

use crate::redact::numeral::Language;

/// What stands between what was said.
pub(super) struct Words {
    pub(super) summary: &'static str,
    pub(super) key_points: &'static str,
    pub(super) decisions: &'static str,
    pub(super) action_items: &'static str,
    pub(super) commitments: &'static str,
    pub(super) next_steps: &'static str,
    pub(super) dates: &'static str,
    pub(super) amounts: &'static str,
    pub(super) open_questions: &'static str,
    /// In front of the day by which something is done.
    pub(super) by: &'static str,
    pub(super) done: &'static str,
}

impl Words {
    /// Those of the language of this code (ISO 639-1), or English ones.
    pub(super) fn of(language: Option<&str>) -> &'static Self {
        match language.and_then(Language::of).unwrap_or(Language::En) {
            Language::En => &ENGLISH,
            Language::De => &GERMAN,
            Language::Fr => &FRENCH,
            Language::Es => &SPANISH,
            Language::Pt => &PORTUGUESE,
        }
    }
}

const ENGLISH: Words = Words {
    summary: "Summary",
    key_points: "Key points",
    decisions: "Decisions",
    action_items: "Action items",
    commitments: "Commitments",
    next_steps: "Next steps",
    dates: "Dates",
    amounts: "Amounts",
    open_questions: "Open questions",
    by: "by",
    done: "done",
};

const GERMAN: Words = Words {
    summary: "Zusammenfassung",
    key_points: "Wichtigste Punkte",
    decisions: "Entscheidungen",
    action_items: "Aufgaben",
    commitments: "Zusagen",
    next_steps: "Nächste Schritte",
    dates: "Termine",
    amounts: "Beträge",
    open_questions: "Offene Fragen",
    by: "bis",
    done: "erledigt",
};

const FRENCH: Words = Words {
    summary: "Résumé",
    key_points: "Points clés",
    decisions: "Décisions",
    action_items: "Tâches",
    commitments: "Engagements",
    next_steps: "Prochaines étapes",
    dates: "Dates",
    amounts: "Montants",
    open_questions: "Questions ouvertes",
    by: "d’ici le",
    done: "fait",
};

const SPANISH: Words = Words {
    summary: "Resumen",
    key_points: "Puntos clave",
    decisions: "Decisiones",
    action_items: "Tareas",
    commitments: "Compromisos",
    next_steps: "Próximos pasos",
    dates: "Fechas",
    amounts: "Importes",
    open_questions: "Preguntas abiertas",
    by: "para el",
    done: "hecho",
};

const PORTUGUESE: Words = Words {
    summary: "Resumo",
    key_points: "Pontos principais",
    decisions: "Decisões",
    action_items: "Tarefas",
    commitments: "Compromissos",
    next_steps: "Próximos passos",
    dates: "Datas",
    amounts: "Valores",
    open_questions: "Perguntas em aberto",
    by: "até",
    done: "feito",
};
