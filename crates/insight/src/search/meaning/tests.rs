//! Against sentence-transformers 6.2.0 (PyTorch), whose answers to the same texts are kept in `tests/search/meaning.json`.

use std::{path::PathBuf, sync::LazyLock};

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Reference {
    text: String,
    pieces: Vec<u32>,
    meaning: Vec<f32>,
}

static EMBEDDER: LazyLock<Embedder> = LazyLock::new(|| {
    let data = PathBuf::from(std::env::var_os("SUBROSA_DATA_DIR").unwrap_or_else(|| "../../.data".into()));
    Embedder::load(&data.join("models/all-minilm-l6-v2")).unwrap()
});

fn references() -> Vec<Reference> {
    serde_json::from_str(include_str!("../../../tests/search/meaning.json")).unwrap()
}

#[test]
fn texts_of_any_script_fall_into_the_pieces_of_the_reference() {
    for one in references() {
        assert_eq!(EMBEDDER.pieces.of(&one.text), one.pieces, "{}", one.text);
    }
}

#[test]
fn a_text_points_where_the_reference_says() {
    for one in references() {
        let vector = EMBEDDER.embed(&one.text).unwrap();
        let steps = vector.steps.map(|step| f32::from(step) * vector.scale);
        let length = one.meaning.iter().map(|x| x * x).sum::<f32>().sqrt();
        let cosine = steps.iter().zip(&one.meaning).map(|(a, b)| a * b).sum::<f32>() / length;
        assert!(cosine > 0.9995, "{cosine} {}", one.text);
    }
}

#[test]
fn what_says_the_same_is_nearer_than_what_shares_words() {
    let [asked, same, other] = ["When do I get my money back?", "How long does the refund take?", "I put my back out."]
        .map(|text| EMBEDDER.embed(text).unwrap());
    let cosine = |to: &Vector| asked.cosine(to.scale, &to.steps.map(i8::cast_unsigned));
    assert!(cosine(&same) > 0.25 + cosine(&other));
    assert!((cosine(&asked) - 1.0).abs() < 1e-5);
}

#[test]
fn a_text_of_nothing_means_nothing() {
    assert!(["", " \n", "\u{200B}"].iter().all(|nothing| EMBEDDER.embed(nothing).is_none()));
}

#[test]
fn files_of_something_else_are_refused_by_name() {
    let folder = std::env::temp_dir().join(format!("meaning-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(TOKENIZER), r#"{"model":{"vocab":{"[UNK]":99999}}}"#).unwrap();
    let error = Embedder::load(&folder).err().unwrap().to_string();
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(error.contains("tokenizer.json is not of all-MiniLM-L6-v2: a piece has a number above"), "{error}");
}
