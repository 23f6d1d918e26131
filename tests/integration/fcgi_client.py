"""A FastCGI client that can send anything: whole requests, single records, or bytes."""

import socket
import struct

BEGIN_REQUEST, ABORT_REQUEST, END_REQUEST, PARAMS, STDIN, STDOUT, STDERR, DATA, GET_VALUES = range(
    1, 10)
RESPONDER, AUTHORIZER, FILTER = 1, 2, 3
TIMEOUT = 20  # seconds; a test that waits longer has failed


def record(kind, content=b"", request_id=1, version=1, padding=0):
    return struct.pack(">BBHHBx", version, kind, request_id, len(content),
                       padding) + content + b"\0" * padding


def begin(keep=True, role=RESPONDER, request_id=1):
    return record(BEGIN_REQUEST, struct.pack(">HB5x", role, 1 if keep else 0), request_id)


def length(n):
    return bytes([n]) if n < 128 else struct.pack(">I", n | 0x80000000)


def pair(name, value):
    name, value = (x if isinstance(x, bytes) else x.encode() for x in (name, value))
    return length(len(name)) + length(len(value)) + name + value


def stream(kind, data, request_id=1, chunk=65535):
    """All records of one stream, with the one that ends it."""
    chunks = [data[i:i + chunk] for i in range(0, len(data), chunk)]
    return b"".join(record(kind, c, request_id) for c in chunks + [b""])


def request(body=b"", keep=True, params=None, request_id=1, chunk=65535, **variables):
    """The bytes of a whole request. `params`: a list of pairs, or the bytes of the stream."""
    if params is None:
        variables = {"REQUEST_METHOD": "POST", "SCRIPT_NAME": "/hook",
                     "CONTENT_LENGTH": str(len(body)), **variables}
        params = list(variables.items())
    if not isinstance(params, bytes):
        params = b"".join(pair(n, v) for n, v in params)
    return (begin(keep, request_id=request_id) + stream(PARAMS, params, request_id, chunk) +
            stream(STDIN, body, request_id, chunk))


class Answer:
    """What came back: status, headers (lower case) and body."""

    def __init__(self, stdout, request_id):
        head, _, self.body = stdout.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        self.headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}
        self.status = int(self.headers.pop("status").split()[0])
        self.request_id = request_id

    def json(self):
        import json
        return json.loads(self.body)


class Connection:
    """`address` as the server names it: unix:PATH or tcp:HOST:PORT."""

    def __init__(self, address, timeout=TIMEOUT):
        kind, _, rest = address.partition(":")
        if kind == "unix":
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(timeout)
            self.sock.connect(rest)
        else:
            host, _, port = rest.rpartition(":")
            self.sock = socket.create_connection((host.strip("[]"), int(port)), timeout)
        self.stream = self.sock.makefile("rb")  # keeps what it has read ahead, however long

    def __enter__(self):
        return self

    def close(self):
        self.stream.close()
        self.sock.close()

    def __exit__(self, *_):
        self.close()

    def send(self, data):
        self.sock.sendall(data)
        return self

    def _take(self, n):
        data = self.stream.read(n)
        if len(data) < n:
            raise EOFError
        return data

    def read_record(self):
        _, kind, request_id, size, padding = struct.unpack(">BBHHBx", self._take(8))
        return kind, request_id, self._take(size + padding)[:size]

    def answer(self):
        """Read one whole answer. EOFError if the server closes the connection instead."""
        stdout = []
        while True:
            kind, request_id, content = self.read_record()
            if kind == STDOUT:
                stdout.append(content)
            elif kind == END_REQUEST:
                return Answer(b"".join(stdout), request_id)

    def ask(self, *args, **kwargs):
        return self.send(request(*args, **kwargs)).answer()

    def is_closed(self):
        """Wait until the server closes the connection; False if it says anything before."""
        try:
            return self.stream.read(1) == b""
        except ConnectionError:
            return True


def checksum(data):
    """FNV-1a, as the responder computes it."""
    h = 14695981039346656037
    for byte in data:
        h = (h ^ byte) * 1099511628211 % 2**64
    return f"{h:016x}"
