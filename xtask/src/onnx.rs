//! Writes ONNX graphs: the few messages of onnx.proto3 that a small network needs, as protocol buffers.
//!
//! Invariant: the same calls give the same bytes, so a written model can be pinned by its hash.

/// The version of the file format; 8 goes with operator set 13 and later.
const IR_VERSION: u64 = 8;
/// The operator set: the last in which ReduceL2 takes its axes as an attribute is 17.
const OPSET: u64 = 13;

/// A protocol buffers message under construction.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn number(mut self, field: u64, value: u64) -> Self {
        self.varint(field << 3);
        self.varint(value);
        self
    }

    fn bytes(mut self, field: u64, value: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
        self
    }

    fn text(self, field: u64, value: &str) -> Self {
        self.bytes(field, value.as_bytes())
    }

    fn message(self, field: u64, value: &Self) -> Self {
        self.bytes(field, &value.0)
    }
}

/// A dimension of an input or output.
pub(crate) enum Dimension {
    /// Always this size.
    Fixed(u64),
    /// Any size, under a name.
    Open(&'static str),
}

/// An attribute of an operator.
pub(crate) enum Attribute<'a> {
    /// One integer.
    Int(i64),
    /// Several.
    Ints(&'a [i64]),
}

/// A graph of operators under construction; every value has a name.
#[derive(Default)]
pub(crate) struct Graph(Message);

impl Graph {
    /// Adds a float input.
    #[must_use]
    pub(crate) fn input(self, name: &str, shape: &[Dimension]) -> Self {
        Self(self.0.message(11, &value_info(name, shape)))
    }

    /// Adds a float output.
    #[must_use]
    pub(crate) fn output(self, name: &str, shape: &[Dimension]) -> Self {
        Self(self.0.message(12, &value_info(name, shape)))
    }

    /// Adds an operator.
    #[must_use]
    pub(crate) fn node(
        self,
        op: &str,
        inputs: &[&str],
        outputs: &[&str],
        attributes: &[(&str, Attribute<'_>)],
    ) -> Self {
        let mut node = Message::default();
        for name in inputs {
            node = node.text(1, name);
        }
        for name in outputs {
            node = node.text(2, name);
        }
        node = node.text(4, op);
        for (name, value) in attributes {
            let attribute = Message::default().text(1, name);
            let attribute = match value {
                Attribute::Int(i) => attribute.number(3, *i as u64).number(20, 2),
                Attribute::Ints(list) => list.iter().fold(attribute, |a, i| a.number(8, *i as u64)).number(20, 7),
            };
            node = node.message(5, &attribute);
        }
        Self(self.0.message(1, &node))
    }

    /// Adds weights.
    #[must_use]
    pub(crate) fn floats(self, name: &str, shape: &[u64], values: &[f32]) -> Self {
        let raw: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.tensor(name, shape, 1, &raw)
    }

    /// Adds constant integers, such as axes.
    #[must_use]
    pub(crate) fn integers(self, name: &str, values: &[i64]) -> Self {
        let raw: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.tensor(name, &[values.len() as u64], 7, &raw)
    }

    fn tensor(self, name: &str, shape: &[u64], data_type: u64, raw: &[u8]) -> Self {
        let tensor = shape.iter().fold(Message::default(), |t, dim| t.number(1, *dim));
        Self(self.0.message(5, &tensor.number(2, data_type).text(8, name).bytes(9, raw)))
    }

    /// The file's bytes, with `metadata` as keys and values.
    pub(crate) fn into_model(self, name: &str, metadata: &[(&str, &str)]) -> Vec<u8> {
        let opset = Message::default().text(1, "").number(2, OPSET);
        let graph = self.0.text(2, name);
        let model = Message::default().number(1, IR_VERSION).message(7, &graph).message(8, &opset);
        let property = |key, value| Message::default().text(1, key).text(2, value);
        metadata.iter().fold(model, |m, (key, value)| m.message(14, &property(key, value))).0
    }
}

fn value_info(name: &str, shape: &[Dimension]) -> Message {
    let dimension = |d: &Dimension| match d {
        Dimension::Fixed(n) => Message::default().number(1, *n),
        Dimension::Open(name) => Message::default().text(2, name),
    };
    let shape = shape.iter().fold(Message::default(), |s, d| s.message(1, &dimension(d)));
    let tensor = Message::default().number(1, 1).message(2, &shape);
    Message::default().text(1, name).message(2, &Message::default().message(1, &tensor))
}
