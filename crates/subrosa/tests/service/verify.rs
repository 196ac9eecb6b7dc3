//! `subrosa verify`, which is the audit: of a service that is right, at level `trace`, through every operation; and of one that leaks in
//! every way there is.

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    process::Stdio,
    time::{Duration, SystemTime},
};

use nix::sys::resource::{Resource, setrlimit};
use serde_json::Value;
use tokio::{process::Command, time::timeout};

use crate::{
    analyst::Analyst,
    bucket::Store,
    client::{Client, Way},
    leaky::Leaky,
    outages::Postgres,
    program::{PATIENCE, Place, Program, skipped},
    recordings::{self, Recording},
};

/// The model that translates as well: every operation has to succeed.
const MODEL: &str = "worker.model=base";

/// Those that are proved.
const RULES: [&str; 10] = ["H1", "H2", "H3", "H6", "H8", "H9", "H10", "H11", "H13", "H14"];

/// What the report says of a tenant that it could not delete.
const LEFT: &str = "IT IS STILL THERE";

/// A run takes some ten seconds by itself; beside the other tests of this binary, on two cores, minutes.
const MOST: Duration = PATIENCE.saturating_mul(2);

/// How old a file is that no run has written.
const AGE: Duration = Duration::from_secs(3600);

/// What a service that was tampered with has in its database: a table of words that the application does not know, a table of tenants
/// whose owner is not held by its policies, one that shows its rows to everybody, content that is not checked, signatures that nobody
/// checks, and upkeep that cannot do its work.
const TAMPERING: &str = "
    CREATE TABLE public.leak (words bytea);
    ALTER TABLE tenant.contacts NO FORCE ROW LEVEL SECURITY;
    ALTER DOMAIN app.enc DROP CONSTRAINT enc_check;
    REVOKE EXECUTE ON FUNCTION app.recordings_overdue(interval, timestamptz, uuid, integer) FROM subrosa_app;
    REVOKE EXECUTE ON FUNCTION app.calls_expired(timestamptz, uuid, integer) FROM subrosa_app;
    REVOKE EXECUTE ON FUNCTION app.processing_events_expire(integer) FROM subrosa_app;
    REVOKE EXECUTE ON FUNCTION app.audit_cut(uuid, bigint, bytea, integer, bytea) FROM subrosa_app;
    DROP POLICY isolation ON tenant.blob_deletions;
    DO $$ BEGIN EXECUTE regexp_replace(
      pg_get_functiondef('app.enter(uuid, uuid, smallint, bigint, bytea)'::regprocedure), 'EXIT WHEN [^;]*;', 'EXIT;'); END $$;
    INSERT INTO tenant.blob_deletions (tenant_id, id, class, subject_id, run_at, due_at)
      SELECT tenant_id, gen_random_uuid(), 1, gen_random_uuid(), now() + interval '1 day', now() - interval '25 hours'
      FROM tenant.memberships LIMIT 1;
    INSERT INTO tenant.chain_heads (tenant_id, chain, sequence, hash, mirrored_sequence)
      SELECT '01900000-0000-7000-8000-000000000000', 1, 2, decode(repeat('00', 32), 'hex'), 2;
    INSERT INTO tenant.audit_events (tenant_id, sequence, id, actor_id, actor_role, action, subject_kind, subject_id, at, previous, hash)
      SELECT h.tenant_id, s, gen_random_uuid(), h.tenant_id, 1, 1, 1, h.tenant_id, now() - interval '7 years', h.hash, h.hash
      FROM tenant.chain_heads h, generate_series(1, 2) s WHERE h.tenant_id = '01900000-0000-7000-8000-000000000000';
    INSERT INTO tenant.calls (tenant_id, id, owner_id, created_at)
      SELECT tenant_id, gen_random_uuid(), user_id, now() - interval '400 days' FROM tenant.memberships LIMIT 1;
    INSERT INTO tenant.artifacts (tenant_id, call_id, kind, owner_id, object_id, parts, bytes, created_at)
      SELECT tenant_id, id, 1, owner_id, gen_random_uuid(), 1, 1, now() - interval '25 hours' FROM tenant.calls LIMIT 1;
    INSERT INTO tenant.processing_events (tenant_id, id, owner_id, call_id, stage, outcome, created_at)
      SELECT tenant_id, gen_random_uuid(), owner_id, id, 1, 1, now() - interval '31 days' FROM tenant.calls LIMIT 1;";

/// What an auditor who is not root is told of what only root sees, and that alone.
const AS_ROOT: &str = "run it as root";

/// What a program is left without that is root and yet may read no files but its own, and look into nobody else's memory.
const LITTLE: &str = "--bounding-set=-dac_override,-dac_read_search,-sys_ptrace";

/// Only root sees what every process has open and every directory holds.
fn is_root() -> bool {
    nix::unistd::Uid::effective().is_root()
}

/// The report, and the exit code.
async fn verify(place: &Place, arguments: &[String]) -> (Value, i32) {
    run(place.command("verify"), arguments).await
}

async fn run(mut command: Command, arguments: &[String]) -> (Value, i32) {
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

/// Every rule held by everything that was looked at; for somebody who is not root with what only root sees left open, and said so.
fn all_held(report: &Value, code: i32) {
    let is_open = !is_root() && code == 31;
    assert!((code == 0 && report["verdict"] == "HELD") || is_open, "{report:#}");
    for name in RULES {
        let (_, checks) = rule(report, name);
        let is_held = |(_, verdict, said): &(&str, &str, &str)| {
            matches!(*verdict, "HELD" | "LEFT OUT") || is_open && *verdict == "UNPROVEN" && said.contains(AS_ROOT)
        };
        assert!(!checks.is_empty() && checks.iter().all(is_held), "{name}: {checks:#?}");
    }
    if is_open {
        skipped("what only root may read");
    }
}

/// The option that has a voice profile made, of a file that is older than the run, since it lies where the run searches.
fn voice(place: &Place) -> String {
    let path = place.log().with_file_name("voice.wav");
    let mut file = File::create_new(&path).unwrap();
    file.write_all(&recordings::voice()).unwrap();
    file.set_modified(SystemTime::now() - AGE).unwrap();
    format!("--voice={}", path.display())
}

/// How many operations the document has.
fn operations() -> usize {
    let document: Value = serde_json::from_str(include_str!("../../../../docs/openapi.json")).unwrap();
    document["paths"].as_object().unwrap().values().map(|path| path.as_object().unwrap().len()).sum()
}

#[tokio::test]
async fn no_canary_of_any_operation_is_on_any_medium_at_level_trace() {
    let Some(place) = Place::new() else { return };
    let (analyst, key) = (Analyst::start().await, format!("sk-{}", uuid::Uuid::new_v4().simple()));
    let place = place.set(MODEL).set("voice_profiles.enabled=true").set("analysis.engine=llm");
    let place = place.set(format!("analysis.url=http://{}/v1", analyst.address)).set("analysis.model=played");
    let place = place.with("SUBROSA_ANALYSIS_KEY", key.clone());
    let (report, code) = verify(&place, &[voice(&place)]).await;
    all_held(&report, code);
    let (_, checks) = rule(&report, "H8");
    let all = format!("{} operations of the service, ", operations());
    let is_all = |looked: &str| looked.starts_with(&all) && !looked.contains("without");
    assert!(checks.iter().any(|(looked, ..)| is_all(looked)), "{all}: {checks:#?}");
    // The model was told what a canary of the run says, and the local engine analysed the tones, of which there is nothing to tell.
    let told = analyst.analysed(&key);
    assert!(told.iter().any(|text| text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_lowercase())), "{told:?}");
    let bytes =
        |rule: &Value| rule["checks"].as_array().unwrap().iter().map(|check| check["bytes"].as_u64().unwrap()).sum();
    let bytes: Vec<u64> = report["rules"].as_array().unwrap().iter().map(bytes).collect();
    assert!(bytes[0] > 16 << 20 && bytes[2] > 16 << 20, "less than a segment of the write-ahead log: {bytes:?}");
    println!("{} operations, {:.0} MiB searched", operations(), bytes[0] as f64 / f64::from(1 << 20));
}

/// The canaries of `verify` are written into a call; what is recognised in one goes through other hands.
#[tokio::test]
async fn what_people_say_is_in_no_line_of_the_log_at_level_trace_and_in_no_metric() {
    let Some(place) = Place::new() else { return };
    let place = place.set(MODEL).set("log.level=trace");
    let program = place.start().await;
    let mut client = program.client(&program.key().await);
    let call = client.upload(&Recording::new(0, 30, 0), Way::Form).await.unwrap();
    client.events(call).await.unwrap();
    let transcript: Value = client.get(&format!("/api/calls/{call}/transcript")).await.unwrap().json();
    client.get(&format!("/api/calls/{call}/analysis")).await.unwrap();
    let said = transcript["cleanText"].as_str().unwrap().to_lowercase();
    let words: Vec<&str> = said.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()).collect();
    let phrases = words.windows(4).map(|words| words.join(" "));
    let rare = ["chicago", "jersey", "yankee", "texas", "originally"].map(str::to_owned);
    let rare = rare.into_iter().filter(|word| words.contains(&word.as_str()));
    let needles: Vec<String> = rare.chain(phrases).collect();
    assert!(needles.len() > 40 && words.contains(&"chicago"), "{} words were heard", words.len());
    let metrics = Client::new(program.heard.metrics, "").get("/metrics").await.unwrap();
    program.stop().await;
    let told = [fs::read(place.log()).unwrap(), metrics.body.to_vec()];
    let told = told.map(|text| String::from_utf8_lossy(&text).to_lowercase());
    assert!(told.iter().all(|text| text.contains("/api/calls/analyze")), "another log, or other metrics");
    // Which words they are stays unsaid here as well.
    let found = needles.iter().filter(|needle| told.iter().any(|text| text.contains(*needle))).count();
    assert_eq!(found, 0, "of {} needles", needles.len());
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
    for name in RULES {
        let (verdict, checks) = rule(&report, name);
        let is_it =
            |(looked, _, said): &(&str, &str, &str)| *looked == "the rest of the run" && said.contains("not answer");
        assert!(verdict == "UNPROVEN" && checks.iter().any(is_it), "{name} {verdict}: {checks:#?}");
    }
    // Nobody sends any here, which proves nothing either.
    let says = report.to_string();
    assert!(says.contains("with --collect-traces") && says.contains("with --collect-reports"), "{report:#}");
    assert!(!report.to_string().contains(LEFT), "{report:#}");
    place.sql("DO $$ BEGIN ASSERT (SELECT count(*) FROM tenant.tenants) = 1, 'a tenant is left'; END $$");
    program.stop().await;
}

#[tokio::test]
async fn a_leak_of_each_kind_is_found_under_its_rule_and_by_the_exit_code() {
    let Some(place) = Place::new() else { return };
    let program = place.start().await;
    place.sql(TAMPERING);
    // Its own process stands for one of the service's: it holds files that have no name, and may dump its memory.
    let may_dump = setrlimit(Resource::RLIMIT_CORE, 1 << 20, 1 << 20).is_ok();
    let collectors = collectors();
    let leaky = Leaky::start(&place, &program, into_files(&place)).await;
    leaky.reports_to(collectors);
    let arguments = [
        format!("--url=http://{}", leaky.address),
        format!("--metrics-url=http://{}/metrics", leaky.address),
        format!("--log-file={}", place.log().display()),
        format!("--pid={}", std::process::id()),
        format!("--collect-traces={}", collectors[0]),
        format!("--collect-reports={}", collectors[1]),
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
        ("H1", "the data directory", "FOUND the recording"),
        ("H1", "the log", "FOUND the recording"),
        ("H1", "tables and indexes", "FOUND the recording"),
        ("H1", "write-ahead log", "FOUND the recording"),
        ("H1", "core dumps", "may leave a core dump"),
        ("H2", "recordings of all tenants", "the oldest is 1day 1h"),
        ("H3", "the domain of content columns", "it takes plaintext"),
        ("H3", "the object store", "the title"),
        ("H3", "files open in", "the title"),
        ("H3", "temporary directories", "the title"),
        ("H3", "the data directory", "the title"),
        ("H3", "tables and indexes", "the title"),
        ("H3", "write-ahead log", "the title"),
        ("H3", "PostgreSQL share", "the title"),
        ("H6", "asked for a row without a context", "tenant.blob_deletions gives a row"),
        ("H6", "a context with a made-up signature", "TAKEN"),
        ("H6", "the catalogue", "RLS not FORCEd: tenant.contacts"),
        (
            "H6",
            "every operation, asked by another tenant",
            "GET /api/calls/{id}/legal-hold gives away the hold's reason",
        ),
        ("H6", "before its owner asked the same", "GET /api/calls/{id}/legal-hold gives away the hold's reason"),
        ("H8", "the log, at", "the password"),
        ("H8", "the log of PostgreSQL", "the title"),
        ("H9", "spans", "the title"),
        ("H9", "metrics", "title, 1 times: metrics"),
        ("H9", "labels of metrics", "has a label title that says something else than it may"),
        ("H10", "reports of errors", "the title"),
        ("H10", "reports of errors", "the recording"),
        ("H11", "asked without a token", "GET /api/calls/{id}/transcript gives away"),
        ("H11", "keys of the object store", "not made of ids"),
        ("H13", "the canary call, asked for again", "STILL THERE"),
        ("H13", "every table with rows about a call", "tenant.calls"),
        ("H13", "the key of the canary call", "STILL THERE"),
        ("H13", "deletions of all tenants", "the oldest is 1day 1h"),
        ("H14", "calls of all tenants", "overdue"),
        ("H14", "audit events of all tenants", "overdue in 1 logs"),
        ("H14", "processing events", "the oldest is 1month"),
    ] {
        let (verdict, checks) = rule(&report, name);
        let is_it = |(at, verdict, found): &(&str, &str, &str)| {
            at.contains(looked) && *verdict == "BROKEN" && found.contains(said)
        };
        if looked == "core dumps" && !may_dump {
            skipped("this system lets no process have core dumps");
            continue;
        }
        if verdict != "BROKEN" || !checks.iter().any(is_it) {
            missed.push(format!("{name} {looked}: {said}"));
        }
    }
    assert!(missed.is_empty(), "{missed:#?} in {report:#}");
    // Although a call of it is under legal hold.
    assert!(!report.to_string().contains(LEFT), "{report:#}");
    place.sql(
        "DO $$ BEGIN ASSERT EXISTS (SELECT FROM tenant.audit_events WHERE action = 31), 'a hold went unseen'; END $$",
    );
    let words = leaky.words();
    assert!(words.len() > 100, "the leaks leaked nothing");
    program.stop().await;
}

/// Addresses of this process alone, among those that all are this machine (RFC 1122, 3.2.1.3), for spans and for reports of errors.
fn collectors() -> [SocketAddr; 2] {
    let [_, a, b, c] = std::process::id().to_be_bytes();
    [4318, 9000].map(|port| SocketAddr::from(([127, a, b, c], port)))
}

/// Leaks into the object store, the data directory beside it, and the log of PostgreSQL.
fn into_files(place: &Place) -> impl Fn(&[u8]) + Send + Sync + use<> {
    let files = ["objects/blobs/uploads.bin", "left.bin", "postgres/cluster/log/postgresql.log"];
    let files = files.map(|file| place.data().join(file));
    move |bytes| {
        for path in &files {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            File::options().append(true).create(true).open(path).unwrap().write_all(bytes).unwrap();
        }
    }
}

/// An installation whose recordings lie in a bucket, and whose rows in a PostgreSQL of somebody else's.
async fn elsewhere(setting: &str) -> Option<(Place, Postgres, Store)> {
    let place = Place::new()?.set(setting);
    let (postgres, store) = (Postgres::start().await, Store::start().await);
    let place = store.behind(postgres.behind(place), "recordings");
    Some((place, postgres, store))
}

/// How a program that runs is named, through a proxy or as it is.
fn named(place: &Place, address: impl std::fmt::Display, program: &Program) -> Vec<String> {
    vec![
        format!("--url=http://{address}"),
        format!("--metrics-url=http://{}/metrics", program.heard.metrics),
        format!("--log-file={}", place.log().display()),
        "--without=traces,reports".to_owned(),
    ]
}

#[tokio::test]
async fn with_recordings_in_a_bucket_and_rows_in_a_foreign_postgresql_both_are_searched() {
    let Some((place, postgres, _store)) = elsewhere(MODEL).await else { return };
    let place = place.set("log.level=trace").set("debug.call_events=true");
    let program = place.start().await;
    let mut arguments = named(&place, program.heard.address, &program);
    arguments.push(format!("--cluster={}", postgres.files().display()));
    let (report, code) = verify(&place, &arguments).await;
    all_held(&report, code);
    for looked in ["the object store: ", "tables and indexes: ", "write-ahead log: ", "PostgreSQL share: "] {
        for name in ["H1", "H3"] {
            let checks = report["rules"].as_array().unwrap().iter().find(|rule| rule["rule"] == name).unwrap();
            let mut checks = checks["checks"].as_array().unwrap().iter();
            let at = |check: &Value| check["looked"].as_str().unwrap().contains(looked);
            let check = checks.find(|check| at(check)).unwrap_or_else(|| panic!("no {looked}: {report:#}"));
            assert!(check["bytes"].as_u64().unwrap() > 10_000, "{check:#}");
        }
    }
    program.stop().await;
}

#[tokio::test]
async fn from_another_machine_it_ends_well_once_what_is_not_there_is_left_out() {
    let Some((place, _postgres, _store)) = elsewhere(MODEL).await else { return };
    let place = place.set("debug.call_events=true").set("log.level=trace");
    let program = place.start().await;
    // Another spelling of this machine (inet_aton(3)), by which a program does not see that it is this one.
    let address = format!("127.1:{}", program.heard.address.port());
    let left_out = "--without=cluster,memory,processes".to_owned();
    let arguments = [named(&place, &address, &program), vec![left_out]].concat();
    let (report, code) = verify(&place, &arguments).await;
    assert_eq!(code, 31, "{report:#}");
    let places = ["temporary directories while", "temporary directories at the end", "the data directory"];
    let are_all = |report: &Value, is_it: &dyn Fn(&str, &str) -> bool| {
        for (name, place) in ["H1", "H3"].iter().flat_map(|name| places.map(|place| (name, place))) {
            let (_, checks) = rule(report, name);
            let mut checks = checks.iter().filter(|(looked, ..)| looked.starts_with(place));
            assert!(checks.all(|(_, verdict, said)| is_it(verdict, said)), "{name} {place}: {report:#}");
        }
    };
    are_all(&report, &|verdict, said| verdict == "UNPROVEN" && said.contains("no process of the service was found"));
    let (report, code) = verify(&place, &[arguments, vec!["--without=files".to_owned()]].concat()).await;
    assert_eq!((code, &report["verdict"]), (0, &Value::from("HELD")), "{report:#}");
    are_all(&report, &|verdict, said| verdict == "LEFT OUT" && said.contains("--without"));
    program.stop().await;
}

#[tokio::test]
async fn a_leak_into_a_bucket_or_a_foreign_postgresql_is_found_there() {
    let Some((place, postgres, store)) = elsewhere("worker.enabled=false").await else { return };
    let program = place.start().await;
    place.sql("CREATE TABLE public.leak (words bytea);");
    let leaky = Leaky::start(&place, &program, store.leak("recordings")).await;
    let mut arguments = named(&place, leaky.address, &program);
    arguments.extend([format!("--cluster={}", postgres.files().display()), "--patience=1s".to_owned()]);
    let (report, code) = verify(&place, &arguments).await;
    assert_eq!(code, 30, "{report:#}");
    for (name, looked, said) in [
        ("H1", "the object store", "FOUND the recording"),
        ("H3", "the object store", "blobs/upload-"),
        ("H1", "tables and indexes", "FOUND the recording"),
        ("H3", "write-ahead log", "the title"),
        ("H3", "PostgreSQL share", "the title"),
        ("H11", "keys of the object store", "not made of ids"),
    ] {
        let (_, checks) = rule(&report, name);
        let is_it = |(at, verdict, found): &(&str, &str, &str)| {
            at.contains(looked) && *verdict == "BROKEN" && found.contains(said)
        };
        assert!(checks.iter().any(is_it), "{name} {looked}: {checks:#?}");
    }
    program.stop().await;
}

#[tokio::test]
async fn a_cluster_that_may_not_be_read_and_a_bucket_of_others_are_unproven_with_the_reason() {
    if !is_root() {
        return skipped("only root can give up rights that it has");
    }
    let Some((place, postgres, store)) = elsewhere("worker.enabled=false").await else { return };
    let program = place.start().await;
    postgres.open_the_way();
    let mut arguments = named(&place, program.heard.address, &program);
    arguments.extend([format!("--cluster={}", postgres.files().display()), "--patience=1s".to_owned()]);
    let place = store.behind(place, "another");
    let (report, code) = run(place.command_with(&[LITTLE], "verify"), &arguments).await;
    assert_eq!((code, &report["verdict"]), (31, &Value::from("UNPROVEN")), "{report:#}");
    for (looked, why) in [
        ("files of PostgreSQL", "cannot be searched: Permission denied"),
        ("memory of the processes of PostgreSQL", "cannot be searched: Permission denied"),
        ("the object store: ", "another store than the service's?"),
    ] {
        for name in ["H1", "H3"] {
            let (verdict, checks) = rule(&report, name);
            let is_it = |(at, verdict, said): &(&str, &str, &str)| {
                at.contains(looked) && *verdict == "UNPROVEN" && said.contains(why)
            };
            assert!(verdict == "UNPROVEN" && checks.iter().any(is_it), "{name} {looked}: {checks:#?}");
        }
    }
    program.stop().await;
}
