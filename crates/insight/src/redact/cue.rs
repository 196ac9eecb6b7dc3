//! What the words around a number say of it, in five languages at once, because people mix them. Its one invariant: a cue is looked for
//! in a bounded number of words.

use super::token::{Form, Page};

/// Words before a number that are asked what it is.
const BEFORE: usize = 20;
/// Words before a number in which its name as something else counts: "order number, let me see, it's …".
const OTHER_BEFORE: usize = 9;
/// Words behind a number that are asked when those before say nothing: "… is my cell".
const BEHIND: usize = 6;
/// Words around "number" in which it is said whose number: "order number", "number of the order".
const NAMED_WITHIN: usize = 3;

/// What a number is said to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Cue {
    /// "phone", "cell", "WhatsApp".
    Phone,
    /// "number", "call", "reach": a telephone number, if nothing else is named.
    Number,
    /// "order", "invoice", "PIN": something else.
    Other,
    /// "card", "Visa".
    Card,
    /// "IBAN".
    Iban,
    /// "social security", "NIF".
    NationalId,
}

/// What a single word says.
pub(super) fn cue(key: &str) -> Option<Cue> {
    Some(match key {
        "phone" | "telephone" | "cell" | "cellphone" | "mobile" | "landline" | "whatsapp" | "voicemail" | "fax"
        | "telefon" | "handy" | "mobil" | "festnetz" | "rufnummer" | "durchwahl" | "vorwahl" | "erreichen"
        | "erreichbar" | "erreichst" | "anrufen" | "zuruckrufen" | "ruckruf" | "mobiltelefon" | "tel" | "portable"
        | "fixe" | "appelez" | "rappelez" | "appelle" | "rappeler" | "appeler" | "rappelle" | "joindre"
        | "joignable" | "telefono" | "movil" | "celular" | "fijo" | "llamame" | "llamar" | "llame" | "llameme"
        | "llamarme" | "llamenos" | "telefone" | "telemovel" | "fixo" | "ligar" | "ligue" | "liga" | "zap"
        | "callback" => Cue::Phone,
        "number" | "call" | "reach" | "text" | "dial" | "ring" | "nummer" | "ruf" | "rufen" | "rufe" | "numero"
        | "contact" | "contacter" | "contactar" | "contacto" | "contato" | "marcar" | "marque" | "marca" => Cue::Number,
        "order" | "invoice" | "ticket" | "reference" | "ref" | "case" | "confirmation" | "tracking" | "booking"
        | "reservation" | "policy" | "account" | "customer" | "member" | "membership" | "serial" | "part" | "model"
        | "sku" | "id" | "pin" | "code" | "passcode" | "otp" | "verification" | "flight" | "claim" | "contract"
        | "routing" | "batch" | "lot" | "article" | "item" | "product" | "license" | "licence" | "registration"
        | "vin" | "isbn" | "version" | "room" | "page" | "chapter" | "zip" | "postcode" | "gate" | "meter"
        | "barcode" | "docket" | "shipment" | "parcel" | "build" | "population" | "bestellung" | "auftrag"
        | "rechnung" | "vorgang" | "aktenzeichen" | "referenz" | "kunden" | "kunde" | "vertrag" | "buchung"
        | "sendung" | "artikel" | "konto" | "zimmer" | "plz" | "postleitzahl" | "zahler" | "zahlerstand" | "fall"
        | "commande" | "facture" | "dossier" | "billet" | "client" | "contrat" | "compte" | "serie" | "suivi"
        | "colis" | "chambre" | "siret" | "siren" | "compteur" | "pedido" | "factura" | "referencia" | "caso"
        | "expediente" | "reserva" | "cliente" | "contrato" | "cuenta" | "seguimiento" | "envio" | "codigo"
        | "confirmacion" | "poliza" | "pagina" | "habitacion" | "articulo" | "albaran" | "contador" | "encomenda"
        | "fatura" | "processo" | "protocolo" | "conta" | "rastreio" | "rastreamento" | "confirmacao" | "apolice"
        | "quarto" | "versao" | "artigo" | "chamado" | "contagem" | "bilhete" | "voo" | "vuelo" | "vol" => Cue::Other,
        "card" | "visa" | "mastercard" | "amex" | "karte" | "kreditkarte" | "kartennummer" | "kreditkartennummer"
        | "carte" | "tarjeta" | "cartao" => Cue::Card,
        "iban" => Cue::Iban,
        "ssn"
        | "social"
        | "security"
        | "nino"
        | "insurance"
        | "steuer"
        | "steueridentifikationsnummer"
        | "steuernummer"
        | "sozialversicherungsnummer"
        | "rentenversicherungsnummer"
        | "versicherungsnummer"
        | "nir"
        | "secu"
        | "securite"
        | "sociale"
        | "dni"
        | "nie"
        | "nif"
        | "contribuinte"
        | "cpf"
        | "seguranca" => Cue::NationalId,
        _ if key.starts_with("telefon") || key.starts_with("mobilfunk") || key.ends_with("rufnummer") => Cue::Phone,
        _ if key.strip_suffix("nummer").is_some_and(is_line) => Cue::Phone,
        _ if key.ends_with("nummer") || key.ends_with("code") || key.ends_with("kennung") => Cue::Other,
        _ => return None,
    })
}

/// What stands before "-nummer" in German for a number to call.
fn is_line(key: &str) -> bool {
    matches!(
        key,
        "handy"
            | "mobil"
            | "festnetz"
            | "fax"
            | "buro"
            | "privat"
            | "geschafts"
            | "dienst"
            | "service"
            | "kontakt"
            | "notfall"
            | "notruf"
            | "hotline"
            | "ruckruf"
            | "whatsapp"
            | "durchwahl"
    )
}

/// What the words around the tokens `first..=last` say that they are.
pub(super) fn around(page: &Page, first: usize, last: usize) -> Option<Cue> {
    before(page, first).or_else(|| behind(page, last))
}

/// What is said in front of the token `first`; the nearest word counts.
pub(super) fn before(page: &Page, first: usize) -> Option<Cue> {
    let mut words = 0;
    // Marks are no words; a bound on tokens keeps the search short whatever stands there.
    for index in (first.saturating_sub(3 * BEFORE)..first).rev() {
        match page.tokens[index].form {
            Form::Word => words += 1,
            Form::Digits => words += 1,
            // An earlier pass found something here: what was in front of it spoke of that.
            Form::Placeholder(_) => return None,
            Form::Mark(_) => continue,
        }
        if words > BEFORE {
            return None;
        }
        let Some(found) = page.word(index).and_then(|key| at(page, index, key)) else { continue };
        if found == Cue::Other && words > OTHER_BEFORE {
            continue;
        }
        return Some(found);
    }
    None
}

fn behind(page: &Page, last: usize) -> Option<Cue> {
    let segment = page.tokens[last].segment;
    let speaker = page.places[segment].speaker;
    let mut words = 0;
    for index in last + 1..(last + 1 + 3 * BEHIND).min(page.tokens.len()) {
        let token = &page.tokens[index];
        let goes_on = token.segment == segment || page.places[token.segment].speaker == speaker;
        if !goes_on || matches!(token.form, Form::Placeholder(_)) || words >= BEHIND {
            return None;
        }
        // Another sentence speaks of something else.
        if matches!(token.form, Form::Mark('.' | '?' | '!')) && words > 0 {
            return None;
        }
        if let Some(key) = page.word(index) {
            words += 1;
            if let Some(found) = at(page, index, key) {
                return Some(found);
            }
        }
    }
    None
}

/// The cue of the word at `index`, with what stands beside it: "order number" is an order's, "call" is nobody else's.
fn at(page: &Page, index: usize, key: &str) -> Option<Cue> {
    let named = matches!(key, "number" | "nummer" | "numero").then(|| named(page, index)).flatten();
    named.or_else(|| by_itself(page, index, key))
}

/// The cue of the word at `index` where no number is named by it: "area code" is a telephone's, "in this case" is nothing's.
fn by_itself(page: &Page, index: usize, key: &str) -> Option<Cue> {
    let found = cue(key)?;
    let previous = index.checked_sub(1).and_then(|index| page.word(index));
    let next = page.word(index + 1);
    match found {
        // "in this case", "in order to", "part of", "a lot".
        Cue::Other if is_phrase(key, previous, next) => None,
        // "nie" is never, "niño" a child.
        Cue::NationalId if matches!(key, "nie" | "nir" | "nino") && !page.tokens[index].capital => None,
        Cue::Other if key == "code" && matches!(previous, Some("area" | "country" | "dialing" | "dialling")) => {
            Some(Cue::Phone)
        }
        Cue::Other if key == "id" => {
            let tax = matches!(previous, Some("national" | "tax"))
                || index.checked_sub(2).and_then(|index| page.word(index)) == Some("steuer");
            Some(if tax { Cue::NationalId } else { Cue::Other })
        }
        Cue::NationalId
            if matches!(key, "social" | "security" | "insurance" | "sociale" | "securite" | "seguranca" | "steuer") =>
        {
            let near = |other: usize| page.word(other).and_then(cue) == Some(Cue::NationalId);
            let known = near(index + 1)
                || near(index + 2)
                || index.checked_sub(1).is_some_and(near)
                || matches!(previous, Some("national" | "my" | "your" | "his" | "her"))
                || key == "seguranca"
                || (key == "steuer" && page.tokens.get(index + 1).is_some_and(|next| next.is_mark('-')));
            known.then_some(Cue::NationalId)
        }
        _ => Some(found),
    }
}

/// Words that name things and stand in phrases that name nothing.
fn is_phrase(key: &str, previous: Option<&str>, next: Option<&str>) -> bool {
    match key {
        "case" | "caso" | "fall" => matches!(
            previous,
            Some(
                "this"
                    | "that"
                    | "any"
                    | "which"
                    | "in"
                    | "diesem"
                    | "jedem"
                    | "dem"
                    | "auf"
                    | "jeden"
                    | "este"
                    | "ese"
                    | "cualquier"
                    | "todo"
            ) | Some("nesse" | "neste" | "qualquer")
        ),
        "order" => next == Some("to"),
        "part" => next == Some("of"),
        "lot" => previous == Some("a") || next == Some("of"),
        "client" | "cliente" | "kunde" | "kunden" | "customer" | "member" => {
            matches!(previous, Some("my" | "a" | "the" | "our" | "un" | "le" | "el" | "o" | "der" | "ein" | "die"))
        }
        _ => false,
    }
}

/// Whose the number is that the word at `index` speaks of: the nearest named thing around it. "My number" is mine, unless it goes on
/// "… of the order"; a "number of seats" is nobody's.
fn named(page: &Page, index: usize) -> Option<Cue> {
    let near = |other: usize| {
        let key = page.word(other).filter(|_| page.together(index, other))?;
        by_itself(page, other, key).filter(|found| *found != Cue::Number)
    };
    let mine = index.checked_sub(1).and_then(|before| page.word(before)).is_some_and(is_mine);
    let of = matches!(page.word(index + 1), Some("of" | "for" | "de" | "du" | "d" | "da" | "do" | "des" | "der"));
    let backward = |away: usize| index.checked_sub(away).filter(|_| !mine);
    let forward = |away: usize| Some(index + away).filter(|_| !mine || of);
    let mut names = (1..=NAMED_WITHIN).flat_map(|away| [backward(away), forward(away)]);
    let thing = names.find_map(|other| other.filter(|other| *other < page.tokens.len()).and_then(near));
    let counts = page.word(index + 1) == Some("of") && !page.word(index + 2).is_some_and(is_somebodys);
    thing.or_else(|| counts.then_some(Cue::Other)).or_else(|| mine.then_some(Cue::Phone))
}

/// What begins whose a number is, where "of" counts otherwise: "number of the desk", "number of my sister", not "number of seats".
fn is_somebodys(key: &str) -> bool {
    is_mine(key) || matches!(key, "the" | "a" | "an" | "this" | "that" | "mine" | "yours" | "hers" | "ours" | "theirs")
}

fn is_mine(key: &str) -> bool {
    matches!(
        key,
        "my" | "your"
            | "his"
            | "her"
            | "our"
            | "their"
            | "best"
            | "meine"
            | "deine"
            | "ihre"
            | "seine"
            | "unsere"
            | "mon"
            | "ton"
            | "son"
            | "votre"
            | "notre"
            | "mi"
            | "tu"
            | "su"
            | "nuestro"
            | "meu"
            | "teu"
            | "seu"
            | "nosso"
    )
}
