//! The last filter of the log (H8): whatever a line says, an e-mail address, a phone number, a token or a key does not leave with it.
//!
//! Invariant: nothing of ours needs it, because what may not be told has no printable form; it is for what a dependency might print.
//! UUIDs, times, addresses of hosts and the numbers of JSON stay as they are, so a line of JSON stays one.

use std::{
    borrow::Cow,
    io::{self, Write},
    sync::LazyLock,
};

use regex::{Captures, Regex};
use tracing_subscriber::fmt::MakeWriter;

/// The fewest digits of a phone number; there are shorter ones, which say nothing about a person. Seven that nothing parts are a count as
/// well, and stay.
const PHONE_DIGITS: usize = 7;

/// Where a word begins, which the patterns below write as `\<`: also behind an escape of JSON, or of a printed string in JSON, whose letter
/// is none of the word.
const BEGINS: &str = r"(?:\\{1,4}(?:u[0-9a-fA-F]{4}|u\{[0-9a-fA-F]{1,6}\}|[bfnrt])|\b)";

/// Escapes of JSON, which are not to be cut. They come last, so that one in front of a word is taken with it.
const ESCAPES: &str = r"\\(?:u[0-9a-fA-F]{4}|.)";

/// What stands between the groups of a number, which the patterns below write as `~`: spaces of any kind, a mark among them, or the same in
/// an address (RFC 3986).
const PARTED: &str = r"(?:\s{0,2}[.\-/·‐-―−]\s{0,2}|\s{1,2}|%20|%2D)";

/// What is kept: it comes first, so that the digits of an id are no phone number.
const KEPT: [&str; 4] = [
    r"\<[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b", // UUIDs
    // RFC 3339
    r"\<(?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])(?:[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?)?",
    r#"":-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?[,}]"#, // numbers of JSON
    r"\<\d+(?:\.\d+)?\s?(?:[nµm]?s|[kKMGT]?i?B|bytes|rows)\b", // quantities
];

/// A phone number that begins like a date, and is asked for before dates are: four digits, two, and more than a day has or another group.
const PAIRS: &str = r"\<\d{4}-\d\d-(?:\d\d(?:-\d{1,4})+|\d{3,8})\b";

/// What may be the address of a host, in errors of connections.
const HOST: &str = r"\<(?:\d{1,3}\.){3,}\d{1,3}\b(?::\d{1,5}\b)?";

/// A name that says that a key follows, as programs, headers and JSON write it; the name stays. The value of a header has several words.
const NAMED_KEY: &str = concat!(
    r#"(?P<name>(?i:\<[\w-]*(?:authorization|cookie)\\?["']?\s*[=:]\s*\\?["']?))[^"\\\r\n]{4,}"#,
    "|",
    r#"(?P<named>(?i:\<[\w-]*(?:password|passwd|passphrase|passcode|secret|token|credentials?|signature"#,
    r#"|(?:api|private|signing|encryption|master|access|account|shared|session)[_-]?key)(?:[_-][\w-]*)?\\?["']?\s*[=:]\s*\\?["']?))"#,
    r#"[^\s"',;&}\\]{4,}"#,
);

/// Keys that are known by their form.
const KEYS: [&str; 8] = [
    r"-----BEGIN [A-Z ]+-----(?:[A-Za-z0-9+/=\s]|\\[nr])*(?:-----END [A-Z ]+-----)?", // PEM (RFC 7468)
    r"\<eyJ[\w-]{8,}(?:\.[\w-]*){1,4}",                                               // JSON web tokens (RFC 7519)
    r"(?i:\<(?:bearer|basic)\s+)[\w.~+/=-]{8,}",                                      // RFC 6750, RFC 7617
    r"\<(?:sk|pk|rk|sbr[ri]?|inv|whsec|gh[oprsu]|github_pat|glpat|hf|npm|dckr_pat|xox[abeprs])[_-][A-Za-z0-9_+/=-]{16,}", // that say whose they are
    r"\<(?:AKIA|ASIA|AIza|ya29\.|SG\.)[A-Za-z0-9_.-]{16,}", // as do these
    r#"://[^/\s:@"]+:[^@\s/"]+@"#,                          // the password of an address
    r"\<[0-9a-fA-F]{64,}\b",                                // 256 bits or more
    r"\<[A-Za-z0-9+/]{42,}={1,2}",                          // the same in base64
];

/// What may be 256 bits in the alphabet of addresses (RFC 4648, section 5), without padding, or a long name.
const LONG: &str = r"\<[A-Za-z0-9_-]{43,}\b={0,2}";

const EMAIL: &str = r"[\w.!#$%&'*+/?^`{|}~-]+(?:@|%40)[\w-]+(?:\.[\w-]+)+";

/// International, with an area code in parentheses, in groups, with an area code alone, at one go.
const PHONES: [&str; 6] = [
    r"(?:\+|%2[Bb]|\<00)(?:[\s().\-/·‐-―−]|%2[089D])*\d(?:[\s().\-/·‐-―−\d]|%2[089D]){5,}\d",
    r"(?:\(|%28)\d{2,5}(?:\)|%29)~{0,2}\d{2,9}(?:~\d{2,5})*\b",
    r"\<(?:\d~)?\d{2,5}(?:~\(0\))?(?:~\(?\d{2,8}\)?){2,}",
    r"\<(?:0~)?\d{2,5}~\d{4,10}\b",
    r"\<\d~\d{3}~?\d{6,8}\b",
    r"\<\d{8,15}(?:(?:x|ext)\d{0,6})?\b",
];

/// All of them, of which the first that fits at the earliest place counts; linear in the line, whatever it holds.
static PERSONAL: LazyLock<Regex> = LazyLock::new(|| {
    let [kept, keys, phones] = [KEPT.join("|"), KEYS.join("|"), PHONES.join("|").replace('~', PARTED)];
    let all = format!(
        "(?P<pairs>{PAIRS})|(?P<kept>{kept})|{NAMED_KEY}|(?P<key>{keys})|(?P<email>{EMAIL})|(?P<host>{HOST})|(?P<phone>{phones})|(?P<escape>{ESCAPES})"
    );
    #[expect(clippy::expect_used, reason = "made of constants; every test of this file compiles it")]
    Regex::new(&all.replace(r"\<", BEGINS)).expect("a valid pattern")
});

/// Digits without a break, as long as a phone number.
static DIGITS: LazyLock<Regex> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "a constant; every test of this file compiles it")]
    Regex::new("[0-9]{8,}").expect("a valid pattern")
});

/// The escape in front of what was found, which stays.
static LED: LazyLock<Regex> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "made of a constant; every test of this file compiles it")]
    Regex::new(&format!("^{BEGINS}")).expect("a valid pattern")
});

static LONG_WORD: LazyLock<Regex> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "made of constants; every test of this file compiles it")]
    Regex::new(&LONG.replace(r"\<", BEGINS)).expect("a valid pattern")
});

/// A line without what it may not hold.
#[must_use]
pub fn masked(line: &str) -> Cow<'_, str> {
    let line = LONG_WORD.replace_all(line, |found: &Captures<'_>| without_key(&found[0]));
    let line = then(line, without_number_in_name);
    then(line, without_person)
}

/// Borrows as long as nothing was to be masked.
fn then<'a>(line: Cow<'a, str>, mask: for<'b> fn(&'b str) -> Cow<'b, str>) -> Cow<'a, str> {
    match line {
        Cow::Borrowed(line) => mask(line),
        Cow::Owned(line) => Cow::Owned(mask(&line).into_owned()),
    }
}

/// A line without the phone numbers that are a part of a name, as those of recordings often are: `Call_2125550199_20261122.mp3`.
fn without_number_in_name(line: &str) -> Cow<'_, str> {
    DIGITS.replace_all(line, |found: &Captures<'_>| match found.get(0) {
        Some(digits) if is_number_in_name(&line[..digits.start()], digits.as_str(), &line[digits.end()..]) => {
            "[phone]".to_owned()
        }
        _ => found[0].to_owned(),
    })
}

/// Whether digits that other signs of a name touch are a phone number: not longer than those are (ITU-T E.164), and no day.
fn is_number_in_name(before: &str, digits: &str, after: &str) -> bool {
    let is_called = ["phone", "tel", "mobile", "call", "number"].iter().any(|name| {
        before
            .len()
            .checked_sub(name.len())
            .and_then(|at| before.get(at..))
            .is_some_and(|end| end.eq_ignore_ascii_case(name))
    });
    let is_part = is_called || before.ends_with('_') || after.starts_with('_');
    let is_whole = (is_called || !before.ends_with(char::is_alphanumeric)) && !after.starts_with(char::is_alphanumeric);
    is_part && is_whole && digits.len() <= 15 && chrono::NaiveDate::parse_from_str(digits, "%Y%m%d").is_err()
}

/// A long word, unless it has what nearly every key drawn at random has, and hardly any name of a program: small and large letters and digits.
fn without_key(word: &str) -> String {
    let led = led(word);
    let has = |kind: fn(&char) -> bool| word[led.len()..].chars().any(|letter| kind(&letter));
    let is_random = has(char::is_ascii_lowercase) && has(char::is_ascii_uppercase) && has(char::is_ascii_digit);
    if is_random { format!("{led}[key]") } else { word.to_owned() }
}

fn led(found: &str) -> &str {
    LED.find(found).map_or("", |led| led.as_str())
}

fn without_person(line: &str) -> Cow<'_, str> {
    PERSONAL.replace_all(line, |found: &Captures<'_>| {
        let text = |group: &str| found.name(group).map(|text| text.as_str());
        let whole = &found[0];
        let led = led(whole);
        let host = text("host").filter(|host| is_host(&host[led.len()..]));
        let kept = text("kept").or_else(|| text("escape")).or(host);
        match (text("name").or_else(|| text("named")), kept, text("email"), text("phone").or_else(|| text("host"))) {
            (Some(name), ..) => format!("{name}[key]"),
            (_, Some(kept), ..) => kept.to_owned(),
            (.., Some(_), _) => "[email]".to_owned(),
            (.., Some(number)) if is_short(&number[led.len()..]) => number.to_owned(),
            (.., Some(_)) => format!("{led}[phone]"),
            _ if found.name("pairs").is_some() => format!("{led}[phone]"),
            _ => format!("{led}[key]"),
        }
    })
}

/// Whether it has fewer digits than a phone number, of whatever script, without the escapes of an address.
fn is_short(number: &str) -> bool {
    let parts = number.split('%').enumerate();
    let digits = parts
        .flat_map(|(index, part)| part.chars().skip(if index == 0 { 0 } else { 2 }))
        .filter(|letter| letter.is_numeric());
    digits.count() < PHONE_DIGITS
}

/// Four numbers of one byte, which do not begin with 0: what has more or others is a telephone number in pairs.
fn is_host(text: &str) -> bool {
    let address = text.split_once(':').map_or(text, |(address, _)| address);
    address.parse::<std::net::Ipv4Addr>().is_ok()
}

/// Writes lines to standard error, masked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Masked;

impl<'a> MakeWriter<'a> for Masked {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        *self
    }
}

impl Write for Masked {
    /// The subscriber writes an event by one call.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        io::stderr().lock().write_all(masked(&String::from_utf8_lossy(event)).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dependency_might_print_about_a_person_is_masked() {
        let lines = [
            ("no user ada.lovelace+calls@mail.example.co.uk here", "no user [email] here"),
            ("GET /?user=ada%40example.org", "GET /?user=[email]"),
            ("Key (phone)=(+44 20 7946 0958) exists", "Key (phone)=([phone]) exists"),
            ("+1-212-555-0199", "[phone]"),
            ("+12125550199", "[phone]"),
            ("(212) 555-0199", "[phone]"),
            ("(030) 23125 112", "[phone]"),
            ("call 212.555.0199 now", "call [phone] now"),
            ("call 555-0199 now", "call [phone] now"),
            ("06 12 34 56 78", "[phone]"),
            ("0151 23456789", "[phone]"),
            ("tel:2125550199", "tel:[phone]"),
            ("2125550199x23", "[phone]"),
            ("0049/30/2312511", "[phone]"),
            ("Bearer abcdefgh.ijkl", "[key]"),
            ("at eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl!", "at [key]!"),
            ("sk_0123456789abcdefABCDEF", "[key]"),
            ("to (212) 555 - 0199 now", "to [phone] now"),
            ("call 8442-23-45-67 now", "call [phone] now"),
            ("0151-23-45-678", "[phone]"),
            ("0171-23-45678", "[phone]"),
            ("2125-55-0199", "[phone]"),
            ("2125-55-01", "[phone]"),
            ("no file id_2125550199.wav", "no file id_[phone].wav"),
            ("Call_20261122_2125550199.mp3", "Call_20261122_[phone].mp3"),
            ("2125550199_x", "[phone]_x"),
            ("phone2125550199", "phone[phone]"),
            ("212 - 555 - 0199", "[phone]"),
            ("030 / 2312511", "[phone]"),
            ("0151 - 23456789", "[phone]"),
            ("0 151 23456789", "[phone]"),
            ("212  555  0199", "[phone]"),
            ("212 5550199", "[phone]"),
            ("212.5550199", "[phone]"),
            ("91 1234567", "[phone]"),
            ("0151–234567", "[phone]"),
            ("+1\u{2011}212\u{2011}555\u{2011}0199", "[phone]"),
            ("+44\u{a0}20\u{202f}7946\u{a0}0958", "[phone]"),
            ("GET /?to=%2B44%2020%207946%200958&x", "GET /?to=[phone]&x"),
            ("GET /?to=%28212%29%20555%2D0199&x", "GET /?to=[phone]&x"),
            ("61234567", "[phone]"),
            ("1 212 555 0199", "[phone]"),
            ("1-212-555-0199", "[phone]"),
            ("1 (212) 555-0199", "1 [phone]"),
            ("+1 (212) 555-0199", "[phone]"),
            ("+49 (0)30 2312511", "[phone]"),
            ("0049 (0) 30 2312511", "[phone]"),
            ("011 44 20 7946 0958", "[phone]"),
            ("8 (495) 123-45-67", "8 [phone]"),
            ("1 800 4663 728", "[phone]"),
            ("8 800 5553535", "[phone]"),
            ("050 123 4567", "[phone]"),
            ("04 123 4567", "[phone]"),
            ("(+971) 50 123 4567", "([phone]"),
            ("91 123 45 67", "[phone]"),
            ("11 91234-5678", "[phone]"),
            ("+33.6.12.34.56.78", "[phone]"),
            ("phone=\u{6f0}\u{6f5}\u{6f0}\u{6f1}\u{6f2}\u{6f3}\u{6f4}\u{6f5}\u{6f6}\u{6f7}", "phone=[phone]"),
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "[key]"),
            ("sbrr_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "[key]"),
            ("github_pat_11ABCDEFG0abcdefghijkl_mnop", "[key]"),
            ("glpat-abcdefghijklmnopqrst", "[key]"),
            ("AIzaSyA0123456789abcdefghijklmnopqrstuv", "[key]"),
            ("AKIAIOSFODNN7EXAMPLE", "[key]"),
            ("private_key=wolves", "private_key=[key]"),
            (r#"{"signing_key":"wolves"}"#, r#"{"signing_key":"[key]"}"#),
            ("X-Amz-Signature=wolves&x", "X-Amz-Signature=[key]&x"),
            ("key AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8 given", "key [key] given"),
            (r"got\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", r"got\n[key]"),
            ("postgres://subrosa_app:wolf@db/subrosa", "postgres[key]db/subrosa"),
            ("password=wolves;x", "password=[key];x"),
            (r#"{"api_key": "wolves", "n":1}"#, r#"{"api_key": "[key]", "n":1}"#),
            (r#"{"message":"got {\"token\":\"wolves\"}"}"#, r#"{"message":"got {\"token\":\"[key]\"}"}"#),
            ("key AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= given", "key [key] given"),
            (&"0f".repeat(32), "[key]"),
            ("authorization: Bearer abcdefgh.ijklmnop", "authorization: [key]"),
            ("Authorization: Basic YWRhOndvbHZlcw==", "Authorization: [key]"),
            (
                r#"{"authorization": "Bearer wolvesandsheep", "accept": "*/*"}"#,
                r#"{"authorization": "[key]", "accept": "*/*"}"#,
            ),
            (
                r#"{"message":"{\"authorization\": \"Bearer wolves\"}","n":1}"#,
                r#"{"message":"{\"authorization\": \"[key]\"}","n":1}"#,
            ),
            ("cookie: a=wolves1; other=AbCd", "cookie: [key]"),
            ("refresh_token=wolves&x", "refresh_token=[key]&x"),
            ("refreshToken: wolves", "refreshToken: [key]"),
            ("DATABASE_PASSWORD=wolves", "DATABASE_PASSWORD=[key]"),
            ("aws_secret_access_key=wolves", "aws_secret_access_key=[key]"),
            ("client_secret: 'wolves'", "client_secret: '[key]'"),
            ("06.12.34.56.78", "[phone]"),
            ("98765 43210", "[phone]"),
            ("6123 4567", "[phone]"),
            ("650-2530000", "[phone]"),
            ("(11)987654321", "[phone]"),
            (r"got\n2125550199", r"got\n[phone]"),
            (r"got\u001b[2125550199", r"got\u001b[[phone]"),
            (r"got\u001b2125550199", r"got\u001b[phone]"),
            (r"got\\n06 12 34 56 78", r"got\\n[phone]"),
            (r"a\r\ncookie: sid=wolves", r"a\r\ncookie: [key]"),
            (r"a\tpassword=wolves", r"a\tpassword=[key]"),
            (r"a\neyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2ln", r"a\n[key]"),
        ];
        let missed =
            lines.iter().map(|(line, told)| (*line, masked(line), *told)).filter(|(_, masked, told)| masked != told);
        assert_eq!(missed.collect::<Vec<_>>(), []);
    }

    #[test]
    fn what_an_operator_needs_is_kept() {
        for line in [
            r#"{"timestamp":"2026-11-22T05:10:11.123456Z","level":"INFO","call":"019361f2-1234-7123-8123-123456789012","bytes":2147483648}"#,
            "2026-11-22T05:10:11.123456+01:00 INFO listening on 10.20.30.40:8443 and [::1]:9090",
            "connection to 192.168.100.200:5432 refused (os error 111)",
            "PostgreSQL 15.18.2 (Debian 15.18-0+deb12u1), 50000 calls in 1234.5 ms at src/worker/pipeline.rs:123:45",
            r"got\n019361f2-1234-7123-8123-123456789012\n2026-11-22T05:10:11Z\t192.168.100.200:5432",
            "subrosa-2026-11-22.log, subrosa_20261122, index_1763870000000000000, part_12345",
            "a token was refused; the password is wrong: sign in again",
            "read 2147483648 bytes in 1234.5678901ms, 16777216B of 20971520 rows, pid 1234567",
            "thread 'a_claim_takes_one_job_though_the_table_has_grown_since' and server::worker::pipeline::WhatAThingToBeSoLongANameOfOneType",
            "invalid_authorization_code from skip_everything_that_is_known",
        ] {
            assert_eq!(masked(line), line);
        }
    }

    proptest::proptest! {
        #[test]
        fn a_line_of_json_stays_one(value in "[-a-c0-9@.:/=+() \n\t\"\\\\é]{0,60}", number: i64, name in "[a-z_]{1,12}") {
            let line = serde_json::json!({ "message": value, name: number, "password": "wolves and more" }).to_string();
            let masked = masked(&line);
            proptest::prop_assert!(serde_json::from_str::<serde_json::Value>(&masked).is_ok(), "{}", masked);
        }
    }
}
