//! Values of settings: how each is written. Its one invariant: what cannot be read gives `None`, and the value is in no message.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use axum::http::{HeaderValue, Uri};
use ipnet::IpNet;
use secrecy::SecretString;
use toml::Value;

use crate::db::Tls;

/// What a setting may be.
pub(super) trait Parse: Sized {
    /// For "must be …".
    const EXPECTED: &'static str;

    fn parse(value: &Value) -> Option<Self>;
}

/// What an optional setting may be, when it is set.
trait FromText: Sized {
    const EXPECTED: &'static str;

    fn from_text(text: &str) -> Option<Self>;
}

impl<T: FromText> Parse for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;

    fn parse(value: &Value) -> Option<Self> {
        match value.as_str()? {
            "" => Some(None),
            text => T::from_text(text).map(Some),
        }
    }
}

impl Parse for bool {
    const EXPECTED: &'static str = "true or false";

    fn parse(value: &Value) -> Option<Self> {
        value.as_bool()
    }
}

/// A count; nothing works with none of something.
impl Parse for u32 {
    const EXPECTED: &'static str = "a whole number from 1 to 1000000";

    fn parse(value: &Value) -> Option<Self> {
        Self::try_from(value.as_integer()?).ok().filter(|count| (1..=1_000_000).contains(count))
    }
}

impl FromText for sentry::types::Dsn {
    const EXPECTED: &'static str = "the address of a project, as https://KEY@reports.example/1";

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// Whom somebody tells of a hole (RFC 9116, 2.5.3): an address to write to, to call, or of a page.
pub(super) struct Contact(pub(super) String);

impl FromText for Contact {
    const EXPECTED: &'static str = "an address that begins with mailto:, tel: or https://";

    fn from_text(text: &str) -> Option<Self> {
        let is_one =
            ["mailto:", "tel:", "https://"].iter().any(|scheme| text.len() > scheme.len() && text.starts_with(scheme));
        (is_one && text.chars().all(|c| c.is_ascii_graphic())).then(|| Self(text.to_owned()))
    }
}

/// A part of a thousand, or as many of something as that, or none.
pub(super) struct UpToThousand(pub(super) u32);

impl Parse for UpToThousand {
    const EXPECTED: &'static str = "a whole number from 0 to 1000";

    fn parse(value: &Value) -> Option<Self> {
        u32::try_from(value.as_integer()?).ok().filter(|share| *share <= 1000).map(Self)
    }
}

impl Parse for String {
    const EXPECTED: &'static str = "a text that is not empty";

    fn parse(value: &Value) -> Option<Self> {
        value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
    }
}

impl Parse for SocketAddr {
    const EXPECTED: &'static str = "an address and a port, such as 127.0.0.1:8080 or [::1]:8080";

    fn parse(value: &Value) -> Option<Self> {
        value.as_str()?.parse().ok()
    }
}

impl FromText for SocketAddr {
    const EXPECTED: &'static str = <Self as Parse>::EXPECTED;

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl FromText for PathBuf {
    const EXPECTED: &'static str = "a path";

    fn from_text(text: &str) -> Option<Self> {
        Some(text.into())
    }
}

impl FromText for String {
    const EXPECTED: &'static str = "a text";

    fn from_text(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

impl FromText for SecretString {
    const EXPECTED: &'static str = "a text";

    fn from_text(text: &str) -> Option<Self> {
        Some(text.into())
    }
}

/// A time; a limit of none or of more than a day is a slip.
impl Parse for Duration {
    const EXPECTED: &'static str = "a duration from 1ms to 24h, such as 30s or 10m";

    fn parse(value: &Value) -> Option<Self> {
        duration(value.as_str()?)
    }
}

fn duration(text: &str) -> Option<Duration> {
    const MOST: Duration = Duration::from_secs(24 * 60 * 60);
    humantime::parse_duration(text).ok().filter(|time| (Duration::from_millis(1)..=MOST).contains(time))
}

/// A size in bytes.
pub(super) struct Bytes(pub(super) u64);

impl Parse for Bytes {
    const EXPECTED: &'static str = "a size from 1 KiB to 64 GiB, such as 1 MiB";

    fn parse(value: &Value) -> Option<Self> {
        let (text, unit) = [(" KiB", 10), (" MiB", 20), (" GiB", 30)]
            .into_iter()
            .find_map(|(unit, shift)| Some((value.as_str()?.strip_suffix(unit)?, 1_u64 << shift)))?;
        let bytes = text.parse::<u64>().ok()?.checked_mul(unit)?;
        (1 << 10..=64 << 30).contains(&bytes).then_some(Self(bytes))
    }
}

impl Parse for Vec<IpNet> {
    const EXPECTED: &'static str = "a list of networks, such as 10.0.0.0/8";

    fn parse(value: &Value) -> Option<Self> {
        value.as_array()?.iter().map(|item| item.as_str()?.parse().ok()).collect()
    }
}

/// The origin of a web page (RFC 6454): scheme, host, port, and nothing behind them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(pub HeaderValue);

impl Parse for Vec<Origin> {
    const EXPECTED: &'static str = "a list of origins, such as https://app.example.com, without a path";

    fn parse(value: &Value) -> Option<Self> {
        let origin = |item: &Value| {
            let text = item.as_str()?;
            let uri = text.parse::<Uri>().ok()?;
            let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
            let is_bare = uri.scheme_str().zip(uri.authority()).is_some_and(|(s, a)| text == format!("{s}://{a}"));
            (is_web && is_bare).then(|| HeaderValue::from_str(text).ok().map(Origin))?
        };
        value.as_array()?.iter().map(origin).collect()
    }
}

/// An address of the web.
pub(super) struct WebUrl(pub(super) String);

impl FromText for WebUrl {
    const EXPECTED: &'static str = "an address that begins with http:// or https://";

    fn from_text(text: &str) -> Option<Self> {
        let uri = text.parse::<Uri>().ok()?;
        let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
        (is_web && uri.host().is_some()).then(|| Self(text.trim_end_matches('/').to_owned()))
    }
}

/// Who analyses calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnalysisEngine {
    /// Rules and word lists in this process.
    Local,
    /// A language model.
    Llm,
}

impl Parse for AnalysisEngine {
    const EXPECTED: &'static str = "local or llm";

    fn parse(value: &Value) -> Option<Self> {
        match value.as_str()? {
            "local" => Some(Self::Local),
            "llm" => Some(Self::Llm),
            _ => None,
        }
    }
}

/// The address of an API to which content is sent: with TLS, or on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Without a slash at its end.
    pub url: String,
    /// It names a loopback address, or localhost.
    pub is_local: bool,
}

impl FromText for Endpoint {
    const EXPECTED: &'static str = "an https:// address, or an http:// address of this machine (127.0.0.1, [::1], localhost), without a user or a query";

    fn from_text(text: &str) -> Option<Self> {
        let uri = text.parse::<Uri>().ok().filter(|uri| uri.query().is_none() && !text.contains(['#', '@']))?;
        let host = uri.host()?.trim_matches(['[', ']']);
        let is_local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        let is_safe = uri.scheme_str() == Some("https") || (uri.scheme_str() == Some("http") && is_local);
        is_safe.then(|| Self { url: text.trim_end_matches('/').to_owned(), is_local })
    }
}

impl Endpoint {
    /// What the address of one is.
    pub const EXPECTED: &'static str = <Self as FromText>::EXPECTED;

    /// The endpoint of this address; `None` when it is none, or not a safe one.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        Self::from_text(text)
    }
}

/// How many requests in how long: all of them at once, and then one each `window / limit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Requests.
    pub limit: u32,
    /// In this time.
    pub window: Duration,
}

impl Parse for Quota {
    const EXPECTED: &'static str = "a rate such as 600/1m: from 1 to 1000000 requests in 1s to 24h";

    fn parse(value: &Value) -> Option<Self> {
        let (limit, window) = value.as_str()?.split_once('/')?;
        let limit = limit.parse().ok().filter(|limit| (1..=1_000_000).contains(limit))?;
        let window = duration(window).filter(|window| *window >= Duration::from_secs(1))?;
        Some(Self { limit, window })
    }
}

/// What is logged.
pub(super) struct Filter(pub(super) String);

impl Parse for Filter {
    const EXPECTED: &'static str = "a level (off, error, warn, info, debug, trace) or a list such as warn,server=debug";

    fn parse(value: &Value) -> Option<Self> {
        let text = value.as_str().filter(|text| !text.is_empty())?;
        tracing_subscriber::EnvFilter::try_new(text).ok().map(|_| Self(text.to_owned()))
    }
}

impl Parse for Tls {
    const EXPECTED: &'static str = "required, or optional on a developer's machine";

    fn parse(value: &Value) -> Option<Self> {
        match value.as_str()? {
            "required" => Some(Self::Required),
            "optional" => Some(Self::Optional),
            _ => None,
        }
    }
}

/// The header by which proxies say whom they speak for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forwarded {
    /// `X-Forwarded-For`.
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

impl Parse for Forwarded {
    const EXPECTED: &'static str = "x-forwarded-for or forwarded";

    fn parse(value: &Value) -> Option<Self> {
        match value.as_str()? {
            "x-forwarded-for" => Some(Self::XForwardedFor),
            "forwarded" => Some(Self::Forwarded),
            _ => None,
        }
    }
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, else JSON.
    Auto,
    /// An object a line.
    Json,
    /// For people.
    Text,
}

impl Parse for LogFormat {
    const EXPECTED: &'static str = "json, text or auto";

    fn parse(value: &Value) -> Option<Self> {
        match value.as_str()? {
            "auto" => Some(Self::Auto),
            "json" => Some(Self::Json),
            "text" => Some(Self::Text),
            _ => None,
        }
    }
}
