#!/usr/bin/env python3
"""Makes the files of this directory with the reference server (Debian's zookeeper 3.8.0): starts it on 127.0.0.1 with an
empty directory, changes the tree in every way there is, stops it in the middle, and notes what it served.

Usage: generate.py DIRECTORY"""

import os, shutil, socket, struct, subprocess, sys, tempfile, time

OPEN = [(31, b"world", b"anyone")]


def text(b):
    return struct.pack(">i", -1) if b is None else struct.pack(">i", len(b)) + b


def acls(acl):
    return struct.pack(">i", len(acl)) + b"".join(struct.pack(">i", p) + text(s) + text(i) for p, s, i in acl)


class Client:
    def __init__(self, port):
        deadline = time.time() + 60
        while True:
            try:
                self.socket = socket.create_connection(("127.0.0.1", port))
                self.send(struct.pack(">iqiq", 0, 0, 30000, 0) + text(bytes(16)) + b"\0")
                self.session = struct.unpack(">iiq", self.frame()[:16])[2]
                break
            except (OSError, struct.error):
                if time.time() > deadline:
                    raise
                time.sleep(0.1)
        self.xid = 0

    def send(self, body):
        self.socket.sendall(struct.pack(">i", len(body)) + body)

    def frame(self):
        head = self.exactly(4)
        return self.exactly(struct.unpack(">i", head)[0])

    def exactly(self, count):
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                raise OSError("closed")
            data += more
        return data

    def call(self, op, body, xid=None):
        self.xid += 1
        self.send(struct.pack(">ii", xid or self.xid, op) + body)
        frame = self.frame()
        return struct.unpack(">i", frame[12:16])[0], frame[16:]

    def create(self, path, data, flags=0, acl=OPEN, op=15, ttl=None):
        body = text(path) + text(data) + acls(acl) + struct.pack(">i", flags)
        return self.call(op, body if ttl is None else body + struct.pack(">q", ttl))

    def set(self, path, data):
        return self.call(5, text(path) + text(data) + struct.pack(">i", -1))

    def delete(self, path):
        return self.call(2, text(path) + struct.pack(">i", -1))

    def multi(self, *ops):
        body = b"".join(struct.pack(">ibi", op, 0, -1) + record for op, record in ops)
        return self.call(14, body + struct.pack(">ibi", -1, 1, -1))

    def children(self, path):
        body = self.call(8, text(path) + b"\0")[1]
        count, at, names = struct.unpack(">i", body[:4])[0], 4, []
        for _ in range(count):
            length = struct.unpack(">i", body[at : at + 4])[0]
            names.append(body[at + 4 : at + 4 + length])
            at += 4 + length
        return sorted(names)

    def dump(self, path, out):
        error, data = self.call(4, text(path) + b"\0")
        assert error == 0, (path, error)
        error, acl = self.call(6, text(path))
        assert error == 0, (path, error)
        out.write("%s %s %s %s\n" % (path.decode(), data[:-68].hex(), data[-68:].hex(), acl[:-68].hex()))
        for name in self.children(path):
            self.dump((b"" if path == b"/" else path) + b"/" + name, out)


def change(one, two):
    """Everything that makes a transaction, some of it to be undone later."""
    one.call(100, struct.pack(">i", 0) + text(b"digest") + text(b"bob:secret"), xid=-4)
    one.create(b"/persistent", b"hi", op=1)
    one.create(b"/null", None)
    one.create(b"/empty", b"")
    one.create(b"/b\xc3\xa4r", b"\0\xff" * 50)
    one.create(b"/own", b"x", acl=[(31, b"auth", b""), (1, b"ip", b"127.0.0.1")])
    one.create(b"/own/too", b"y", acl=[(31, b"auth", b""), (1, b"ip", b"127.0.0.1")])
    one.create(b"/container", b"", flags=4, op=19)
    one.create(b"/container/child", b"c")
    one.create(b"/ttl", b"t", flags=5, op=21, ttl=1 << 39)
    for _ in range(3):
        one.create(b"/persistent/seq-", b"s", flags=2)
    two.create(b"/persistent/two-", b"e", flags=3)
    one.create(b"/persistent/one-", b"e", flags=1)
    one.set(b"/persistent", b"longer than before")
    one.set(b"/null", None)
    one.call(7, text(b"/empty") + acls([(31, b"world", b"anyone"), (1, b"digest", b"x:y")]) + struct.pack(">i", -1))
    one.delete(b"/persistent/seq-0000000001")
    one.delete(b"/nothing")  # an error, which takes a zxid too
    create = lambda path: text(path) + text(b"m") + acls(OPEN) + struct.pack(">i", 0)
    one.multi((1, create(b"/multi")), (13, text(b"/multi") + struct.pack(">i", 0)), (1, create(b"/multi/a")))
    one.multi((1, create(b"/failed")), (2, text(b"/persistent") + struct.pack(">i", 99)), (2, text(b"/x") + b"\0\0\0\0"))
    one.create(b"/zookeeper/quota/persistent", b"")
    one.create(b"/zookeeper/quota/persistent/zookeeper_limits", b"count=100,bytes=-1")
    one.create(b"/zookeeper/quota/persistent/zookeeper_stats", b"count=0,bytes=0")


def main(target):
    work = tempfile.mkdtemp()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with open(work + "/zoo.cfg", "w") as config:
        config.write(
            "tickTime=2000\ndataDir=%s\nclientPort=%d\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n"
            "extendedTypesEnabled=true\nsnapCount=40\npreAllocSize=4\n4lw.commands.whitelist=*\n" % (work, port)
        )
    server = subprocess.Popen(
        ["java", "-Dzookeeper.snapCount=40", "-Dzookeeper.preAllocSize=4", "-Dzookeeper.extendedTypesEnabled=true"]
        + ["-cp", "/usr/share/java/*", "org.apache.zookeeper.server.quorum.QuorumPeerMain", work + "/zoo.cfg"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        one, two = Client(port), Client(port)
        change(one, two)
        for n in range(25):
            one.create(b"/persistent/more-", b"%d" % n, flags=2)
        two.call(-11, b"")  # its ephemeral goes
        for n in range(25):
            one.set(b"/persistent", b"round %d" % n)
        time.sleep(1)
        one.create(b"/last", b"", flags=1)
        with open(target + "/tree.txt", "w") as out:
            one.dump(b"/", out)
        with open(target + "/facts.txt", "w") as out:
            out.write("session %d 30000\n" % one.session)
    finally:
        server.kill()
        server.wait()
    for name in sorted(os.listdir(work + "/version-2")):
        if name.startswith(("log.", "snapshot.")):
            shutil.copy(work + "/version-2/" + name, target)
    shutil.rmtree(work)


main(sys.argv[1])
