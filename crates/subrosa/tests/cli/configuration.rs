//! `subrosa config check`: every value with its source, every fault on a line.

use std::os::unix::fs::PermissionsExt as _;

use crate::kit::{run, subrosa};

#[test]
fn every_value_is_printed_with_its_source_and_secrets_only_as_set() {
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("subrosa.toml"), "[limits]\nrequests = 7\n").unwrap();
    let mut command = subrosa();
    command.env("SUBROSA_DATA_DIR", data.path()).env("DATABASE_URL", "postgres://u:canary@db/x");
    command.args(["config", "check", "--set", "log.level=debug"]);
    let checked = run(&mut command);
    assert_eq!((checked.code, checked.err.as_str()), (Some(0), ""));
    for line in [
        "http.listen = \"127.0.0.1:8080\" (from default)",
        "limits.requests = 7 (from ",
        "log.level = \"debug\" (from a flag)",
        "database.url: set (from DATABASE_URL)",
        "redis.url: not set",
    ] {
        assert!(checked.out.contains(line), "{line} is missing in {}", checked.out);
    }
    assert!(!checked.out.contains("canary"));
}

#[test]
fn everything_that_is_wrong_is_said_at_once_with_the_nearest_name_and_no_value() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("other.toml");
    std::fs::write(&file, "[redis]\nurl = \"redis://canary\"\n[http]\nlisten_to = 1\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    for arguments in [["config", "check"], ["serve", "--listen=canary"], ["keys", "list"]] {
        let mut command = subrosa();
        command.env("SUBROSA_DATA_DIR", data.path()).env("SUBROSA_CONFIG", &file).env("SUBROSA_LOG_LEVL", "canary");
        let wrong = run(command.args(arguments));
        assert_eq!((wrong.code, wrong.out.as_str()), (Some(28), ""));
        assert!(wrong.err.contains("http.listen_to, which is no setting; did you mean http.listen?"), "{}", wrong.err);
        assert!(wrong.err.contains("SUBROSA_LOG_LEVL, which is no setting; did you mean SUBROSA_LOG_LEVEL?"));
        assert!(wrong.err.contains("holds redis.url, a secret, and has mode 0644: chmod 600 it"), "{}", wrong.err);
        assert!(!wrong.err.contains("canary"), "{}", wrong.err);
    }
    assert_eq!(std::fs::read_dir(&data).unwrap().count(), 1, "nothing was started");
}
