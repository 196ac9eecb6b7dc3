//! Defaults, a file, the environment, flags: which one says what. Its one invariant: a later layer replaces single settings of
//! an earlier one, and no layer can bring one that the defaults do not have.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fmt, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use secrecy::SecretString;
use toml::{Table, Value};

use super::{Fault, Faults, values::Parse};

/// The manual.
const DEFAULTS: &str = include_str!("../../config.default.toml");

/// Settings whose variables had names before there was a file.
const VARIABLES: [(&str, &str); 5] = [
    ("database.url", "DATABASE_URL"),
    ("database.owner_url", "DATABASE_OWNER_URL"),
    ("database.listen_url", "DATABASE_LISTEN_URL"),
    ("objects.bucket", "SUBROSA_OBJECTS"),
    ("worker.model", "SUBROSA_MODEL"),
];

/// Variables with our prefix that are no settings: they name the file, the directory, keys, and where models are fetched from.
const OTHERS: [&str; 4] = ["SUBROSA_CONFIG", "SUBROSA_DATA_DIR", "SUBROSA_KEYS", "SUBROSA_MODELS_URL"];

/// What Kubernetes gives every container about a service of this name.
const KUBERNETES: [&str; 2] = ["SUBROSA_SERVICE_", "SUBROSA_PORT"];

/// Bytes of a configuration file: the defaults with all their comments take a tenth.
const MAX_FILE: u64 = 64 * 1024;

/// Where a value comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// `config.default.toml`.
    #[default]
    Default,
    /// A file.
    File(PathBuf),
    /// This variable.
    Variable(String),
    /// The command line.
    Flag,
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => formatter.write_str("default"),
            Self::File(path) => write!(formatter, "{}", path.display()),
            Self::Variable(name) => formatter.write_str(name),
            Self::Flag => formatter.write_str("a flag"),
        }
    }
}

/// What there is beside the defaults.
#[derive(Default)]
pub struct Layers {
    /// A file that somebody named, and that must be there.
    pub named_file: Option<PathBuf>,
    /// Where one may be.
    pub usual_file: Option<PathBuf>,
    /// The environment.
    pub environment: Vec<(OsString, OsString)>,
    /// `name=value` of the command line.
    pub flags: Vec<(String, String)>,
}

/// A value and its source.
#[derive(Clone)]
struct Setting {
    key: String,
    value: Value,
    source: Source,
    is_secret: bool,
}

/// All settings with their sources; as text, secrets are only "set".
pub struct Settings(Vec<Setting>);

impl fmt::Display for Settings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Setting { key, value, source, is_secret } in &self.0 {
            match value {
                Value::String(text) if text.is_empty() => writeln!(formatter, "{key}: not set")?,
                _ if *is_secret => writeln!(formatter, "{key}: set (from {source})")?,
                _ => writeln!(formatter, "{key} = {value} (from {source})")?,
            }
        }
        Ok(())
    }
}

impl Layers {
    /// The settings, and what is wrong with the layers.
    pub(super) fn join(&self) -> (Settings, Vec<Fault>) {
        let (mut settings, mut faults) = (defaults(), Vec::new());
        if let Some((path, values)) = self.read_file(&mut faults) {
            for (key, value) in values {
                settings.put(&key, Source::File(path.clone()), |_| Some(value), &mut faults);
            }
        }
        for (name, value) in &self.environment {
            let Some(name) = name.to_str().filter(|name| is_ours(name)) else { continue };
            // An empty variable says nothing, which is what compose files make of one that is not set.
            if value.is_empty() {
                continue;
            }
            let key = settings.0.iter().map(|setting| setting.key.clone()).find(|key| variable(key) == name);
            let source = Source::Variable(name.to_owned());
            match key {
                Some(key) => settings.put(&key, source, |old| converted(value.to_str()?, old), &mut faults),
                None => {
                    let near = nearest(name, settings.0.iter().map(|setting| variable(&setting.key)));
                    let source_of = Source::Variable("the environment".to_owned());
                    faults.push(Fault::Unknown { key: name.to_owned(), source_of, near });
                }
            }
        }
        for (key, value) in &self.flags {
            settings.put(key, Source::Flag, |old| converted(value, old), &mut faults);
        }
        (settings, faults)
    }

    /// The file that there is, flat.
    fn read_file(&self, faults: &mut Vec<Fault>) -> Option<(PathBuf, Vec<(String, Value)>)> {
        let path = self.named_file.as_ref().or(self.usual_file.as_ref())?;
        let text = match read_bounded(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.named_file.is_none() => return None,
            Err(error) => {
                faults.push(Fault::File { path: path.clone(), kind: error.kind() });
                return None;
            }
        };
        match text.parse::<Table>() {
            Ok(table) => Some((path.clone(), flat(table))),
            // The parser's own words quote the line, which may be a secret's.
            Err(error) => {
                let at = error.span().map_or(0, |span| span.start.min(text.len()));
                let line = text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
                faults.push(Fault::Syntax { path: path.clone(), line });
                None
            }
        }
    }
}

impl Settings {
    fn put(&mut self, key: &str, source: Source, value: impl FnOnce(&Value) -> Option<Value>, faults: &mut Vec<Fault>) {
        let Some(setting) = self.0.iter_mut().find(|setting| setting.key == key) else {
            let near = nearest(key, self.0.iter().map(|setting| setting.key.clone()));
            faults.push(Fault::Unknown { key: key.to_owned(), source_of: source, near });
            return;
        };
        // What cannot be converted stays a kind that no setting is read from.
        setting.value = value(&setting.value).unwrap_or_else(|| Value::Table(Table::new()));
        setting.source = source;
    }
}

/// Takes single settings out, as what they are.
pub(super) struct Reader {
    settings: Settings,
    faults: Vec<Fault>,
    read: BTreeSet<&'static str>,
}

impl Reader {
    pub(super) fn new(settings: Settings, faults: Vec<Fault>) -> Self {
        Self { settings, faults, read: BTreeSet::new() }
    }

    /// A value; the default in the place of one that is wrong, so that everything that is wrong is found at once.
    #[expect(clippy::expect_used, reason = "a test reads every setting from its default")]
    pub(super) fn get<T: Parse>(&mut self, key: &'static str) -> T {
        self.read.insert(key);
        let setting = self.settings.0.iter().find(|setting| setting.key == key).expect("a setting of the defaults");
        T::parse(&setting.value).unwrap_or_else(|| {
            self.faults.push(Fault::Wrong { key, source_of: setting.source.clone(), expected: T::EXPECTED });
            let default = defaults().0.into_iter().find(|setting| setting.key == key);
            default.and_then(|setting| T::parse(&setting.value)).expect("a default that is sensible")
        })
    }

    /// A value that nobody is shown.
    pub(super) fn secret(&mut self, key: &'static str) -> Option<SecretString> {
        let value = self.get(key);
        let setting = self.settings.0.iter_mut().find(|setting| setting.key == key)?;
        setting.is_secret = true;
        if let (Source::File(path), Some(_)) = (&setting.source, &value)
            && let Ok(metadata) = path.metadata()
            && metadata.permissions().mode() & 0o077 != 0
        {
            let mode = metadata.permissions().mode() & 0o7777;
            self.faults.push(Fault::Exposed { path: path.clone(), key, mode });
        }
        value
    }

    pub(super) fn fault(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    #[cfg(test)]
    pub(super) fn unread(&self) -> Vec<String> {
        let all = self.settings.0.iter().map(|setting| setting.key.clone());
        all.filter(|key| !self.read.contains(key.as_str())).collect()
    }

    pub(super) fn finish(self) -> Result<Settings, Faults> {
        if self.faults.is_empty() { Ok(self.settings) } else { Err(Faults(self.faults)) }
    }
}

#[expect(clippy::expect_used, reason = "a test parses it")]
fn defaults() -> Settings {
    let table = DEFAULTS.parse().expect("defaults that are TOML");
    let setting = |(key, value)| Setting { key, value, source: Source::Default, is_secret: false };
    Settings(flat(table).into_iter().map(setting).collect())
}

/// `[a] b = 1` as `a.b`.
fn flat(table: Table) -> Vec<(String, Value)> {
    let section = |(name, value): (String, Value)| match value {
        Value::Table(inner) => inner.into_iter().map(|(key, value)| (format!("{name}.{key}"), value)).collect(),
        value => vec![(name, value)],
    };
    table.into_iter().flat_map(section).collect()
}

/// The variable of a setting.
fn variable(key: &str) -> String {
    let named = VARIABLES.iter().find(|(name, _)| *name == key);
    named.map_or_else(|| format!("SUBROSA_{}", key.replace('.', "_").to_uppercase()), |(_, name)| (*name).to_owned())
}

fn is_ours(name: &str) -> bool {
    let is_known = VARIABLES.iter().any(|(_, variable)| *variable == name);
    let is_other = OTHERS.contains(&name) || KUBERNETES.iter().any(|start| name.starts_with(start));
    is_known || (name.starts_with("SUBROSA_") && !is_other)
}

/// Text as the kind of value that a setting has.
fn converted(text: &str, like: &Value) -> Option<Value> {
    Some(match like {
        Value::Boolean(_) => Value::Boolean(text.parse().ok()?),
        Value::Integer(_) => Value::Integer(text.parse().ok()?),
        Value::Array(_) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Value::Array(items.map(|item| Value::String(item.to_owned())).collect())
        }
        _ => Value::String(text.to_owned()),
    })
}

/// The name that somebody may have meant: less than a third of it differs.
fn nearest(name: &str, all: impl Iterator<Item = String>) -> Option<String> {
    let distances = all.map(|other| (strsim::damerau_levenshtein(name, &other), other));
    distances.filter(|(distance, other)| distance * 3 <= other.len()).min().map(|(_, other)| other)
}

fn read_bounded(path: &Path) -> io::Result<String> {
    use io::Read as _;
    let mut text = String::new();
    let file = std::fs::File::open(path)?;
    if file.take(MAX_FILE + 1).read_to_string(&mut text)? as u64 > MAX_FILE {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(text)
}
