//! The scripts against the arithmetic, on a real Redis that is stopped and started meanwhile.

use std::{
    net::IpAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use chrono::TimeDelta;
use proptest::prelude::*;
use secrecy::ExposeSecret as _;

use super::{rules::Failures, *};

/// A Redis of a test, on a socket in a directory of its own. It ends with the thread that started it.
struct Redis {
    child: Child,
    directory: tempfile::TempDir,
}

impl Redis {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let child = spawn(&directory);
        Self { child, directory }
    }

    fn url(&self) -> SecretString {
        format!("unix://{}", socket(&self.directory).display()).into()
    }

    fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn start_again(&mut self) {
        self.child = spawn(&self.directory);
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may have been stopped already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn socket(directory: &tempfile::TempDir) -> PathBuf {
    directory.path().join("redis.sock")
}

fn spawn(directory: &tempfile::TempDir) -> Child {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "redis-server", "--port", "0", "--save", "", "--unixsocket"]);
    let child = command.arg(socket(directory)).current_dir(directory).stdout(Stdio::null()).spawn().unwrap();
    // The socket is there before it is listened on, and a stopped server leaves one behind.
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while std::os::unix::net::UnixStream::connect(socket(directory)).is_err() {
        assert!(std::time::Instant::now() < deadline, "redis-server does not start");
        std::thread::yield_now();
    }
    child
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn limiter(redis: Option<&SecretString>, clock: &Clock) -> Limiter {
    Limiter::new(redis, &[7; 32], clock.clone()).unwrap()
}

fn address(text: &str) -> Network {
    text.parse::<IpAddr>().unwrap().into()
}

const QUOTA: Quota = Quota { limit: 3, window: Duration::from_secs(60) };

#[test]
fn the_script_and_the_process_decide_alike_whatever_comes_when() {
    let (redis, runtime) = (Redis::start(), runtime());
    let shared = runtime.block_on(async { Shared::new(&redis.url()).unwrap() });
    // Steps back are a clock that was set back.
    let step = (-2_000_000_i64..5_000_000, 0_usize..2);
    let run = (1_u32..6, 1_u64..20_000_000, prop::collection::vec(step, 1..40), any::<[u8; 16]>());
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(64));
    let outcome = runner.run(&run, |(limit, window, steps, tag)| {
        let quota = Gcra::from(Quota { limit, window: Duration::from_micros(window) });
        let rule = Penalty { free: limit, first: Duration::from_millis(300), ..ACCOUNT };
        let (mut arrivals, mut failures) = ([0; 2], [Failures::default(); 2]);
        let mut now: Micros = 1_700_000_000_000_000;
        for (step, who) in steps {
            now = now.saturating_add_signed(step);
            let mut tag = Tag(tag);
            tag.0[0] = tag.0[0] & 0xfe | u8::try_from(who).unwrap();
            let theirs = runtime.block_on(shared.decide(tag, quota, Some(now)));
            prop_assert_eq!(theirs, Some(quota.decide(&mut arrivals[who], now)));
            let theirs = runtime.block_on(shared.penalise(tag, Act::Attempt, &rule, Some(now)));
            prop_assert_eq!(theirs, Some(failures[who].attempt(&rule, now)));
        }
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn a_burst_is_allowed_then_one_request_an_interval() {
    runtime().block_on(async {
        let clock = Clock::movable();
        let limiter = limiter(None, &clock);
        let who = Client::User(Uuid::now_v7());
        for remaining in [2, 1, 0] {
            let decision = limiter.request("read", who, QUOTA).await;
            assert_eq!((decision.is_allowed, decision.remaining), (true, remaining));
        }
        let refused = limiter.request("read", who, QUOTA).await;
        assert!(!refused.is_allowed && refused.retry_after <= Duration::from_secs(20), "{refused:?}");
        assert!(limiter.request("write", who, QUOTA).await.is_allowed, "another kind of route");
        assert!(limiter.request("read", Client::ApiKey(Uuid::nil()), QUOTA).await.is_allowed, "another caller");
        clock.advance(TimeDelta::seconds(20));
        assert!(limiter.request("read", who, QUOTA).await.is_allowed);
        assert!(!limiter.request("read", who, QUOTA).await.is_allowed);
    });
}

#[test]
fn addresses_of_one_ipv6_customer_are_one_caller_and_a_mapped_ipv4_address_is_itself() {
    assert_eq!(address("2001:db8:1:2::1"), address("2001:db8:1:2:ffff::9"));
    assert_ne!(address("2001:db8:1:2::1"), address("2001:db8:1:3::1"));
    assert_eq!(address("::ffff:192.0.2.7"), address("192.0.2.7"));
    assert_ne!(address("192.0.2.7"), address("192.0.2.8"));
}

#[test]
fn servers_count_together_in_redis_and_alone_while_it_is_down() {
    let mut redis = Redis::start();
    runtime().block_on(async {
        let clock = Clock::default();
        let (one, other) = (limiter(Some(&redis.url()), &clock), limiter(Some(&redis.url()), &clock));
        let who = Client::Address(address("192.0.2.7"));
        assert_eq!(one.request("read", who, QUOTA).await.remaining, 2);
        assert_eq!(other.request("read", who, QUOTA).await.remaining, 1);
        assert_eq!((one.ping().await, limiter(None, &clock).ping().await), (Some(true), None));

        redis.stop();
        // It has forgotten everything, and the process has not counted before.
        assert_eq!(one.request("read", who, QUOTA).await.remaining, 2);
        assert_eq!(one.is_redis_up(), Some(false));
        assert_eq!(one.request("read", who, QUOTA).await.remaining, 1);

        redis.start_again();
        // Left alone for a second, then asked again.
        let deadline = std::time::Instant::now() + Duration::from_secs(60);
        // Each notices for itself that its connection is gone.
        while one.ping().await != Some(true) || other.ping().await != Some(true) {
            assert!(std::time::Instant::now() < deadline, "a Redis that answers again is not noticed");
            tokio::task::yield_now().await;
        }
        assert_eq!(one.is_redis_up(), Some(true));
        assert_eq!(one.request("read", who, QUOTA).await.remaining, 2);
        assert_eq!(other.request("read", who, QUOTA).await.remaining, 1);
    });
}

#[test]
fn redis_holds_no_address_and_no_account() {
    let redis = Redis::start();
    runtime().block_on(async {
        let limiter = limiter(Some(&redis.url()), &Clock::default());
        let from = address("192.0.2.7");
        limiter.request("read", Client::Address(from), QUOTA).await;
        drop(limiter.sign_in(from, b"ann@example.com").await);
        let client = redis::Client::open(redis.url().expose_secret()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap();
        assert_eq!(keys.len(), 3, "{keys:?}");
        for key in keys {
            assert!(!key.contains("192.0.2.7") && !key.contains("ann"), "{key}");
            let ttl: i64 = redis::cmd("PTTL").arg(&key).query_async(&mut connection).await.unwrap();
            assert!(ttl > 0, "{key} stays for ever");
        }
    });
}

#[test]
fn failed_sign_ins_slow_an_account_down_from_everywhere_and_success_forgets_them() {
    let redis = Redis::start();
    runtime().block_on(async {
        for url in [None, Some(redis.url())] {
            let clock = Clock::movable();
            let limiter = limiter(url.as_ref(), &clock);
            for number in 1..=6_u8 {
                // Each from another address.
                let from = address(&format!("192.0.2.{number}"));
                assert!(limiter.sign_in(from, b"ann").await.is_ok(), "attempt {number}");
            }
            let wait = limiter.sign_in(address("192.0.2.99"), b"ann").await.err().unwrap();
            assert!(wait <= Duration::from_secs(5), "{wait:?}");
            assert!(limiter.sign_in(address("192.0.2.99"), b"bob").await.is_ok(), "another account");
            if url.is_none() {
                clock.advance(TimeDelta::seconds(5));
                limiter.sign_in(address("192.0.2.99"), b"ann").await.ok().unwrap().succeeded().await;
                for _ in 0..6 {
                    assert!(limiter.sign_in(address("192.0.2.99"), b"ann").await.is_ok());
                }
                assert!(limiter.sign_in(address("192.0.2.99"), b"ann").await.is_err());
            }
        }
    });
}

#[test]
fn an_hour_without_a_failure_forgives() {
    runtime().block_on(async {
        let clock = Clock::movable();
        let limiter = limiter(None, &clock);
        for _ in 0..2 {
            for _ in 0..6 {
                assert!(limiter.sign_in(address("192.0.2.7"), b"ann").await.is_ok());
            }
            assert!(limiter.sign_in(address("192.0.2.7"), b"ann").await.is_err());
            clock.advance(TimeDelta::hours(1));
        }
    });
}

/// Nearly the longest wait.
const LONG: Duration = Duration::from_secs(14 * 60);

#[test]
fn an_address_that_tries_many_accounts_waits_longer_each_time_up_to_a_quarter_of_an_hour() {
    runtime().block_on(async {
        let clock = Clock::movable();
        let limiter = limiter(None, &clock);
        let from = address("192.0.2.7");
        let (mut accounts, mut last) = (0_u64.., Duration::ZERO);
        let mut attempt = async || limiter.sign_in(from, &accounts.next().unwrap().to_be_bytes()).await.err();
        for _ in 0..21 {
            assert_eq!(attempt().await, None);
        }
        for _ in 0..12 {
            let wait = attempt().await.unwrap();
            // The clock runs on, so that the longest wait is never quite a quarter of an hour.
            assert!(wait > last.min(LONG) && wait <= Duration::from_secs(15 * 60), "{wait:?}");
            last = wait;
            clock.advance(TimeDelta::from_std(wait).unwrap() + TimeDelta::milliseconds(1));
            assert_eq!(attempt().await, None);
        }
        assert!(last > LONG, "{last:?}");
    });
}

#[test]
fn a_hundred_attempts_at_once_are_not_more_than_one_after_the_other() {
    let redis = Redis::start();
    runtime().block_on(async {
        for url in [None, Some(redis.url())] {
            let limiter = limiter(url.as_ref(), &Clock::default());
            let attempts = (0..100).map(|_| limiter.sign_in(address("192.0.2.7"), b"ann"));
            let passed = futures::future::join_all(attempts).await.into_iter().filter(Result::is_ok).count();
            assert_eq!(passed, 6);
        }
    });
}
