"""How long one call takes, again and again."""

import json
import time


def measure(call, inputs, seconds):
    """Calls with one input after another for so long, warmed by half of that; prints each in microseconds."""
    for warm in (True, False):
        took, end = [], time.perf_counter() + seconds / (2 if warm else 1)
        while time.perf_counter() < end or len(took) < 3:
            x = inputs[len(took) % len(inputs)]
            start = time.perf_counter_ns()
            call(x)
            took.append((time.perf_counter_ns() - start) / 1000)
    print(json.dumps({"microseconds": took}), flush=True)
