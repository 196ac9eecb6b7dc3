//! What Prometheus reads. Its one invariant: a label that is not on the list, or has a value that its list does not, is a finding (H9).

use std::collections::BTreeSet;

/// Labels and all that they may say. Routes are those of the document, and these.
const LABELS: [(&str, &[&str]); 6] = [
    ("method", &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"]),
    ("status", &["Success", "Redirect", "ClientError", "ServerError"]),
    ("class", &["public", "read", "write", "upload", "sign-in"]),
    ("state", &["Waiting", "Running"]),
    ("kind", &["Prompt", "Answer"]),
    ("outcome", &["Accepted", "Refused", "Gone", "Unreachable", "TooSlow", "AddressNotAllowed", "Disabled"]),
];

/// Routes that the document does not describe.
const ROUTES: [&str; 6] = ["none", "/openapi.json", "/docs", "/docs/", "/docs/{*file}", "/.well-known/security.txt"];

/// What is wrong with an exposition, and how many labels it has.
pub(super) fn faults(text: &str, paths: &BTreeSet<String>) -> (Vec<String>, usize) {
    let (mut faults, mut labels) = (BTreeSet::new(), 0);
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some(list) = line.split_once('{').map(|(_, rest)| rest.rsplit_once('}').map_or(rest, |(list, _)| list))
        else {
            continue;
        };
        for (name, value) in pairs(list) {
            labels += 1;
            let is_bounded = match name {
                "route" => paths.contains(value) || ROUTES.contains(&value),
                "le" => value.parse::<f64>().is_ok(),
                "version" => value.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit())),
                _ => LABELS.iter().any(|(label, values)| *label == name && values.contains(&value)),
            };
            if !is_bounded {
                // The value may be what must not be told.
                let metric = line.split('{').next().unwrap_or_default();
                faults.insert(format!("{metric} has a label {name} that says something else than it may"));
            }
        }
    }
    (faults.into_iter().collect(), labels)
}

/// The labels between the braces: `name="value"`, in which quotes and backslashes are escaped (OpenMetrics 1.0).
fn pairs(mut list: &str) -> Vec<(&str, &str)> {
    let mut pairs = Vec::new();
    while let Some((name, rest)) = list.split_once("=\"") {
        let mut is_escaped = false;
        let end = rest.find(|c| {
            let is_end = c == '"' && !is_escaped;
            is_escaped = c == '\\' && !is_escaped;
            is_end
        });
        let end = end.unwrap_or(rest.len());
        pairs.push((name.trim_start_matches(','), &rest[..end]));
        list = rest.get(end + 1..).unwrap_or_default();
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_says_what_its_list_has_and_nothing_else() {
        let paths = ["/api/calls/{id}".to_owned()].into();
        let good = "# HELP x {a=\"b\"}\nx_total{route=\"/api/calls/{id}\",method=\"GET\",status=\"Success\"} 1\n\
                    x_bucket{le=\"+Inf\",route=\"none\"} 2\nx_info{version=\"0.1.0\"} 1\nx_seconds 3\n";
        assert_eq!(faults(good, &paths), (Vec::new(), 6));
        for bad in [
            "x{route=\"/api/calls/7\"} 1",
            "x{user=\"ada\"} 1",
            "x{method=\"GET\",name=\"a \\\" b\"} 1",
            "x{status=\"ada@example.org\"} 1",
            "x{version=\"1.0.ada\"} 1",
        ] {
            let (found, _) = faults(bad, &paths);
            assert_eq!(found.len(), 1, "{bad}: {found:?}");
            assert!(!found[0].contains("ada"), "{found:?}");
        }
    }
}
