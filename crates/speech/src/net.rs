//! One small neural network from an ONNX file, run on the calling thread's behalf by exactly one other thread.
//!
//! Invariant: a run never takes more than one core, so that the recognisers keep theirs. Why rten: `docs/adr/002`.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rten::{Dimension, Model, ModelOptions, NodeId, RunOptions, ThreadPool, Value, ValueOrView};
use rten_tensor::{NdTensor, Tensor};

/// Why a network could not be loaded or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetError {
    /// The file is missing, is no ONNX graph, or uses an operator that the runtime lacks.
    #[error("cannot load the network {path}: {reason}")]
    Load {
        /// The file.
        path: PathBuf,
        /// What the file system or the runtime said.
        reason: String,
    },
    /// The file is a network, but not the one that is needed here.
    #[error("{path} is not {expected}: {found}")]
    Kind {
        /// The file.
        path: PathBuf,
        /// What is needed.
        expected: &'static str,
        /// What was found instead.
        found: String,
    },
    /// A run failed.
    #[error("the network {path} failed: {reason}")]
    Run {
        /// The file.
        path: PathBuf,
        /// What the runtime said.
        reason: String,
    },
}

thread_local! {
    /// rten always works in a pool. One of a single thread for each caller: calls side by side do not queue up behind
    /// one another, and none of them spreads over cores.
    static POOL: Arc<ThreadPool> = Arc::new(ThreadPool::with_num_threads(1));
}

/// A loaded network; may be shared between threads.
pub(crate) struct Net {
    model: Model,
    path: PathBuf,
}

impl Net {
    pub(crate) fn load(path: &Path) -> Result<Self, NetError> {
        let model = ModelOptions::with_all_ops()
            .prepack_weights(true)
            .load_file(path)
            .map_err(|e| NetError::Load { path: path.to_owned(), reason: e.to_string() })?;
        Ok(Self { model, path: path.to_owned() })
    }

    /// The graph's input called `name`, or an error that says that this is not `expected`.
    pub(crate) fn input(&self, name: &str, expected: &'static str) -> Result<NodeId, NetError> {
        self.node(name, self.model.input_ids(), "input", expected)
    }

    /// The graph's output called `name`, or an error that says that this is not `expected`.
    pub(crate) fn output(&self, name: &str, expected: &'static str) -> Result<NodeId, NetError> {
        self.node(name, self.model.output_ids(), "output", expected)
    }

    fn node(&self, name: &str, ids: &[NodeId], what: &str, expected: &'static str) -> Result<NodeId, NetError> {
        self.model.find_node(name).filter(|id| ids.contains(id)).ok_or_else(|| NetError::Kind {
            path: self.path.clone(),
            expected,
            found: format!("it has no {what} '{name}'"),
        })
    }

    /// Fixed sizes of the first input's dimensions, `None` where the graph leaves them open.
    pub(crate) fn first_input_shape(&self) -> Vec<Option<usize>> {
        let fixed = |d| match d {
            Dimension::Fixed(n) => Some(n),
            Dimension::Symbolic(_) => None,
        };
        self.model.input_shape(0).unwrap_or_default().into_iter().map(fixed).collect()
    }

    /// The only input and the only output, where the graph has one of each.
    pub(crate) fn single(&self) -> Option<(NodeId, NodeId)> {
        match (self.model.input_ids(), self.model.output_ids()) {
            (&[input], &[output]) => Some((input, output)),
            _ => None,
        }
    }

    /// The numbers of a constant of the graph; `None` where there is none of that name and shape.
    pub(crate) fn constant(&self, name: &str, shape: &[usize]) -> Option<Vec<f32>> {
        let id = self.model.find_node(name)?;
        let found = self.model.node_info(id)?.shape()?;
        let fits = |(found, expected): (&Dimension, &usize)| matches!(found, Dimension::Fixed(n) if n == expected);
        if found.len() != shape.len() || !found.iter().zip(shape).all(fits) {
            return None;
        }
        // A graph hands out its constants as outputs that depend on nothing.
        let [value] = self.run(Vec::new(), [id]).ok()?;
        let tensor: Tensor<f32> = value.try_into().ok()?;
        Some(tensor.into_data())
    }

    pub(crate) fn kind_error(&self, expected: &'static str, found: String) -> NetError {
        NetError::Kind { path: self.path.clone(), expected, found }
    }

    /// Runs the graph. The outputs come in the order of `outputs`.
    pub(crate) fn run<const N: usize>(
        &self,
        inputs: Vec<(NodeId, ValueOrView<'_>)>,
        outputs: [NodeId; N],
    ) -> Result<[Value; N], NetError> {
        let options = RunOptions::default().with_thread_pool(Some(POOL.with(Arc::clone)));
        self.model.run_n(inputs, outputs, Some(options)).map_err(|e| self.run_error(e.to_string()))
    }

    /// An output of [`Net::run`] as floats of rank `R`.
    pub(crate) fn floats<const R: usize>(&self, value: Value) -> Result<NdTensor<f32, R>, NetError> {
        value.try_into().map_err(|_| self.run_error(format!("an output is not a float tensor of rank {R}")))
    }

    fn run_error(&self, reason: String) -> NetError {
        NetError::Run { path: self.path.clone(), reason }
    }
}
