"""Runs one command and writes what it took to a file: `measure.py RESULT.json COMMAND…`.

Invariant: this process stays small (about 10 MB, standard library only). Linux carries the peak memory of the process
that calls exec over to the program it becomes, so what the benchmark started itself would show its own peak at least.
"""

import json
import os
import sys
import time

result, *command = sys.argv[1:]
started = time.perf_counter()
child = os.posix_spawnp(command[0], command, os.environ)
_, status, used = os.wait4(child, 0)
measured = {
    "wallSeconds": time.perf_counter() - started,
    "cpuSeconds": used.ru_utime + used.ru_stime,
    "peakKib": used.ru_maxrss,
}
with open(result, "w", encoding="utf-8") as output:
    json.dump(measured, output)
sys.exit(os.waitstatus_to_exitcode(status))
