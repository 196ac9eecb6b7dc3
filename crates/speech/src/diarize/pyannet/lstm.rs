//! A bidirectional long short-term memory (Hochreiter and Schmidhuber 1997; gates as ONNX's LSTM orders them: input, output,
//! forget, cell) over up to sixteen sequences side by side: one tile row a moment, so that a step is one pass over the
//! recurrent weights, whatever the number of sequences.
//!
//! Both directions take turns. While one's products leave the tiles, the other's gates are computed: what tiles store can be
//! loaded only once it has reached the cache. Cells and gates are f32, states are bf16.

use std::arch::x86_64::{_mm512_fmadd_ps, _mm512_mul_ps};

use super::SEQUENCES;
use crate::{
    kernels::{
        linear::{HALVES, Linear, put},
        tile::{DEPTH, EDGE, Tile, TileUnit},
        vector::{self, LANES},
    },
    net::Net,
};

/// Numbers of a state, a direction each.
const HIDDEN: usize = 128;
const GATES: usize = 4 * HIDDEN;
/// Numbers that a layer puts out: both directions side by side.
pub(super) const OUTPUTS: usize = 2 * HIDDEN;
/// Tiles across a layer's output, and across one direction's.
pub(super) const STEPS: usize = OUTPUTS / DEPTH;
const HIDDEN_STEPS: usize = HIDDEN / DEPTH;
/// Moments whose inputs are multiplied together: both directions' gates, half a mebibyte, stay in the second-level cache.
const MOMENTS: usize = 8;

/// One layer.
pub(super) struct Lstm {
    directions: [Direction; 2],
}

struct Direction {
    input: Linear,
    recurrent: Linear,
}

/// One direction of a layer on its way through the sequences.
struct Pass<'a> {
    direction: &'a Direction,
    /// Its first tile in a row of the output.
    column: usize,
    /// `[MOMENTS, SEQUENCES, GATES]`.
    gates: Vec<f32>,
    /// `[SEQUENCES, HIDDEN]`.
    cells: Vec<f32>,
    last: Option<usize>,
}

impl Lstm {
    /// Reads the layer whose constants are numbered from `number` on.
    pub(super) fn read(net: &Net, number: usize, inputs: usize) -> Option<Self> {
        let bias = net.constant(&format!("onnx::LSTM_{number}"), &[2, 2 * GATES])?;
        let input = net.constant(&format!("onnx::LSTM_{}", number + 1), &[2, GATES, inputs])?;
        let recurrent = net.constant(&format!("onnx::LSTM_{}", number + 2), &[2, GATES, HIDDEN])?;
        let direction = |i: usize| {
            let (of_input, of_state) = bias[i * 2 * GATES..(i + 1) * 2 * GATES].split_at(GATES);
            let bias = of_input.iter().zip(of_state).map(|(a, b)| a + b).collect();
            let of = |weights: &[f32], inputs: usize, bias| {
                Linear::new(&weights[i * GATES * inputs..(i + 1) * GATES * inputs], inputs, vec![1.0; GATES], bias)
            };
            Direction { input: of(&input, inputs, bias), recurrent: of(&recurrent, HIDDEN, vec![0.0; GATES]) }
        };
        Some(Self { directions: [direction(0), direction(1)] })
    }

    /// Runs the layer over rows of tiles, a row a moment, of which there are `moments` and perhaps one to fill up an even
    /// number. Of `output` the rows of the first `sequences` are written.
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub(super) fn run(&self, unit: &TileUnit, input: &[Tile], output: &mut [Tile], moments: usize, sequences: usize) {
        let [mut ahead, mut back] = [0, 1].map(|i| Pass::new(&self.directions[i], i * HIDDEN));
        let steps = self.directions[0].input.steps();
        let rows = input.len() / steps;
        for first in (0..rows).step_by(MOMENTS) {
            let span = first..(first + MOMENTS).min(rows);
            let mirrored = rows - span.end..rows - span.start;
            ahead.hear(unit, &input[span.start * steps..span.end * steps]);
            back.hear(unit, &input[mirrored.start * steps..mirrored.end * steps]);
            for i in 0..span.len() {
                let (t, u) = (span.start + i, mirrored.end - 1 - i);
                let mirror = span.len() - 1 - i;
                if t < moments {
                    ahead.recall(unit, i, output);
                }
                if u < moments {
                    back.recall(unit, mirror, output);
                }
                if t < moments {
                    ahead.step(i, t, output, sequences);
                }
                if u < moments {
                    back.step(mirror, u, output, sequences);
                }
            }
        }
    }
}

impl<'a> Pass<'a> {
    fn new(direction: &'a Direction, column: usize) -> Self {
        let gates = vec![0.0; MOMENTS * SEQUENCES * GATES];
        Self { direction, column, gates, cells: vec![0.0; SEQUENCES * HIDDEN], last: None }
    }

    /// What the inputs of some moments say to the gates.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn hear(&mut self, unit: &TileUnit, input: &[Tile]) {
        let linear = &self.direction.input;
        linear.multiply(unit, input, |row, column, block| {
            for (r, line) in block.0.iter().enumerate() {
                for at in HALVES {
                    let value = linear.finish(vector::load(line, at), column + at);
                    vector::store(&mut self.gates, (row + r) * GATES + column + at, value);
                }
            }
        });
    }

    /// Adds what the last state says to the gates of moment `i` of those heard.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn recall(&mut self, unit: &TileUnit, i: usize, output: &[Tile]) {
        if let Some(last) = self.last {
            let state = &output[last * STEPS + self.column / DEPTH..][..HIDDEN_STEPS];
            let gates = &mut self.gates[i * SEQUENCES * GATES..][..SEQUENCES * GATES];
            self.direction.recurrent.accumulate(unit, state, gates);
        }
    }

    /// Cells and states of moment `t`, which is moment `i` of those heard.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn step(&mut self, i: usize, t: usize, output: &mut [Tile], sequences: usize) {
        let gates = self.gates[i * SEQUENCES * GATES..][..SEQUENCES * GATES].chunks_exact(GATES);
        let each = gates.zip(self.cells.chunks_exact_mut(HIDDEN)).take(sequences).enumerate();
        for (sequence, (gates, cells)) in each {
            for at in (0..HIDDEN).step_by(LANES) {
                let input = vector::sigmoid(vector::load(gates, at));
                let out = vector::sigmoid(vector::load(gates, HIDDEN + at));
                let forget = vector::sigmoid(vector::load(gates, 2 * HIDDEN + at));
                let new = vector::tanh(vector::load(gates, 3 * HIDDEN + at));
                let cell = _mm512_fmadd_ps(forget, vector::load(cells, at), _mm512_mul_ps(input, new));
                vector::store(cells, at, cell);
                let state = _mm512_mul_ps(out, vector::tanh(cell));
                put(output, STEPS, t * EDGE + sequence, self.column + at, state);
            }
        }
        self.last = Some(t);
    }
}
