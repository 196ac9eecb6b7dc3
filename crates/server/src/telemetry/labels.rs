//! Labels of metrics. Its one invariant (H9): a label is a word of the program's own text or the template of a route, so that there are as
//! many series as the program has of these, and none holds anybody's data. `prometheus_client`'s families, whose labels may be any
//! string, are refused by clippy.
//!
//! ```compile_fail,E0308
//! server::telemetry::labels::Label::Word(&String::from("Ada Lovelace"));
//! ```

use std::{fmt, hash::Hash};

use prometheus_client::{
    encoding::{EncodeLabelKey, EncodeLabelSet, EncodeLabelValue, LabelSetEncoder},
    metrics::{family, info},
};

use super::told::Template;

/// One value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Label {
    /// A word of the program's text.
    Word(&'static str),
    /// A route.
    Route(Template),
}

/// What tells the series of a metric apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Labels<const N: usize>(pub [(&'static str, Label); N]);

impl<const N: usize> EncodeLabelSet for Labels<N> {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        for (name, value) in &self.0 {
            let mut label = encoder.encode_label();
            let mut key = label.encode_label_key()?;
            EncodeLabelKey::encode(name, &mut key)?;
            let mut encoded = key.encode_label_value()?;
            match value {
                Label::Word(word) => EncodeLabelValue::encode(word, &mut encoded)?,
                Label::Route(template) => EncodeLabelValue::encode(&template.to_string(), &mut encoded)?,
            }
            encoded.finish()?;
        }
        Ok(())
    }
}

/// A metric by `N` labels.
#[expect(clippy::disallowed_types, reason = "the one place, for labels of the program's text")]
pub type By<const N: usize, M, C = fn() -> M> = family::Family<Labels<N>, M, C>;

/// What does not change while the program runs.
#[expect(clippy::disallowed_types, reason = "the one place, for labels of the program's text")]
pub type About<const N: usize> = info::Info<Labels<N>>;
