//! German number words. Written German runs them together ("vierunddreißig", "fünfhundertzwölf"), so they are taken apart by rule.

use super::Numeral::{self, Digit, Hundred, Hundreds, Pair, Quantity, Teen, Tens, Thousand, Times};

pub(super) fn numeral(key: &str) -> Option<Numeral> {
    match key {
        "hundert" => return Some(Hundred),
        "tausend" => return Some(Thousand),
        "doppel" | "doppelt" | "doppelte" | "zweimal" => return Some(Times(2)),
        "dreimal" | "dreifach" => return Some(Times(3)),
        "viermal" => return Some(Times(4)),
        _ => {}
    }
    if let Some(value) = below_hundred(key) {
        return Some(match value {
            0..=9 => Digit(value),
            10..=19 => Teen(value),
            _ if value % 10 == 0 => Tens(value),
            _ => Pair(value),
        });
    }
    if let Some(digit) = key.strip_prefix("doppel").and_then(digit) {
        return Some(Pair(digit * 11));
    }
    let value = large(key)?;
    Some(if value < 1_000 && value % 100 == 0 { Hundreds(value) } else { Quantity(value) })
}

fn digit(key: &str) -> Option<u32> {
    Some(match key {
        "null" => 0,
        "eins" => 1,
        "zwei" | "zwo" => 2,
        "drei" => 3,
        "vier" => 4,
        "funf" | "fuenf" => 5,
        "sechs" => 6,
        "sieben" => 7,
        "acht" => 8,
        "neun" => 9,
        _ => return None,
    })
}

fn below_hundred(key: &str) -> Option<u32> {
    let value = digit(key).or_else(|| {
        Some(match key {
            "zehn" => 10,
            "elf" => 11,
            "zwolf" | "zwoelf" => 12,
            "dreizehn" => 13,
            "vierzehn" => 14,
            "funfzehn" | "fuenfzehn" => 15,
            "sechzehn" => 16,
            "siebzehn" => 17,
            "achtzehn" => 18,
            "neunzehn" => 19,
            "zwanzig" => 20,
            "dreissig" => 30,
            "vierzig" => 40,
            "funfzig" | "fuenfzig" => 50,
            "sechzig" => 60,
            "siebzig" => 70,
            "achtzig" => 80,
            "neunzig" => 90,
            _ => return None,
        })
    });
    value.or_else(|| {
        let (ones, tens) = key.split_once("und")?;
        let ones = if ones == "ein" { 1 } else { digit(ones)? };
        let tens = below_hundred(tens).filter(|tens| *tens >= 20 && tens % 10 == 0)?;
        Some(tens + ones)
    })
}

/// "fünfhundertzwölf", "zweitausendvierundzwanzig", "neunzehnhundertachtzig".
fn large(key: &str) -> Option<u32> {
    if let Some((thousands, rest)) = key.split_once("tausend") {
        let thousands = if matches!(thousands, "" | "ein") { 1 } else { below_hundred(thousands)? };
        return Some(thousands * 1_000 + rest_of(rest, true)?);
    }
    let (hundreds, rest) = key.split_once("hundert")?;
    let hundreds = if matches!(hundreds, "" | "ein") { 1 } else { below_hundred(hundreds)? };
    Some(hundreds * 100 + rest_of(rest, false)?)
}

fn rest_of(rest: &str, hundreds: bool) -> Option<u32> {
    let rest = rest.strip_prefix("und").unwrap_or(rest);
    if rest.is_empty() {
        return Some(0);
    }
    // "hunderteins" alone takes the article's form.
    let below = if rest == "ein" { Some(1) } else { below_hundred(rest) };
    below.or_else(|| large(rest).filter(|value| hundreds && *value < 1_000))
}
