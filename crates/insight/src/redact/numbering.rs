//! What libphonenumber knows: the numbering plans of all countries. Its one invariant: a region counts only where somebody who speaks the
//! language of the call is likely to be, so that chance does not find a number in any digits.

use phonenumber::country::Id;

use super::Policy;
use super::numeral::Language;
use super::phone::INTERNATIONAL;

/// Digits from which a number with a leading zero is one: trunk prefix, area and subscriber.
const TRUNK: std::ops::RangeInclusive<usize> = 9..=15;

/// Whether libphonenumber takes `digits` for a number of a likely region.
pub(super) fn is_number(digits: &str, languages: &[Language], policy: &Policy) -> bool {
    if digits.len() > *INTERNATIONAL.end() + 2 {
        return false;
    }
    let international = digits.strip_prefix("00").or_else(|| digits.strip_prefix("011"));
    if international.is_some_and(|rest| is_valid(None, &format!("+{rest}"))) {
        return true;
    }
    if digits.starts_with('0') && TRUNK.contains(&digits.len()) {
        return true;
    }
    let by_language = languages.iter().flat_map(|language| regions(*language));
    let mut regions = policy.regions.iter().map(|region| region.0).chain(by_language.copied());
    regions.any(|region| !has_trunk_prefix(region) && is_valid(Some(region), digits))
}

fn is_valid(region: Option<Id>, digits: &str) -> bool {
    phonenumber::parse(region, digits).is_ok_and(|number| number.is_valid())
}

/// Where most speakers of a language live whose numbers are at risk of being taken for something else.
fn regions(language: Language) -> &'static [Id] {
    match language {
        Language::En => &[Id::US, Id::GB],
        Language::De => &[Id::DE, Id::AT, Id::CH],
        Language::Fr => &[Id::FR, Id::BE, Id::CA],
        Language::Es => &[Id::ES, Id::MX],
        Language::Pt => &[Id::PT, Id::BR],
    }
}

/// Regions in which a number begins with 0 wherever it is written in the national way, so that digits without it are none.
fn has_trunk_prefix(region: Id) -> bool {
    matches!(region, Id::GB | Id::DE | Id::AT | Id::CH | Id::FR | Id::BE | Id::NL | Id::IE | Id::AU | Id::SE)
}
