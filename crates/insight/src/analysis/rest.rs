//! How an analysis is read and written. Its one invariant: what another version of the program wrote, and this one does not know, passes
//! through; the fields that are known are those of the type.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::document::Analysis;

/// The fields that are known, less [`Analysis::rest`].
pub(super) struct Known(Analysis);

impl<'de> Deserialize<'de> for Known {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // What is derived for the type itself: `remote = "Self"`.
        Analysis::deserialize(deserializer).map(Self)
    }
}

impl<'de> Deserialize<'de> for Analysis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Whole {
            #[serde(flatten)]
            known: Known,
            #[serde(flatten)]
            rest: Map<String, Value>,
        }
        let Whole { known: Known(analysis), rest } = <Whole as Deserialize>::deserialize(deserializer)?;
        Ok(Self { rest, ..analysis })
    }
}

struct Written<'a>(&'a Analysis);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Analysis::serialize(self.0, serializer)
    }
}

impl Serialize for Analysis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Whole<'a> {
            #[serde(flatten)]
            known: Written<'a>,
            #[serde(flatten)]
            rest: &'a Map<String, Value>,
        }
        Serialize::serialize(&Whole { known: Written(self), rest: &self.rest }, serializer)
    }
}
