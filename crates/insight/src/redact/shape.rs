//! How a run of numbers looks: a date, an amount, an address of the internet, years, counting. Its one invariant: what it says depends on
//! the run alone, not on what is said around it.

use std::net::Ipv4Addr;

use super::item::{Item, Style};
use super::run::is_year;
use super::token::{Form, Page};

/// Numbers and what stands between them.
pub(super) struct Shape<'a> {
    groups: Vec<&'a str>,
    /// Between each two groups: marks as they are, a space for white space, `w` for words.
    between: Vec<String>,
    written: bool,
}

impl<'a> Shape<'a> {
    pub(super) fn of(page: &Page, items: &'a [Item]) -> Self {
        let between = items.windows(2).map(|pair| between(page, pair[0].last + 1, pair[1].first)).collect();
        let groups = items.iter().map(|item| item.digits.as_str()).collect();
        Self { groups, between, written: items.iter().all(|item| item.style == Style::Written) }
    }

    /// Nothing that somebody can be called at, where no word around says that it is.
    pub(super) fn is_something_else(&self) -> bool {
        self.is_never_called() || self.internet_address().is_some() || self.are_years()
    }

    /// Nothing that somebody can be called at, whatever is said around it: the forms that no telephone number is written in.
    pub(super) fn is_never_called(&self) -> bool {
        let is_private = |address: Ipv4Addr| address.is_private() || address.is_loopback();
        let is_list = self.between.iter().all(|between| is_pause(between));
        self.is_date() || self.internet_address().is_some_and(is_private) || (is_list && self.are_years())
    }

    fn are_years(&self) -> bool {
        self.groups.iter().all(|group| is_year(group))
    }

    /// `12/05/2024`, `2024-05-12`, `12. 5. 1980`.
    fn is_date(&self) -> bool {
        let [a, b, c] = self.groups[..] else { return false };
        let separators = self.between.iter().map(|between| between.trim());
        if !self.written || !separators.clone().all(|mark| matches!(mark, "-" | "/" | "." | "")) {
            return false;
        }
        let within =
            |group: &str, most: u32| group.len() <= 2 && group.parse().is_ok_and(|value| (1..=most).contains(&value));
        let day_and_month = |a, b| (within(a, 31) && within(b, 12)) || (within(a, 12) && within(b, 31));
        (is_year(c) && day_and_month(a, b)) || (is_year(a) && day_and_month(b, c))
    }

    /// Four numbers below 256 with points between them; `91.123.45.67` is also how a number of Madrid is written.
    fn internet_address(&self) -> Option<Ipv4Addr> {
        let points = self.between.iter().all(|between| between == ".");
        let bytes: Vec<u8> = self.groups.iter().map_while(|group| group.parse().ok()).collect();
        let bytes: [u8; 4] = bytes.try_into().ok()?;
        (points && self.groups.len() == bytes.len()).then(|| bytes.into())
    }

    /// `1,234,567`, `1.234,50`, `19.99`, and lists of such.
    pub(super) fn is_amount(&self) -> bool {
        let mut start = 0;
        self.written
            && (0..self.groups.len()).all(|index| {
                let ends = self.between.get(index).is_none_or(|between| is_pause(between));
                let fits = !ends || self.is_one_amount(start, index);
                if ends {
                    start = index + 1;
                }
                fits
            })
    }

    fn is_one_amount(&self, first: usize, last: usize) -> bool {
        let [head, rest @ ..] = &self.groups[first..=last] else { return false };
        let marks = &self.between[first..last];
        let Some(mark) = marks.first() else { return false };
        if head.len() > 3 && rest.len() > 1 || head.len() > 1 && head.starts_with('0') {
            return false;
        }
        let thousands = |count: usize| {
            head.len() <= 3
                && rest[..count].iter().all(|group| group.len() == 3)
                && marks[..count].iter().all(|other| other == mark)
                && matches!(mark.as_str(), "," | "." | "'" | "’")
        };
        let decimals = rest.last().is_some_and(|group| group.len() <= 2)
            && marks.last().is_some_and(|mark| matches!(mark.as_str(), "." | ","));
        thousands(rest.len()) || (decimals && thousands(rest.len() - 1))
    }

    /// `450`, `45.99`, not `0199`: what may count something.
    pub(super) fn is_quantity(&self) -> bool {
        self.is_amount() || (self.groups.len() == 1 && self.count())
    }

    /// `1200, 1350, 1500`: three and more of much the same size, each set apart.
    pub(super) fn is_list(&self) -> bool {
        let lengths = || self.groups.iter().map(|group| group.len());
        let alike = lengths().max().unwrap_or(0) <= lengths().min().unwrap_or(0) + 1;
        self.groups.len() >= 3 && self.count() && alike && self.between.iter().all(|between| is_pause(between))
    }

    /// Whether each of the groups may count something: nobody writes a quantity with a 0 in front or of one digit at a time.
    fn count(&self) -> bool {
        self.written && self.groups.iter().all(|group| group.len() > 1 && !group.starts_with('0'))
    }

    /// "one two three four", "10, 20, 30", "five five five five".
    pub(super) fn is_counting(&self) -> bool {
        let mut values = Vec::with_capacity(self.groups.len());
        for group in &self.groups {
            match group.parse::<i64>() {
                Ok(value) if group.len() <= 4 => values.push(value),
                _ => return false,
            }
        }
        let Some(step) = values.windows(2).map(|pair| pair[1] - pair[0]).next() else { return false };
        values.len() >= 3 && values.windows(2).all(|pair| pair[1] - pair[0] == step)
    }

    /// `165 -5 -5 -44 -33 -25`: how a recogniser writes what somebody dictates with pauses. Dates have three parts.
    pub(super) fn is_hyphenated(&self) -> bool {
        self.written
            && self.groups.len() > 3
            && self.groups.iter().all(|group| group.len() <= 3)
            && self.between.iter().all(|between| between.trim() == "-")
    }

    /// `555-0199` and `5555-0199`, as people write a number of their own town.
    pub(super) fn is_local(&self) -> bool {
        let lengths: Vec<usize> = self.groups.iter().map(|group| group.len()).collect();
        let tight = self.between.iter().all(|between| matches!(between.as_str(), "-" | "."));
        self.written
            && tight
            && matches!(lengths[..], [3, 4] | [4 | 5, 4])
            && !self.groups[0].starts_with(['0', '1'])
            && !self.are_years()
    }
}

/// What stands between the numbers of a list: ", ", ", and ", " - ".
fn is_pause(between: &str) -> bool {
    between.contains(' ')
        && between.contains(|c: char| c != ' ')
        && between.chars().all(|c| matches!(c, ' ' | ',' | ';' | '-' | 'w'))
}

fn between(page: &Page, from: usize, to: usize) -> String {
    let mut shape = String::new();
    for index in from..=to {
        let token = &page.tokens[index];
        if !token.glued {
            shape.push(' ');
        }
        if index < to {
            shape.push(match token.form {
                Form::Mark(mark) => mark,
                _ => 'w',
            });
        }
    }
    shape
}

/// Whether the number at the token `at` is half of a time of day: `10:15`.
pub(super) fn is_clock(page: &Page, at: usize) -> bool {
    let is_half =
        |at: usize| page.tokens.get(at).is_some_and(|token| token.form == Form::Digits && token.key.len() <= 2);
    let tight = |colon: usize| {
        page.tokens.get(colon).is_some_and(|token| token.is_mark(':') && token.glued)
            && page.tokens.get(colon + 1).is_some_and(|token| token.glued)
    };
    is_half(at) && ((tight(at + 1) && is_half(at + 2)) || (at >= 2 && tight(at - 1) && is_half(at - 2)))
}

/// Whether a unit or a currency stands behind the token `last`: "1000 people", "12 %".
pub(super) fn has_unit(page: &Page, last: usize) -> bool {
    let percent = matches!(page.word(last + 2), Some("cent" | "ciento" | "cento" | "mille" | "mil"));
    let word = page.word(last + 1);
    let named = word.is_some_and(is_unit) || (percent && matches!(word, Some("per" | "pour" | "por")));
    let sign = |at: usize| is_currency(page, at) || matches!(page.tokens[at].form, Form::Mark('%' | '°'));
    page.together(last, last + 1) && (sign(last + 1) || named)
}

/// Whether a currency stands before the token `first`. A `#` is no evidence: "phone # 2125550199".
pub(super) fn is_priced(page: &Page, first: usize) -> bool {
    first.checked_sub(1).is_some_and(|before| page.together(first, before) && is_currency(page, before))
}

fn is_currency(page: &Page, at: usize) -> bool {
    matches!(page.tokens[at].form, Form::Mark('$' | '€' | '£' | '¥'))
}

fn is_unit(key: &str) -> bool {
    matches!(
        key,
        "dollars"
            | "dollar"
            | "bucks"
            | "cents"
            | "euro"
            | "euros"
            | "pounds"
            | "quid"
            | "pence"
            | "percent"
            | "million"
            | "millions"
            | "billion"
            | "people"
            | "users"
            | "years"
            | "days"
            | "hours"
            | "minutes"
            | "seconds"
            | "weeks"
            | "months"
            | "units"
            | "pieces"
            | "boxes"
            | "miles"
            | "kilometers"
            | "kilometres"
            | "meters"
            | "metres"
            | "kilos"
            | "grams"
            | "feet"
            | "inches"
            | "square"
            | "degrees"
            | "points"
            | "times"
            | "lines"
            | "rows"
            | "records"
            | "inhabitants"
            | "residents"
            | "francs"
            | "prozent"
            | "millionen"
            | "leute"
            | "menschen"
            | "einwohner"
            | "jahre"
            | "tage"
            | "stunden"
            | "minuten"
            | "sekunden"
            | "wochen"
            | "stuck"
            | "kilometer"
            | "meter"
            | "kilo"
            | "gramm"
            | "franken"
            | "grad"
            | "uhr"
            | "zeilen"
            | "ans"
            | "jours"
            | "heures"
            | "secondes"
            | "semaines"
            | "mois"
            | "personnes"
            | "habitants"
            | "lignes"
            | "personas"
            | "habitantes"
            | "anos"
            | "dias"
            | "horas"
            | "minutos"
            | "segundos"
            | "semanas"
            | "meses"
            | "unidades"
            | "piezas"
            | "kilometros"
            | "metros"
            | "pesos"
            | "reais"
            | "pessoas"
            | "pecas"
            | "quilometros"
            | "quilos"
            | "mil"
            | "milhoes"
            | "millones"
            | "milliards"
            | "centimos"
            | "centavos"
            | "am"
            | "pm"
            | "lineas"
            | "linhas"
            | "kwh"
            | "kilowatt"
            | "views"
            | "steps"
            | "calories"
    )
}
