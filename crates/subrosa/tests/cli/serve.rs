//! `subrosa serve` on a bare machine, from nothing to its end.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::kit::{end_of, run, subrosa};

/// A directory that the account of the private cluster can enter.
fn data() -> TempDir {
    let data = TempDir::new().unwrap();
    fs::set_permissions(data.path(), fs::Permissions::from_mode(0o755)).unwrap();
    data
}

fn command(data: &Path, arguments: &[&str]) -> Command {
    let mut command = subrosa();
    for variable in ["SUBROSA_KEYS", "SUBROSA_KEYS_FILE", "SUBROSA_KEYS_COMMAND", "DATABASE_URL", "DATABASE_OWNER_URL"]
    {
        command.env_remove(variable);
    }
    command.env("SUBROSA_DATA_DIR", data).args(arguments);
    command
}

/// A service that listens, and what it said before.
struct Serving {
    child: Child,
    said: Vec<String>,
    address: String,
}

fn serve(data: &Path, more: &[&str]) -> Serving {
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--set", "metrics.listen=127.0.0.1:0"];
    let mut command = command(data, &[&arguments[..], more].concat());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut said = Vec::new();
    for line in lines {
        said.push(line);
        if said.last().unwrap().contains("metrics are at") {
            break;
        }
    }
    let address = said.iter().find_map(|line| line.split("listening on ").nth(1)?.split(": ").next());
    let address = address.unwrap_or_else(|| panic!("it does not listen: {said:?}")).to_owned();
    Serving { child, said, address }
}

fn get(address: &str, path: &str) -> String {
    ask(address, "GET", path)
}

fn ask(address: &str, method: &str, path: &str) -> String {
    let mut connection = TcpStream::connect(address).unwrap();
    write!(
        connection,
        "{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer canary\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap().success());
}

/// Whether a server of this cluster runs.
fn has_cluster(data: &Path) -> bool {
    let at = data.join("postgres/cluster");
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes.filter_map(|process| fs::read_link(process.path().join("cwd")).ok()).any(|cwd| cwd == at)
}

#[test]
fn with_nothing_configured_it_makes_all_it_needs_serves_and_ends_politely() {
    let data = data();
    let serving = serve(data.path(), &[]);
    let said = serving.said.join("\n");
    assert!(said.contains("Back it up") && said.contains("the API is at http://127.0.0.1:"), "{said}");
    let password = said.split("signs in as owner@localhost.localdomain with ").nth(1).unwrap();
    let password = password.split(' ').next().unwrap().to_owned();
    assert_eq!(password.len(), 24);
    assert_eq!(fs::metadata(data.path().join("keys")).unwrap().permissions().mode() & 0o7777, 0o600);
    assert!(get(&serving.address, "/api/health?q=canary").starts_with("HTTP/1.1 200"));
    assert!(get(&serving.address, "/api/calls/canary").starts_with("HTTP/1.1 401"));
    assert!(get(&serving.address, "/canary").starts_with("HTTP/1.1 404"));
    assert!(ask(&serving.address, "CANARY", "/api/health").starts_with("HTTP/1.1 405"));
    assert!(has_cluster(data.path()));
    signal(&serving.child, "TERM");
    let output = end_of(serving.child);
    assert_eq!(output.status.code(), Some(0));
    assert!(!has_cluster(data.path()), "PostgreSQL outlived the program");
    let log = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<_> = log.lines().collect();
    assert_eq!(lines.last(), Some(&"subrosa: stopped: every request was answered"), "{log}");
    for level in ["WARN", "ERROR"] {
        assert!(!log.contains(&format!(r#""level":"{level}""#)), "nothing went wrong, and it says so: {log}");
    }
    let answered = lines.iter().find(|line| line.contains("/api/health")).unwrap();
    let answered: serde_json::Value = serde_json::from_str(answered).unwrap();
    assert_eq!(
        (&answered["route"], &answered["status"], &answered["method"]),
        (&"/api/health".into(), &200.into(), &"GET".into())
    );
    assert_eq!(answered["span"]["id"].as_str().unwrap().len(), 36, "the id of the request");
    assert!(!log.to_lowercase().contains("canary") && !log.contains(&password), "{log}");

    // The second time everything is there.
    let again = serve(data.path(), &[]);
    assert_eq!(again.said.len(), 2, "{:?}", again.said);
    signal(&again.child, "INT");
    assert_eq!(end_of(again.child).status.code(), Some(0));
    // Other commands find the key that was made.
    assert_eq!(run(&mut command(data.path(), &["keys", "list"])).code, Some(0));
    // A lost key is not replaced by another one.
    fs::remove_file(data.path().join("keys")).unwrap();
    run(&mut command(data.path(), &["serve"])).assert_one_line(10, &["no key"]);
}

#[test]
fn spans_of_requests_reach_a_collector_without_what_was_in_them() {
    let collector = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("traces.endpoint=http://{}", collector.local_addr().unwrap());
    let (sender, received) = mpsc::channel();
    thread::spawn(move || {
        for connection in collector.incoming() {
            let mut reader = BufReader::new(connection.unwrap());
            let (mut head, mut length) = (String::new(), 0);
            while reader.read_line(&mut head).unwrap() > 2 {
                let line = head.lines().last().unwrap().to_lowercase();
                length = line.strip_prefix("content-length: ").map_or(length, |length| length.parse().unwrap());
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
            if sender.send((head, body)).is_err() {
                return;
            }
        }
    });
    let data = data();
    let serving = serve(data.path(), &["--set", &endpoint, "--set", "traces.per_mille=1000"]);
    get(&serving.address, "/api/health?q=canary");
    signal(&serving.child, "TERM");
    assert_eq!(end_of(serving.child).status.code(), Some(0));
    let (head, body) = received.try_recv().expect("the last traces are sent before the end");
    assert!(head.starts_with("POST /v1/traces HTTP/1.1") && head.contains("application/x-protobuf"), "{head}");
    let text = String::from_utf8_lossy(&body);
    assert!(text.contains("GET /api/health") && text.contains("http.route") && text.contains("subrosa"), "{text}");
    assert!(!text.contains("canary"), "{text}");
}

#[test]
fn an_address_that_is_taken_and_plaintext_on_the_network_are_refused() {
    let data = data();
    let open = run(&mut command(data.path(), &["serve", "--listen", "0.0.0.0:0"]));
    open.assert_one_line(28, &["put a proxy that ends TLS in front", "http.trusted_proxies"]);
    assert_eq!(fs::read_dir(&data).unwrap().count(), 0, "nothing was started");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refused = run(&mut command(data.path(), &["serve", "--listen", &address]));
    assert_eq!(refused.code, Some(29), "{}", refused.err);
    assert!(refused.err.contains(&format!("http.listen: {address} cannot be listened on")), "{}", refused.err);
    assert!(!has_cluster(data.path()), "PostgreSQL outlived the program");
}

#[test]
fn a_verification_of_what_does_not_answer_says_so_and_claims_nothing() {
    let (data, address) = (data(), TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let url = format!("http://{address}");
    run(&mut command(data.path(), &["verify", "--url", &url])).assert_one_line(31, &[&url, "does not answer"]);
    let listener = TcpListener::bind(address).unwrap();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let _ = connection.read(&mut [0; 1024]);
            let _ = connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    // It answers, and is no service of this installation, which was never begun.
    run(&mut command(data.path(), &["verify", "--url", &url])).assert_one_line(7, &["no service runs"]);
}

#[test]
fn an_interrupted_or_failed_command_leaves_no_postgresql_behind() {
    let data = data();
    let key = run(&mut command(data.path(), &["keys", "generate", "k1"])).out;
    let fifo = data.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for name in ["INT", "TERM", "HUP"] {
        let mut list = command(data.path(), &["keys", "list"]);
        list.env("SUBROSA_KEYS_COMMAND", format!("exec cat {}", fifo.display()));
        let child = list.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // It reads the keys before it starts the cluster, and again after that: there it waits for the signal.
        fs::write(&fifo, key.trim()).unwrap();
        wait_until(|| has_cluster(data.path()), "the cluster does not start");
        signal(&child, name);
        let output = end_of(child);
        assert_eq!(output.status.code(), Some(130), "{output:?}");
        // One that was told to stop while it started ends by itself.
        wait_until(|| !has_cluster(data.path()), "PostgreSQL outlived the program");
    }
}

/// Looks until something is so; only what never becomes so takes a minute.
fn wait_until(is_so: impl Fn() -> bool, what: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        thread::yield_now();
    }
}
