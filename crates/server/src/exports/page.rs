//! `index.html` and `README.txt` of an archive. Its one invariant: whatever stands in a text is shown as text: everything is escaped, links
//! lead to files of the archive alone, and the page's policy lets no script run and nothing be loaded.

use std::fmt::Write as _;

use api::calls::CallDetail;
use serde_json::Value;

use super::{Kind, calls::Links};

/// No scripts, nothing from anywhere, and its own style.
const HEAD: &str = r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid #ccc }
td { overflow-wrap: anywhere }
</style>
"#;

/// What ends the page, behind the rows of calls.
pub(super) const END: &str = "</table>\n</body></html>\n";

/// What the files hold.
const README: &str = "Everything that this service stores about you, or about whom its owner asked for.

Open index.html in a browser; it needs no network. The JSON files (RFC 8259, UTF-8) hold the same and more, for programs. Times are in UTC
(RFC 3339); ids are UUIDs; a field without a value is left out or null. What is not stored is not here: numbers that were taken out of
transcripts are kept nowhere, and recordings are removed when their transcript is made, unless the tenant keeps them. A call that was deleted
while this archive was made is not in it.

profile.json      userId, email, displayName, tenantId, tenantName, role (OWNER, ADMIN, MEMBER), memberSince
memberships.json  every tenant that has you: tenantId, role; ask for the data there in the same way
consents.json     every consent: kind, version, givenAt, withdrawnAt
voice-profile.json  of your voice profile, if you have one: voiceProfileId, createdAt, provider, model, consentVersion; what it holds is
                  readable by its model alone, and compared with your calls by nobody else
sessions.json     where you are signed in: sessionId, tenantId, createdAt, lastUsedAt, expiresAt
api-keys.json     keys you made, without their secrets: apiKeyId, name, scopes, createdAt, usedAt, expiresAt, revokedAt
uploads.json      recordings that have not arrived whole: uploadId, said (what you said of it), bytes, receivedBytes, createdAt, expiresAt
exports.json      exports you asked for: exportId, kind, createdAt, expiresAt
audit.json        what you did and what was done about you: sequence, at, action, actorId, subjectId, byUser

These are there for a user, not for a data subject.

contacts.json     your address book, or the contacts that have the data subject's number or name: contactId, name, phoneNumbers, email,
                  organization, notes, createdAt, updatedAt

Each call has a folder, calls/ID/:

call.json            callId, title, contactName, phoneNumber, organization, summary, notes, direction, status, language, channels,
                     durationSeconds, recordedAt, createdAt, updatedAt, legalHold (true: kept for a legal reason), recognition (what was
                     asked of it), metrics (how much, how fast and in which mood each party spoke), events (how it was
                     processed: stage, outcome, at)
transcript.txt       what was said, to read
transcript.json      the same with speakers, segments, words and times, with the corrections that people made
redactions.json      what was taken out of the transcript: kind, segmentId, word (its place in the segment), startMs and endMs (when it was
                     said), silentFromMs and silentToMs (what is silent of the recording because of it)
recording.wav        the recording, where the tenant keeps it, as it is played: silent where something was taken out. The one that was
                     uploaded is at GET /api/calls/ID/audio?redacted=false, for whose call it is and who manages the tenant
raw-transcript.json  as it was recognised; only where nobody has corrected it, or a legal hold keeps what it said before
diarization.json     who spoke when
analysis.json        what was found in it, where it was analysed
phone-endings.json   the last four digits of telephone numbers that were said, by segment
action-items.json    what follows from it: actionItemId, title, description, owner, dueDate, priority, status, source (AI: found, MANUAL: added
                     by hand), intent, intentMetadata, sourceSegmentIds, createdAt, updatedAt
";

/// The text of `README.txt`.
pub(super) fn readme() -> Vec<u8> {
    README.as_bytes().to_vec()
}

/// The part of the page before its calls.
pub(super) struct Page(String);

impl Page {
    /// A page with its heading.
    pub(super) fn new(kind: Kind) -> Self {
        let title = match kind {
            Kind::User => "Your data",
            Kind::Subject => "Calls with a data subject",
        };
        let about = "README.txt says what the files hold.";
        Self(format!("{HEAD}<title>{title}</title></head><body>\n<h1>{title}</h1>\n<p>{about}</p>\n"))
    }

    /// A class of data: a table for an object, one of rows for a list.
    pub(super) fn section(&mut self, title: &str, file: &str, value: &Value) {
        let page = &mut self.0;
        // Writing to a String cannot fail.
        let _ = write!(page, "<h2>{}</h2>\n<p><a href=\"{file}\">{file}</a></p>\n<table>", escaped(title));
        match value {
            Value::Array(rows) => {
                let heads = rows.first().and_then(Value::as_object);
                for name in heads.into_iter().flat_map(|row| row.keys()) {
                    let _ = write!(page, "<th>{}</th>", escaped(name));
                }
                for row in rows {
                    let cells = row.as_object().into_iter().flat_map(|row| row.values());
                    let cells: String = cells.map(|cell| format!("<td>{}</td>", escaped(&shown(cell)))).collect();
                    let _ = write!(page, "<tr>{cells}</tr>");
                }
            }
            _ => {
                for (name, cell) in value.as_object().into_iter().flatten() {
                    let _ = write!(page, "<tr><th>{}</th><td>{}</td></tr>", escaped(name), escaped(&shown(cell)));
                }
            }
        }
        page.push_str("</table>\n");
    }

    /// The whole, with the head of the table of calls.
    pub(super) fn before_calls(mut self) -> String {
        self.0.push_str(
            "<h2>Calls</h2>\n<table><tr><th>When</th><th>Title</th><th>With</th><th>Status</th><th>Files</th></tr>\n",
        );
        self.0
    }
}

/// A row of the table of calls.
pub(super) fn call(page: &mut String, detail: &CallDetail, links: Links) {
    let call = &detail.call;
    let with: Vec<&str> = [&call.contact_name, &detail.phone_number, &detail.organization]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect();
    let folder = format!("calls/{}", call.call_id);
    let files = [
        (links.transcript, "transcript.txt", "transcript"),
        (links.recording, "recording.wav", "recording"),
        (links.redactions, "redactions.json", "what was taken out"),
        (true, "call.json", "data"),
    ];
    let files = files.iter().filter(|(is_there, ..)| *is_there);
    let files: Vec<String> = files.map(|(_, name, title)| format!("<a href=\"{folder}/{name}\">{title}</a>")).collect();
    // Writing to a String cannot fail.
    let _ = writeln!(
        page,
        "<tr><td>{}</td><td>{}</td><td>{}</td><td>{:?}</td><td>{}</td></tr>",
        call.created_at.format("%Y-%m-%d %H:%M"),
        escaped(call.title.as_deref().unwrap_or_default()),
        escaped(&with.join(", ")),
        call.status,
        files.join(" "),
    );
}

/// A value in a cell.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A text for HTML, in elements and in quoted attributes.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // Marks that turn the direction of what follows, and what no text holds.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            control if control.is_control() && !"\n\t".contains(control) => {}
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_text_is_never_markup() {
        let mut page = Page::new(Kind::User);
        let hostile = "<script>alert(1)</script>\"'><img src=x onerror=y>&\u{202e}\0";
        page.section(hostile, "a.json", &json!([{ hostile: hostile, "list": [hostile] }]));
        page.section("b", "b.json", &json!({ hostile: hostile }));
        let html = page.before_calls();
        assert!(
            !html.contains("<script") && !html.contains("<img") && !html.contains('\u{202e}') && !html.contains('\0')
        );
        assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&gt;&lt;img"));
    }
}
