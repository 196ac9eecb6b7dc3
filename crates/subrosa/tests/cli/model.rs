//! Calls that are analysed by a language model: an endpoint that is played here, by what OpenAI publishes of its chat completions.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    thread,
};

use serde_json::{Value, json};

use crate::kit::{Ended, data_dir, folder, names, run, silence, talkative, transcribe, transcribe_with_models};

/// An endpoint that answers every request with a status and what it makes of the request, and tells what it was asked.
fn endpoint(status: u16, says: impl Fn(&Value) -> Value + Send + 'static) -> (String, mpsc::Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let (tell, asked) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (head, body) = request(&mut stream);
            let completion = json!({
                "id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000, "model": "played",
                "choices": [{"index": 0, "finish_reason": "stop",
                    "message": {"role": "assistant", "content": says(&body).to_string(), "refusal": null}}],
                "usage": {"prompt_tokens": 700, "completion_tokens": 30, "total_tokens": 730},
            })
            .to_string();
            let length = completion.len();
            let head_out = format!(
                "HTTP/1.1 {status} Played\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
            );
            // A client that went away has seen enough, and so has a test that ended.
            let _ = stream.write_all((head_out + &completion).as_bytes());
            let _ = tell.send((head, body));
        }
    });
    (url, asked)
}

/// The head, in small letters, and the body of a request with a length.
fn request(stream: &mut TcpStream) -> (String, Value) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    (head, serde_json::from_slice(&body).unwrap())
}

/// The longest thing that was said, as a request shows it: a line of JSON a segment, with its id, time, speaker and text.
fn said(request: &Value) -> [Value; 2] {
    let message = request["messages"][1]["content"].as_str().unwrap();
    let lines = message.lines().filter_map(|line| serde_json::from_str::<[Value; 4]>(line).ok());
    let [id, _, _, text] = lines.max_by_key(|[.., text]| text.as_str().unwrap().len()).unwrap();
    [id, text]
}

/// A model to which that is a decision, and so is something that nobody said.
fn decided(request: &Value) -> Value {
    let [id, text] = said(request);
    let decision = |text: &Value| json!({"text": text, "sourceSegmentIds": [id]});
    json!({"decisions": [decision(&text), decision(&json!("Everybody buys a zeppelin in Lakehurst."))]})
}

#[test]
fn a_model_says_what_a_call_was_about_and_is_held_to_what_was_said() {
    let (Some(mut command), Some(data)) = (transcribe_with_models(), data_dir()) else { return };
    let (url, asked) = endpoint(200, decided);
    let folder = folder(&[("key", b"sk-of-the-test\n")]);
    command.current_dir(&folder).env("SUBROSA_ANALYSIS_KEY", "sk-not-this-one").arg(data.join("samples/sample.wav"));
    // Its limits are those of the installation.
    command.args(["--set", "analysis.answer=1000"]);
    let ended = run(command.args(["--format", "json", "--analyze", "--analysis-model", "played"]).args([
        "--analysis-engine",
        &url,
        "--analysis-key-file",
        "key",
    ]));
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    let (head, request) = asked.recv().unwrap();
    assert!(head.starts_with("post /v1/chat/completions "), "{head}");
    assert!(head.contains("authorization: bearer sk-of-the-test\r\n"), "{head}");
    assert_eq!((&request["model"], &request["response_format"]["type"]), (&json!("played"), &json!("json_schema")));
    assert_eq!(request["max_tokens"], 1000);
    let document: Value = serde_json::from_str(&ended.out).unwrap();
    let analysis = &document["analysis"];
    assert_eq!(analysis["engine"], "llm");
    let [id, text] = said(&request);
    assert_eq!(analysis["decisions"][0]["sourceSegmentIds"], json!([id]));
    assert_eq!(analysis["decisions"][0]["text"], text);
    assert!(!ended.out.contains("zeppelin"));
}

#[test]
fn where_the_model_fails_rules_analyse_and_the_exit_code_says_so() {
    let (Some(mut command), Some(data)) = (transcribe_with_models(), data_dir()) else { return };
    let (url, _asked) = endpoint(403, decided);
    command.arg(data.join("samples/sample.wav")).args(["--format", "json", "--analyze"]);
    let Ended { code, out, err } = run(command.args(["--analysis-engine", &url, "--analysis-model", "played"]));
    assert_eq!((code, err.lines().count()), (Some(32), 1), "{err}");
    assert!(err.contains("provider_refused"), "{err}");
    let analysis = &serde_json::from_str::<Value>(&out).unwrap()["analysis"];
    assert_eq!(analysis["engine"], "local");
    assert!(analysis["qualityWarnings"].as_array().unwrap().contains(&json!("analysis_fallback")), "{analysis}");
}

#[test]
fn a_transcript_that_rules_analyse_counts_as_transcribed() {
    let (Some(command), Some(data)) = (transcribe_with_models(), data_dir()) else { return };
    let (url, _asked) = endpoint(403, decided);
    let folder = folder(&[("a.wav", &silence())]);
    let mut recording = fs::read(data.join("samples/sample.wav")).unwrap();
    recording.truncate(recording.len() - 100);
    fs::write(folder.path().join("b.wav"), recording).unwrap();
    let mut talkative = talkative(&command);
    talkative.current_dir(&folder).args("a.wav b.wav --format json --output-dir out --analyze".split(' '));
    let Ended { code, err, .. } = run(talkative.args(["--analysis-engine", &url, "--analysis-model", "played"]));
    assert_eq!(code, Some(32), "{err}");
    assert_eq!(names(&folder.path().join("out")), ["a.json", "b.json"]);
    let told = |part: &str| err.lines().filter(|line| line.contains(part)).count();
    assert_eq!(
        (told("b.wav: the language model gave no analysis (provider_refused)"), told("no analysis")),
        (1, 1),
        "{err}"
    );
    assert_eq!((told("b.wav: note: The recording ends"), told("b.wav: 0:30 of audio")), (1, 1), "{err}");
    assert_eq!(told("2 transcribed, 0 failed; 0:31 of audio"), 1, "{err}");
}

#[test]
fn a_call_in_which_nobody_speaks_is_put_to_no_model() {
    let Some(mut command) = transcribe_with_models() else { return };
    let (url, asked) = endpoint(200, decided);
    let folder = folder(&[("a.wav", &silence())]);
    command.current_dir(&folder).args(["a.wav", "--analyze", "--analysis-engine", &url, "--analysis-model", "played"]);
    assert_eq!(run(&mut command).code, Some(0));
    assert!(asked.try_recv().is_err());
}

#[test]
fn what_cannot_be_asked_is_refused_before_anything_is_read() {
    let folder = folder(&[("a.wav", &silence()), ("empty", b"\n"), ("two", b"one\ntwo")]);
    let with = |args: &[&str]| run(transcribe().current_dir(&folder).arg("a.wav").args(args));
    let named = ["--analyze", "--analysis-model", "m", "--analysis-engine"];
    for (args, said) in [
        (&["--analysis-engine", "http://127.0.0.1/v1", "--analysis-model", "m"][..], "--analyze"),
        (&["--analyze", "--analysis-engine", "http://127.0.0.1/v1"], "--analysis-model"),
        (&["--analyze", "--analysis-model", "m"], "--analysis-engine"),
        (&[&named[..], &["http://example.org/v1"]].concat(), "https://"),
        (&[&named[..], &["ollama"]].concat(), "https://"),
        (&[&named[..], &["http://127.0.0.1/v1", "--analysis-key-file", "none"]].concat(), "cannot read the key"),
        (&[&named[..], &["http://127.0.0.1/v1", "--analysis-key-file", "empty"]].concat(), "one line"),
        (&[&named[..], &["http://127.0.0.1/v1", "--analysis-key-file", "two"]].concat(), "one line"),
    ] {
        with(args).assert_one_line(2, &[said]);
    }
    with(&["--set", "analysis.bogus=1"]).assert_one_line(28, &["analysis.bogus"]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
}
