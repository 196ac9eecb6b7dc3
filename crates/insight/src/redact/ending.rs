//! The last four digits of telephone numbers before they are taken out: as much as an action item may keep of them (H7). Its one
//! invariant: what it gives has four digits, of a number of seven and more.

use std::collections::BTreeMap;

use speech::transcript::Transcript;

use super::claim;
use super::item;
use super::label::last_four;
use super::token::Page;
use super::{Kind, Policy};

/// The last four digits of the telephone number that each segment of a transcript holds, by the segment's id. `transcript` is one that was not
/// redacted yet. A segment with several numbers, or with a part of one, has none here.
#[must_use]
pub fn phone_endings(transcript: &Transcript, policy: &Policy) -> BTreeMap<String, String> {
    let page = Page::of(transcript);
    let items = item::items(&page);
    let mut endings: BTreeMap<usize, Vec<Option<String>>> = BTreeMap::new();
    for claim in claim::claims(&page, policy).into_iter().filter(|claim| claim.kind == Kind::PhoneNumber) {
        let within = items.iter().filter(|item| item.first >= claim.first && item.last <= claim.last);
        let digits: String = within.map(|item| item.digits.as_str()).collect();
        endings.entry(page.tokens[claim.first].segment).or_default().push(last_four(&digits));
    }
    let one = endings.into_iter().filter_map(|(segment, endings)| match &endings[..] {
        [Some(ending)] => Some((transcript.segments[segment].id.clone(), ending.clone())),
        _ => None,
    });
    one.collect()
}
