"""A web server on descriptors 0 and 1, for one connection. It prints what it has read, and how
reading and writing ended. Its argument is a file: what it serves."""

import hashlib
import os
import sys

READ, WRITE = 0, 1
data = open(sys.argv[1], "rb").read()
read, held, ends = b"", b"", {READ: "open", WRITE: "open"}


class Ended(Exception):
    pass


def more():
    global read, held
    try:
        part = os.read(READ, 1 << 16)
    except OSError as error:
        ends[READ] = error.strerror
        raise Ended
    if not part:
        ends[READ] = "end of file"
        raise Ended
    read += part
    held += part


def until(text):
    global held
    while text not in held:
        more()
    part, held = held.split(text, 1)
    return part.decode()


def exactly(count):
    global held
    while len(held) < count:
        more()
    part, held = held[:count], held[count:]
    return part


def send(part):
    view = memoryview(part)
    while view:
        try:
            view = view[os.write(WRITE, view) :]
        except OSError:
            ends[WRITE] = "failed"
            raise Ended


def answer(status, body=b"", *fields):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields, "", ""]
    send("\r\n".join(lines).encode() + body)


def chunks():
    whole = b""
    while size := int(until("\r\n".encode()), 16):
        whole += exactly(size)
        exactly(2)
    until(b"\r\n")
    return whole


def body(fields):
    if fields.get("transfer-encoding") == "chunked":
        return chunks()
    if fields.get("expect") == "100-continue":
        send(b"HTTP/1.1 100 Continue\r\n\r\n")
    return exactly(int(fields.get("content-length", 0)))


def echo():
    global held
    while True:
        part, held = held, b""
        send(part)
        more()


def serve():
    while True:
        request, *lines = until(b"\r\n\r\n").split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in lines)
        path = request.split()[1]
        if "upgrade" in fields:
            send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: raw\r\n\r\n")
            echo()
        elif path == "/endless":
            while True:
                send(data)
        elif request.startswith("POST"):
            answer("200 OK", hashlib.sha256(body(fields)).hexdigest().encode())
        else:
            answer("200 OK", data[: int(path[1:])])
        if fields.get("connection") == "close":
            return


try:
    serve()
except Ended:
    pass
digest = hashlib.sha256(read).hexdigest()
line = f"backend: read {len(read)} {digest}, {ends[READ]}; write {ends[WRITE]}\n"
os.write(2, line.encode())
