"""A TCP proxy with faults, in a process of its own: python3 proxy.py NAME... listens for each name on a port of 127.0.0.1 that it prints.

Orders come as JSON lines on its input and are each answered with a line: {"link": NAME, "to": PORT} says where the server is,
{"link": NAME, "kind": KIND, ...} what happens to its connections from now on:

  pass                      nothing; what was held back goes on
  delay    seconds          every byte comes that much later
  rate     bytes_s          no more bytes a second, in each direction
  line     bytes_s, seconds no more bytes a second of all links that have it together, in each direction, each that much later
  cut                       every connection is reset, now and when it comes
  snap                      every connection is reset now; later ones pass
  half     bytes, seed      every connection ends after up to so many bytes, wherever that is in a packet
  hang                      connections are taken and nothing moves; with pass they go on
  dead                      the same, but those that hang then never move again: only new ones do

It ends with its input."""
import asyncio
import json
import os
import random
import socket
import struct
import subprocess
import sys
import time

CHUNK = 64 * 1024  # bytes read at once
HELD = 64          # chunks that a delay may hold back in each direction


LINES = {"up": 0.0, "down": 0.0}  # when the line that links share has carried what it was given so far


class Link:
    """One server behind the proxy: where it is, what happens to its connections, and which there are."""

    def __init__(self):
        self.port = None
        self.order = {"kind": "pass"}
        self.changed = asyncio.Event()
        self.connections = set()
        self.chance = random.Random()

    def obey(self, order):
        self.order = order
        self.chance = random.Random(order.get("seed"))
        for c in list(self.connections):
            if order["kind"] in ("cut", "snap"):
                c.reset()
            elif order["kind"] == "dead":
                c.is_dead = True
            c.left = self.allowance()
        self.changed.set()
        self.changed = asyncio.Event()

    def allowance(self):
        """Bytes until a connection is reset; None: it is not."""
        return self.chance.randrange(1, self.order["bytes"]) if self.order["kind"] == "half" else None


class Connection:
    def __init__(self, link, client):
        self.link = link
        self.writers = [client]
        self.is_dead = link.order["kind"] == "dead"
        self.left = link.allowance()
        client.transport.set_write_buffer_limits(0)  # drain() then means that the kernel has it

    def reset(self):
        for w in self.writers:
            s = w.get_extra_info("socket")
            if s is not None and s.fileno() >= 0:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # RST instead of FIN
            w.transport.abort()

    def close(self):
        """What was written still arrives, unlike with a reset."""
        for w in self.writers:
            w.transport.abort()

    async def may_pass(self):
        while self.is_dead or self.link.order["kind"] in ("hang", "dead"):
            await self.link.changed.wait()

    async def read(self, reader, queue):
        while True:
            data = await reader.read(CHUNK)
            await queue.put((time.monotonic() + self.link.order.get("seconds", 0), data))
            if not data:
                return

    def reserve(self, direction, n):
        """Seconds until the line has carried these bytes, too."""
        now = time.monotonic()
        LINES[direction] = max(now, LINES[direction]) + n / self.link.order["bytes_s"]
        return LINES[direction] - now

    async def write(self, queue, writer, direction):
        while True:
            due, data = await queue.get()
            await self.may_pass()
            wait = due - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            if not data:
                writer.write_eof()
                return
            if self.left is not None and len(data) > self.left:
                writer.write(data[:self.left])
                await writer.drain()
                raise ConnectionResetError
            if self.left is not None:
                self.left -= len(data)
            if self.link.order["kind"] == "line":
                await asyncio.sleep(self.reserve(direction, len(data)))
            writer.write(data)
            await writer.drain()
            if self.link.order["kind"] == "rate":
                await asyncio.sleep(len(data) / self.link.order["bytes_s"])

    async def carry(self, client_reader):
        await self.may_pass()
        server_reader, server = await asyncio.open_connection("127.0.0.1", self.link.port)
        server.transport.set_write_buffer_limits(0)
        self.writers.append(server)
        up, down = asyncio.Queue(HELD), asyncio.Queue(HELD)
        tasks = [asyncio.ensure_future(t) for t in (self.read(client_reader, up), self.write(up, server, "up"), self.read(server_reader, down),
                                                    self.write(down, self.writers[0], "down"))]
        try:
            await asyncio.gather(*tasks)
        finally:
            for t in tasks:
                t.cancel()


async def accept(link, reader, writer):
    c = Connection(link, writer)
    link.connections.add(c)
    try:
        if link.order["kind"] != "cut" and link.port:
            await c.carry(reader)
            c.close()
    except OSError:
        if link.order["kind"] == "half":
            c.close()
    finally:
        c.reset()
        link.connections.discard(c)


async def serve(names):
    links = {name: Link() for name in names}
    for name, link in links.items():
        server = await asyncio.start_server(lambda r, w, link=link: accept(link, r, w), "127.0.0.1", 0)
        print(name, server.sockets[0].getsockname()[1], flush=True)
    orders = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while True:
        line = await orders.readline()
        if not line:
            os._exit(0)  # with connections as they are
        order = json.loads(line)
        if "to" in order:
            links[order["link"]].port = order["to"]
        else:
            links[order["link"]].obey(order)
        print("done", flush=True)


class Proxy:
    """The proxy as the runner sees it."""

    def __init__(self, names):
        self.names = names
        self.process = subprocess.Popen([sys.executable, __file__] + names, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="ascii", bufsize=1,
                                        start_new_session=True)
        self.ports = {}
        for _ in names:
            name, port = self.process.stdout.readline().split()
            self.ports[name] = int(port)

    def tell(self, link, **order):
        self.process.stdin.write(json.dumps(dict(order, link=link)) + "\n")
        if self.process.stdout.readline() != "done\n":
            raise RuntimeError("the proxy ended")

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1:]))
