//! What search costs and finds: `GET /api/calls/search` of the real service, with sign-in, row-level security, ranking, and the opening of
//! what is shown, over synthetic calls of 20 tenants; the calls that it finds beside those that PostgreSQL's full-text search finds in the same
//! calls in plain; what both indexes weigh; and, where `make models` laid it out, the same with the model of meaning. `SUBROSA_SEARCH_CALLS=100000 cargo bench -p server --bench search` for another size.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a benchmark prints and fails by panicking")]
#![allow(dead_code, unreachable_pub, reason = "the kits of the tests are shared, each user takes its part")]

#[path = "../tests/http/client.rs"]
mod client;
#[path = "../tests/vault/kit.rs"]
mod kit;
mod meant;
#[path = "../tests/http/people.rs"]
mod people;
#[path = "../tests/support/mod.rs"]
mod support;

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use client::Service;
use insight::search::{
    nearest::vocabulary,
    postings::{Postings, Weight},
    query::Query,
};
use people::Person;
use serde_json::json;
use server::{
    artifacts::{self, Artifact},
    auth::tokens::TokenRole,
    db::Scope,
    search::{
        find::find,
        index::{self, Rows},
        model::Look,
        remembered,
    },
    transcripts::store,
    vault::{key::Key, seal::RecordKind},
};
use sqlx::{Executor as _, PgConnection};
use uuid::Uuid;

/// Tenants among whom the calls are divided. One of them searches; its calls have sealed transcripts as well, with times of words.
const TENANTS: usize = 20;

/// Tenants with calls of their own: the one that searches and another. The rest say what that one says, under tokens of their own.
const MADE: usize = 2;

/// Calls of all tenants when nobody says.
const CALLS: usize = 2000;

/// Words of a call: a minute to twelve.
const WORDS: std::ops::Range<usize> = 150..1850;

/// Words of a segment.
const SEGMENT: usize = 15;

/// Words of a passage that means something.
const PASSAGE: usize = 60;

/// Words that people know, besides those that they say all the time: in speech the n-th most frequent is said 1/n as often as the first.
const VOCABULARY: usize = 30_000;

/// The most frequent words of spoken English, which a full-text index leaves out.
const FREQUENT: &str = "the i you and to a it that of in is we so have for on was be do what this are not but they at if or there can \
    about just with from my all will as me your no an how by our then has when who";

/// Queries of each kind: one, two and three words of a call.
const QUERIES: usize = 200;

/// Calls that are stored in one statement.
const BATCH: usize = 100;

/// More than are asked.
const RATE: &str = "1000000/1s";

#[tokio::main]
async fn main() {
    let calls = std::env::var("SUBROSA_SEARCH_CALLS").map_or(CALLS, |calls| calls.parse().unwrap());
    let service = Service::set(&[("rates.read", RATE)]).await;
    let person = Person::new(&service).await;
    let mut language = Language::new();
    let began = Instant::now();
    let said = fill(&person, &mut language, calls).await;
    // The token of the beginning has expired behind as many.
    let person = Person { token: service.token(&person.scope, TokenRole::Owner), ..person };
    println!("{calls} calls of {TENANTS} tenants were made in {:.0} s", began.elapsed().as_secs_f64());
    sizes(&service).await;
    for words in 1..=3 {
        let queries: Vec<String> = (0..QUERIES).map(|_| language.query(&said, words)).collect();
        measure(&person, &format!("{words} words"), &queries).await;
        recall(&person, words, &queries).await;
    }
    let phrases: Vec<String> = (0..QUERIES).map(|_| format!("\"{}\"", language.phrase(&said))).collect();
    measure(&person, "a phrase of two words", &phrases).await;
    if meant::model().is_dir() {
        with_meaning(&person, &mut language, &said).await;
    }
}

/// The same searches where calls are found by what they mean as well.
async fn with_meaning(person: &Person<'_>, language: &mut Language, said: &[Vec<String>]) {
    let app = &person.service.app;
    app.search.model.look_in(|| Look::Here(meant::model()));
    // Loads the model.
    remembered::catch_up(app, &person.scope, remembered::Place::default()).await.unwrap();
    measure(person, "with meaning, nothing in memory: 1 words", &[language.query(said, 1)]).await;
    for words in 1..=3 {
        let queries: Vec<String> = (0..QUERIES).map(|_| language.query(said, words)).collect();
        measure(person, &format!("with meaning: {words} words"), &queries).await;
        // A letter that is wrong.
        let queries: Vec<String> = queries.iter().map(|query| language.mistyped(query)).collect();
        measure(person, &format!("with meaning: {words} words, one typed wrong"), &queries).await;
    }
}

/// Says words as often as people do.
struct Language {
    words: Vec<String>,
    /// How often any word up to this one is said.
    heaps: Vec<f64>,
    chance: fastrand::Rng,
}

impl Language {
    fn new() -> Self {
        let mut chance = fastrand::Rng::with_seed(24);
        let mut words: Vec<String> = FREQUENT.split_whitespace().map(str::to_owned).collect();
        let mut known: HashSet<String> = words.iter().cloned().collect();
        while words.len() < VOCABULARY {
            let syllables = chance.usize(2..=4);
            let syllable = |chance: &mut fastrand::Rng| {
                let onsets = ["b", "c", "d", "f", "g", "l", "m", "n", "p", "r", "st", "tr", "v", "w"];
                let (onset, vowel) =
                    (chance.choice(onsets).unwrap(), chance.choice(["a", "e", "i", "o", "u"]).unwrap());
                format!("{onset}{vowel}{}", chance.choice(["", "n", "r", "l", "k"]).unwrap())
            };
            let word: String = (0..syllables).map(|_| syllable(&mut chance)).collect();
            if known.insert(word.clone()) {
                words.push(word);
            }
        }
        let mut heap = 0.0;
        let heaps = (1..=words.len()).map(|rank| {
            heap += 1.0 / rank as f64;
            heap
        });
        Self { heaps: heaps.collect(), words, chance }
    }

    fn word(&mut self) -> String {
        let drawn = self.chance.f64() * self.heaps.last().unwrap();
        let rank = self.heaps.partition_point(|heap| *heap < drawn).min(self.words.len() - 1);
        let ending = if rank < FREQUENT.split_whitespace().count() { "" } else { self.ending() };
        format!("{}{ending}", self.words[rank])
    }

    fn ending(&mut self) -> &'static str {
        self.chance.choice(["", "", "", "", "", "", "s", "s", "ed", "ing"]).unwrap()
    }

    fn call(&mut self) -> Vec<String> {
        (0..self.chance.usize(WORDS)).map(|_| self.word()).collect()
    }

    /// Words of one call, of which a full-text index knows at least one.
    fn query(&mut self, said: &[Vec<String>], words: usize) -> String {
        let call = &said[self.chance.usize(..said.len())];
        loop {
            let asked: Vec<&str> = (0..words).map(|_| call[self.chance.usize(..call.len())].as_str()).collect();
            if asked.iter().any(|word| !FREQUENT.split_whitespace().any(|frequent| frequent == *word)) {
                return asked.join(" ");
            }
        }
    }

    /// The query with a letter of its longest word left out.
    fn mistyped(&mut self, query: &str) -> String {
        let longest = query.split(' ').max_by_key(|word| word.len()).unwrap();
        let left_out = self.chance.usize(..longest.len());
        let typed = format!("{}{}", &longest[..left_out], &longest[left_out + 1..]);
        query.replacen(longest, &typed, 1)
    }

    fn phrase(&mut self, said: &[Vec<String>]) -> String {
        let call = &said[self.chance.usize(..said.len())];
        let segment = self.chance.usize(..call.len() / SEGMENT) * SEGMENT;
        call[segment..segment + 2].join(" ")
    }
}

/// Calls as they are stored, column by column.
#[derive(Default)]
struct Load {
    calls: Vec<(Uuid, Scope, i32, Vec<u8>)>,
    texts: Vec<String>,
    /// The call of each posting.
    ids: Vec<Uuid>,
    frequencies: Vec<i16>,
    tokens: Vec<Vec<u8>>,
    positions: Vec<Vec<u8>>,
}

/// Makes the calls; gives what was said in those of the person's.
async fn fill(person: &Person<'_>, language: &mut Language, calls: usize) -> Vec<Vec<String>> {
    let service = person.service;
    let mut tenants = vec![person.scope];
    while tenants.len() < TENANTS {
        tenants.push(service.installation.tenant().await);
    }
    let mut superuser = service.installation.postgres.superuser().await;
    // Nothing is checked that the service itself would never write: that takes most of the time.
    let tables = "SET session_replication_role = replica; SET synchronous_commit = off; CREATE SCHEMA plain;
        CREATE TABLE plain.calls (id uuid NOT NULL, tenant_id uuid NOT NULL, words tsvector NOT NULL, PRIMARY KEY (tenant_id, id));
        ALTER TABLE tenant.search_postings SET UNLOGGED";
    superuser.execute(sqlx::raw_sql(tables)).await.unwrap();
    let indexes = drop_indexes(&mut superuser).await;
    let (mut said, mut load) = (Vec::new(), Load::default());
    let made = calls / TENANTS * MADE;
    for number in 0..made {
        let (scope, words, call) = (tenants[number % MADE], language.call(), Uuid::now_v7());
        add(service, &mut load, (call, scope), &words).await;
        if load.calls.len() == BATCH || number + 1 == made {
            write(&mut superuser, std::mem::take(&mut load)).await;
        }
        if scope == person.scope {
            said.push((call, words));
        }
    }
    copy(&mut superuser, tenants[MADE - 1], &tenants[MADE..]).await;
    for index in indexes {
        superuser.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(index))).await.unwrap();
    }
    for batch in said.chunks(BATCH) {
        seal(person, batch).await;
    }
    superuser.execute("CREATE INDEX ON plain.calls USING gin (words)").await.unwrap();
    superuser.execute("VACUUM ANALYZE").await.unwrap();
    said.into_iter().map(|(_, words)| words).collect()
}

/// Takes the indexes from the postings, for they are made faster than kept up; gives the statements that make them again.
async fn drop_indexes(superuser: &mut PgConnection) -> Vec<String> {
    let indexes = "SELECT c.conname, i.indexrelid::regclass::text,
        coalesce('ALTER TABLE tenant.search_postings ADD ' || pg_get_constraintdef(c.oid), pg_get_indexdef(i.indexrelid))
      FROM pg_index i LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype = 'p'
      WHERE i.indrelid = 'tenant.search_postings'::regclass";
    let indexes: Vec<(Option<String>, String, String)> =
        sqlx::query_as(indexes).fetch_all(&mut *superuser).await.unwrap();
    let mut made = vec!["SET maintenance_work_mem = '1GB'".to_owned()];
    for (constraint, index, make) in indexes {
        let drop = match constraint {
            Some(constraint) => format!("ALTER TABLE tenant.search_postings DROP CONSTRAINT {constraint}"),
            None => format!("DROP INDEX {index}"),
        };
        superuser.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(drop))).await.unwrap();
        made.push(make);
    }
    made
}

async fn add(service: &Service, load: &mut Load, (call, scope): (Uuid, Scope), words: &[String]) {
    let mut postings = Postings::default();
    for segment in words.chunks(SEGMENT) {
        postings.add(&segment.join(" "), Some("en"), Weight::Said);
    }
    let mut tx = service.app.database.read(&scope).await.unwrap();
    let tenant = service.app.vault.tenant_key(&mut tx).await.unwrap();
    // Those of the tenant that searches are made anew when their transcripts are stored.
    let rows = Rows::of(&tenant, &Key::generate().unwrap(), &postings).unwrap();
    load.ids.extend(std::iter::repeat_n(call, rows.tokens.len()));
    load.frequencies.extend(rows.frequencies);
    load.tokens.extend(rows.tokens);
    load.positions.extend(rows.positions);
    load.calls.push((call, scope, rows.words, rows.salt));
    load.texts.push(words.join(" "));
}

async fn write(superuser: &mut PgConnection, load: Load) {
    let calls: Vec<Uuid> = load.calls.iter().map(|(call, ..)| *call).collect();
    let tenants: Vec<Uuid> = load.calls.iter().map(|(_, scope, ..)| scope.tenant()).collect();
    let owners: Vec<Uuid> = load.calls.iter().map(|(_, scope, ..)| scope.user()).collect();
    let words: Vec<i32> = load.calls.iter().map(|(_, _, words, _)| *words).collect();
    let salts: Vec<Vec<u8>> = load.calls.into_iter().map(|(.., salt)| salt).collect();
    let insert = "INSERT INTO tenant.calls (tenant_id, id, owner_id, status, language, search_words, search_salt, search_version)
      SELECT t, c, o, 4, 'en', w, s, 1 FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::int[], $5::bytea[]) AS u (t, c, o, w, s)";
    let insert = sqlx::query(insert).bind(&tenants).bind(&calls).bind(owners).bind(words).bind(salts);
    insert.execute(&mut *superuser).await.unwrap();
    let insert = "INSERT INTO tenant.search_postings (tenant_id, call_id, owner_id, call_words, term_frequency, token, positions)
      SELECT k.tenant_id, k.id, k.owner_id, k.search_words, f, t, p
      FROM unnest($1::uuid[], $2::smallint[], $3::bytea[], $4::bytea[]) AS u (c, f, t, p) JOIN tenant.calls k ON k.id = u.c
        AND k.tenant_id = ANY ($5)";
    let insert =
        sqlx::query(insert).bind(load.ids).bind(load.frequencies).bind(load.tokens).bind(load.positions).bind(&tenants);
    insert.execute(&mut *superuser).await.unwrap();
    let insert = "INSERT INTO plain.calls SELECT c, t, to_tsvector('english', x) FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS u (c, t, x)";
    let insert = sqlx::query(insert).bind(&calls).bind(&tenants).bind(load.texts);
    insert.execute(&mut *superuser).await.unwrap();
}

/// Gives the calls of one tenant to others as well.
async fn copy(superuser: &mut PgConnection, from: Scope, others: &[Scope]) {
    let one = "CREATE TEMP TABLE one_call AS SELECT * FROM tenant.calls WHERE tenant_id = $1";
    sqlx::query(one).bind(from.tenant()).execute(&mut *superuser).await.unwrap();
    let one = "CREATE TEMP TABLE one_posting AS SELECT * FROM tenant.search_postings WHERE tenant_id = $1";
    sqlx::query(one).bind(from.tenant()).execute(&mut *superuser).await.unwrap();
    for other in others {
        let insert = "INSERT INTO tenant.calls (tenant_id, id, owner_id, status, language, search_words, search_salt, search_version)
          SELECT $1, id, $2, status, language, search_words, search_salt, search_version FROM one_call";
        sqlx::query(insert).bind(other.tenant()).bind(other.user()).execute(&mut *superuser).await.unwrap();
        let insert = "INSERT INTO tenant.search_postings (tenant_id, call_id, owner_id, call_words, term_frequency, token, positions)
          SELECT $1, call_id, $2, call_words, term_frequency, substring(sha256(token || uuid_send($1)) FROM 1 FOR 16), positions
          FROM one_posting";
        sqlx::query(insert).bind(other.tenant()).bind(other.user()).execute(&mut *superuser).await.unwrap();
        let insert = "INSERT INTO plain.calls SELECT id, $1, words FROM plain.calls WHERE tenant_id = $2";
        sqlx::query(insert).bind(other.tenant()).bind(from.tenant()).execute(&mut *superuser).await.unwrap();
    }
}

/// Stores transcripts as the service does.
async fn seal(person: &Person<'_>, calls: &[(Uuid, Vec<String>)]) {
    let (app, mut chance) = (&person.service.app, fastrand::Rng::with_seed(27));
    let mut tx = app.database.write(&person.scope).await.unwrap();
    for (call, words) in calls {
        let key = app.vault.create_record_key(&mut tx, RecordKind::Call, *call).await.unwrap();
        let transcript = serde_json::from_value(document(words)).unwrap();
        store::put(&mut tx, &app.vault, *call, &transcript).await.unwrap();
        index::renew(&mut tx, &app.vault, *call).await.unwrap();
        // To embed them all would take an hour.
        let known = vocabulary(words.iter().map(String::as_str));
        let memory = meant::memory(&mut chance, known.iter().map(String::as_str), words.len().div_ceil(PASSAGE));
        artifacts::put(&mut tx, (*call, Artifact::SearchMemory), (&key, None), &memory).await.unwrap();
    }
    sqlx::query("UPDATE tenant.calls SET search_memory = 2").execute(tx.conn()).await.unwrap();
    tx.commit().await.unwrap();
}

fn document(words: &[String]) -> serde_json::Value {
    let word = |(at, word): (usize, &String)| json!({"text": word, "startSeconds": at as f64 * 0.4, "endSeconds": at as f64 * 0.4 + 0.3, "confidence": 0.937});
    let segment = |(n, said): (usize, &[String])| {
        let (speaker, start) = (n % 2 + 1, n as f64 * 6.0);
        json!({"id": format!("seg_{n:04}"), "speaker": format!("Speaker {speaker}"), "speakerId": format!("spk_{speaker}"),
            "sourceSpeakerId": format!("CHANNEL_{speaker}"), "role": "UNKNOWN", "startSeconds": start, "endSeconds": start + 6.0,
            "text": said.join(" "), "alignmentConfidence": 1.0, "words": said.iter().enumerate().map(word).collect::<Vec<_>>()})
    };
    json!({"schemaVersion": 2, "language": "en", "durationSeconds": words.len() as f64 * 0.4, "cleanText": words.join(" "), "speakers": [],
        "segments": words.chunks(SEGMENT).enumerate().map(segment).collect::<Vec<_>>(),
        "speakerResolution": {"strategyVersion": 0, "usedUserDisplayName": false, "usedContactName": false, "usedDirection": false,
            "usedPhoneFallback": false, "voiceEmbeddingEnabled": false, "voiceProfileUsed": false, "voiceMatchStatus": null,
            "totalSpeakerCount": 2, "resolvedSpeakerCount": 0, "warnings": []},
        "pipeline": {"transcriptionProvider": "local", "transcriptionModel": "base", "diarizationProvider": "channels",
            "diarizationModel": null, "alignmentVersion": 1, "normalizationVersion": 1, "status": "COMPLETED", "warnings": []}})
}

async fn sizes(service: &Service) {
    let sizes = "SELECT pg_total_relation_size('tenant.search_postings'), pg_table_size('tenant.search_postings'),
      pg_total_relation_size('plain.calls'), pg_table_size('plain.calls'), (SELECT count(*) FROM tenant.search_postings)";
    let mut superuser = service.installation.postgres.superuser().await;
    let (ours, table, plain, vectors, rows): (i64, i64, i64, i64, i64) =
        sqlx::query_as(sizes).fetch_one(&mut superuser).await.unwrap();
    let mib = |bytes: i64| bytes as f64 / f64::from(1 << 20);
    println!(
        "postings: {rows} rows, {:.0} MiB of which {:.0} are indexes; full text in plain: {:.0} MiB of which {:.0} are indexes; ratio {:.1}",
        mib(ours),
        mib(ours - table),
        mib(plain),
        mib(plain - vectors),
        ours as f64 / plain as f64
    );
}

/// How long the first page takes, and the ranking in it.
async fn measure(person: &Person<'_>, kind: &str, queries: &[String]) {
    let app = &person.service.app;
    let (mut pages, mut rankings) = (Vec::new(), Vec::new());
    for query in queries {
        let path = format!("/api/calls/search?q={}", query.replace(' ', "%20").replace('"', "%22"));
        let began = Instant::now();
        let answer = person.get(&path).await;
        pages.push(began.elapsed());
        assert_eq!(answer.status, 200);
        let items = &answer.json()["items"];
        // What was typed wrong may be too short to be put right.
        assert!(kind.contains("wrong") || !items.as_array().unwrap().is_empty(), "nothing is found of what was said");
        let sought = Query::parse(query).unwrap();
        let began = Instant::now();
        let mut tx = app.database.read(&person.scope).await.unwrap();
        find(&mut tx, &app.vault, &sought, None).await.unwrap();
        rankings.push(began.elapsed());
    }
    let (page, ranking) = (percentiles(pages), percentiles(rankings));
    println!(
        "{kind}: page p50 {:.1} ms, p95 {:.1} ms; of it ranking p50 {:.1} ms, p95 {:.1} ms",
        page.0, page.1, ranking.0, ranking.1
    );
}

fn percentiles(mut times: Vec<Duration>) -> (f64, f64) {
    times.sort_unstable();
    let at = |percent: usize| times[times.len() * percent / 100].as_secs_f64() * 1000.0;
    (at(50), at(95))
}

/// How many of the calls that PostgreSQL finds in plain are found, over all queries.
async fn recall(person: &Person<'_>, words: usize, queries: &[String]) {
    let app = &person.service.app;
    let mut superuser = person.service.installation.postgres.superuser().await;
    let (mut both, mut plain, mut ours) = (0, 0, 0);
    for query in queries {
        let select = "SELECT id FROM plain.calls WHERE tenant_id = $1 AND words @@ plainto_tsquery('english', $2)";
        let select = sqlx::query_scalar(select).bind(person.scope.tenant()).bind(query);
        let expected: HashSet<Uuid> = select.fetch_all(&mut superuser).await.unwrap().into_iter().collect();
        let mut tx = app.database.read(&person.scope).await.unwrap();
        let found = find(&mut tx, &app.vault, &Query::parse(query).unwrap(), None).await.unwrap();
        both += found.iter().filter(|found| expected.contains(&found.call)).count();
        plain += expected.len();
        ours += found.len();
    }
    let recall = both as f64 / plain as f64;
    println!("{words} words: recall {recall:.4}, {both} of {plain} calls; {ours} found");
    assert!(recall >= 0.99, "search finds too few");
}
