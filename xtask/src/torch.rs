//! Reads the float tensors of a PyTorch checkpoint from before its zip format: five pickles (magic number, protocol,
//! machine, objects, storage keys), then the storages.
//!
//! Invariant: nothing in the file is run. Only the opcodes and the two constructors that such checkpoints need are known;
//! anything else is an error, and so is whatever leads outside the file or beyond the limits below.

use std::{collections::BTreeMap, rc::Rc};

/// `torch.serialization.MAGIC_NUMBER`, little-endian.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
/// Opcodes of one pickle at most; a checkpoint of some dozen tensors has two thousand.
const MAX_OPCODES: usize = 100_000;
/// Containers within containers at most; checkpoints have five.
const MAX_DEPTH: usize = 16;

/// Why a checkpoint cannot be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum TorchError {
    /// The file ends in the middle of something.
    #[error("the checkpoint ends too early")]
    Truncated,
    /// It is some other file.
    #[error("not a PyTorch checkpoint in the format before zip files")]
    Magic,
    /// Something that such a checkpoint does not hold.
    #[error("the checkpoint holds {0}, which is not supported")]
    Unsupported(String),
    /// Its parts contradict one another.
    #[error("the checkpoint is broken: {0}")]
    Broken(&'static str),
}

/// A dense float tensor.
#[derive(Debug, PartialEq)]
pub(crate) struct Tensor {
    /// Sizes, the slowest dimension first.
    pub(crate) shape: Vec<usize>,
    /// Values in that order.
    pub(crate) values: Vec<f32>,
}

#[derive(Clone)]
enum Value {
    Mark,
    None,
    Int(i64),
    Bytes(Rc<[u8]>),
    Text(Rc<str>),
    Global(Rc<str>),
    List(Vec<Value>, usize),
    Tuple(Rc<[Value]>, usize),
    Dict(Vec<(Value, Value)>, usize),
    Storage(Rc<str>),
    Tensor {
        storage: Rc<str>,
        offset: usize,
        shape: Rc<[usize]>,
    },
    /// A container that was stored before it was filled; reading it back would give it empty.
    Unfinished,
}

impl Value {
    fn depth(&self) -> usize {
        match self {
            Self::List(_, depth) | Self::Tuple(_, depth) | Self::Dict(_, depth) => *depth,
            _ => 0,
        }
    }

    fn size(&self) -> Result<usize, TorchError> {
        match self {
            Self::Int(n) => usize::try_from(*n).map_err(|_| TorchError::Broken("a negative size")),
            _ => Err(TorchError::Broken("a size is no integer")),
        }
    }
}

/// The tensors of the dictionary called `state` at the top of the checkpoint.
///
/// # Errors
/// [`TorchError`] when the file is no such checkpoint.
pub(crate) fn tensors(file: &[u8], state: &str) -> Result<BTreeMap<String, Tensor>, TorchError> {
    let mut reader = Reader { rest: file };
    match Machine::run(&mut reader)? {
        Value::Bytes(magic) if *magic == MAGIC => {}
        _ => return Err(TorchError::Magic),
    }
    let _protocol = Machine::run(&mut reader)?;
    let _machine = Machine::run(&mut reader)?;
    let objects = Machine::run(&mut reader)?;
    let keys = Machine::run(&mut reader)?;
    let storages = storages(&mut reader, keys)?;
    let Some(Value::Dict(entries, _)) = entry(objects, state) else {
        return Err(TorchError::Broken("the dictionary of weights is missing"));
    };
    let mut tensors = BTreeMap::new();
    // Every value belongs to one tensor, so all of them together are no longer than the file. Without this a few bytes each
    // would name a large storage again and again.
    let mut room = file.len() / 4;
    for (key, value) in entries {
        if let (Value::Text(name), Value::Tensor { storage, offset, shape }) = (key, value) {
            let bytes = storages.get(&*storage).ok_or(TorchError::Broken("a storage is missing"))?;
            let values = slice(bytes, offset, &shape)?;
            room = room.checked_sub(values.len()).ok_or(TorchError::Broken("tensors share their values"))?;
            tensors.insert(name.to_string(), Tensor { values, shape: shape.to_vec() });
        }
    }
    Ok(tensors)
}

fn entry(dict: Value, name: &str) -> Option<Value> {
    let Value::Dict(entries, _) = dict else { return None };
    entries.into_iter().find_map(|(key, value)| matches!(key, Value::Text(k) if *k == *name).then_some(value))
}

fn storages<'a>(reader: &mut Reader<'a>, keys: Value) -> Result<BTreeMap<String, &'a [u8]>, TorchError> {
    let Value::List(keys, _) = keys else { return Err(TorchError::Broken("the storage keys are missing")) };
    let mut storages = BTreeMap::new();
    for key in keys {
        let Value::Text(key) = key else { return Err(TorchError::Broken("a storage key is no text")) };
        let count = u64::from_le_bytes(reader.array()?);
        let bytes = usize::try_from(count).ok().and_then(|n| n.checked_mul(4)).ok_or(TorchError::Truncated)?;
        storages.insert(key.to_string(), reader.take(bytes)?);
    }
    Ok(storages)
}

fn slice(storage: &[u8], offset: usize, shape: &[usize]) -> Result<Vec<f32>, TorchError> {
    let outside = TorchError::Broken("a tensor reaches beyond its storage");
    let count = shape.iter().try_fold(1usize, |n, dim| n.checked_mul(*dim));
    let Some((count, end)) = count.and_then(|n| Some((n, offset.checked_add(n)?))) else { return Err(outside) };
    let (floats, _) = storage.as_chunks::<4>();
    let floats = floats.get(offset..end).ok_or(outside)?;
    debug_assert_eq!(floats.len(), count);
    Ok(floats.iter().map(|b| f32::from_le_bytes(*b)).collect())
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], TorchError> {
        let (taken, rest) = self.rest.split_at_checked(n).ok_or(TorchError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], TorchError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(TorchError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn byte(&mut self) -> Result<u8, TorchError> {
        Ok(self.array::<1>()?[0])
    }

    fn line(&mut self) -> Result<&'a str, TorchError> {
        let end = self.rest.iter().position(|b| *b == b'\n').ok_or(TorchError::Truncated)?;
        let line = self.take(end + 1)?;
        std::str::from_utf8(&line[..end]).map_err(|_| TorchError::Broken("a name is not UTF-8"))
    }
}

/// The stack machine that a pickle is a program for.
struct Machine {
    stack: Vec<Value>,
    memo: BTreeMap<u32, Value>,
}

impl Machine {
    fn run(reader: &mut Reader<'_>) -> Result<Value, TorchError> {
        let mut machine = Self { stack: Vec::new(), memo: BTreeMap::new() };
        for _ in 0..MAX_OPCODES {
            match reader.byte()? {
                b'.' => return machine.pop(),
                opcode => machine.step(opcode, reader)?,
            }
        }
        Err(TorchError::Broken("a pickle does not end"))
    }

    fn step(&mut self, opcode: u8, reader: &mut Reader<'_>) -> Result<(), TorchError> {
        let value = match opcode {
            0x80 => return reader.byte().map(drop),
            b'(' => Value::Mark,
            b'N' | 0x88 | 0x89 => Value::None,
            b'J' => Value::Int(i64::from(i32::from_le_bytes(reader.array()?))),
            b'K' => Value::Int(i64::from(reader.byte()?)),
            b'M' => Value::Int(i64::from(u16::from_le_bytes(reader.array()?))),
            b'G' => reader.take(8).map(|_| Value::None)?,
            0x8a => {
                let length = usize::from(reader.byte()?);
                Value::Bytes(reader.take(length)?.into())
            }
            b'X' => {
                let length = u32::from_le_bytes(reader.array()?);
                let text = std::str::from_utf8(reader.take(length as usize)?);
                Value::Text(text.map_err(|_| TorchError::Broken("a text is not UTF-8"))?.into())
            }
            b'c' => Value::Global(format!("{}.{}", reader.line()?, reader.line()?).into()),
            b'}' => Value::Dict(Vec::new(), 1),
            b']' => Value::List(Vec::new(), 1),
            b')' => Value::Tuple(Rc::new([]), 1),
            b't' => tuple(self.pop_to_mark()?)?,
            0x85..=0x87 => {
                let from = self.stack.len().checked_sub(usize::from(opcode - 0x84)).ok_or(EMPTY)?;
                tuple(self.stack.split_off(from))?
            }
            b'q' => return reader.byte().and_then(|slot| self.store(u32::from(slot))),
            b'r' => return reader.array().and_then(|slot| self.store(u32::from_le_bytes(slot))),
            b'h' => self.load(u32::from(reader.byte()?))?,
            b'j' => self.load(u32::from_le_bytes(reader.array()?))?,
            b'Q' => persistent(&self.pop()?)?,
            b'R' => {
                let arguments = self.pop()?;
                call(&self.pop()?, &arguments)?
            }
            // The state of an OrderedDict is metadata: it is taken off and forgotten.
            b'b' => return self.pop().map(drop),
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                return self.extend(vec![key, value]);
            }
            b'a' => {
                let item = self.pop()?;
                return self.extend(vec![item]);
            }
            b'u' | b'e' => {
                let items = self.pop_to_mark()?;
                return self.extend(items);
            }
            other => return Err(TorchError::Unsupported(format!("the pickle opcode {other:#04x}"))),
        };
        self.stack.push(value);
        Ok(())
    }

    fn pop(&mut self) -> Result<Value, TorchError> {
        self.stack.pop().ok_or(EMPTY)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Value>, TorchError> {
        let mark = self.stack.iter().rposition(|v| matches!(v, Value::Mark)).ok_or(EMPTY)?;
        let items = self.stack.split_off(mark + 1);
        self.stack.pop();
        Ok(items)
    }

    fn store(&mut self, slot: u32) -> Result<(), TorchError> {
        let value = match self.stack.last().ok_or(EMPTY)? {
            Value::List(..) | Value::Dict(..) => Value::Unfinished,
            value => value.clone(),
        };
        self.memo.insert(slot, value);
        Ok(())
    }

    fn load(&self, slot: u32) -> Result<Value, TorchError> {
        self.memo.get(&slot).cloned().ok_or(TorchError::Broken("a pickle refers to what it has not stored"))
    }

    /// Adds items to the list, or keys and values to the dictionary, on top of the stack.
    fn extend(&mut self, items: Vec<Value>) -> Result<(), TorchError> {
        let inside = depth_around(&items)?;
        match self.stack.last_mut() {
            Some(Value::List(list, depth)) => {
                list.extend(items);
                *depth = inside.max(*depth);
            }
            Some(Value::Dict(entries, depth)) => {
                let mut items = items.into_iter();
                while let (Some(key), Some(value)) = (items.next(), items.next()) {
                    entries.push((key, value));
                }
                *depth = inside.max(*depth);
            }
            _ => return Err(TorchError::Broken("a pickle fills what is no container")),
        }
        Ok(())
    }
}

const EMPTY: TorchError = TorchError::Broken("a pickle takes from an empty stack");

fn depth_around(items: &[Value]) -> Result<usize, TorchError> {
    let depth = 1 + items.iter().map(Value::depth).max().unwrap_or(0);
    if depth > MAX_DEPTH { Err(TorchError::Broken("containers lie too deep")) } else { Ok(depth) }
}

fn tuple(items: Vec<Value>) -> Result<Value, TorchError> {
    let depth = depth_around(&items)?;
    Ok(Value::Tuple(items.into(), depth))
}

/// `("storage", type, key, device, length, view)`
fn persistent(id: &Value) -> Result<Value, TorchError> {
    match id {
        Value::Tuple(parts, _) => match &parts[..] {
            [Value::Text(kind), Value::Global(class), Value::Text(key), ..] if &**kind == "storage" => match &**class {
                "torch.FloatStorage" => Ok(Value::Storage(Rc::clone(key))),
                other => Err(TorchError::Unsupported(format!("a {other}"))),
            },
            _ => Err(TorchError::Broken("a storage is not described")),
        },
        _ => Err(TorchError::Broken("a storage is not described")),
    }
}

fn call(callable: &Value, arguments: &Value) -> Result<Value, TorchError> {
    let (Value::Global(name), Value::Tuple(arguments, _)) = (callable, arguments) else {
        return Err(TorchError::Broken("a pickle calls what is no function"));
    };
    match (&**name, &arguments[..]) {
        ("collections.OrderedDict", _) => Ok(Value::Dict(Vec::new(), 1)),
        (
            "torch._utils._rebuild_tensor_v2",
            [Value::Storage(storage), offset, Value::Tuple(shape, _), Value::Tuple(strides, _), ..],
        ) => {
            let sizes = |dims: &[Value]| dims.iter().map(Value::size).collect::<Result<Vec<_>, _>>();
            let (shape, strides) = (sizes(shape)?, sizes(strides)?);
            if !is_dense(&shape, &strides) {
                return Err(TorchError::Unsupported("a tensor with gaps".to_owned()));
            }
            Ok(Value::Tensor { storage: Rc::clone(storage), offset: offset.size()?, shape: shape.into() })
        }
        (other, _) => Err(TorchError::Unsupported(format!("a call of {other}"))),
    }
}

/// Whether the strides are those of values that lie in order without gaps.
fn is_dense(shape: &[usize], strides: &[usize]) -> bool {
    let mut next = 1usize;
    shape.len() == strides.len()
        && shape.iter().zip(strides).rev().all(|(&size, &stride)| {
            let fits = stride == next || size == 1;
            next = next.saturating_mul(size);
            fits
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A checkpoint `{"model_state": {"w": tensor of shape [2, 1] at offset 1}}` over one storage of three floats.
    fn checkpoint() -> Vec<u8> {
        let mut file = b"\x80\x02\x8a\x0a".to_vec();
        file.extend(MAGIC);
        file.extend(b".\x80\x02M\xe9\x03.\x80\x02}q\x00.");
        file.extend(b"\x80\x02}q\x00X\x0b\0\0\0model_state}q\x01X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n(");
        file.extend(b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0kX\x03\0\0\0cpuK\x03NtQ");
        file.extend(b"K\x01K\x02K\x01\x86K\x01K\x01\x86\x89}tRss.");
        file.extend(b"\x80\x02]q\x00X\x01\0\0\0ka.");
        file.extend(3u64.to_le_bytes());
        file.extend([1.0f32, 2.0, 3.0].iter().flat_map(|x| x.to_le_bytes()));
        file
    }

    #[test]
    fn a_tensor_is_read_from_its_place_in_a_storage() {
        let tensors = tensors(&checkpoint(), "model_state").unwrap();
        assert_eq!(tensors["w"], Tensor { shape: vec![2, 1], values: vec![2.0, 3.0] });
    }

    #[test]
    fn a_checkpoint_cut_anywhere_is_an_error() {
        let file = checkpoint();
        for end in 0..file.len() {
            assert!(tensors(&file[..end], "model_state").is_err(), "cut at {end}");
        }
    }

    #[test]
    fn a_byte_changed_anywhere_never_panics() {
        let file = checkpoint();
        for at in 0..file.len() {
            for byte in 0..=255 {
                let mut file = file.clone();
                file[at] = byte;
                let _ = tensors(&file, "model_state");
            }
        }
    }

    #[test]
    fn tensors_that_share_a_storage_do_not_multiply_it() {
        // Ten tensors of 1,000 floats each over one storage of 1,000 floats.
        let mut file = b"\x80\x02\x8a\x0a".to_vec();
        file.extend(MAGIC);
        file.extend(b".N.N.}X\x01\0\0\0s}");
        for name in b'0'..=b'9' {
            file.extend(b"X\x01\0\0\0");
            file.push(name);
            file.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0ktQ");
            file.extend(b"K\x00M\xe8\x03\x85K\x01\x85tRs");
        }
        file.extend(b"s.]X\x01\0\0\0ka.");
        file.extend(1000u64.to_le_bytes());
        file.extend([0; 4000]);
        assert_eq!(tensors(&file, "s"), Err(TorchError::Broken("tensors share their values")));
    }

    #[test]
    fn code_in_a_checkpoint_is_refused_and_named() {
        let mut file = b"\x80\x02cos\nsystem\nX\x02\0\0\0ls\x85R.".to_vec();
        file.extend(checkpoint());
        let error = tensors(&file, "model_state").unwrap_err();
        assert_eq!(error.to_string(), "the checkpoint holds a call of os.system, which is not supported");
    }

    #[test]
    fn nesting_without_end_is_refused() {
        let file = [vec![b'N'], vec![0x85; 50_000], vec![b'.']].concat();
        assert_eq!(tensors(&file, "model_state"), Err(TorchError::Broken("containers lie too deep")));
    }
}
