//! Number words of five languages. Its one invariant: a word has one numeral in a language, whatever stands around it; what a sequence of
//! numerals means is the business of [`super::item`].

mod de;
mod en;
mod es;
mod fr;
mod pt;

/// A language that numbers are read in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    En,
    De,
    Fr,
    Es,
    Pt,
}

/// What a word says of a number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numeral {
    /// 0 to 9.
    Digit(u32),
    /// 10 to 19.
    Teen(u32),
    /// 20, 30 … 90: a digit may follow.
    Tens(u32),
    /// 21 to 99 in one word.
    Pair(u32),
    /// 100, 200 … 900 in one word: what is below a hundred may follow.
    Hundreds(u32),
    /// A larger number in one word; never the part of a telephone number that people dictate.
    Quantity(u32),
    /// "hundred": multiplies the digit in front.
    Hundred,
    /// "thousand": multiplies what is in front.
    Thousand,
    /// "double", "triple": how often the next digit is said.
    Times(usize),
}

impl Language {
    const ALL: [Self; 5] = [Self::En, Self::De, Self::Fr, Self::Es, Self::Pt];

    pub(crate) fn of(code: &str) -> Option<Self> {
        match code.get(..2)? {
            "en" => Some(Self::En),
            "de" => Some(Self::De),
            "fr" => Some(Self::Fr),
            "es" => Some(Self::Es),
            "pt" => Some(Self::Pt),
            _ => None,
        }
    }

    /// The languages to try for a segment: its own, the transcript's, and English, in which people all over the world say numbers. All
    /// where none is known.
    pub(crate) fn likely(segment: Option<&str>, transcript: Option<&str>) -> Vec<Self> {
        if segment.is_none() && transcript.is_none() {
            return Self::ALL.to_vec();
        }
        let mut likely: Vec<Self> =
            [segment, transcript, Some("en")].into_iter().flatten().filter_map(Self::of).collect();
        let mut seen = Vec::new();
        likely.retain(|language| {
            !seen.contains(language) && {
                seen.push(*language);
                true
            }
        });
        likely
    }

    pub(crate) fn numeral(self, key: &str) -> Option<Numeral> {
        match self {
            Self::En => en::numeral(key),
            Self::De => de::numeral(key),
            Self::Fr => fr::numeral(key),
            Self::Es => es::numeral(key),
            Self::Pt => pt::numeral(key),
        }
    }

    /// The word between tens and ones: "trente et un", "treinta y cuatro", "vinte e um".
    pub(crate) fn and(self) -> &'static str {
        match self {
            Self::En => "and",
            Self::De => "und",
            Self::Fr => "et",
            Self::Es => "y",
            Self::Pt => "e",
        }
    }

    /// The word between a count and the digit it repeats: "dreimal die Sieben", "deux fois le cinq".
    pub(crate) fn is_times(self, key: &str) -> bool {
        match self {
            Self::En => key == "times",
            Self::De => key == "mal",
            Self::Fr => key == "fois",
            Self::Es => key == "veces",
            Self::Pt => key == "vezes",
        }
    }
}
