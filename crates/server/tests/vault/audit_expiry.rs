//! Audit events end after six years, by the clock of the database, and what is left is proved whole.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use server::{
    audit::{self, Action, Event, SignedEvent},
    db::{Reason, Scope},
    deletion::{blobs::SweepError, expiry, mirror, restore, verify},
    vault::{
        blobs::MirrorPlace,
        chain::{Hash, Link as _},
        seal::RecordKind,
    },
};
use sqlx::{AssertSqlSafe, Executor as _, PgConnection};
use uuid::Uuid;

use crate::kit::Installation;

/// Between two events of the past.
const STEP: TimeDelta = TimeDelta::hours(1);

impl Installation {
    /// A log whose events speak of these things, each an hour after the one before, the first at a time by the clock of the database; and
    /// one of today. All copied out of the database.
    async fn log(&self, scope: Scope, began: &str, subjects: &[Uuid]) {
        let mut superuser = self.postgres.superuser().await;
        let began = sqlx::query_scalar(AssertSqlSafe(format!("SELECT date_trunc('second', {began})")));
        let began: DateTime<Utc> = began.fetch_one(&mut superuser).await.unwrap();
        let (mut at, mut previous) = (began, Hash::START);
        for (number, subject) in subjects.iter().enumerate() {
            let mut event = Event {
                tenant: scope.tenant(),
                sequence: i64::try_from(number).unwrap() + 1,
                id: Uuid::now_v7(),
                actor: scope.user(),
                role: 1,
                action: Action::PlayAudio as i16,
                subject_kind: RecordKind::Call as i16,
                subject: *subject,
                at,
                previous,
                hash: Hash::START,
            };
            event.hash = event.computed();
            let insert =
                sqlx::query("INSERT INTO tenant.audit_events VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)");
            let insert =
                insert.bind(event.tenant).bind(event.sequence).bind(event.id).bind(event.actor).bind(event.role);
            let insert = insert.bind(event.action).bind(event.subject_kind).bind(event.subject).bind(event.at);
            insert.bind(&event.previous.0[..]).bind(&event.hash.0[..]).execute(&mut superuser).await.unwrap();
            (at, previous) = (at + STEP, event.hash);
        }
        let head =
            sqlx::query("INSERT INTO tenant.chain_heads (tenant_id, chain, sequence, hash) VALUES ($1, 1, $2, $3)");
        let head = head.bind(scope.tenant()).bind(i64::try_from(subjects.len()).unwrap()).bind(&previous.0[..]);
        head.execute(&mut superuser).await.unwrap();
        self.act(scope).await;
        mirror::catch_up(&self.database, &self.blobs, &self.vault).await.unwrap();
    }

    /// An event of today.
    async fn act(&self, scope: Scope) {
        let mut tx = self.database.write(&scope).await.unwrap();
        audit::record(&mut tx, Action::ChangeTenant, RecordKind::Tenant as i16, scope.tenant()).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn expire(&self) -> u64 {
        self.try_to_expire().await.unwrap()
    }

    async fn try_to_expire(&self) -> Result<u64, SweepError> {
        self.expire_by(Utc::now()).await
    }

    /// By another clock than that of the database.
    async fn expire_by(&self, now: DateTime<Utc>) -> Result<u64, SweepError> {
        expiry::enforce(&self.database, &self.blobs, &self.vault, now).await
    }

    /// Logs that should have been cut so long ago.
    async fn overdue(&self, late: Duration) -> u64 {
        expiry::overdue(&self.database, late, Utc::now()).await.unwrap()
    }

    /// The events that are left in the database, and of which there are copies.
    async fn left(&self, scope: Scope) -> (Vec<i64>, Vec<i64>) {
        let rows =
            sqlx::query_scalar("SELECT sequence FROM tenant.audit_events WHERE tenant_id = $1 ORDER BY sequence");
        let rows = rows.bind(scope.tenant()).fetch_all(&mut self.postgres.superuser().await).await.unwrap();
        (rows, self.blobs.mirrored_after(MirrorPlace::AuditEvent(scope.tenant(), 0)).await.unwrap())
    }

    async fn faults_of_log(&self) -> Vec<String> {
        let keys = self.vault.public_keys();
        let report = verify::audit(&self.database, &self.blobs, keys).await.unwrap();
        report.faults.iter().map(ToString::to_string).collect()
    }

    /// Cuts the logs, and takes that back but for copies; `public.events` and `public.anchors` are what the cut leaves in the database.
    async fn cut_and_take_back(&self) {
        self.tamper("CREATE TABLE public.before AS TABLE tenant.audit_events").await;
        assert!(self.expire().await > 0);
        self.tamper(
            "CREATE TABLE public.events AS TABLE tenant.audit_events; CREATE TABLE public.anchors AS TABLE tenant.audit_anchors;
             TRUNCATE tenant.audit_events, tenant.audit_anchors; INSERT INTO tenant.audit_events SELECT * FROM public.before;",
        )
        .await;
    }

    /// Acts while another server cuts the logs as above: once the act waits for this table.
    async fn while_another_cuts<T>(&self, table: &str, act: impl Future<Output = T>) -> T {
        let cut = "DELETE FROM tenant.audit_events WHERE sequence NOT IN (SELECT sequence FROM public.events);
            INSERT INTO tenant.audit_anchors SELECT * FROM public.anchors;";
        self.while_it_waits_for(table, act, async |other: &mut PgConnection| _ = other.execute(cut).await.unwrap())
            .await
    }

    /// Acts, and does something else once the act waits for this table, in the session that has locked it or beside that.
    async fn while_it_waits_for<T>(
        &self,
        table: &str,
        act: impl Future<Output = T>,
        meanwhile: impl AsyncFnOnce(&mut PgConnection),
    ) -> T {
        let mut other = self.postgres.superuser().await;
        let lock = AssertSqlSafe(format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"));
        other.execute(sqlx::raw_sql(lock)).await.unwrap();
        let meanwhile = async {
            let waits =
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
            let mut observer = self.postgres.superuser().await;
            while sqlx::query_scalar::<_, i64>(waits).fetch_one(&mut observer).await.unwrap() == 0 {}
            meanwhile(&mut other).await;
            other.execute("COMMIT").await.unwrap();
        };
        tokio::join!(act, meanwhile).0
    }

    async fn tamper(&self, statements: &str) {
        let mut superuser = self.postgres.superuser().await;
        superuser.execute(sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))).await.unwrap();
    }
}

fn subjects(count: usize) -> Vec<Uuid> {
    (0..count).map(|_| Uuid::now_v7()).collect()
}

#[tokio::test]
async fn an_audit_event_goes_after_six_years_with_its_copy_and_not_before() {
    let installation = Installation::new().await;
    let (scope, young) = (installation.tenant().await, installation.tenant().await);
    // Two that are over, and two that are not for half an hour.
    installation.log(scope, "now() - interval '6 years' - interval '90 minutes'", &subjects(4)).await;
    installation.log(young, "now() - interval '6 years' + interval '1 hour'", &subjects(2)).await;
    let second = MirrorPlace::AuditEvent(scope.tenant(), 2);
    let copy: SignedEvent = installation.blobs.mirror(second).await.unwrap().unwrap();
    let (hour, day) = (Duration::from_secs(3600), Duration::from_secs(86400));
    assert_eq!((installation.overdue(hour).await, installation.overdue(day).await), (1, 0));
    assert_eq!(installation.expire().await, 2);
    assert_eq!(installation.overdue(Duration::ZERO).await, 0);
    assert_eq!(installation.left(scope).await, (vec![3, 4, 5], vec![3, 4, 5]));
    assert_eq!(installation.faults_of_log().await, [] as [String; 0]);
    // As a program leaves it that dies before all copies are gone.
    installation.blobs.put_mirror(second, &copy).await.unwrap();
    installation.tamper("UPDATE tenant.audit_anchors SET copies_removed = 1").await;
    assert_eq!(installation.faults_of_log().await, [] as [String; 0], "a copy of what is over is no fault");
    assert_eq!(installation.expire().await, 0);
    assert_eq!(installation.left(scope).await, (vec![3, 4, 5], vec![3, 4, 5]));
    assert_eq!(installation.left(young).await, (vec![1, 2, 3], vec![1, 2, 3]));
    installation.act(scope).await;
    mirror::catch_up(&installation.database, &installation.blobs, &installation.vault).await.unwrap();
    assert_eq!(installation.faults_of_log().await, [] as [String; 0]);
    restore::require_current(&installation.database, &installation.blobs).await.unwrap();
}

#[tokio::test]
async fn a_program_whose_clock_is_behind_that_of_the_database_takes_no_event_for_tampered_with() {
    let installation = Installation::new().await;
    let scope = installation.tenant().await;
    installation.log(scope, "now() - interval '6 years' - interval '90 minutes'", &subjects(4)).await;
    assert_eq!(installation.expire_by(Utc::now() - TimeDelta::hours(1)).await.unwrap(), 1);
    assert_eq!(installation.expire_by(Utc::now() + TimeDelta::hours(9)).await.unwrap(), 1);
    assert_eq!(installation.left(scope).await.0, [3, 4, 5]);
}

#[tokio::test]
async fn an_event_that_is_written_and_copied_while_logs_are_followed_is_not_missing() {
    let installation = Installation::new().await;
    let (scope, later) = (installation.tenant().await, installation.tenant().await);
    assert!(scope.tenant() < later.tenant(), "what follows comes back to a log that was read to its end");
    for one in [scope, later] {
        installation.log(one, "now() - interval '1 year'", &subjects(2)).await;
    }
    let written = async |_: &mut PgConnection| {
        installation.act(scope).await;
        mirror::catch_up(&installation.database, &installation.blobs, &installation.vault).await.unwrap();
    };
    let faults = installation.while_it_waits_for("tenant.audit_anchors", installation.faults_of_log(), written).await;
    assert_eq!(faults, [] as [String; 0]);
    assert_eq!(installation.left(scope).await, (vec![1, 2, 3, 4], vec![1, 2, 3, 4]));
}

#[tokio::test]
async fn the_last_event_of_a_log_stays_however_old_it_is() {
    let installation = Installation::new().await;
    let scope = installation.tenant().await;
    installation.log(scope, "now() - interval '7 years'", &subjects(3)).await;
    // As if nothing had come later, as in the log of a deleted tenant.
    installation.tamper("DELETE FROM tenant.audit_events WHERE sequence = 4").await;
    installation.tamper("UPDATE tenant.chain_heads SET sequence = 3, mirrored_sequence = 3 WHERE chain = 1;").await;
    assert_eq!(installation.expire().await, 2);
    assert_eq!(installation.left(scope).await.0, [3]);
}

#[tokio::test]
async fn whoever_shortens_a_log_without_the_key_is_found_and_so_is_what_goes_behind_its_end() {
    let installation = Installation::new().await;
    let scope = installation.tenant().await;
    installation.log(scope, "now() - interval '6 years' - interval '90 minutes'", &subjects(5)).await;
    installation.expire().await;
    assert_eq!(installation.faults_of_log().await, [] as [String; 0]);
    let keep = "CREATE TABLE public.events AS TABLE tenant.audit_events; CREATE TABLE public.anchors AS TABLE tenant.audit_anchors;";
    let back = "TRUNCATE tenant.audit_events, tenant.audit_anchors; INSERT INTO tenant.audit_events SELECT * FROM public.events;
        INSERT INTO tenant.audit_anchors SELECT * FROM public.anchors;";
    installation.tamper(keep).await;
    for (what, statements) in [
        ("the next event is gone", "DELETE FROM tenant.audit_events WHERE sequence = 3"),
        ("so is the anchor", "DELETE FROM tenant.audit_anchors"),
        (
            "more was cut, and the anchor moved along",
            "UPDATE tenant.audit_anchors a SET (sequence, hash) = (SELECT sequence, hash FROM tenant.audit_events WHERE sequence = 3);
             DELETE FROM tenant.audit_events WHERE sequence = 3",
        ),
        ("the anchor has another hash", "UPDATE tenant.audit_anchors SET hash = sha256(hash)"),
        ("everything is gone", "TRUNCATE tenant.audit_events, tenant.audit_anchors"),
    ] {
        installation.tamper(statements).await;
        assert!(!installation.faults_of_log().await.is_empty(), "{what}");
        installation.tamper(back).await;
        assert_eq!(installation.faults_of_log().await, [] as [String; 0], "{what}");
    }
}

#[tokio::test]
async fn nothing_goes_of_a_log_that_is_not_whole_or_not_copied_nor_what_is_not_over() {
    let installation = Installation::new().await;
    let scope = installation.tenant().await;
    installation.log(scope, "now() - interval '7 years'", &subjects(4)).await;
    let tampered = "UPDATE tenant.audit_events SET subject_id = gen_random_uuid() WHERE sequence = 2";
    installation.tamper(tampered).await;
    let fault = installation.try_to_expire().await.unwrap_err();
    assert!(fault.to_string().contains("link 2 was changed"), "{fault}");
    assert_eq!(installation.left(scope).await.0, [1, 2, 3, 4, 5]);
    // What an injected statement could ask for: the event of today.
    let mut tx = installation.database.system(Reason::Receipts).await.unwrap();
    let today = "SELECT app.audit_cut(tenant_id, sequence, hash, 1, sha512('')) FROM app.audit_events($1, 4, 1)";
    let refused = sqlx::query(today).bind(scope.tenant()).execute(tx.conn()).await.unwrap_err();
    assert_eq!(refused.as_database_error().unwrap().code().as_deref(), Some("42501"));
    drop(tx);
    let other = installation.tenant().await;
    installation.log(other, "now() - interval '7 years'", &subjects(4)).await;
    installation
        .tamper(&format!("UPDATE tenant.chain_heads SET mirrored_sequence = 2 WHERE tenant_id = '{}'", other.tenant()))
        .await;
    let _ = installation.try_to_expire().await;
    assert_eq!(installation.left(other).await.0, [2, 3, 4, 5], "the last that was copied stays, too");
}

#[tokio::test]
async fn whoever_changes_what_the_database_calls_over_has_nothing_younger_signed_away() {
    let installation = Installation::new().await;
    let scope = installation.tenant().await;
    // The first is over, and that does not help the others.
    installation.log(scope, "now() - interval '6 years' - interval '30 minutes'", &subjects(4)).await;
    let all_but_the_last = "DROP POLICY over ON tenant.audit_events;
        CREATE OR REPLACE FUNCTION app.audit_over(the_tenant uuid, youngest timestamptz) RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER AS
          'SELECT mirrored_sequence - 1 FROM tenant.chain_heads h WHERE h.tenant_id = the_tenant AND h.chain = 1';
        CREATE OR REPLACE FUNCTION app.audit_expired(after_tenant uuid, most integer) RETURNS TABLE (tenant_id uuid)
          LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT h.tenant_id FROM tenant.chain_heads h
            WHERE h.chain = 1 AND (after_tenant IS NULL OR h.tenant_id > after_tenant) ORDER BY h.tenant_id LIMIT most'";
    installation.tamper(all_but_the_last).await;
    let fault = installation.try_to_expire().await.unwrap_err();
    assert!(fault.to_string().contains("event 2 is over, but by this machine's clock it is younger"), "{fault}");
    assert_eq!(installation.left(scope).await, (vec![1, 2, 3, 4, 5], vec![1, 2, 3, 4, 5]));
    assert_eq!(installation.faults_of_log().await, [] as [String; 0]);
}

#[tokio::test]
async fn a_log_that_is_cut_while_it_is_followed_was_not_tampered_with() {
    let installation = Installation::new().await;
    let scope = installation.tenant().await;
    // More than are read at once: the cut ends between two pages, and its anchor is behind the first.
    installation.log(scope, "now() - interval '7 years'", &subjects(1100)).await;
    installation.cut_and_take_back().await;
    let faults = installation.while_another_cuts("tenant.audit_anchors", installation.faults_of_log()).await;
    assert_eq!(faults, [] as [String; 0]);
    assert_eq!(installation.left(scope).await, (vec![1101], vec![1101]));
}

#[tokio::test]
async fn of_two_servers_that_cut_a_log_the_slower_one_finds_nothing_wrong_and_goes_on() {
    let installation = Installation::new().await;
    let scope = installation.tenant().await;
    installation.log(scope, "now() - interval '6 years' - interval '90 minutes'", &subjects(4)).await;
    installation.cut_and_take_back().await;
    let removed = installation.while_another_cuts("tenant.calls", installation.try_to_expire()).await;
    assert_eq!(removed.unwrap(), 0);
    assert_eq!(installation.left(scope).await, (vec![3, 4, 5], vec![3, 4, 5]));
    // As it comes to its own cut, too late.
    let mut tx = installation.database.system(Reason::Receipts).await.unwrap();
    let late = "SELECT app.audit_cut($1, 2, sha256(''), 1, sha512(''))";
    let removed = sqlx::query_scalar::<_, i64>(late).bind(scope.tenant()).fetch_one(tx.conn()).await;
    assert_eq!(removed.unwrap(), 0);
    drop(tx);
    assert_eq!(installation.faults_of_log().await, [] as [String; 0]);
}

#[tokio::test]
async fn an_event_about_a_call_under_legal_hold_stays_and_so_do_those_behind_it() {
    let installation = Installation::new().await;
    let scope = installation.tenant().await;
    let call = installation.call(scope, "held").await;
    let subjects = [Uuid::now_v7(), call, Uuid::now_v7()];
    installation.log(scope, "now() - interval '7 years'", &subjects).await;
    installation.tamper("UPDATE tenant.calls SET legal_hold = true").await;
    assert_eq!(installation.expire().await, 1);
    assert_eq!(installation.left(scope).await.0, [2, 3, 4]);
    // As a server asks that looked before the call was held.
    let mut tx = installation.database.system(Reason::Receipts).await.unwrap();
    let before = "SELECT app.audit_cut(tenant_id, sequence, hash, 1, sha512('')) FROM app.audit_events($1, 2, 1)";
    let removed = sqlx::query_scalar::<_, i64>(before).bind(scope.tenant()).fetch_one(tx.conn()).await;
    assert_eq!(removed.unwrap(), 0);
    drop(tx);
    installation.tamper("UPDATE tenant.calls SET legal_hold = false").await;
    assert_eq!(installation.expire().await, 2);
    assert_eq!(installation.left(scope).await.0, [4]);
}

#[tokio::test]
async fn a_backup_from_before_between_or_after_the_cuts_of_a_log_is_brought_up_to_its_copies() {
    for cuts_before in 0..=2 {
        let installation = Installation::new().await;
        let scope = installation.tenant().await;
        // Two that are over, the second of which goes later than the first.
        let call = installation.call(scope, "held").await;
        let subjects = [Uuid::now_v7(), call, Uuid::now_v7(), Uuid::now_v7()];
        installation.log(scope, "now() - interval '6 years' - interval '90 minutes'", &subjects).await;
        let backup = "CREATE TABLE public.events AS TABLE tenant.audit_events; CREATE TABLE public.heads AS TABLE tenant.chain_heads;
            CREATE TABLE public.anchors AS TABLE tenant.audit_anchors;";
        for cut in 0..=2 {
            if cut == cuts_before {
                installation.tamper(backup).await;
            }
            installation.tamper(&format!("UPDATE tenant.calls SET legal_hold = {}", cut == 0)).await;
            assert_eq!(installation.expire().await, u64::from(cut < 2));
        }
        assert_eq!(installation.left(scope).await, (vec![3, 4, 5], vec![3, 4, 5]));
        installation.act(scope).await;
        mirror::catch_up(&installation.database, &installation.blobs, &installation.vault).await.unwrap();
        let restored = "TRUNCATE tenant.audit_events, tenant.audit_anchors, tenant.chain_heads;
            INSERT INTO tenant.audit_events SELECT * FROM public.events; INSERT INTO tenant.chain_heads SELECT * FROM public.heads;
            INSERT INTO tenant.audit_anchors SELECT * FROM public.anchors;";
        installation.tamper(restored).await;
        let (database, blobs) = (&installation.database, &installation.blobs);
        assert!(restore::require_current(database, blobs).await.is_err());
        let done = restore::check(database, blobs, &installation.vault).await.unwrap();
        assert_eq!(done.rows, 0, "events are put back, and nothing is deleted");
        mirror::catch_up(database, blobs, &installation.vault).await.unwrap();
        restore::require_current(database, blobs).await.unwrap();
        installation.expire().await;
        assert_eq!(installation.left(scope).await, (vec![3, 4, 5, 6], vec![3, 4, 5, 6]), "{cuts_before} cuts before");
        assert_eq!(installation.faults_of_log().await, [] as [String; 0]);
    }
}

#[tokio::test]
async fn a_backup_whose_last_copied_event_is_over_and_gone_goes_on_from_the_copies_that_are_left() {
    let installation = Installation::new().await;
    let scope = installation.tenant().await;
    installation.log(scope, "now() - interval '7 years'", &subjects(3)).await;
    // As long as nothing came later: the last of them is what copies are compared with.
    installation
        .tamper(
            "CREATE TABLE public.events AS SELECT * FROM tenant.audit_events WHERE sequence < 4;
             CREATE TABLE public.heads AS SELECT h.tenant_id, h.chain, 3::bigint AS sequence, e.hash, 3::bigint AS mirrored_sequence
               FROM tenant.chain_heads h JOIN tenant.audit_events e ON e.tenant_id = h.tenant_id AND e.sequence = 3 WHERE h.chain = 1",
        )
        .await;
    assert_eq!(installation.expire().await, 3);
    installation.expire().await;
    assert_eq!(installation.left(scope).await, (vec![4], vec![4]));
    installation
        .tamper(
            "TRUNCATE tenant.audit_events, tenant.audit_anchors, tenant.chain_heads;
             INSERT INTO tenant.audit_events SELECT * FROM public.events;
             INSERT INTO tenant.chain_heads (tenant_id, chain, sequence, hash, mirrored_sequence)
               SELECT tenant_id, chain, sequence, hash, mirrored_sequence FROM public.heads",
        )
        .await;
    restore::check(&installation.database, &installation.blobs, &installation.vault).await.unwrap();
    installation.act(scope).await;
    mirror::catch_up(&installation.database, &installation.blobs, &installation.vault).await.unwrap();
    installation.expire().await;
    assert_eq!(installation.left(scope).await, (vec![4, 5], vec![4, 5]));
    assert_eq!(installation.faults_of_log().await, [] as [String; 0]);
}
