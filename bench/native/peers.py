"""Python's multiprocessing: Pipe, Queue, connection, SharedMemory.

usage: peers.py mechanism work size producers consumers milliseconds dir anywhere
"""

import json
import math
import multiprocessing as mp
import multiprocessing.connection as connection
import sys
import time
from multiprocessing.shared_memory import SharedMemory

LAST = b"\xff"


def percentile(ordered, p):
    return ordered[min(max(math.ceil(p * len(ordered)), 1), len(ordered)) - 1]


class PipeEnds:
    """Two connections; a connection of a socket works the same."""

    def __init__(self):
        self.near, self.far = mp.Pipe()

    def client(self):
        return self.near.send_bytes, self.near.recv_bytes

    def server(self):
        return self.far.send_bytes, self.far.recv_bytes


class QueueEnds:
    def __init__(self):
        self.there, self.back = mp.Queue(1024), mp.Queue(1024)

    def client(self):
        return self.there.put, self.back.get

    def server(self):
        return self.back.put, self.there.get


class SocketEnds:
    def __init__(self, directory):
        self.address = directory + "/p"
        self.listener = connection.Listener(self.address, "AF_UNIX")

    def client(self):
        c = connection.Client(self.address, "AF_UNIX")
        return c.send_bytes, c.recv_bytes

    def server(self):
        c = self.listener.accept()
        return c.send_bytes, c.recv_bytes


def echo(ends):
    send, recv = ends.server()
    while True:
        send(recv())


def count(ends, ready, result):
    ready.wait()
    _, recv = ends.server()
    n = 0
    while recv() != LAST:
        n += 1
    result.put((n, time.monotonic_ns()))


def produce(ends, ready, message, seconds, result):
    ready.wait()
    send, _ = ends.client()
    n, start = 0, time.monotonic_ns()
    end = start + seconds * 1e9
    while time.monotonic_ns() < end:
        for _ in range(16):
            send(message)
        n += 16
    result.put((n, start))


def shared_memory(work, size, seconds):
    """Copies into a segment, or segments made, opened, closed and removed."""
    clock = time.monotonic_ns
    end = clock() + seconds * 1e9
    if work == "memcpy":
        segment, message, n = SharedMemory(create=True, size=size), bytes(size), 0
        try:
            segment.buf[:size] = message
            start = clock()
            while clock() < end:
                for _ in range(16):
                    segment.buf[:size] = message
                n += 16
            return {"rate": n / ((clock() - start) / 1e9), "count": n}
        finally:
            segment.close()
            segment.unlink()
    samples = []
    while len(samples) < 4 or clock() < end:
        times = [clock()]
        segment = SharedMemory(create=True, size=size)
        times.append(clock())
        again = SharedMemory(segment.name)
        times.append(clock())
        again.close()
        times.append(clock())
        segment.close()
        segment.unlink()
        times.append(clock())
        samples.append([b - a for a, b in zip(times, times[1:])])
    steps = [percentile(sorted(step), 0.5) for step in zip(*samples)]
    return {"p50": sum(steps), "count": len(samples), "steps": dict(zip(("create", "open", "close", "remove"), steps))}


def main():
    mechanism, work, size, producers, consumers, millis, directory, _ = sys.argv[1:]
    size, producers, consumers, seconds = int(size), int(producers), int(consumers), int(millis) / 1000
    if mechanism == "py-shm":
        print(json.dumps(shared_memory(work, size, seconds)), flush=True)
        return
    mp.set_start_method("fork")
    ends = {"py-pipe": PipeEnds, "py-queue": QueueEnds, "py-connection": lambda: SocketEnds(directory)}[mechanism]()
    message = b"\x01" * size
    if work in ("ping-pong", "paced"):
        mp.Process(target=echo, args=(ends,), daemon=True).start()
        send, recv = ends.client()
        pause = 300_000 if work == "paced" else 0
        samples, clock = [], time.monotonic_ns
        start = clock()
        warm, end = start + seconds * 0.2e9, start + seconds * 1.2e9
        while not samples or clock() < end:
            begin = clock()
            until = begin + pause
            while begin < until:
                begin = clock()
            send(message)
            recv()
            now = clock()
            if now > warm:
                samples.append(now - begin)
        samples.sort()
        print(json.dumps({"p50": percentile(samples, 0.5), "p99": percentile(samples, 0.99), "p999": percentile(samples, 0.999), "count": len(samples)}), flush=True)
        return
    ready = mp.Barrier(producers + consumers)
    got, sent = mp.SimpleQueue(), mp.SimpleQueue()
    takers = [mp.Process(target=count, args=(ends, ready, got)) for _ in range(consumers)]
    makers = [mp.Process(target=produce, args=(ends, ready, message, seconds, sent)) for _ in range(producers)]
    for p in takers + makers:
        p.daemon = True
        p.start()
    made = [sent.get() for _ in makers]
    if mechanism == "py-queue":
        for p in makers:
            p.join()  # its feeder thread has sent everything then
        send, _ = ends.client()
    elif mechanism == "py-pipe":
        send, _ = ends.client()
    else:
        raise SystemExit("connection has one way to end a stream, closing it: use py-pipe")
    for _ in takers:
        send(LAST)
    taken = [got.get() for _ in takers]
    total = sum(n for n, _ in taken)
    if total != sum(n for n, _ in made):
        raise SystemExit(f"{sum(n for n, _ in made)} messages were sent and {total} arrived")
    elapsed = max(t for _, t in taken) - min(t for _, t in made)
    print(json.dumps({"rate": total / (elapsed / 1e9), "count": total}), flush=True)


if __name__ == "__main__":
    main()
