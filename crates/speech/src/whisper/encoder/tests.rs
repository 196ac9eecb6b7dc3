//! The encoder against a plain one in f32, on small models made here: two heads, layers of unequal width, integer weights.
#![allow(clippy::print_stdout, reason = "a test that skips itself says so")]

use std::{collections::BTreeMap, io::Cursor};

use super::*;

const SIZE: usize = 128;
const WIDTHS: [usize; 2] = [96, 160];

/// The numbers that a model was made from, by the names of the format.
struct Made {
    numbers: BTreeMap<String, Vec<f32>>,
    file: Vec<u8>,
    variables: u32,
    state: u32,
}

impl Made {
    fn new(bands: usize) -> Self {
        let mut made = Self { numbers: BTreeMap::new(), file: Vec::new(), variables: 0, state: 1 };
        made.random("encoder/conv1/weight", &[SIZE, bands, TAPS], 0.1);
        made.random("encoder/conv1/bias", &[SIZE], 0.1);
        made.random("encoder/conv2/weight", &[SIZE, SIZE, TAPS], 0.1);
        made.random("encoder/conv2/bias", &[SIZE], 0.1);
        made.random("encoder/position_encodings/encodings", &[POSITIONS, SIZE], 0.5);
        made.norm("encoder/layer_norm");
        made.heads((SIZE / HEAD) as i16);
        for (i, wide) in WIDTHS.into_iter().enumerate() {
            let scope = format!("encoder/layer_{i}");
            made.norm(&format!("{scope}/self_attention/layer_norm"));
            made.norm(&format!("{scope}/ffn/layer_norm"));
            made.integers(&format!("{scope}/self_attention/linear_0"), 3 * SIZE, SIZE);
            made.integers(&format!("{scope}/self_attention/linear_1"), SIZE, SIZE);
            made.random(&format!("{scope}/ffn/linear_0/weight"), &[wide, SIZE], 0.2);
            made.random(&format!("{scope}/ffn/linear_0/bias"), &[wide], 0.2);
            made.integers(&format!("{scope}/ffn/linear_1"), SIZE, wide);
        }
        made
    }

    fn next(&mut self) -> f32 {
        self.state = self.state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.state >> 8) as f32 / (1 << 23) as f32 - 1.0
    }

    fn write(&mut self, name: &str, shape: &[usize], kind: u8, bytes: &[u8]) {
        self.file.extend((name.len() as u16 + 1).to_le_bytes());
        self.file.extend(name.bytes().chain([0, shape.len() as u8]));
        self.file.extend(shape.iter().flat_map(|&n| (n as u32).to_le_bytes()));
        self.file.push(kind);
        self.file.extend((bytes.len() as u32).to_le_bytes());
        self.file.extend(bytes);
        self.variables += 1;
    }

    fn random(&mut self, name: &str, shape: &[usize], amplitude: f32) {
        let numbers: Vec<f32> = (0..shape.iter().product()).map(|_| self.next() * amplitude).collect();
        let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        self.write(name, shape, 0, &bytes);
        self.numbers.insert(name.to_owned(), numbers);
    }

    fn norm(&mut self, scope: &str) {
        self.random(&format!("{scope}/gamma"), &[SIZE], 2.0);
        self.random(&format!("{scope}/beta"), &[SIZE], 0.5);
    }

    fn heads(&mut self, heads: i16) {
        self.write("encoder/num_heads", &[], 2, &heads.to_le_bytes());
    }

    /// A layer of integers, which the format divides by a scale for each output.
    fn integers(&mut self, scope: &str, outputs: usize, inputs: usize) {
        let scales: Vec<f32> = (0..outputs).map(|o| 1_500.0 + o as f32).collect();
        let integers: Vec<i8> = (0..outputs * inputs).map(|_| (self.next() * 127.0) as i8).collect();
        let bytes: Vec<u8> = integers.iter().map(|i| i.cast_unsigned()).collect();
        self.write(&format!("{scope}/weight"), &[outputs, inputs], 1, &bytes);
        let bytes: Vec<u8> = scales.iter().flat_map(|n| n.to_le_bytes()).collect();
        self.write(&format!("{scope}/weight_scale"), &[outputs], 0, &bytes);
        let weights = integers.iter().enumerate().map(|(i, &n)| f32::from(n) / scales[i / inputs]).collect();
        self.numbers.insert(format!("{scope}/weight"), weights);
        self.random(&format!("{scope}/bias"), &[outputs], 0.2);
    }

    fn weights(&self) -> Weights<Cursor<Vec<u8>>> {
        let mut file = 6u32.to_le_bytes().to_vec();
        file.extend(12u16.to_le_bytes());
        file.extend(b"WhisperSpec\0\x03\0\0\0");
        file.extend(self.variables.to_le_bytes());
        file.extend(&self.file);
        file.extend(0u32.to_le_bytes());
        Weights::open(Cursor::new(file)).unwrap()
    }

    fn of(&self, name: &str) -> &[f32] {
        &self.numbers[name]
    }

    fn linear(&self, scope: &str, rows: &[Vec<f32>]) -> Vec<Vec<f32>> {
        let (weights, bias) = (self.of(&format!("{scope}/weight")), self.of(&format!("{scope}/bias")));
        let row = |x: &Vec<f32>| {
            bias.iter().zip(weights.chunks_exact(x.len())).map(|(b, w)| b + dot(w, x)).collect::<Vec<_>>()
        };
        rows.iter().map(row).collect()
    }

    fn normalised(&self, scope: &str, rows: &[Vec<f32>]) -> Vec<Vec<f32>> {
        let (gamma, beta) = (self.of(&format!("{scope}/gamma")), self.of(&format!("{scope}/beta")));
        let row = |x: &Vec<f32>| {
            let mean = x.iter().sum::<f32>() / SIZE as f32;
            let variance = x.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / SIZE as f32;
            let scale = (variance + 1e-5).sqrt();
            (0..SIZE).map(|i| (x[i] - mean) / scale * gamma[i] + beta[i]).collect()
        };
        rows.iter().map(row).collect()
    }

    /// Frames `[t][channel]` to every `stride`-th convolved frame.
    fn convolved(&self, scope: &str, frames: &[Vec<f32>], stride: usize) -> Vec<Vec<f32>> {
        let (weights, bias) = (self.of(&format!("{scope}/weight")), self.of(&format!("{scope}/bias")));
        let channels = frames[0].len();
        let at = |t: usize, output: usize| {
            let mut sum = bias[output];
            for (tap, frame) in (0..TAPS).filter_map(|tap| Some((tap, frames.get((t + tap).checked_sub(1)?)?))) {
                sum += (0..channels).map(|c| weights[(output * channels + c) * TAPS + tap] * frame[c]).sum::<f32>();
            }
            gelu(sum)
        };
        (0..frames.len()).step_by(stride).map(|t| (0..SIZE).map(|o| at(t, o)).collect()).collect()
    }

    /// The encoder as it is written down in the paper.
    fn encode(&self, features: &[f32], bands: usize) -> Vec<f32> {
        let frames: Vec<Vec<f32>> =
            (0..FRAMES).map(|t| (0..bands).map(|b| features[b * FRAMES + t]).collect()).collect();
        let mut stream = self.convolved("encoder/conv2", &self.convolved("encoder/conv1", &frames, 1), 2);
        let positions = self.of("encoder/position_encodings/encodings").to_vec();
        add(&mut stream, &positions.chunks(SIZE).map(<[f32]>::to_vec).collect::<Vec<_>>());
        for i in 0..WIDTHS.len() {
            let scope = format!("encoder/layer_{i}");
            let normal = self.normalised(&format!("{scope}/self_attention/layer_norm"), &stream);
            let mixed = attend(&self.linear(&format!("{scope}/self_attention/linear_0"), &normal));
            add(&mut stream, &self.linear(&format!("{scope}/self_attention/linear_1"), &mixed));
            let normal = self.normalised(&format!("{scope}/ffn/layer_norm"), &stream);
            let mut wide = self.linear(&format!("{scope}/ffn/linear_0"), &normal);
            wide.iter_mut().flatten().for_each(|v| *v = gelu(*v));
            add(&mut stream, &self.linear(&format!("{scope}/ffn/linear_1"), &wide));
        }
        self.normalised("encoder/layer_norm", &stream).concat()
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(to: &mut [Vec<f32>], rows: &[Vec<f32>]) {
    to.iter_mut().flatten().zip(rows.iter().flatten()).for_each(|(a, b)| *a += b);
}

/// The approximation by tanh, within 5e-4 of the definition.
fn gelu(x: f32) -> f32 {
    let inner = (2.0 / std::f32::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
    0.5 * x * (1.0 + inner.tanh())
}

fn attend(projected: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let mut mixed = vec![vec![0.0; SIZE]; projected.len()];
    for head in (0..SIZE).step_by(HEAD) {
        for (row, out) in projected.iter().zip(&mut mixed) {
            let query = &row[head..head + HEAD];
            let key = |of: &Vec<f32>| dot(query, &of[SIZE + head..][..HEAD]) / (HEAD as f32).sqrt();
            let weights: Vec<f32> = projected.iter().map(|of| key(of).exp()).collect();
            let sum: f32 = weights.iter().sum();
            for (weight, of) in weights.iter().zip(projected) {
                for (o, value) in out[head..head + HEAD].iter_mut().zip(&of[2 * SIZE + head..]) {
                    *o += weight / sum * value;
                }
            }
        }
    }
    mixed
}

fn features(made: &mut Made, bands: usize) -> Vec<f32> {
    (0..bands * FRAMES).map(|_| made.next()).collect()
}

#[test]
fn states_are_those_of_a_plain_encoder_with_80_and_with_128_bands() {
    if !Encoder::available() {
        println!("skipped: no bf16 here");
        return;
    }
    for bands in [80, 128] {
        let mut made = Made::new(bands);
        let features = features(&mut made, bands);
        let expected = made.encode(&features, bands);
        let states = Encoder::read(&mut made.weights(), bands).unwrap().encode(&features);
        assert_eq!(states.len(), POSITIONS * SIZE);
        for (position, (a, b)) in states.chunks(SIZE).zip(expected.chunks(SIZE)).enumerate() {
            let cosine = dot(a, b) / (dot(a, a) * dot(b, b)).sqrt();
            assert!(cosine > 0.999, "{bands} bands, position {position}: {cosine}");
        }
    }
}

#[test]
fn a_model_of_another_layout_is_left_to_the_engine() {
    let refused = |change: &dyn Fn(&mut Made)| {
        let mut made = Made { numbers: BTreeMap::new(), file: Vec::new(), variables: 0, state: 1 };
        change(&mut made);
        matches!(Encoder::read(&mut made.weights(), 80), Err(WeightsError::Variable(_)))
    };
    assert!(refused(&|_| {}), "no variables at all");
    assert!(refused(&|made| made.norm("encoder/layer_norm")), "no heads");
    let wrong_heads = |made: &mut Made| {
        made.norm("encoder/layer_norm");
        made.heads(4);
    };
    assert!(refused(&wrong_heads), "heads of 32 numbers");
    let no_layers = |made: &mut Made| {
        made.norm("encoder/layer_norm");
        made.heads((SIZE / HEAD) as i16);
    };
    assert!(refused(&no_layers), "no layers");
}
