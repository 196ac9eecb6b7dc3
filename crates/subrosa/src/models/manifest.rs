//! Every model that Subrosa knows: what it is for, its licence, its files with size and SHA-256, and where they live in
//! public. Its one invariant: a source names a commit or a tag, so that what lies behind a URL cannot change under its
//! hash. `docs/models.md` says where each number was found and how a model is added.

/// What a model does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Recognises words; a directory in CTranslate2 format.
    Whisper,
    /// Finds speech; one ONNX file.
    Vad,
    /// Finds who of up to three local speakers talks when; one ONNX file.
    Segmentation,
    /// Turns a voice into a vector; one ONNX file.
    Embedding,
    /// Turns a text into a vector; weights and vocabulary.
    Meaning,
}

/// One model.
#[derive(Debug)]
pub(super) struct Model {
    /// Its name, which is its directory's name too.
    pub(super) name: &'static str,
    /// The short name that `--model` takes and transcripts show; the same as `name` where there is none.
    pub(super) short: &'static str,
    /// What it does.
    pub(super) kind: Kind,
    /// SPDX identifier of the weights' licence.
    pub(super) licence: &'static str,
    /// Whom to name.
    pub(super) attribution: &'static str,
    /// URL under which [`File::path`] is found; none where the file is made from a registry package.
    pub(super) source: Option<&'static str>,
    /// What it consists of.
    pub(super) files: &'static [File],
}

/// One file of a model.
#[derive(Debug)]
pub(super) struct File {
    /// Name in the model's directory.
    pub(super) name: &'static str,
    /// Path below the model's source.
    pub(super) path: &'static str,
    /// Length in bytes.
    pub(super) size: u64,
    /// SHA-256 as 64 lower-case hexadecimal digits.
    pub(super) sha256: &'static str,
}

impl Model {
    /// Length of all files together in bytes.
    pub(super) fn size(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }
}

/// The model with this name or short name.
pub(super) fn find(name: &str) -> Option<&'static Model> {
    MODELS.iter().find(|model| name == model.name || name == model.short)
}

/// The Whisper model of production.
pub(super) const DEFAULT_WHISPER: &str = "large-v3-turbo";
/// The speech detector.
pub(super) const VAD: &str = "silero-vad";
/// The speaker segmentation.
pub(super) const SEGMENTATION: &str = "pyannote-segmentation-3.0";
/// The embeddings by preference: the first one that is there is used.
pub(super) const EMBEDDINGS: [&str; 2] = ["wespeaker-resnet34-lm", "ge2e"];

/// What texts mean, for search.
pub(super) const MEANING: &str = "all-minilm-l6-v2";

/// What a transcription with default options needs, and `models pull` without names fetches.
pub(super) const DEFAULTS: [&str; 4] = [DEFAULT_WHISPER, VAD, SEGMENTATION, EMBEDDINGS[0]];

const OPENAI: &str = "OpenAI Whisper; converted to CTranslate2 by SYSTRAN";

const fn file(name: &'static str, size: u64, sha256: &'static str) -> File {
    File { name, path: name, size, sha256 }
}

// The multilingual models up to medium share one tokenizer, the English-only ones another.
const TOKENIZER: File =
    file("tokenizer.json", 2_203_239, "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab");
const VOCABULARY: File =
    file("vocabulary.txt", 459_861, "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913");
const TOKENIZER_EN: File =
    file("tokenizer.json", 2_128_466, "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df");
const VOCABULARY_EN: File =
    file("vocabulary.txt", 422_309, "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf");
const VOCABULARY_V3: File =
    file("vocabulary.json", 1_068_114, "c69260f2ab26d659b7c398f9a2b2b48ed0df16c3b47d7326782fd9cba71690c1");
// Says that the model takes 128 mel bands.
const PREPROCESSOR_V3: File =
    file("preprocessor_config.json", 340, "7ccc62c6f2765af1f3b46c00c9b5894426835a05021c8b9c01eecb6dfb542711");

/// All models; recognition by falling size first.
pub(super) const MODELS: &[Model] = &[
    Model {
        name: "whisper-large-v3-turbo",
        short: DEFAULT_WHISPER,
        kind: Kind::Whisper,
        licence: "MIT",
        attribution: "OpenAI Whisper; converted to CTranslate2 by Mobius Labs",
        source: Some(
            "https://huggingface.co/dropbox-dash/faster-whisper-large-v3-turbo/resolve/0a363e9161cbc7ed1431c9597a8ceaf0c4f78fcf",
        ),
        files: &[
            file("model.bin", 1_617_884_929, "e76620f83d5f5b69efd3d87e3dc180c1bd21df9fbebacfd4335e5e1efcc018da"),
            file("config.json", 2_263, "b0253ea6c0d3bea6b1e19e91a02acfd3b53f4467362efcb5a3e6b16c9b3a9b7e"),
            file("tokenizer.json", 2_710_337, "297b13372ac43916285644fb9687add3cc62ee2a1adb60da3dc25cc94c1871fd"),
            VOCABULARY_V3,
            PREPROCESSOR_V3,
        ],
    },
    Model {
        name: "whisper-large-v3",
        short: "large-v3",
        kind: Kind::Whisper,
        licence: "MIT",
        attribution: OPENAI,
        source: Some(
            "https://huggingface.co/Systran/faster-whisper-large-v3/resolve/edaa852ec7e145841d8ffdb056a99866b5f0a478",
        ),
        files: &[
            file("model.bin", 3_087_284_237, "69f74147e3334731bc3a76048724833325d2ec74642fb52620eda87352e3d4f1"),
            file("config.json", 2_394, "a9306624f5ec14270a014b647e5c316b6e03a662c369758d1b90697a7b0655b9"),
            file("tokenizer.json", 2_480_617, "6d8cbd7cd0d8d5815e478dac67b85a26bbe77c1f5e0c6d76d1ce2abc0e5f21ca"),
            VOCABULARY_V3,
            PREPROCESSOR_V3,
        ],
    },
    Model {
        name: "whisper-medium",
        short: "medium",
        kind: Kind::Whisper,
        licence: "MIT",
        attribution: OPENAI,
        source: Some(
            "https://huggingface.co/Systran/faster-whisper-medium/resolve/08e178d48790749d25932bbc082711ddcfdfbc4f",
        ),
        files: &[
            file("model.bin", 1_527_906_378, "9b45e1009dcc4ab601eff815b61d80e60ce3fd8c74c1a14f4a282258286b51ae"),
            file("config.json", 2_257, "3622a2ddc41ec0e0fd4e68c13c6830f03b90c38d89aaad184de02c8c642cf807"),
            TOKENIZER,
            VOCABULARY,
        ],
    },
    Model {
        name: "whisper-small",
        short: "small",
        kind: Kind::Whisper,
        licence: "MIT",
        attribution: OPENAI,
        source: Some(
            "https://huggingface.co/Systran/faster-whisper-small/resolve/536b0662742c02347bc0e980a01041f333bce120",
        ),
        files: &[
            file("model.bin", 483_546_902, "3e305921506d8872816023e4c273e75d2419fb89b24da97b4fe7bce14170d671"),
            file("config.json", 2_370, "b55496ac7940a7ae47d2c01eab40edfd8701feec1229d9cce3b40014383fb828"),
            TOKENIZER,
            VOCABULARY,
        ],
    },
    Model {
        name: "whisper-base",
        short: "base",
        kind: Kind::Whisper,
        licence: "MIT",
        attribution: OPENAI,
        source: Some(
            "https://huggingface.co/Systran/faster-whisper-base/resolve/ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66",
        ),
        files: &[
            file("model.bin", 145_217_532, "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"),
            file("config.json", 2_309, "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a"),
            TOKENIZER,
            VOCABULARY,
        ],
    },
    Model {
        name: "whisper-tiny.en",
        short: "tiny.en",
        kind: Kind::Whisper,
        licence: "MIT",
        attribution: OPENAI,
        source: Some(
            "https://huggingface.co/Systran/faster-whisper-tiny.en/resolve/0d3d19a32d3338f10357c0889762bd8d64bbdeba",
        ),
        files: &[
            file("model.bin", 75_537_502, "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"),
            file("config.json", 2_317, "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5"),
            TOKENIZER_EN,
            VOCABULARY_EN,
        ],
    },
    Model {
        name: VAD,
        short: VAD,
        kind: Kind::Vad,
        licence: "MIT",
        attribution: "Silero Team",
        source: Some("https://raw.githubusercontent.com/snakers4/silero-vad/60b7ffa243625ebdc1070275a29f18c87843786a"),
        files: &[File {
            name: "silero_vad_16k_sequence.onnx",
            path: "src/silero_vad/data/silero_vad_16k_sequence.onnx",
            size: 1_246_165,
            sha256: "9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85",
        }],
    },
    Model {
        name: SEGMENTATION,
        short: SEGMENTATION,
        kind: Kind::Segmentation,
        licence: "MIT",
        attribution: "CNRS; Hervé Bredin, Alexis Plaquet: pyannote.audio",
        source: Some(
            "https://huggingface.co/onnx-community/pyannote-segmentation-3.0/resolve/733a93b6473d019a773298e08cefa686894b1854",
        ),
        files: &[File {
            name: "segmentation-3.0.onnx",
            path: "onnx/model.onnx",
            size: 5_986_908,
            sha256: "057ee564753071c0b09b5b611648b50ac188d50846bff5f01e9f7bbf1591ea25",
        }],
    },
    Model {
        name: EMBEDDINGS[0],
        short: EMBEDDINGS[0],
        kind: Kind::Embedding,
        licence: "CC-BY-4.0",
        attribution: "WeSpeaker (Hongji Wang et al.), trained on VoxCeleb",
        source: Some(
            "https://huggingface.co/Wespeaker/wespeaker-voxceleb-resnet34-LM/resolve/f0c48c298fd835726c27956a5d617bad7115627e",
        ),
        files: &[file(
            "voxceleb_resnet34_LM.onnx",
            26_530_309,
            "7bb2f06e9df17cdf1ef14ee8a15ab08ed28e8d0ef5054ee135741560df2ec068",
        )],
    },
    Model {
        name: EMBEDDINGS[1],
        short: EMBEDDINGS[1],
        kind: Kind::Embedding,
        licence: "Apache-2.0",
        attribution: "Resemble AI: Resemblyzer (GE2E, Wan et al. 2018)",
        source: None,
        files: &[file("ge2e.onnx", 5_695_362, "3cc5b5c15df9e03563f5f063fa3f95fd148de1bd2f861fa432cf17af67e60d82")],
    },
    Model {
        name: MEANING,
        short: MEANING,
        kind: Kind::Meaning,
        licence: "Apache-2.0",
        attribution: "sentence-transformers (Nils Reimers, Iryna Gurevych); MiniLM by Microsoft",
        source: Some(
            "https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2/resolve/1110a243fdf4706b3f48f1d95db1a4f5529b4d41",
        ),
        files: &[
            file("model.safetensors", 90_868_376, "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
            file("tokenizer.json", 466_247, "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
        ],
    },
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_file_has_a_size_a_hash_and_a_name_of_its_own() {
        for model in MODELS {
            let names: HashSet<_> = model.files.iter().map(|file| file.name).collect();
            assert_eq!(names.len(), model.files.len(), "{}", model.name);
            for file in model.files {
                assert!(file.size > 0, "{} {}", model.name, file.path);
                let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
                assert!(file.sha256.len() == 64 && file.sha256.chars().all(hex), "{} {}", model.name, file.path);
            }
        }
    }

    #[test]
    fn no_name_means_two_models() {
        let mut names = HashSet::new();
        for model in MODELS {
            assert!(names.insert(model.name), "{}", model.name);
            assert!(model.short == model.name || names.insert(model.short), "{}", model.short);
        }
    }

    #[test]
    fn sources_are_pinned_to_a_commit_over_https() {
        for source in MODELS.iter().filter_map(|model| model.source) {
            let commit = source.rsplit('/').next().unwrap_or_default();
            assert!(source.starts_with("https://") && commit.len() == 40, "{source}");
        }
    }

    #[test]
    fn the_models_that_a_transcription_needs_are_in_the_table() {
        for name in DEFAULTS.iter().chain(&EMBEDDINGS) {
            assert!(find(name).is_some(), "{name}");
        }
    }
}
