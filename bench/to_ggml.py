"""Converts a Whisper model from CTranslate2 format to whisper.cpp's ggml format, so that both read the same weights.

Invariant: the values are those of `model.bin`; `f16` keeps its halves bit for bit, `q8_0` rounds each block of 32 to
8 bits as ggml's `quantize` does (two-dimensional matrices only; biases, norms, positions stay f32, convolutions f16).

Formats: CTranslate2 python/ctranslate2/specs/model_spec.py (version 6); whisper.cpp models/convert-pt-to-ggml.py.
"""

import argparse
import json
import struct
from pathlib import Path

import numpy as np
from faster_whisper.feature_extractor import FeatureExtractor

GGML_MAGIC = 0x67676D6C
# Of the file: ftype MOSTLY_Q8_0 = 7 plus 1000 for each quantisation version, of which ggml is at 2. Of a tensor: 8.
FILE_TYPE = {"f16": 1, "q8_0": 2007}
F32, F16, Q8_0 = 0, 1, 8
BLOCK = 32  # weights that share one scale in q8_0
HEAD_SIZE = 64  # of every Whisper model
MAX_LAYERS = 32  # of the largest
DTYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
KEPT_F32 = ("conv1.bias", "conv2.bias", "positional_embedding")


def read_ctranslate2(path):
    """All variables of a `model.bin` by name."""
    data = memoryview(path.read_bytes())
    offset = 0

    def take(form):
        nonlocal offset
        (value,) = struct.unpack_from("<" + form, data, offset)
        offset += struct.calcsize("<" + form)
        return value

    def take_text():
        nonlocal offset
        length = take("H")
        text = bytes(data[offset : offset + length]).rstrip(b"\0").decode()
        offset += length
        return text

    version = take("I")
    if version != 6 or take_text() != "WhisperSpec":
        raise SystemExit(f"{path}: not a Whisper model in CTranslate2's binary version 6")
    take("I")  # revision of the spec
    variables = {}
    for _ in range(take("I")):
        name = take_text()
        shape = [take("I") for _ in range(take("B"))]
        dtype = DTYPES[take("B")]
        size = take("I")
        variables[name] = np.frombuffer(data[offset : offset + size], dtype).reshape(shape)
        offset += size
    for _ in range(take("I")):
        alias = take_text()
        variables[alias] = variables[take_text()]
    return variables


def openai_tensors(variables):
    """The variables under OpenAI's names, in the order of the layers; fused projections are taken apart."""
    for number in (1, 2):
        yield from _pair(variables, f"encoder/conv{number}", f"encoder.conv{number}")
    yield "encoder.positional_embedding", variables["encoder/position_encodings/encodings"]
    for layer in range(layer_count(variables, "encoder")):
        yield from _layer(variables, f"encoder/layer_{layer}", f"encoder.blocks.{layer}", cross=False)
    yield from _norm(variables, "encoder/layer_norm", "encoder.ln_post")
    yield "decoder.token_embedding.weight", variables["decoder/embeddings/weight"]
    yield "decoder.positional_embedding", variables["decoder/position_encodings/encodings"]
    for layer in range(layer_count(variables, "decoder")):
        yield from _layer(variables, f"decoder/layer_{layer}", f"decoder.blocks.{layer}", cross=True)
    yield from _norm(variables, "decoder/layer_norm", "decoder.ln")


def layer_count(variables, side):
    return sum(f"{side}/layer_{number}/self_attention/linear_0/weight" in variables for number in range(MAX_LAYERS))


def _layer(variables, source, target, cross):
    own = f"{source}/self_attention"
    yield from _norm(variables, f"{own}/layer_norm", f"{target}.attn_ln")
    yield from _projections(variables, f"{own}/linear_0", f"{target}.attn", ("query", "key", "value"))
    yield from _pair(variables, f"{own}/linear_1", f"{target}.attn.out")
    if cross:
        other = f"{source}/attention"
        yield from _norm(variables, f"{other}/layer_norm", f"{target}.cross_attn_ln")
        yield from _projections(variables, f"{other}/linear_0", f"{target}.cross_attn", ("query",))
        yield from _projections(variables, f"{other}/linear_1", f"{target}.cross_attn", ("key", "value"))
        yield from _pair(variables, f"{other}/linear_2", f"{target}.cross_attn.out")
    yield from _norm(variables, f"{source}/ffn/layer_norm", f"{target}.mlp_ln")
    yield from _pair(variables, f"{source}/ffn/linear_0", f"{target}.mlp.0")
    yield from _pair(variables, f"{source}/ffn/linear_1", f"{target}.mlp.2")


def _projections(variables, source, target, parts):
    weights = np.split(variables[f"{source}/weight"], len(parts))
    biases = np.split(variables[f"{source}/bias"], len(parts))
    for part, weight, bias in zip(parts, weights, biases, strict=True):
        yield f"{target}.{part}.weight", weight
        if part != "key":  # Whisper's keys have no bias; the fused one holds zeros
            yield f"{target}.{part}.bias", bias


def _pair(variables, source, target):
    yield f"{target}.weight", variables[f"{source}/weight"]
    yield f"{target}.bias", variables[f"{source}/bias"]


def _norm(variables, source, target):
    yield f"{target}.weight", variables[f"{source}/gamma"]
    yield f"{target}.bias", variables[f"{source}/beta"]


def quantize_q8_0(weights):
    """Blocks of 32: one f16 scale, then 32 signed bytes, as `quantize_row_q8_0_ref` of ggml."""
    blocks = weights.astype(np.float32).reshape(-1, BLOCK)
    scale = np.abs(blocks).max(axis=1, keepdims=True) / 127
    inverse = np.divide(1, scale, out=np.zeros_like(scale), where=scale > 0)
    scaled = blocks * inverse
    rounded = np.trunc(scaled + np.copysign(0.5, scaled)).astype(np.int8)
    packed = np.empty(len(blocks), dtype=[("scale", np.float16), ("values", np.int8, BLOCK)])
    packed["scale"], packed["values"] = scale[:, 0].astype(np.float16), rounded
    return packed.tobytes()


def write_tensor(output, name, weights, quantized):
    if name.endswith(("conv1.bias", "conv2.bias")):
        weights = weights.reshape(-1, 1)
    if weights.ndim < 2 or name.endswith(KEPT_F32):
        kind, payload = F32, weights.astype(np.float32).tobytes()
    elif quantized and weights.ndim == 2:
        kind, payload = Q8_0, quantize_q8_0(weights)
    else:
        kind, payload = F16, weights.astype(np.float16).tobytes()
    encoded = name.encode()
    output.write(struct.pack("<iii", weights.ndim, len(encoded), kind))
    output.write(struct.pack(f"<{weights.ndim}i", *reversed(weights.shape)))
    output.write(encoded)
    output.write(payload)


def vocabulary(folder):
    """The byte strings of the ordinary tokens by id; whisper.cpp adds the special ones itself."""
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    special = {entry["id"] for entry in tokenizer["added_tokens"]}
    ids = {index: token for token, index in tokenizer["model"]["vocab"].items() if index not in special}
    # GPT-2's alphabet: printable Latin-1 bytes stand for themselves, the other 68 for code points from 256 on.
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    byte_of = {chr(byte): byte for byte in printable} | {chr(256 + n): byte for n, byte in enumerate(others)}
    return [bytes(byte_of[character] for character in ids[index]) for index in range(len(ids))]


def convert(folder, target, file_type):
    """Writes the model of `folder` to the file `target`, as `f16` or `q8_0`."""
    variables = read_ctranslate2(folder / "model.bin")
    tensors = dict(openai_tensors(variables))
    mels = tensors["encoder.conv1.weight"].shape[1]
    filters = FeatureExtractor(feature_size=mels).mel_filters.astype(np.float32)
    words = vocabulary(folder)
    with open(target, "wb") as output:
        output.write(struct.pack("<I", GGML_MAGIC))
        output.write(struct.pack("<11i", *dimensions(variables, tensors), mels, FILE_TYPE[file_type]))
        output.write(struct.pack("<2i", *filters.shape))
        output.write(filters.tobytes())
        output.write(struct.pack("<i", len(words)))
        for word in words:
            output.write(struct.pack("<I", len(word)) + word)
        for name, weights in tensors.items():
            write_tensor(output, name, weights, file_type == "q8_0")


def dimensions(variables, tensors):
    """Tokens; then context, width, heads and layers of the encoder; then the same of the decoder."""
    sizes = [len(tensors["decoder.token_embedding.weight"])]
    for side in ("encoder", "decoder"):
        context, width = tensors[f"{side}.positional_embedding"].shape
        sizes += [context, width, width // HEAD_SIZE, layer_count(variables, side)]
    return sizes


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="folder with model.bin and tokenizer.json")
    parser.add_argument("target", type=Path, help="file to write, e.g. ggml-base-q8_0.bin")
    parser.add_argument("--type", choices=FILE_TYPE, default="q8_0")
    options = parser.parse_args()
    convert(options.model, options.target, options.type)
