//! `subrosa verify`, which is the audit: of a service that is right, at level `trace`, through every operation; and of one that leaks in
//! every way there is.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    os::unix::fs::MetadataExt as _,
    process::Stdio,
    time::Duration,
};

use nix::sys::resource::{Resource, setrlimit};
use serde_json::Value;
use tokio::{process::Command, time::timeout};

use crate::{
    leaky::Leaky,
    program::{PATIENCE, Place},
};

/// The model that translates as well: every operation has to succeed.
const MODEL: &str = "worker.model=base";

/// What the report says of a tenant that it could not delete.
const LEFT: &str = "IT IS STILL THERE";

/// A run takes some ten seconds by itself; beside the other tests of this binary, on two cores, minutes.
const MOST: Duration = PATIENCE.saturating_mul(2);

/// What a service that was tampered with has in its database: a table of words that the application does not know, a table of tenants
/// whose owner is not held by its policies, content that is not checked, and upkeep that cannot do its work.
const TAMPERING: &str = "
    CREATE TABLE public.leak (words bytea);
    ALTER TABLE tenant.contacts NO FORCE ROW LEVEL SECURITY;
    ALTER DOMAIN app.enc DROP CONSTRAINT enc_check;
    REVOKE EXECUTE ON FUNCTION app.recordings_overdue(interval, timestamptz, uuid, integer) FROM subrosa_app;
    REVOKE EXECUTE ON FUNCTION app.calls_expired(timestamptz, uuid, integer) FROM subrosa_app;
    REVOKE EXECUTE ON FUNCTION app.processing_events_expire(integer) FROM subrosa_app;
    INSERT INTO tenant.calls (tenant_id, id, owner_id, created_at)
      SELECT tenant_id, gen_random_uuid(), user_id, now() - interval '400 days' FROM tenant.memberships LIMIT 1;
    INSERT INTO tenant.artifacts (tenant_id, call_id, kind, owner_id, object_id, parts, bytes, created_at)
      SELECT tenant_id, id, 1, owner_id, gen_random_uuid(), 1, 1, now() - interval '25 hours' FROM tenant.calls LIMIT 1;
    INSERT INTO tenant.processing_events (tenant_id, id, owner_id, call_id, stage, outcome, created_at)
      SELECT tenant_id, gen_random_uuid(), owner_id, id, 1, 1, now() - interval '31 days' FROM tenant.calls LIMIT 1;";

/// Only root sees what every process has open and every directory holds.
fn is_root() -> bool {
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    if !is_root {
        eprintln!("skipped: only root can search everything");
    }
    is_root
}

/// The report, and the exit code.
async fn verify(place: &Place, arguments: &[String]) -> (Value, i32) {
    let mut command: Command = place.command("verify");
    command.args(["--json"]).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let output = timeout(MOST, command.output()).await.unwrap().unwrap();
    let report = serde_json::from_slice(&output.stdout);
    let report = report.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (report, output.status.code().unwrap())
}

/// The verdict of a rule, and its checks: what was looked at, the verdict, what was found.
fn rule<'a>(report: &'a Value, name: &str) -> (&'a str, Vec<(&'a str, &'a str, &'a str)>) {
    let rule = report["rules"].as_array().unwrap().iter().find(|rule| rule["rule"] == name).unwrap();
    let text = |check: &'a Value, field: &str| check[field].as_str().unwrap();
    let checks = rule["checks"].as_array().unwrap().iter();
    let checks = checks.map(|check| (text(check, "looked"), text(check, "verdict"), text(check, "said")));
    (rule["verdict"].as_str().unwrap(), checks.collect())
}

/// How many operations the document has.
fn operations() -> usize {
    let document: Value = serde_json::from_str(include_str!("../../../../docs/openapi.json")).unwrap();
    document["paths"].as_object().unwrap().values().map(|path| path.as_object().unwrap().len()).sum()
}

#[tokio::test]
async fn no_canary_of_any_operation_is_on_any_medium_at_level_trace() {
    if !is_root() {
        return;
    }
    let Some(place) = Place::new() else { return };
    let (report, code) = verify(&place.set(MODEL), &[]).await;
    assert_eq!((code, &report["verdict"]), (0, &Value::from("HELD")), "{report:#}");
    for name in ["H1", "H2", "H3", "H6", "H8", "H9", "H10", "H11", "H13", "H14"] {
        let (verdict, checks) = rule(&report, name);
        assert_eq!(verdict, "HELD", "{name}: {checks:#?}");
        assert!(!checks.is_empty() && checks.iter().all(|(_, verdict, _)| *verdict == "HELD"), "{name}: {checks:#?}");
    }
    let (_, checks) = rule(&report, "H8");
    let all = format!("{} operations of the service", operations());
    assert!(checks.iter().any(|(looked, ..)| looked.starts_with(&all)), "{all}: {checks:#?}");
    let bytes =
        |rule: &Value| rule["checks"].as_array().unwrap().iter().map(|check| check["bytes"].as_u64().unwrap()).sum();
    let bytes: Vec<u64> = report["rules"].as_array().unwrap().iter().map(bytes).collect();
    assert!(bytes[0] > 16 << 20 && bytes[2] > 16 << 20, "less than a segment of the write-ahead log: {bytes:?}");
    println!("{} operations, {:.0} MiB searched", operations(), bytes[0] as f64 / f64::from(1 << 20));
}

#[tokio::test]
async fn without_a_worker_there_is_a_report_that_says_what_was_not_seen() {
    let Some(place) = Place::new() else { return };
    let (report, code) = verify(&place.set("worker.enabled=false"), &["--patience=1s".to_owned()]).await;
    assert_eq!((code, &report["verdict"]), (31, &Value::from("UNPROVEN")), "{report:#}");
    let says = |name: &str, at: &str, what: &str| {
        let (_, checks) = rule(&report, name);
        let is_it = |(looked, verdict, said): &(&str, &str, &str)| {
            looked.contains(at) && *verdict == "UNPROVEN" && said.contains(what)
        };
        assert!(checks.iter().any(is_it), "{name} {at}: {checks:#?}");
    };
    says("H8", "operations of the service", "GET /api/calls/{id}/events");
    says("H2", "the recording of the canary call", "is a worker there?");
    assert!(!report.to_string().contains("the rest of the run"), "it was stopped: {report:#}");
    assert!(!report.to_string().contains(LEFT), "{report:#}");
}

#[tokio::test]
async fn a_run_that_is_stopped_prints_its_report_holds_no_rule_and_leaves_no_tenant() {
    let Some(place) = Place::new() else { return };
    let program = place.start().await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("--url=http://{}", listener.local_addr().unwrap());
    // A service that answers once.
    let once = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").unwrap();
    });
    let (report, code) = verify(&place, &[url, format!("--log-file={}", place.log().display())]).await;
    once.join().unwrap();
    assert_eq!((code, &report["verdict"]), (31, &Value::from("UNPROVEN")), "{report:#}");
    for name in ["H1", "H2", "H3", "H6", "H8", "H9", "H10", "H11", "H13", "H14"] {
        let (verdict, checks) = rule(&report, name);
        let is_it =
            |(looked, _, said): &(&str, &str, &str)| *looked == "the rest of the run" && said.contains("not answer");
        assert!(verdict == "UNPROVEN" && checks.iter().any(is_it), "{name} {verdict}: {checks:#?}");
    }
    assert!(!report.to_string().contains(LEFT), "{report:#}");
    place.sql("DO $$ BEGIN ASSERT (SELECT count(*) FROM tenant.tenants) = 1, 'a tenant is left'; END $$");
    program.stop().await;
}

#[tokio::test]
async fn a_leak_of_each_kind_is_found_under_its_rule_and_by_the_exit_code() {
    if !is_root() {
        return;
    }
    let Some(place) = Place::new() else { return };
    let program = place.start().await;
    place.sql(TAMPERING);
    // Its own process stands for one of the service's: it holds files that have no name, and may dump its memory.
    let may_dump = setrlimit(Resource::RLIMIT_CORE, 1 << 20, 1 << 20).is_ok();
    let leaky = Leaky::start(&place, &program).await;
    let arguments = [
        format!("--url=http://{}", leaky.address),
        format!("--metrics-url=http://{}/metrics", leaky.address),
        format!("--log-file={}", place.log().display()),
        format!("--pid={}", std::process::id()),
        "--patience=1s".to_owned(),
    ];
    let (report, code) = verify(&place, &arguments).await;
    assert_eq!((code, &report["verdict"]), (30, &Value::from("BROKEN")), "{report:#}");
    // A service with its defaults lacks what a setting turns on, which is no leak.
    let says = report.to_string();
    assert!(says.contains("without GET /api/debug/calls/{id}/events, which is off"), "{report:#}");
    assert!(!says.contains("GET /api/debug/calls/{id}/events answers"), "{report:#}");
    let mut missed = Vec::new();
    for (name, looked, said) in [
        ("H1", "the object store", "FOUND the recording"),
        ("H1", "files open in", "FOUND the recording"),
        ("H1", "temporary directories", "FOUND the recording"),
        ("H1", "the log", "FOUND the recording"),
        ("H1", "tables and indexes", "FOUND the recording"),
        ("H1", "write-ahead log", "FOUND the recording"),
        ("H1", "core dumps", "may leave a core dump"),
        ("H2", "recordings of all tenants", "the oldest is 1day 1h"),
        ("H3", "the domain of content columns", "it takes plaintext"),
        ("H3", "the object store", "the title"),
        ("H3", "files open in", "the title"),
        ("H3", "temporary directories", "the title"),
        ("H3", "tables and indexes", "the title"),
        ("H3", "write-ahead log", "the title"),
        ("H6", "the catalogue", "RLS not FORCEd: tenant.contacts"),
        (
            "H6",
            "every operation, asked by another tenant",
            "GET /api/calls/{id}/legal-hold gives away the hold's reason",
        ),
        ("H6", "before its owner asked the same", "GET /api/calls/{id}/legal-hold gives away the hold's reason"),
        ("H8", "the log", "the password"),
        ("H9", "metrics", "title, 1 times: metrics"),
        ("H9", "labels of metrics", "has a label title that says something else than it may"),
        ("H11", "asked without a token", "GET /api/calls/{id}/transcript gives away"),
        ("H11", "keys of the object store", "not made of ids"),
        ("H13", "the canary call, asked for again", "STILL THERE"),
        ("H13", "every table with rows about a call", "tenant.calls"),
        ("H13", "the key of the canary call", "STILL THERE"),
        ("H14", "calls of all tenants", "overdue"),
        ("H14", "processing events", "the oldest is 1month"),
    ] {
        let (verdict, checks) = rule(&report, name);
        let is_it = |(at, verdict, found): &(&str, &str, &str)| {
            at.contains(looked) && *verdict == "BROKEN" && found.contains(said)
        };
        if looked == "core dumps" && !may_dump {
            eprintln!("skipped: this system lets no process have core dumps");
            continue;
        }
        if verdict != "BROKEN" || !checks.iter().any(is_it) {
            missed.push(format!("{name} {looked}: {said}"));
        }
    }
    assert!(missed.is_empty(), "{missed:#?} in {report:#}");
    for (name, looked) in [("H9", "spans"), ("H10", "reports of errors")] {
        let (_, checks) = rule(&report, name);
        assert!(checks.iter().any(|(at, verdict, _)| *at == looked && *verdict == "UNPROVEN"), "{name}: {checks:#?}");
    }
    // Although a call of it is under legal hold.
    assert!(!report.to_string().contains(LEFT), "{report:#}");
    let words = leaky.words();
    assert!(words.len() > 100, "the leaks leaked nothing");
    program.stop().await;
}
