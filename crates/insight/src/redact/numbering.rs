//! What libphonenumber knows: the numbering plans of all countries. Its one invariant: a region counts only where somebody who speaks the
//! language of the call is likely to be, so that chance does not find a number in any digits.

use std::sync::LazyLock;

use phonenumber::country::Id;
use phonenumber::metadata::{DATABASE, Database};

use super::numeral::Language;
use super::phone::INTERNATIONAL;

/// Digits from which a number with a leading zero is one: trunk prefix, area and subscriber.
const TRUNK: std::ops::RangeInclusive<usize> = 9..=15;

/// Whether libphonenumber takes `digits` for a number of a likely region.
pub(super) fn is_number(digits: &str, languages: &[Language]) -> bool {
    if digits.len() > *INTERNATIONAL.end() + 2 {
        return false;
    }
    let international = digits.strip_prefix("00").or_else(|| digits.strip_prefix("011"));
    if international
        .is_some_and(|rest| phonenumber::parse(None, format!("+{rest}")).is_ok_and(|number| number.is_valid()))
    {
        return true;
    }
    if digits.starts_with('0') && TRUNK.contains(&digits.len()) {
        return true;
    }
    languages.iter().flat_map(|language| regions(*language)).any(|region| is_of(*region, digits))
}

/// Whether `digits` are a number of `region`, as people there write it. Where that begins with a 0, digits without it are none.
///
/// The numbering plan is asked directly: `PhoneNumber::is_valid` asks those of all 25 regions that share a country code.
fn is_of(region: Id, digits: &str) -> bool {
    let Some(plan) = PLANS.by_id(region.as_ref()) else { return false };
    // Brazil dials a 0 and a carrier, and writes neither.
    if plan.national_prefix() == Some("0") && region != Id::BR {
        return false;
    }
    let without_prefix = plan.national_prefix().and_then(|prefix| digits.strip_prefix(prefix));
    let descriptors = plan.descriptors();
    let is_in = |digits: &str| {
        let kinds = [
            descriptors.fixed_line(),
            descriptors.mobile(),
            descriptors.toll_free(),
            descriptors.premium_rate(),
            descriptors.shared_cost(),
            descriptors.personal_number(),
            descriptors.voip(),
            descriptors.uan(),
        ];
        descriptors.general().is_match(digits) && kinds.into_iter().flatten().any(|kind| kind.is_match(digits))
    };
    is_in(digits) || without_prefix.is_some_and(is_in)
}

/// Compiled patterns that are kept: those of the regions below. With the library's hundred each number
/// would compile some of them anew.
const PATTERNS: usize = 400;

static PLANS: LazyLock<&'static Database> = LazyLock::new(|| {
    if let Ok(mut patterns) = DATABASE.cache().lock() {
        patterns.set_capacity(PATTERNS);
    }
    &DATABASE
});

/// Where most speakers of a language live whose numbers do not begin with a 0.
fn regions(language: Language) -> &'static [Id] {
    match language {
        Language::En => &[Id::US, Id::CA],
        Language::De => &[],
        Language::Fr => &[Id::CA],
        Language::Es => &[Id::ES, Id::MX],
        Language::Pt => &[Id::PT, Id::BR],
    }
}
