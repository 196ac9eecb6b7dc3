//! Long short-term memory (Hochreiter and Schmidhuber 1997), in one direction or both, over up to sixteen sequences side by
//! side: one tile row a moment, so that a step is one pass over the recurrent weights whatever the number of sequences.
//!
//! Both directions take turns: what tiles store can be loaded only once it has reached the cache, so while one's products
//! get there, the other's gates are computed. Cells and gates are f32, states are bf16.

use std::arch::x86_64::{_mm512_fmadd_ps, _mm512_mul_ps};

use super::{
    linear::{HALVES, Linear, put},
    tile::{BLOCK, DEPTH, EDGE, Tile, TileUnit},
    vector::{self, LANES},
};

/// Sequences that run side by side: the rows of a tile, which cost the same when they are empty.
pub(crate) const SEQUENCES: usize = EDGE;
/// Moments are run in twos: their tiles are filled up to this number of rows.
pub(crate) const ROW_PAIR: usize = BLOCK / EDGE;
/// Moments whose inputs are multiplied together: with states of 128 numbers both directions' gates, half a mebibyte, stay in
/// the second-level cache.
const MOMENTS: usize = 8;

/// The weights of one layer, for one thread or many.
pub(crate) struct Lstm {
    hidden: usize,
    /// One, or ahead and back.
    directions: Vec<Direction>,
}

struct Direction {
    input: Linear,
    recurrent: Linear,
}

/// One direction of a layer on its way through the sequences.
struct Pass<'a> {
    direction: &'a Direction,
    hidden: usize,
    /// The first of its numbers in a row of the output.
    column: usize,
    /// Tiles across the output.
    steps: usize,
    /// `[MOMENTS, SEQUENCES, 4 * hidden]`.
    gates: Vec<f32>,
    /// `[SEQUENCES, hidden]`.
    cells: Vec<f32>,
    last: Option<usize>,
}

impl Lstm {
    /// Packs weights as ONNX's operator LSTM has them, gates in the order input, output, forget, cell: `input`
    /// `[directions, 4 * hidden, inputs]`, `recurrent` `[directions, 4 * hidden, hidden]`, `bias` `[directions, 8 * hidden]`.
    /// `hidden` is a multiple of 32.
    pub(crate) fn new(input: &[f32], recurrent: &[f32], bias: &[f32], hidden: usize) -> Self {
        let gates = 4 * hidden;
        let directions = bias.len() / (2 * gates);
        let inputs = input.len() / (directions * gates);
        let each = input.chunks_exact(gates * inputs).zip(recurrent.chunks_exact(gates * hidden));
        let directions = each.zip(bias.chunks_exact(2 * gates)).map(|((input, recurrent), bias)| {
            let (of_input, of_state) = bias.split_at(gates);
            let bias = of_input.iter().zip(of_state).map(|(a, b)| a + b).collect();
            Direction {
                input: Linear::new(input, inputs, vec![1.0; gates], bias),
                recurrent: Linear::new(recurrent, hidden, vec![1.0; gates], vec![0.0; gates]),
            }
        });
        Self { hidden, directions: directions.collect() }
    }

    /// Tiles across the output, in which both directions' states stand side by side.
    pub(crate) fn steps(&self) -> usize {
        self.directions.len() * self.hidden / DEPTH
    }

    /// Runs `moments` rows of tiles, to which `input` has one more where it takes one to make their number even. Gives back
    /// as many rows; those of sequences from `sequences` on stay zero.
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub(crate) fn run(&self, unit: &TileUnit, input: &[Tile], moments: usize, sequences: usize) -> Vec<Tile> {
        let steps = self.directions[0].input.steps();
        let rows = moments.next_multiple_of(ROW_PAIR);
        assert_eq!(input.len(), rows * steps);
        let mut output = vec![Tile::ZERO; rows * self.steps()];
        let mut passes: Vec<Pass<'_>> = (0..self.directions.len()).map(|i| Pass::new(self, i)).collect();
        for first in (0..rows).step_by(MOMENTS) {
            let span = first..(first + MOMENTS).min(rows);
            let mirrored = rows - span.end..rows - span.start;
            for (pass, span) in passes.iter_mut().zip([&span, &mirrored]) {
                pass.hear(unit, &input[span.start * steps..span.end * steps]);
            }
            for i in 0..span.len() {
                // Each pass's place among the moments heard, and on the time line.
                let at = [(i, span.start + i), (span.len() - 1 - i, mirrored.end - 1 - i)];
                for (pass, (i, _)) in passes.iter_mut().zip(at).filter(|(_, (_, t))| *t < moments) {
                    pass.recall(unit, i, &output);
                }
                for (pass, (i, t)) in passes.iter_mut().zip(at).filter(|(_, (_, t))| *t < moments) {
                    pass.step(i, t, &mut output, sequences);
                }
            }
        }
        output
    }
}

impl<'a> Pass<'a> {
    fn new(lstm: &'a Lstm, index: usize) -> Self {
        let hidden = lstm.hidden;
        Self {
            direction: &lstm.directions[index],
            hidden,
            column: index * hidden,
            steps: lstm.steps(),
            gates: vec![0.0; MOMENTS * SEQUENCES * 4 * hidden],
            cells: vec![0.0; SEQUENCES * hidden],
            last: None,
        }
    }

    /// What the inputs of some moments say to the gates.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn hear(&mut self, unit: &TileUnit, input: &[Tile]) {
        let (linear, width) = (&self.direction.input, 4 * self.hidden);
        linear.multiply(unit, input, |row, column, block| {
            for (r, line) in block.0.iter().enumerate() {
                for at in HALVES {
                    let value = linear.finish(vector::load(line, at), column + at);
                    vector::store(&mut self.gates, (row + r) * width + column + at, value);
                }
            }
        });
    }

    /// Adds what the last state says to the gates of moment `i` of those heard.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn recall(&mut self, unit: &TileUnit, i: usize, output: &[Tile]) {
        if let Some(last) = self.last {
            let state = &output[last * self.steps + self.column / DEPTH..][..self.hidden / DEPTH];
            let of_moment = SEQUENCES * 4 * self.hidden;
            let gates = &mut self.gates[i * of_moment..][..of_moment];
            self.direction.recurrent.accumulate(unit, state, gates);
        }
    }

    /// Cells and states of moment `t`, which is moment `i` of those heard.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn step(&mut self, i: usize, t: usize, output: &mut [Tile], sequences: usize) {
        let hidden = self.hidden;
        let gates = self.gates.chunks_exact(4 * hidden).skip(i * SEQUENCES);
        for (sequence, (gates, cells)) in gates.zip(self.cells.chunks_exact_mut(hidden)).take(sequences).enumerate() {
            for at in (0..hidden).step_by(LANES) {
                let input = vector::sigmoid(vector::load(gates, at));
                let out = vector::sigmoid(vector::load(gates, hidden + at));
                let forget = vector::sigmoid(vector::load(gates, 2 * hidden + at));
                let new = vector::tanh(vector::load(gates, 3 * hidden + at));
                let cell = _mm512_fmadd_ps(forget, vector::load(cells, at), _mm512_mul_ps(input, new));
                vector::store(cells, at, cell);
                let state = _mm512_mul_ps(out, vector::tanh(cell));
                put(output, self.steps, t * SEQUENCES + sequence, self.column + at, state);
            }
        }
        self.last = Some(t);
    }
}
