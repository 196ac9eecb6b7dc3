//! The words that say what a number is, in five languages. Its one invariant: what a list says depends on a word and the words beside it
//! alone, not on where the number stands.

use super::Cue;

/// What a single word says.
pub(super) fn cue(key: &str) -> Option<Cue> {
    Some(match key {
        "phone" | "telephone" | "cell" | "cellphone" | "mobile" | "landline" | "whatsapp" | "voicemail" | "fax"
        | "telefon" | "handy" | "mobil" | "festnetz" | "rufnummer" | "durchwahl" | "vorwahl" | "erreichen"
        | "erreichbar" | "erreichst" | "anrufen" | "zuruckrufen" | "ruckruf" | "mobiltelefon" | "tel" | "portable"
        | "fixe" | "appelez" | "rappelez" | "appelle" | "rappeler" | "appeler" | "rappelle" | "joindre"
        | "joignable" | "telefono" | "movil" | "celular" | "fijo" | "llamame" | "llamar" | "llame" | "llameme"
        | "llamarme" | "llamenos" | "telefone" | "telemovel" | "fixo" | "ligar" | "ligue" | "liga" | "zap"
        | "callback" | "hotline" | "helpline" => Cue::Phone,
        "number" | "numbers" | "call" | "reach" | "text" | "dial" | "ring" | "nummer" | "ruf" | "rufen" | "rufe"
        | "jot" | "pen" | "notieren" | "notier" | "mitschreiben" | "stift" | "notez" | "apunta" | "apunte"
        | "apuntar" | "anota" | "anote" | "anotar" | "numero" | "contact" | "contacter" | "contactar" | "contacto"
        | "contato" | "marcar" | "marque" => Cue::Number,
        "order" | "invoice" | "ticket" | "reference" | "ref" | "case" | "confirmation" | "tracking" | "booking"
        | "reservation" | "policy" | "account" | "customer" | "member" | "membership" | "serial" | "part" | "model"
        | "sku" | "id" | "pin" | "code" | "passcode" | "otp" | "verification" | "flight" | "claim" | "contract"
        | "routing" | "batch" | "lot" | "article" | "item" | "product" | "license" | "licence" | "registration"
        | "vin" | "isbn" | "version" | "room" | "page" | "chapter" | "zip" | "postcode" | "gate" | "meter"
        | "score" | "cep" | "barcode" | "docket" | "shipment" | "parcel" | "build" | "population" | "bestellung"
        | "auftrag" | "rechnung" | "vorgang" | "aktenzeichen" | "referenz" | "kunden" | "kunde" | "vertrag"
        | "buchung" | "sendung" | "artikel" | "konto" | "zimmer" | "plz" | "postleitzahl" | "zahler"
        | "zahlerstand" | "fall" | "commande" | "facture" | "dossier" | "billet" | "client" | "contrat" | "compte"
        | "serie" | "suivi" | "colis" | "chambre" | "siret" | "siren" | "compteur" | "pedido" | "factura"
        | "referencia" | "caso" | "expediente" | "reserva" | "cliente" | "contrato" | "cuenta" | "seguimiento"
        | "envio" | "codigo" | "confirmacion" | "poliza" | "pagina" | "habitacion" | "articulo" | "albaran"
        | "contador" | "encomenda" | "fatura" | "processo" | "protocolo" | "conta" | "rastreio" | "rastreamento"
        | "confirmacao" | "apolice" | "quarto" | "versao" | "artigo" | "chamado" | "contagem" | "bilhete" | "voo"
        | "vuelo" | "vol" => Cue::Other,
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
        // "tickets", "clientes", "des Vorgangs".
        _ => return key.strip_suffix('s').and_then(cue).filter(|found| *found == Cue::Other),
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

/// The word "number" itself, which is whose the words around it say.
pub(super) fn is_number_word(key: &str) -> bool {
    matches!(key, "number" | "nummer" | "numero")
}

/// "is", as in "… is the order number".
pub(super) fn is_copula(key: &str) -> bool {
    matches!(key, "is" | "was" | "ist" | "war" | "est" | "etait" | "es" | "era" | "e")
}

/// What stands before the thing that somebody speaks about. Not "of", which names: "number of the order".
pub(super) fn is_about(key: &str) -> bool {
    matches!(
        key,
        "about"
            | "on"
            | "for"
            | "regarding"
            | "with"
            | "zu"
            | "zum"
            | "zur"
            | "wegen"
            | "fur"
            | "uber"
            | "bei"
            | "mit"
            | "pour"
            | "sur"
            | "avec"
            | "concernant"
            | "sobre"
            | "para"
            | "por"
            | "con"
            | "com"
    )
}

/// Words that are written short, so that a full stop behind them ends nothing: "part no. 55-0199".
pub(super) fn is_abbreviation(key: &str) -> bool {
    matches!(key, "no" | "nr" | "num" | "n" | "ref" | "art" | "tel" | "ext" | "exp" | "ped" | "fact" | "acct" | "inv")
}

/// Words that name things and stand in phrases that name nothing.
pub(super) fn is_phrase(key: &str, previous: Option<&str>, next: Option<&str>) -> bool {
    if matches!(next, Some("line" | "desk" | "hotline" | "department" | "team")) {
        return true;
    }
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
        // People have numbers to call as well: "customer number", "número de cliente", but not "a customer called from".
        "client" | "cliente" | "kunde" | "kunden" | "customer" | "member" => {
            let beside = |key: &str| is_number_word(key) || matches!(key, "de" | "do" | "du" | "no");
            let somebody =
                matches!(previous, Some("my" | "a" | "the" | "our" | "un" | "le" | "el" | "o" | "der" | "ein" | "die"));
            !(previous.is_some_and(beside) || next.map_or(!somebody, beside))
        }
        _ => false,
    }
}

/// What has a number, and is spoken of so often without it that it counts right beside the word "number" only.
pub(super) fn is_numbered(key: &str) -> bool {
    matches!(
        key,
        "po" | "purchase"
            | "loan"
            | "vat"
            | "tax"
            | "employee"
            | "staff"
            | "student"
            | "patient"
            | "badge"
            | "job"
            | "quote"
            | "receipt"
            | "voucher"
            | "coupon"
            | "transaction"
            | "payment"
            | "issue"
            | "bug"
            | "device"
            | "asset"
            | "imei"
            | "passport"
            | "plate"
            | "train"
            | "bus"
            | "seat"
            | "house"
            | "floor"
            | "line"
            | "sort"
            | "lottery"
            | "winning"
    )
}

/// What begins whose a number is, where "of" counts otherwise: "number of the desk", "number of my sister", not "number of seats".
pub(super) fn is_somebodys(key: &str) -> bool {
    is_mine(key) || matches!(key, "the" | "a" | "an" | "this" | "that" | "mine" | "yours" | "hers" | "ours" | "theirs")
}

/// Words before "number" that make it somebody's.
pub(super) fn is_mine(key: &str) -> bool {
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
