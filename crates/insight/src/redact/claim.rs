//! What the detectors claim, and who wins where two claim the same. Its one invariant: the claims that are carried out do not overlap,
//! and cover everything that any of them covered.

use super::item::{self, Item};
use super::run::{self, Run};
use super::token::Page;
use super::{Kind, Policy, address, birth, card, email, iban, name, national, phone};

/// Tokens of one segment that are to be taken out.
#[derive(Clone, Copy)]
pub(super) struct Claim {
    pub(super) kind: Kind,
    pub(super) first: usize,
    pub(super) last: usize,
}

impl Claim {
    /// Claims on the tokens `first..=last`, one for each segment.
    pub(super) fn over(page: &Page, kind: Kind, first: usize, last: usize) -> Vec<Self> {
        let segments = page.tokens[first..=last].chunk_by(|a, b| a.segment == b.segment);
        let mut start = first;
        let claim = segments.map(|tokens| {
            let claim = Self { kind, first: start, last: start + tokens.len() - 1 };
            start += tokens.len();
            claim
        });
        claim.collect()
    }

    /// Claims on the numbers of a run, one for each segment that has some of them; what others say in between stays.
    pub(super) fn of_run(page: &Page, items: &[Item], kind: Kind, run: Run) -> Vec<Self> {
        let segments = run.items(items).chunk_by(|a, b| page.tokens[a.last].segment == page.tokens[b.first].segment);
        let ends = segments.filter_map(|items| Some((items.first()?.first, items.last()?.last)));
        ends.flat_map(|(first, last)| Self::over(page, kind, with_signs(page, first), last)).collect()
    }
}

/// The first token of a number with the plus or the bracket in front of it.
fn with_signs(page: &Page, first: usize) -> usize {
    let mut first = first;
    while let Some(before) = first.checked_sub(1).filter(|before| page.together(first, *before)) {
        let token = &page.tokens[before];
        let sign = token.is_mark('+') || (token.is_mark('(') && page.tokens[first].glued);
        if !(sign || matches!(token.key.as_str(), "plus" | "mas" | "mais")) {
            break;
        }
        first = before;
    }
    first
}

/// Everything on a page that `policy` takes out, in the order of the text.
pub(super) fn claims(page: &Page, policy: &Policy) -> Vec<Claim> {
    let items = item::items(page);
    let runs = run::runs(page, &items);
    // What is taken out for its form or check digit is not taken for a telephone number as well. What the policy leaves protects no
    // number: one in ten has the check digit of a card.
    let special: [Vec<Claim>; 3] =
        [iban::find(page, &items), national::find(page, &items, &runs), card::find(page, &items, &runs)];
    let special: Vec<Claim> = special.into_iter().flatten().filter(|claim| policy.takes_out(claim.kind)).collect();
    let mut taken = vec![false; page.tokens.len()];
    for claim in &special {
        taken[claim.first..=claim.last].fill(true);
    }
    let phones = phone::find(page, &items, &runs).into_iter().filter(|run| {
        let (first, last) = run.tokens(&items);
        !(taken[first] && taken[last])
    });
    let phones = phones.flat_map(|run| Claim::of_run(page, &items, Kind::PhoneNumber, run));
    let mut claims: Vec<Claim> = special.into_iter().chain(phones).collect();
    if policy.takes_out(Kind::DateOfBirth) {
        claims.extend(birth::find(page, &items));
    }
    if policy.takes_out(Kind::EmailAddress) {
        claims.extend(email::find(page, &items));
    }
    if policy.takes_out(Kind::StreetAddress) {
        claims.extend(address::find(page, &items));
    }
    if policy.takes_out(Kind::PersonName) {
        claims.extend(name::find(page, policy));
    }
    claims.retain(|claim| policy.takes_out(claim.kind));
    merged(claims)
}

/// Overlapping claims as one, of the kind that covers most.
fn merged(mut claims: Vec<Claim>) -> Vec<Claim> {
    claims.sort_by_key(|claim| (claim.first, std::cmp::Reverse(claim.last)));
    let mut merged: Vec<Claim> = Vec::with_capacity(claims.len());
    for claim in claims {
        match merged.last_mut() {
            Some(before) if claim.first <= before.last => {
                if claim.last - claim.first > before.last - before.first {
                    before.kind = claim.kind;
                }
                before.last = before.last.max(claim.last);
            }
            _ => merged.push(claim),
        }
    }
    merged
}
