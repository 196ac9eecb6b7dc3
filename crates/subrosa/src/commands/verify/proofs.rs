//! What the database, the store and the API say about rules that no search proves. Its one invariant: an answer is a fact that was asked
//! for, and nothing is concluded from silence.

use std::time::Duration;

use server::{
    app::App,
    db::Locked,
    vault::blobs::Blobs,
    verify::database::{self, Ages, Uncontexted},
    worker::sweep::MAX_TTL,
};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{
    VerifyError,
    media::ANOTHER_STORE,
    report::{Report, Rule},
    tenant::Tenant,
    visit::{LOOK, Stranger, Visit},
};

/// By how much what is enforced every minute may be late: a round of upkeep that took longer, and one that failed.
const LATE: Duration = Duration::from_secs(10 * 60);

/// How long processing events are kept (H14).
const EVENTS: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// H3 and H6: what the database would let happen.
pub(super) async fn database(report: &mut Report, locked: &Locked) -> Result<(), VerifyError> {
    let taken = database::taken(locked).await?;
    let taken: Vec<_> = taken.into_iter().map(|what| format!("it takes {what}")).collect();
    report.none_of(
        Rule::H3,
        "the domain of content columns, offered plaintext, AES-128, no integrity, nothing",
        &taken,
    );
    let violations = database::catalogue(locked).await?;
    let rules = database::CATALOGUE_RULES.matches(" problem,").count()
        + database::CATALOGUE_RULES.matches("union all select '").count();
    report.none_of(Rule::H6, format!("the catalogue, by {rules} rules"), &violations);
    let Uncontexted { tables, open, takes_forgery } = database::without_context(locked).await?;
    let open: Vec<_> = open.into_iter().map(|table| format!("{table} gives a row")).collect();
    report.none_of(Rule::H6, format!("{tables} tables, asked for a row without a context"), &open);
    report.is(
        Rule::H6,
        "a context with a made-up signature",
        !takes_forgery,
        if takes_forgery { "TAKEN" } else { "refused" },
    );
    Ok(())
}

/// H2, H13 and H14: how old the oldest things are. By the clock of the database.
pub(super) async fn clocks(report: &mut Report, app: &App) -> Result<(), VerifyError> {
    let ages = database::ages(&app.database, LATE, app.clock.now()).await?;
    let Ages { recording, retention, deletion, event, logs } = ages;
    let ttl = app.operation.config.worker.audio_ttl;
    let said = |age: Duration| humantime::format_duration(Duration::from_secs(age.as_secs())).to_string();
    report.is(Rule::H2, format!("worker.audio_ttl, {}", said(ttl)), ttl <= MAX_TTL, "at most a day");
    let looked = "recordings of all tenants, by the clock of the database";
    report.is(Rule::H2, looked, recording <= ttl + LATE, format!("the oldest is {} old", said(recording)));
    let looked = "calls of all tenants, by the clock of the database";
    let late = format!("the most overdue by {}", said(retention));
    report.is(
        Rule::H14,
        looked,
        retention <= LATE,
        if retention.is_zero() { "none is overdue".to_owned() } else { late },
    );
    let looked = "processing events of all tenants, by the clock of the database";
    report.is(Rule::H14, looked, event <= EVENTS + LATE, format!("the oldest is {} old", said(event)));
    let looked = "audit events of all tenants, six years after what they speak of";
    let late = if logs == 0 { "none is overdue".to_owned() } else { format!("overdue in {logs} logs") };
    report.is(Rule::H14, looked, logs == 0, late);
    let looked = "deletions of all tenants whose bytes are still there";
    report.is(Rule::H13, looked, deletion <= MAX_TTL, format!("the oldest is {} old", said(deletion)));
    Ok(())
}

/// H6 and H11: what is given to those who have nothing to ask for.
pub(super) async fn strangers(report: &mut Report, visit: &mut Visit<'_>, can_ask: bool) -> Result<(), VerifyError> {
    let wrong = visit.ask_as(Stranger::Nobody).await?;
    report.none_of(Rule::H11, "every operation that is not for anybody, asked without a token", &wrong);
    let looked = "every operation, asked by another tenant without a body";
    if can_ask {
        report.none_of(Rule::H6, looked, &visit.ask_as(Stranger::Tenant).await?);
    } else {
        report.unproven(Rule::H6, looked, "it cannot sign in");
    }
    Ok(())
}

/// H6: what another tenant was given of what was there, asked as its owner asked next.
pub(super) fn others(report: &mut Report, visit: &Visit<'_>) {
    let (named, missing) = visit.not_kept();
    let looked =
        format!("{named} operations that name something, asked by another tenant before its owner asked the same");
    match missing.is_empty() || !visit.given_away.is_empty() {
        true => report.none_of(Rule::H6, looked, &visit.given_away),
        false => report.unproven(Rule::H6, looked, format!("not seen for what was there: {}", missing.join(", "))),
    }
}

/// H8: that nothing was left out before the log is searched.
pub(super) fn coverage(report: &mut Report, visit: &Visit<'_>) {
    let (all, (unused, unrefused)) = (visit.operations().len(), visit.missing());
    let off: Vec<_> =
        visit.off.iter().map(|operation| format!(", without {operation}, which is off or asks for a person")).collect();
    let looked = format!("{all} operations of the service{}, {} requests", off.concat(), visit.requests);
    let mut lacking = Vec::new();
    for (what, operations) in [("not seen to succeed", unused), ("not seen to refuse", unrefused)] {
        if !operations.is_empty() {
            lacking.push(format!("{what}: {}", operations.join(", ")));
        }
    }
    lacking.extend(visit.unsuccessful.iter().cloned());
    match lacking.is_empty() {
        true => report.held(Rule::H8, looked, "each with success and with failure"),
        false => report.unproven(Rule::H8, looked, lacking.join("; ")),
    }
}

/// H3: that there was something to find, sealed.
pub(super) async fn sealed(report: &mut Report, app: &App, tenant: &Tenant) -> Result<(), VerifyError> {
    let columns = database::sealed_columns(&app.database, tenant.id).await?;
    let (all, filled) = (columns.len(), columns.iter().filter(|column| column.sealed > 0).count());
    let values: i64 = columns.iter().map(|column| column.sealed).sum();
    let looked = format!("{all} columns of content, {filled} of which hold canaries");
    let other = columns.iter().filter(|column| column.other > 0);
    let other: Vec<_> = other.map(|at| format!("{} values of {} are something else", at.other, at.column)).collect();
    match values {
        0 if other.is_empty() => report.unproven(Rule::H3, looked, "there is nothing in them"),
        _ if other.is_empty() => {
            report.held(Rule::H3, looked, format!("{values} values, each an OpenPGP packet under AES-256"));
        }
        _ => report.none_of(Rule::H3, looked, &other),
    }
    Ok(())
}

/// Waits until the pipeline has ended; gives how.
pub(super) async fn end_of_pipeline(visit: &mut Visit<'_>, patience: Duration) -> Result<Option<String>, VerifyError> {
    let deadline = Instant::now() + patience;
    loop {
        let (status, reason) = visit.state().await?;
        match status.as_str() {
            "COMPLETED" => return Ok(Some(status)),
            "FAILED" => return Ok(Some(format!("{status} ({reason})"))),
            _ if Instant::now() > deadline => return Ok(None),
            _ => sleep(LOOK).await,
        }
    }
}

/// H2: the recording goes when the pipeline ends.
pub(super) async fn recording_is_gone(
    report: &mut Report,
    store: Option<&Blobs>,
    (tenant, call): (&Tenant, Uuid),
    (end, patience): (Option<String>, Duration),
) -> Result<(), VerifyError> {
    let Some(end) = end else {
        let why =
            format!("the pipeline did not end within {}: is a worker there?", humantime::format_duration(patience));
        report.unproven(Rule::H2, "the recording of the canary call after the pipeline", why);
        return Ok(());
    };
    let looked = format!("the recording of the canary call after the pipeline, which ended {end}");
    let Some(store) = store else {
        report.unproven(Rule::H2, looked, ANOTHER_STORE);
        return Ok(());
    };
    let left = bytes_left(store, tenant, call, patience).await?;
    report.is(Rule::H2, looked, left == 0, format!("{left} parts of it in the object store"));
    Ok(())
}

/// H13: after the answer nothing is left that opens.
pub(super) async fn deletion(
    report: &mut Report,
    (app, store): (&App, Option<&Blobs>),
    (tenant, call): (&Tenant, Uuid),
    (visit, patience): (&mut Visit<'_>, Duration),
) -> Result<(), VerifyError> {
    let receipt = visit.id("receiptId").map(|id| id.to_string());
    let has_receipt = receipt.is_some();
    report.is(
        Rule::H13,
        "the canary call, deleted by the API",
        has_receipt,
        receipt.unwrap_or("no receipt".to_owned()),
    );
    let looked = "the canary call, asked for again";
    match visit.call().await?.status {
        404 => report.held(Rule::H13, looked, "not found"),
        200..300 => report.is(Rule::H13, looked, false, "STILL THERE"),
        status => report.unproven(Rule::H13, looked, format!("answers {status}")),
    }
    let rows = database::rows_of_call(&app.database, tenant.id, call).await?;
    let rows: Vec<_> = rows.into_iter().map(|(table, rows)| format!("{rows} rows in {table}")).collect();
    report.none_of(Rule::H13, "every table with rows about a call", &rows);
    let has_key = database::has_key(&app.database, &app.vault, tenant.id, call).await?;
    let said = if has_key { "STILL THERE" } else { "destroyed: no copy of its content opens" };
    report.is(Rule::H13, "the key of the canary call", !has_key, said);
    let looked = "bytes of the canary call in the object store";
    let Some(store) = store else {
        report.unproven(Rule::H13, looked, ANOTHER_STORE);
        return Ok(());
    };
    match bytes_left(store, tenant, call, patience).await? {
        0 => report.held(Rule::H13, looked, "none"),
        left => {
            let said = format!("{left} parts are left; they do not open, and have a day to go");
            report.unproven(Rule::H13, looked, said);
        }
    }
    Ok(())
}

/// Waits until no bytes of a call are left; gives how many parts are.
async fn bytes_left(store: &Blobs, tenant: &Tenant, call: Uuid, patience: Duration) -> Result<usize, VerifyError> {
    let deadline = Instant::now() + patience;
    loop {
        let left = store.parts_of_record(tenant.id, call).await?;
        if left == 0 || Instant::now() > deadline {
            return Ok(left);
        }
        sleep(LOOK).await;
    }
}
