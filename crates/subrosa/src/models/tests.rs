//! Downloads against a server on the loopback, imports and checks in a directory of their own.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    path::{Path, PathBuf},
    thread::{self, JoinHandle},
    time::Duration,
};

use sha2::{Digest as _, Sha256};

use super::{
    manifest::{File, Kind, Model},
    pull::Puller,
    store::{Store, hex},
    *,
};

/// Some content that is longer than one read of a socket.
fn content() -> Vec<u8> {
    (0..300_000_u32).flat_map(u32::to_le_bytes).collect()
}

/// A model of one file with this content.
fn model(content: &[u8]) -> Model {
    let sha256 = hex(Sha256::new().chain_update(content)).leak();
    let file = File { name: "net.onnx", path: "net.onnx", size: content.len() as u64, sha256 };
    Model {
        name: "net",
        short: "net",
        kind: Kind::Vad,
        licence: "MIT",
        attribution: "nobody",
        source: None,
        files: Box::leak(Box::new([file])),
    }
}

/// A server that gives each connection the next answer and then hangs up; joins to the requests it got.
struct Server {
    url: String,
    thread: JoinHandle<Vec<String>>,
}

impl Server {
    fn new(answers: Vec<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/models/", listener.local_addr().unwrap());
        let thread = thread::spawn(move || {
            let answer = |answer: Vec<u8>| {
                let (mut stream, _) = listener.accept().unwrap();
                let lines = BufReader::new(&stream).lines().map(Result::unwrap);
                let head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
                // A client that has enough may hang up first.
                let _ = stream.write_all(&answer);
                head.join("\n").to_lowercase()
            };
            answers.into_iter().map(answer).collect()
        });
        Self { url, thread }
    }

    fn puller(&self) -> Puller {
        Puller::new(Some(self.url.clone()), None, Duration::ZERO).unwrap()
    }

    fn requests(self) -> Vec<String> {
        self.thread.join().unwrap()
    }
}

/// An answer with a length that need not be that of its body.
fn answer(status: &str, length: usize, body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n").as_bytes(), body].concat()
}

/// The part of `content` from `start` on.
fn partial(content: &[u8], start: usize) -> Vec<u8> {
    let range = format!("206 Partial Content\r\nContent-Range: bytes {start}-{}/{}", content.len() - 1, content.len());
    answer(&range, content.len() - start, &content[start..])
}

fn files(dir: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_pulled_model_is_there_and_right() {
    let (home, content) = (tempfile::tempdir().unwrap(), content());
    let (store, model) = (Store::new(home.path()), model(&content));
    let server = Server::new(vec![answer("200 OK", content.len(), &content)]);
    server.puller().pull(&store, &model).unwrap();
    assert_eq!(fs::read(store.file(&model)).unwrap(), content);
    assert_eq!(files(&store.dir(&model)), ["net.onnx", "verified.json"]);
    let requests = server.requests();
    assert!(requests[0].starts_with("get /models/net/net.onnx http/1.1") && !requests[0].contains("range:"));
}

#[test]
fn a_model_that_is_here_is_not_fetched_again() {
    let (home, content) = (tempfile::tempdir().unwrap(), content());
    let (store, model) = (Store::new(home.path()), model(&content));
    fs::create_dir_all(store.dir(&model)).unwrap();
    fs::write(store.file(&model), &content).unwrap();
    Server::new(Vec::new()).puller().pull(&store, &model).unwrap();
}

#[test]
fn a_cut_download_goes_on_where_it_stopped() {
    let (home, content) = (tempfile::tempdir().unwrap(), content());
    let (store, model) = (Store::new(home.path()), model(&content));
    let cut = 700_001;
    let server = Server::new(vec![answer("200 OK", content.len(), &content[..cut]), partial(&content, cut)]);
    server.puller().pull(&store, &model).unwrap();
    assert_eq!(fs::read(store.file(&model)).unwrap(), content);
    assert!(server.requests()[1].contains("range: bytes=700001-"));
}

#[test]
fn a_download_goes_on_after_the_program_was_stopped() {
    let (home, content) = (tempfile::tempdir().unwrap(), content());
    let (store, model) = (Store::new(home.path()), model(&content));
    fs::create_dir_all(store.dir(&model)).unwrap();
    fs::write(store.dir(&model).join("net.onnx.part"), &content[..1000]).unwrap();
    let server = Server::new(vec![partial(&content, 1000)]);
    server.puller().pull(&store, &model).unwrap();
    assert_eq!(fs::read(store.file(&model)).unwrap(), content);
}

#[test]
fn a_server_that_cannot_resume_sends_the_whole_file_again() {
    let (home, content) = (tempfile::tempdir().unwrap(), content());
    let (store, model) = (Store::new(home.path()), model(&content));
    let server =
        Server::new(vec![answer("200 OK", content.len(), &content[..1000]), answer("200 OK", content.len(), &content)]);
    server.puller().pull(&store, &model).unwrap();
    assert_eq!(fs::read(store.file(&model)).unwrap(), content);
}

#[test]
fn a_range_that_was_not_asked_for_is_not_joined_to_what_is_here() {
    let (home, content) = (tempfile::tempdir().unwrap(), content());
    let (store, model) = (Store::new(home.path()), model(&content));
    let server = Server::new(vec![
        answer("200 OK", content.len(), &content[..1000]),
        partial(&content, 2000),
        answer("200 OK", content.len(), &content),
    ]);
    server.puller().pull(&store, &model).unwrap();
    assert_eq!(fs::read(store.file(&model)).unwrap(), content);
}

#[test]
fn other_content_than_the_manifest_names_is_refused_and_removed() {
    let (home, mut content) = (tempfile::tempdir().unwrap(), content());
    let (store, model) = (Store::new(home.path()), model(&content));
    content[5] ^= 1;
    let server = Server::new(vec![answer("200 OK", content.len(), &content)]);
    let error = server.puller().pull(&store, &model).unwrap_err();
    assert!(matches!(error, ModelError::Damaged { .. }), "{error}");
    assert!(files(&store.dir(&model)).is_empty());
}

#[test]
fn a_longer_answer_than_the_manifest_allows_is_cut_off() {
    let (home, content) = (tempfile::tempdir().unwrap(), content());
    let (store, model) = (Store::new(home.path()), model(&content[..1000]));
    // Without a length, as a server may send it.
    let endless = [b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", content.as_slice()].concat();
    Server::new(vec![endless]).puller().pull(&store, &model).unwrap();
    assert_eq!(fs::metadata(store.file(&model)).unwrap().len(), 1000);
}

#[test]
fn the_page_of_a_network_that_wants_a_login_costs_nothing_of_what_is_here() {
    let (home, content) = (tempfile::tempdir().unwrap(), content());
    let (store, model) = (Store::new(home.path()), model(&content));
    fs::create_dir_all(store.dir(&model)).unwrap();
    fs::write(store.dir(&model).join("net.onnx.part"), &content[..1000]).unwrap();
    let page = b"<html>Please log in</html>";
    let server = Server::new(vec![answer("200 OK", page.len(), page), partial(&content, 1000)]);
    server.puller().pull(&store, &model).unwrap();
    assert_eq!(fs::read(store.file(&model)).unwrap(), content);
}

#[test]
fn a_download_that_brought_nothing_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let (store, model) = (Store::new(home.path()), model(&content()));
    let server = Server::new(vec![answer("404 Not Found", 0, b"")]);
    assert!(matches!(server.puller().pull(&store, &model), Err(ModelError::Download { .. })));
    assert!(!store.dir(&model).exists());
}

#[test]
fn the_name_and_password_of_a_mirror_are_never_shown() {
    let home = tempfile::tempdir().unwrap();
    let (store, model) = (Store::new(home.path()), model(b"x"));
    let server = Server::new(vec![answer("404 Not Found", 0, b"")]);
    let mirror = server.url.replace("http://", "http://ann:s3cret@");
    let error = Puller::new(Some(mirror), None, Duration::ZERO).unwrap().pull(&store, &model).unwrap_err().to_string();
    assert!(error.contains("http://127.0.0.1:") && !error.contains("ann:") && !error.contains("s3cret"), "{error}");
    assert!(server.requests()[0].contains("authorization: basic"), "the mirror gets them");
    for wrong in ["ftp://ann:s3cret@mirror/models", "ann:s3cret@mirror/models"] {
        let error = Puller::new(Some(wrong.to_owned()), None, Duration::ZERO).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("mirror/models") && !error.contains("s3cret"), "{error}");
    }
}

#[test]
fn a_busy_server_is_asked_again_and_a_missing_file_is_not() {
    let (home, content) = (tempfile::tempdir().unwrap(), content());
    let (store, model) = (Store::new(home.path()), model(&content));
    let server = Server::new(vec![answer("503 Busy", 0, b""), answer("404 Not Found", 0, b"")]);
    let error = server.puller().pull(&store, &model).unwrap_err();
    assert!(error.to_string().contains("/net/net.onnx: the server answered 404"), "{error}");
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_server_that_never_delivers_is_given_up() {
    let home = tempfile::tempdir().unwrap();
    let (store, model) = (Store::new(home.path()), model(&content()));
    let server = Server::new(vec![answer("200 OK", 10, b""); 6]);
    let error = server.puller().pull(&store, &model).unwrap_err();
    assert!(matches!(error, ModelError::Download { .. }), "{error}");
    assert_eq!(server.requests().len(), 6);
}

#[test]
fn plain_http_is_only_for_a_mirror_that_was_named_so() {
    assert!(matches!(
        Puller::new(Some("ftp://mirror".to_owned()), None, Duration::ZERO),
        Err(ModelError::Mirror { .. })
    ));
    let home = tempfile::tempdir().unwrap();
    let server = Server::new(Vec::new());
    let model = Model { source: Some(server.url.clone().leak()), ..model(b"x") };
    let error = Puller::new(None, None, Duration::ZERO).unwrap().pull(&Store::new(home.path()), &model).unwrap_err();
    assert!(error.to_string().contains("https only"), "{error}");
}

#[test]
fn a_model_without_a_public_home_says_how_it_is_made() {
    let home = tempfile::tempdir().unwrap();
    let puller = Puller::new(None, None, Duration::ZERO).unwrap();
    let error = puller.pull(&Store::new(home.path()), &model(b"x")).unwrap_err();
    assert!(error.to_string().contains("docs/models.md"), "{error}");
}

#[test]
fn two_processes_do_not_change_the_models_at_once() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::new(home.path());
    let _lock = store.lock().unwrap();
    assert!(matches!(store.lock(), Err(ModelError::Busy { .. })));
}

#[test]
fn files_are_imported_by_their_content_whatever_their_names() {
    let (home, content) = (tempfile::tempdir().unwrap(), content());
    let (store, model) = (Store::new(home.path()), model(&content));
    let source = tempfile::tempdir().unwrap();
    fs::write(source.path().join("renamed.bin"), &content).unwrap();
    fs::write(source.path().join("README"), "not part of the model").unwrap();
    store.import(&model, &[source.path().to_owned()]).unwrap();
    assert_eq!(fs::read(store.file(&model)).unwrap(), content);
}

#[test]
fn a_file_that_is_not_part_of_the_model_is_not_imported() {
    let (home, content) = (tempfile::tempdir().unwrap(), content());
    let (store, model) = (Store::new(home.path()), model(&content));
    let other: PathBuf = home.path().join("other.bin");
    fs::write(&other, [&content[1..], b"x"].concat()).unwrap();
    assert!(matches!(store.import(&model, &[other]), Err(ModelError::Foreign { .. })));
    assert!(matches!(store.import(&model, &[home.path().to_owned()]), Err(ModelError::Foreign { .. })));
    assert!(files(&store.dir(&model)).is_empty());
}

#[test]
fn a_file_that_changed_after_it_was_checked_is_checked_again() {
    let (home, mut content) = (tempfile::tempdir().unwrap(), content());
    let (store, model) = (Store::new(home.path()), model(&content));
    fs::create_dir_all(store.dir(&model)).unwrap();
    fs::write(store.file(&model), &content).unwrap();
    store.check(&model).unwrap();
    content[5] ^= 1;
    let changed = home.path().join("changed");
    fs::write(&changed, &content).unwrap();
    fs::rename(&changed, store.file(&model)).unwrap();
    assert!(matches!(store.check(&model), Err(ModelError::Damaged { .. })));
}

#[test]
fn a_check_in_a_directory_that_takes_no_notes_is_a_check_all_the_same() {
    let (home, content) = (tempfile::tempdir().unwrap(), content());
    let (store, model) = (Store::new(home.path()), model(&content));
    fs::create_dir_all(store.dir(&model)).unwrap();
    fs::write(store.file(&model), &content).unwrap();
    // Stands in the way of the notes, for root too.
    fs::create_dir_all(store.dir(&model).join("verified.json/occupied")).unwrap();
    store.verify(&model).unwrap();
    assert_eq!(files(&store.dir(&model)), ["net.onnx", "verified.json"], "no temporary file stays");
}

#[test]
fn endless_notes_are_not_read_to_their_end() {
    let (home, content) = (tempfile::tempdir().unwrap(), content());
    let (store, model) = (Store::new(home.path()), model(&content));
    fs::create_dir_all(store.dir(&model)).unwrap();
    fs::write(store.file(&model), &content).unwrap();
    std::os::unix::fs::symlink("/dev/zero", store.dir(&model).join("verified.json")).unwrap();
    store.check(&model).unwrap();
}

#[test]
fn a_half_copied_file_is_damaged_and_named() {
    let (home, content) = (tempfile::tempdir().unwrap(), content());
    let (store, model) = (Store::new(home.path()), model(&content));
    fs::create_dir_all(store.dir(&model)).unwrap();
    fs::write(store.file(&model), &content[..1000]).unwrap();
    let error = store.check(&model).unwrap_err().to_string();
    assert!(error.contains("net.onnx is damaged: it has 1000 bytes instead of 1200000"), "{error}");
}

#[test]
fn a_transcription_without_its_models_says_what_to_pull() {
    let home = tempfile::tempdir().unwrap();
    let error = resolve(home.path(), "base").unwrap_err().to_string();
    let advice = "`subrosa models pull base silero-vad pyannote-segmentation-3.0 wespeaker-resnet34-lm`";
    assert!(error.contains(advice), "{error}");
    let error = resolve(home.path(), "silero-vad").unwrap_err().to_string();
    assert!(error.contains("no model named \"silero-vad\"; there are large-v3-turbo, "), "{error}");
}
