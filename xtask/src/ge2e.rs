//! Converts the speaker encoder of Resemblyzer (GE2E: Wan et al., "Generalized end-to-end loss for speaker verification",
//! 2018; weights Apache-2.0) from its PyTorch checkpoint to ONNX, so that no PyTorch is needed.
//!
//! Invariant: the same checkpoint gives the same bytes; the model manifest pins their hash.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    onnx::{Attribute, Dimension, Graph},
    torch::{self, Tensor, TorchError},
};

/// Mel bands that the network hears.
const BANDS: usize = 40;
/// Frames of 10 ms that it hears at once.
const FRAMES: usize = 160;
/// Width of its layers and of an embedding.
const WIDTH: usize = 256;
/// LSTM layers.
const LAYERS: usize = 3;
/// The checkpoint has 17 MB; a file of more than this many bytes is another one.
const MAX_BYTES: u64 = 64 << 20;

/// Why the conversion failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConvertError {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The checkpoint is far larger than Resemblyzer's.
    #[error("{} is too large for Resemblyzer's checkpoint", .0.display())]
    TooLarge(PathBuf),
    /// The checkpoint cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] TorchError),
    /// A tensor is missing or has another shape.
    #[error("the checkpoint has no tensor '{name}' of the shape {shape:?}")]
    Tensor {
        /// Its name in the state dictionary.
        name: String,
        /// The shape that it should have.
        shape: Vec<usize>,
    },
}

/// Reads `pretrained.pt` and writes `ge2e.onnx`: input `mel` `[batch, 160, 40]`, output `embedding` `[batch, 256]`.
///
/// # Errors
/// [`ConvertError`] when the checkpoint is not Resemblyzer's or a file cannot be read or written.
pub(crate) fn convert(pt: &Path, onnx: &Path) -> Result<(), ConvertError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| ConvertError::Io { path, source }
    };
    if fs::metadata(pt).map_err(at(pt))?.len() > MAX_BYTES {
        return Err(ConvertError::TooLarge(pt.to_owned()));
    }
    let checkpoint = fs::read(pt).map_err(at(pt))?;
    let state = torch::tensors(&checkpoint, "model_state")?;
    fs::write(onnx, network(&state)?).map_err(at(onnx))
}

/// LSTM layers, the last state through a linear layer, ReLU, unit length.
fn network(state: &BTreeMap<String, Tensor>) -> Result<Vec<u8>, ConvertError> {
    let batch = || Dimension::Open("batch");
    let fixed = |n: usize| Dimension::Fixed(n as u64);
    // ONNX's LSTM wants time first and gives `[time, direction, batch, width]`.
    let mut graph = Graph::default()
        .input("mel", &[batch(), fixed(FRAMES), fixed(BANDS)])
        .integers("first_axis", &[0])
        .integers("direction_axis", &[1])
        .node("Transpose", &["mel"], &["x0"], &[("perm", Attribute::Ints(&[1, 0, 2]))]);
    for layer in 0..LAYERS {
        graph = lstm(graph, state, layer)?;
    }
    let weight = tensor(state, "linear.weight", &[WIDTH, WIDTH])?;
    let bias = tensor(state, "linear.bias", &[WIDTH])?;
    let graph = graph
        .floats("linear_weight", &[WIDTH as u64, WIDTH as u64], weight)
        .floats("linear_bias", &[WIDTH as u64], bias)
        .node("Squeeze", &["last", "first_axis"], &["state"], &[])
        .node("Gemm", &["state", "linear_weight", "linear_bias"], &["linear"], &[("transB", Attribute::Int(1))])
        .node("Relu", &["linear"], &["voice"], &[])
        .node("ReduceL2", &["voice"], &["length"], &[("axes", Attribute::Ints(&[1])), ("keepdims", Attribute::Int(1))])
        .node("Div", &["voice", "length"], &["embedding"], &[])
        .output("embedding", &[batch(), fixed(WIDTH)]);
    Ok(graph.into_model("ge2e", &[("kind", "ge2e"), ("license", "Apache-2.0")]))
}

/// Adds one layer, from `x{layer}` to `x{layer + 1}`; the last one gives its final state as `last`.
fn lstm(graph: Graph, state: &BTreeMap<String, Tensor>, layer: usize) -> Result<Graph, ConvertError> {
    let inputs = if layer == 0 { BANDS } else { WIDTH };
    let gates = 4 * WIDTH;
    let part = |kind: &str, shape: &[usize]| {
        let values = tensor(state, &format!("lstm.{kind}_l{layer}"), shape)?;
        Ok::<_, ConvertError>(onnx_gate_order(values))
    };
    let input = part("weight_ih", &[gates, inputs])?;
    let recurrent = part("weight_hh", &[gates, WIDTH])?;
    let biases = [part("bias_ih", &[gates])?, part("bias_hh", &[gates])?].concat();
    let [x, w, r, b, y] = ["x", "w", "r", "b", "y"].map(|name| format!("{name}{layer}"));
    let hidden_size = [("hidden_size", Attribute::Int(WIDTH as i64))];
    let graph = graph
        .floats(&w, &[1, gates as u64, inputs as u64], &input)
        .floats(&r, &[1, gates as u64, WIDTH as u64], &recurrent)
        .floats(&b, &[1, 2 * gates as u64], &biases);
    Ok(if layer + 1 == LAYERS {
        graph.node("LSTM", &[&x, &w, &r, &b], &[&y, "last"], &hidden_size)
    } else {
        let next = format!("x{}", layer + 1);
        graph.node("LSTM", &[&x, &w, &r, &b], &[&y], &hidden_size).node(
            "Squeeze",
            &[&y, "direction_axis"],
            &[&next],
            &[],
        )
    })
}

/// PyTorch stacks the gates as input, forget, cell, output; ONNX as input, output, forget, cell.
fn onnx_gate_order(values: &[f32]) -> Vec<f32> {
    let gate = |i: usize| &values[i * values.len() / 4..(i + 1) * values.len() / 4];
    [gate(0), gate(3), gate(1), gate(2)].concat()
}

fn tensor<'a>(state: &'a BTreeMap<String, Tensor>, name: &str, shape: &[usize]) -> Result<&'a [f32], ConvertError> {
    let found = state.get(name).filter(|t| t.shape == shape);
    found.map(|t| &t.values[..]).ok_or_else(|| ConvertError::Tensor { name: name.to_owned(), shape: shape.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_change_from_torch_order_to_onnx_order() {
        assert_eq!(onnx_gate_order(&[1., 1., 2., 2., 3., 3., 4., 4.]), [1., 1., 4., 4., 2., 2., 3., 3.]);
    }

    #[test]
    fn a_checkpoint_of_another_network_is_refused_by_the_tensor_that_it_lacks() {
        let error = network(&BTreeMap::new()).unwrap_err().to_string();
        assert_eq!(error, "the checkpoint has no tensor 'lstm.weight_ih_l0' of the shape [1024, 40]");
    }
}
