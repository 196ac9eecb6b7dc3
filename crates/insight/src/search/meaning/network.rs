//! The network of all-MiniLM-L6-v2: BERT with six layers (Devlin et al., NAACL 2019), the mean of what it makes of all pieces. The public
//! file holds weights and no graph, so the graph is here; matrices are multiplied by what rten multiplies with.
//!
//! Its one invariant: a run holds the activations of one text of 256 pieces at most: 5 MB.

use rten_gemm::{BiasVector, GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix};
use rten_simd::{SimdOp as _, SimdUnaryOp as _};
use rten_tensor::{Layout as _, NdTensorView};
use rten_vecmath::{Gelu, Softmax};

use super::{DIMENSIONS, weights::Weights};

/// Pieces that the model knows.
pub(super) const VOCABULARY: usize = 30_522;

/// Places of a text that the model knows; more than are ever used.
const PLACES: usize = 512;
/// Kinds of texts; there is only the first here.
const KINDS: usize = 2;
const LAYERS: usize = 6;
const HEADS: usize = 12;
/// Numbers of a head.
const HEAD: usize = DIMENSIONS / HEADS;
/// Numbers between the two halves of a layer's second part.
const INNER: usize = 4 * DIMENSIONS;
/// Queries, keys and values beside each other.
const QKV: usize = 3 * DIMENSIONS;
/// Keeps a row without variance from being divided by zero (`layer_norm_eps`).
const EPSILON: f32 = 1e-12;

/// A matrix and what is added to each of its rows.
struct Linear {
    weights: PackedBMatrix<f32>,
    bias: Vec<f32>,
}

/// Brings rows to mean 0 and variance 1, then to what was learnt.
struct Norm {
    scale: Vec<f32>,
    shift: Vec<f32>,
}

struct Layer {
    attention: Linear,
    attended: Linear,
    attention_norm: Norm,
    inner: Linear,
    outer: Linear,
    outer_norm: Norm,
}

/// The network.
pub(super) struct Network {
    words: Vec<f32>,
    /// Of the places, with what the first kind of text adds.
    places: Vec<f32>,
    norm: Norm,
    layers: Vec<Layer>,
}

impl Network {
    pub(super) fn read(file: &[u8]) -> Result<Self, String> {
        let (weights, gemm) = (Weights::read(file)?, GemmExecutor::default());
        let words = weights.floats("embeddings.word_embeddings.weight", &[VOCABULARY, DIMENSIONS])?;
        let mut places = weights.floats("embeddings.position_embeddings.weight", &[PLACES, DIMENSIONS])?;
        let kinds = weights.floats("embeddings.token_type_embeddings.weight", &[KINDS, DIMENSIONS])?;
        places.chunks_exact_mut(DIMENSIONS).for_each(|place| add(place, &kinds[..DIMENSIONS]));
        let norm = Norm::read(&weights, "embeddings")?;
        let layers = (0..LAYERS).map(|layer| Layer::read(&weights, &gemm, layer)).collect::<Result<_, _>>()?;
        Ok(Self { words, places, norm, layers })
    }

    /// The mean of what becomes of these pieces.
    pub(super) fn run(&self, pieces: &[u32]) -> [f32; DIMENSIONS] {
        // It stays on its thread, and is nothing but the choice of a kernel, which is the one that the weights were packed for.
        let (gemm, mut rows) = (GemmExecutor::default(), Vec::with_capacity(pieces.len() * DIMENSIONS));
        for (piece, place) in pieces.iter().zip(self.places.chunks_exact(DIMENSIONS)) {
            let from = *piece as usize * DIMENSIONS;
            rows.extend_from_slice(&self.words[from..from + DIMENSIONS]);
            let row = rows.len() - DIMENSIONS;
            add(&mut rows[row..], place);
        }
        self.norm.apply(&mut rows);
        for layer in &self.layers {
            layer.apply(&gemm, &mut rows);
        }
        let mut mean = [0.0; DIMENSIONS];
        rows.chunks_exact(DIMENSIONS).for_each(|row| add(&mut mean, row));
        mean.map(|sum| sum / pieces.len().max(1) as f32)
    }
}

impl Layer {
    fn read(weights: &Weights<'_>, gemm: &GemmExecutor, layer: usize) -> Result<Self, String> {
        let at = |name: &str| format!("encoder.layer.{layer}.{name}");
        let linear = |name: &str, from, to| Linear::read(weights, gemm, (&[at(name)], from, to));
        let qkv = ["query", "key", "value"].map(|name| at(&format!("attention.self.{name}")));
        Ok(Self {
            attention: Linear::read(weights, gemm, (&qkv, DIMENSIONS, DIMENSIONS))?,
            attended: linear("attention.output.dense", DIMENSIONS, DIMENSIONS)?,
            attention_norm: Norm::read(weights, &at("attention.output"))?,
            inner: linear("intermediate.dense", DIMENSIONS, INNER)?,
            outer: linear("output.dense", INNER, DIMENSIONS)?,
            outer_norm: Norm::read(weights, &at("output"))?,
        })
    }

    fn apply(&self, gemm: &GemmExecutor, rows: &mut [f32]) {
        let seen = attend(gemm, &self.attention.apply(gemm, rows));
        add(rows, &self.attended.apply(gemm, &seen));
        self.attention_norm.apply(rows);
        let mut inner = self.inner.apply(gemm, rows);
        Gelu {}.map_mut(&mut inner[..]);
        add(rows, &self.outer.apply(gemm, &inner));
        self.outer_norm.apply(rows);
    }
}

/// What each piece takes from the others, by queries, keys and values that stand beside each other in each row.
fn attend(gemm: &GemmExecutor, qkv: &[f32]) -> Vec<f32> {
    let count = qkv.len() / QKV;
    let all = NdTensorView::from_data([count, QKV], qkv);
    let (mut seen, mut scores) = (vec![0.0; count * DIMENSIONS], vec![0.0; count * count]);
    let mut part = vec![0.0; count * HEAD];
    for head in 0..HEADS {
        let of = |kind: usize| {
            let from = kind * DIMENSIONS + head * HEAD;
            all.slice((.., from..from + HEAD))
        };
        let scale = GemmOptions { alpha: 1.0 / (HEAD as f32).sqrt(), ..GemmOptions::default() };
        let keys = of(1);
        multiply(gemm, &mut scores, of(0), GemmInputB::Unpacked(keys.transposed()), scale);
        scores.chunks_exact_mut(count).for_each(|row| _ = Softmax::new_mut(row).dispatch());
        let scores = NdTensorView::from_data([count, count], &scores[..]);
        multiply(gemm, &mut part, scores, GemmInputB::Unpacked(of(2)), GemmOptions::default());
        for (row, part) in seen.chunks_exact_mut(DIMENSIONS).zip(part.chunks_exact(HEAD)) {
            row[head * HEAD..][..HEAD].copy_from_slice(part);
        }
    }
    seen
}

fn multiply(
    gemm: &GemmExecutor,
    out: &mut [f32],
    left: NdTensorView<'_, f32, 2>,
    right: GemmInputB<'_, f32>,
    options: GemmOptions<'_, f32, f32, f32>,
) {
    let fits = left.size(1) == right.rows() && out.len() == left.size(0) * right.cols();
    assert!(fits, "the sizes of all matrices follow from the constants of this file");
    // The sizes are right, and nothing else can be wrong.
    let _ = gemm.gemm(out, GemmInputA::Unpacked(left), right, options);
}

impl Linear {
    /// The matrices of these names, each `from` numbers to `to`, side by side.
    fn read(
        weights: &Weights<'_>,
        gemm: &GemmExecutor,
        (names, from, to): (&[String], usize, usize),
    ) -> Result<Self, String> {
        let (mut rows, mut bias) = (Vec::new(), Vec::new());
        for name in names {
            rows.extend(weights.floats(&format!("{name}.weight"), &[to, from])?);
            bias.extend(weights.floats(&format!("{name}.bias"), &[to])?);
        }
        let matrix = NdTensorView::from_data([bias.len(), from], &rows[..]);
        Ok(Self { weights: gemm.prepack_b(matrix.transposed()), bias })
    }

    fn apply(&self, gemm: &GemmExecutor, rows: &[f32]) -> Vec<f32> {
        let (from, to) = (self.weights.rows(), self.bias.len());
        let count = rows.len() / from;
        let mut out = vec![0.0; count * to];
        let options = GemmOptions { bias: Some(BiasVector::Row(&self.bias)), ..GemmOptions::default() };
        let left = NdTensorView::from_data([count, from], rows);
        multiply(gemm, &mut out, left, GemmInputB::Packed(&self.weights), options);
        out
    }
}

impl Norm {
    fn read(weights: &Weights<'_>, part: &str) -> Result<Self, String> {
        let of = |name| weights.floats(&format!("{part}.LayerNorm.{name}"), &[DIMENSIONS]);
        Ok(Self { scale: of("weight")?, shift: of("bias")? })
    }

    fn apply(&self, rows: &mut [f32]) {
        for row in rows.chunks_exact_mut(DIMENSIONS) {
            let mean = row.iter().sum::<f32>() / DIMENSIONS as f32;
            let variance = row.iter().map(|one| (one - mean).powi(2)).sum::<f32>() / DIMENSIONS as f32;
            let by = 1.0 / (variance + EPSILON).sqrt();
            for ((one, scale), shift) in row.iter_mut().zip(&self.scale).zip(&self.shift) {
                *one = (*one - mean) * by * scale + shift;
            }
        }
    }
}

fn add(to: &mut [f32], what: &[f32]) {
    to.iter_mut().zip(what).for_each(|(to, what)| *to += what);
}
