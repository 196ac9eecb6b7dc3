//! What the service has against what it acknowledged.

use std::collections::BTreeMap;

use api::calls::{CallStatus, StageOutcome};

use crate::{client::Client, fleet::Brought};

/// Asserts that each recording that was acknowledged is one call, that no other call is there, and that each came to one end: with one
/// transcript, or with a reason why there is none. Says how many of each.
pub(crate) async fn check(client: &mut Client, brought: &[Brought]) -> String {
    let listed = client.calls().await.unwrap();
    let titles: BTreeMap<_, _> = listed.iter().map(|call| (call.title.as_deref().unwrap(), call)).collect();
    assert_eq!(titles.len(), listed.len(), "a recording became two calls");
    assert_eq!(listed.len(), brought.len(), "a call was lost, or is one too many");
    let mut failures: BTreeMap<String, usize> = BTreeMap::new();
    for Brought { title, call, end } in brought {
        let listed = titles.get(title.as_str()).unwrap_or_else(|| panic!("{title} is lost"));
        assert_eq!((listed.call_id, listed.status), (*call, *end), "{title}");
        let events = client.events(*call).await.unwrap();
        let ends = events.iter().filter(|event| event.stage == "INDEXED").count();
        let transcripts = events.iter().filter(|event| {
            (event.stage.as_str(), event.outcome) == ("TRANSCRIPT_NORMALIZED", StageOutcome::Completed)
        });
        let (transcripts, is_complete) = (transcripts.count(), *end == CallStatus::Completed);
        assert_eq!(ends, usize::from(is_complete), "{title}: {events:?}");
        assert!(transcripts <= 1, "{title}: {events:?}");
        let transcript = client.get(&format!("/api/calls/{call}/transcript?format=txt")).await;
        assert_eq!((transcript.is_ok(), transcripts == 1), (is_complete, is_complete), "{title}: {events:?}");
        if !is_complete {
            let reason = client.detail(*call).await.unwrap().error_reason.expect("a failed call says why");
            *failures.entry(reason).or_default() += 1;
        }
    }
    let failed: usize = failures.values().sum();
    format!("{} calls: {} completed, {failed} failed {failures:?}", brought.len(), brought.len() - failed)
}
