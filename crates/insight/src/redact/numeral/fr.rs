//! French number words, Belgian and Swiss tens among them.

use super::Numeral::{self, Digit, Hundred, Teen, Tens, Thousand, Times};

pub(super) fn numeral(key: &str) -> Option<Numeral> {
    Some(match key {
        "zero" => Digit(0),
        "un" | "une" => Digit(1),
        "deux" => Digit(2),
        "trois" => Digit(3),
        "quatre" => Digit(4),
        "cinq" => Digit(5),
        "six" => Digit(6),
        "sept" => Digit(7),
        "huit" => Digit(8),
        "neuf" => Digit(9),
        "dix" => Teen(10),
        "onze" => Teen(11),
        "douze" => Teen(12),
        "treize" => Teen(13),
        "quatorze" => Teen(14),
        "quinze" => Teen(15),
        "seize" => Teen(16),
        "vingt" | "vingts" => Tens(20),
        "trente" => Tens(30),
        "quarante" => Tens(40),
        "cinquante" => Tens(50),
        "soixante" => Tens(60),
        "septante" => Tens(70),
        "huitante" | "octante" => Tens(80),
        "nonante" => Tens(90),
        "cent" | "cents" => Hundred,
        "mille" => Thousand,
        "double" => Times(2),
        "triple" => Times(3),
        _ => return None,
    })
}
