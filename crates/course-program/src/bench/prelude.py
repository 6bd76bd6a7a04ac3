"""What all peers of a benchmark begin with: `python - SIDE …` prints one JSON object."""
import json
import os
import resource
import sys
import time

side = sys.argv[1]
threads = int(os.environ["KINDLING_BENCH_THREADS"])
started = float(os.environ["KINDLING_BENCH_STARTED"])


def since_start():
    return time.time() - started


def median(repeats, warm_ups, work):
    """The median milliseconds of some repetitions, after some that warm up."""
    for _ in range(warm_ups):
        work()
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return 1e3 * sorted(times)[len(times) // 2]


def finish(results):
    results["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(results))
