//! What a configuration says, and everything that is wrong with one.

use std::{ffi::OsString, os::unix::fs::PermissionsExt as _, path::PathBuf};

use secrecy::ExposeSecret as _;

use super::*;

fn environment(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
}

fn file(directory: &tempfile::TempDir, text: &str, mode: u32) -> PathBuf {
    let path = directory.path().join("subrosa.toml");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    path
}

/// What is wrong with a layer, as somebody reads it.
fn wrong(layers: &Layers) -> String {
    Config::load(layers).err().map(|faults| faults.to_string()).unwrap_or_default()
}

#[test]
fn every_setting_of_the_manual_is_read_and_has_a_default_that_is_sensible() {
    let (settings, faults) = Layers::default().join();
    let mut reader = Reader::new(settings, faults);
    Config::read(&mut reader).check(&mut reader);
    assert_eq!(reader.unread(), Vec::<String>::new());
    assert!(reader.finish().is_ok());
}

#[test]
fn a_flag_goes_before_the_environment_and_that_before_the_file_and_that_before_the_default() {
    let directory = tempfile::tempdir().unwrap();
    let text = "[limits]\nrequests = 1\nuploads = 1\nconnections = 1\n";
    let mut layers = Layers { usual_file: Some(file(&directory, text, 0o644)), ..Layers::default() };
    layers.environment = environment(&[("SUBROSA_LIMITS_REQUESTS", "2"), ("SUBROSA_LIMITS_UPLOADS", "2")]);
    layers.flags = vec![("limits.requests".to_owned(), "3".to_owned())];
    let (config, settings) = Config::load(&layers).unwrap();
    let limits = &config.limits;
    assert_eq!((limits.requests, limits.uploads, limits.connections, limits.json_body), (3, 2, 1, 1 << 20));
    let listed = settings.to_string();
    assert!(listed.contains("limits.requests = 3 (from a flag)\n"), "{listed}");
    assert!(listed.contains("limits.uploads = 2 (from SUBROSA_LIMITS_UPLOADS)\n"), "{listed}");
    assert!(listed.contains("subrosa.toml)\n") && listed.contains("redis.url: not set\n"), "{listed}");
    assert!(listed.contains("limits.json_body = \"1 MiB\" (from default)\n"), "{listed}");
}

#[test]
fn a_secret_is_only_said_to_be_set_and_no_message_holds_a_value() {
    let mut layers = Layers::default();
    let secret = "postgres://subrosa_app:canary@db/subrosa";
    layers.environment = environment(&[("DATABASE_URL", secret), ("SUBROSA_REDIS_URL", "redis://:canary@r")]);
    let (config, settings) = Config::load(&layers).unwrap();
    assert_eq!(config.database.url.as_ref().unwrap().expose_secret(), secret);
    let shown = format!("{settings}{config:?}");
    assert!(shown.contains("database.url: set (from DATABASE_URL)") && !shown.contains("canary"), "{shown}");

    let directory = tempfile::tempdir().unwrap();
    let path = file(&directory, "[redis]\nurl = \"redis://canary\n", 0o600);
    let said = wrong(&Layers { named_file: Some(path), ..Layers::default() });
    assert!(said.contains("subrosa.toml:2: not TOML") && !said.contains("canary"), "{said}");
    let path = file(&directory, "[redis]\nurl = \"redis://canary\"\n", 0o644);
    let said = wrong(&Layers { named_file: Some(path), ..Layers::default() });
    assert!(said.contains("holds redis.url, a secret, and has mode 0644") && !said.contains("canary"), "{said}");
}

#[test]
fn an_unknown_name_is_an_error_with_the_nearest_one_in_every_layer() {
    let directory = tempfile::tempdir().unwrap();
    let path = file(&directory, "[http]\nlisten_on = \"x\"\n[htp]\na = 1\n", 0o600);
    let mut layers = Layers { usual_file: Some(path), ..Layers::default() };
    layers.environment = environment(&[
        ("SUBROSA_HTTP_LISTN", "127.0.0.1:1"),
        ("SUBROSA_DATA_DIR", "/srv"),
        ("SUBROSA_PORT_8080_TCP", "from Kubernetes"),
        ("SUBROSA_HTTP_LISTEN", ""),
        ("OTHER", "x"),
    ]);
    layers.flags = vec![("limit.requests".to_owned(), "1".to_owned())];
    let said = wrong(&layers);
    assert_eq!(said.lines().count(), 4, "{said}");
    assert!(said.contains("names http.listen_on, which is no setting; did you mean http.listen?"), "{said}");
    assert!(
        said.contains(
            "the environment names SUBROSA_HTTP_LISTN, which is no setting; did you mean SUBROSA_HTTP_LISTEN?"
        )
    );
    assert!(said.contains("a flag names limit.requests, which is no setting; did you mean limits.requests?"), "{said}");
}

#[test]
fn a_variable_of_another_command_does_not_stop_the_service() {
    let others = ["SUBROSA_CONFIG", "SUBROSA_DATA_DIR", "SUBROSA_KEYS", "SUBROSA_MODELS_URL", "SUBROSA_SERVICE_HOST"];
    let layers = Layers { environment: environment(&others.map(|name| (name, "x"))), ..Layers::default() };
    assert_eq!(wrong(&layers), "");
}

#[test]
fn every_value_that_cannot_be_is_named_with_its_source_and_what_it_must_be() {
    let cases = [
        ("http.listen", "8080", "an address and a port"),
        ("http.trusted_proxies", "10.0.0.0/8,everyone", "a list of networks"),
        ("http.allow_plaintext", "yes", "true or false"),
        ("http.public_url", "calls.example.com", "http:// or https://"),
        ("http.cors_origins", "https://a.example/app", "without a path"),
        ("http.cors_origins", "*", "without a path"),
        ("limits.json_body", "1MB", "a size"),
        ("limits.request_time", "soon", "a duration"),
        ("limits.request_time", "0s", "a duration"),
        ("limits.requests", "0", "a whole number"),
        ("rates.read", "600", "a rate"),
        ("rates.read", "0/1m", "a rate"),
        ("log.level", "server=loud=x", "a level"),
        ("log.format", "xml", "json, text or auto"),
        ("traces.per_mille", "1001", "from 0 to 1000"),
    ];
    for (key, value, part) in cases {
        let layers = Layers { flags: vec![(key.to_owned(), value.to_owned())], ..Layers::default() };
        let said = wrong(&layers);
        assert!(said.starts_with(&format!("{key} (from a flag) must be ")) && said.contains(part), "{key}: {said}");
    }
}

#[test]
fn settings_that_do_not_fit_each_other_are_refused_together() {
    let set = |pairs: &[(&str, &str)]| {
        let flags = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        wrong(&Layers { flags, ..Layers::default() })
    };
    assert!(set(&[("http.listen", "0.0.0.0:80")]).contains("name its network in http.trusted_proxies"));
    assert_eq!(set(&[("http.listen", "0.0.0.0:80"), ("http.trusted_proxies", "10.0.0.0/8")]), "");
    assert_eq!(set(&[("http.listen", "[::]:80"), ("http.allow_plaintext", "true")]), "");
    assert!(set(&[("database.owner_url", "x")]).contains("needs both"));
    assert!(set(&[("health.token", "short")]).contains("32 characters"));
    assert!(set(&[("traces.endpoint", "https://otel.example")]).contains("http:// address"));
    let path = Some(PathBuf::from("/nonexistent/subrosa.toml"));
    assert!(wrong(&Layers { named_file: path.clone(), ..Layers::default() }).contains("cannot be read"));
    assert_eq!(wrong(&Layers { usual_file: path, ..Layers::default() }), "");
}

#[test]
fn content_goes_to_this_machine_or_by_tls_to_where_the_operator_lets_it() {
    let said = |pairs: &[(&str, &str)]| {
        let mut layers = Layers::default();
        layers.flags = pairs.iter().map(|(key, value)| (format!("analysis.{key}"), (*value).to_owned())).collect();
        wrong(&layers)
    };
    let llm = ("engine", "llm");
    for local in ["http://127.0.0.1:11434/v1", "http://[::1]:8080/v1", "http://localhost/v1", "https://127.0.0.2/v1/"] {
        assert_eq!(said(&[llm, ("model", "m"), ("url", local)]), "", "{local}");
    }
    for unsafe_one in [
        "http://llm.example/v1",
        "http://127.0.0.1.example/v1",
        "ftp://127.0.0.1",
        "https://user@llm.example",
        "http://10.0.0.1/v1",
    ] {
        let said = said(&[llm, ("model", "m"), ("url", unsafe_one), ("remote", "true"), ("region", "eu")]);
        assert!(said.contains("analysis.url") && said.contains("an https:// address"), "{unsafe_one}: {said}");
    }
    let away = [llm, ("model", "m"), ("url", "https://llm.example/v1")];
    assert!(said(&away).contains("is not on this machine"));
    assert!(said(&[&away[..], &[("remote", "true")]].concat()).contains("is not on this machine"));
    assert_eq!(said(&[&away[..], &[("remote", "true"), ("region", "eu")]].concat()), "");
    assert!(said(&[llm, ("url", "http://127.0.0.1/v1")]).contains("needs analysis.url and analysis.model"));
    assert!(said(&[("answer", "20000")]).contains("must be smaller"));
}
