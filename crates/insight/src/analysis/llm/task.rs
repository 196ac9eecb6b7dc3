//! Action items of a model. Its one invariant: an owner is a speaker of the call, a day is one that this program reads in the cited words, and
//! nothing is an address or a number.

use std::collections::BTreeSet;

use chrono::{DateTime, FixedOffset, NaiveDate};

use super::{
    HEADER, TEXT, TITLE,
    claims::{Cited, Claims},
};
use crate::analysis::{
    task::document::{ActionItem, Attendee, Intent, IntentMetadata, Owner},
    when::Mention,
};

/// People of a meeting.
const ATTENDEES: usize = 12;

/// Minutes of the longest meeting.
const LONGEST: u32 = 24 * 60;

impl Claims<'_, '_> {
    pub(super) fn action_item(&self, one: ActionItem) -> Option<ActionItem> {
        let cited = self.cited(&one.source_segment_ids)?;
        let due = one.due_date.and_then(|day| self.due(day, &cited));
        Some(ActionItem {
            title: self.ground.text(&one.title, TITLE, &cited.held)?,
            description: one.description.and_then(|text| self.ground.text(&text, TEXT, &cited.held)),
            owner: one.owner.and_then(|owner| self.known(&owner.speaker_id, &cited)),
            due_date: due,
            priority: one.priority,
            intent: one.intent,
            intent_metadata: self.metadata(one.intent_metadata, (one.intent, due), &cited),
            source_segment_ids: cited.ids,
        })
    }

    /// The speaker of that id, as the transcript calls them.
    fn known(&self, id: &str, cited: &Cited) -> Option<Owner> {
        let id = self.owner(id, cited)?;
        let speaker = self.ground.transcript.speakers.iter().find(|speaker| speaker.speaker_id == id)?;
        Some(Owner {
            speaker_id: id,
            label: speaker.label.clone(),
            display_name: speaker.display_name.clone(),
            role: speaker.role,
        })
    }

    /// The day that a model gives where the cited words say it; the only day that is to come in them where they say another: models count
    /// days badly.
    pub(super) fn due(&self, day: NaiveDate, cited: &Cited) -> Option<NaiveDate> {
        let ahead = |date: &NaiveDate| self.facts.recorded_at.is_none_or(|at| *date >= at.date_naive());
        let days: BTreeSet<NaiveDate> =
            self.mentions(cited).iter().filter_map(|(_, one)| one.date).filter(ahead).collect();
        match (days.contains(&day), days.len()) {
            (true, _) => Some(day),
            (false, 1) => days.first().copied(),
            _ => None,
        }
    }

    /// The days of the cited segments, with their words in small letters.
    pub(super) fn mentions(&self, cited: &Cited) -> Vec<(String, Mention)> {
        let sentences = self.sentences.iter().filter(|sentence| cited.at.contains(&sentence.segment));
        let mentions = sentences.flat_map(|sentence| {
            let words = |one: &Mention| sentence.quote(one.first, one.end).to_lowercase();
            self.ground.reader.mentions(sentence).into_iter().map(move |one| (words(&one), one))
        });
        mentions.collect()
    }

    fn metadata(
        &self,
        one: IntentMetadata,
        (intent, due): (Intent, Option<NaiveDate>),
        cited: &Cited,
    ) -> IntentMetadata {
        let text = |raw: Option<String>, most| self.ground.text(&raw?, most, &cited.held);
        let name = |raw: Option<String>| {
            let raw = raw?;
            let near: Vec<usize> = cited.at.iter().flat_map(|at| at.saturating_sub(1)..=at + 1).collect();
            self.ground.quote(&raw, HEADER, &near).or_else(|| self.speaker_name(&raw))
        };
        let attendees = one.attendees.into_iter().take(ATTENDEES);
        let attendees =
            attendees.filter_map(|attendee| Some(Attendee { name: Some(name(attendee.name)?), email: None }));
        let minutes = one.duration_minutes.filter(|minutes| (1..=LONGEST).contains(minutes));
        let said = |minutes: &u32| {
            let hours = minutes % 60 == 0 && cited.held.numbers.contains(&(minutes / 60).to_string());
            cited.held.numbers.contains(&minutes.to_string()) || hours
        };
        let at = due.and_then(|due| self.time(due, cited));
        let ending = |at: &usize| self.facts.phone_endings.get(&self.ground.transcript.segments[*at].id);
        IntentMetadata {
            provider_hint: name(one.provider_hint),
            attendees: attendees.collect(),
            proposed_at: at.filter(|_| intent != Intent::Reminder),
            remind_at: at.filter(|_| intent == Intent::Reminder),
            phone_ending: cited.at.iter().find_map(ending).filter(|_| intent == Intent::Call).cloned(),
            duration_minutes: minutes.filter(said),
            title: text(one.title, TITLE),
            location: text(one.location, HEADER),
            to_name: name(one.to_name),
            subject: text(one.subject, TITLE),
            body_preview: text(one.body_preview, TEXT),
            contact_name: name(one.contact_name),
            channel: name(one.channel),
            notes: text(one.notes, TEXT),
            ..IntentMetadata::default()
        }
    }

    /// The time that was said with a day.
    fn time(&self, due: NaiveDate, cited: &Cited) -> Option<DateTime<FixedOffset>> {
        let offset = *self.facts.recorded_at?.offset();
        let (_, said) = self.mentions(cited).into_iter().find(|(_, one)| one.date == Some(due))?;
        due.and_time(said.time?).and_local_timezone(offset).single()
    }

    /// `raw` where it is the name of a speaker.
    fn speaker_name(&self, raw: &str) -> Option<String> {
        let names = self.ground.transcript.speakers.iter().filter_map(|speaker| speaker.display_name.as_ref());
        let same = |name: &&String| name.eq_ignore_ascii_case(raw) || name.split(' ').next() == Some(raw);
        names.into_iter().find(same).cloned()
    }
}
