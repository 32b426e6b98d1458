"""Timing on a shared machine: samples during which other processes used the CPU are thrown away,
a bounded number of times. bench/ours/quiet.lua does the same."""
import os
import resource
import time


def busy():
    """CPU seconds used by everybody, from /proc/stat."""
    with open("/proc/stat") as f:
        v = [int(x) for x in f.readline().split()[1:9]]
    return (v[0] + v[1] + v[2] + v[5] + v[6] + v[7]) / os.sysconf("SC_CLK_TCK")


def own():
    r = resource.getrusage(resource.RUSAGE_SELF)
    return r.ru_utime + r.ru_stime


def sample(work, patience):
    """Seconds of one quiet work(); patience is a list of one count of retries left."""
    while True:
        b, o, t = busy(), own(), time.monotonic()
        work()
        t = time.monotonic() - t
        other = (busy() - b) - (own() - o)
        if other <= 0.06 * t + 0.011 or patience[0] == 0:
            return t
        patience[0] -= 1
        time.sleep(0.1)


def seconds_per_call(work, window=0.2, samples=5, patience=20):
    """Median seconds of one call of work(n) per iteration."""
    n = 1
    work(1)
    while True:
        t = time.monotonic()
        work(n)
        t = time.monotonic() - t
        if t > 0.03:
            break
        n *= 4
    n = int(n * window / t) + 1
    left = [patience]
    return sorted(sample(lambda: work(n), left) / n for _ in range(samples))[samples // 2]
