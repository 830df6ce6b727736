"""Two applications that coordinate through Kazoo: its locks, election, barriers, queues, counter, party and watches.

Prints one line for each result, without anything that differs between two servers (times, session ids, names with UUIDs).
"""

import re
import sys
import threading

from kazoo.client import KazooClient
from kazoo.exceptions import BadVersionError, NoAuthError, NodeExistsError, NoNodeError, NotEmptyError
from kazoo.security import make_digest_acl

SECONDS = 30


def say(*words):
    print(*words, flush=True)


def connect(hosts, **options):
    client = KazooClient(hosts=hosts, timeout=20.0, **options)
    client.start(timeout=SECONDS)
    return client


def in_background(work):
    results = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()

    def result():
        thread.join(SECONDS)
        return results[0]

    return result


def refused(error, call, *arguments, **options):
    try:
        call(*arguments, **options)
    except error:
        say(error.__name__)
    else:
        say("no error")


def nodes(one):
    say("# nodes")
    say(one.create("/deep/er/node", b"data", makepath=True))
    say(one.create("/deep/s-", sequence=True))
    say(one.create("/deep/e-", ephemeral=True, sequence=True))
    data, stat = one.get("/deep/er/node")
    say(data.decode(), stat.version, stat.dataLength, stat.numChildren)
    say("version", one.set("/deep/er/node", b"more", version=0).version)
    refused(BadVersionError, one.set, "/deep/er/node", b"never", version=0)
    refused(NodeExistsError, one.create, "/deep")
    refused(NoNodeError, one.get, "/absent")
    refused(NotEmptyError, one.delete, "/deep")
    say(sorted(one.get_children("/deep")))
    one.delete("/deep", recursive=True)
    say("exists", one.exists("/deep") is not None)
    path, stat = one.create("/with-stat", b"12345", include_data=True)
    say(path, stat.dataLength)


def transaction(one):
    say("# transaction")
    transaction = one.transaction()
    transaction.create("/t", b"a")
    transaction.set_data("/t", b"b", version=0)
    transaction.check("/t", 1)
    transaction.delete("/t", 1)
    results = transaction.commit()
    say(results[0], results[1].version, results[2], results[3])
    failing = one.transaction()
    failing.create("/t")
    failing.check("/absent", 1)
    failing.delete("/absent")
    say([type(result).__name__ for result in failing.commit()])


def access(one, hosts):
    say("# access")
    one.create("/secret", b"hidden", acl=[make_digest_acl("me", "word", all=True)])
    refused(NoAuthError, one.get, "/secret")
    friend = connect(hosts, auth_data=[("digest", "me:word")])
    say(friend.get("/secret")[0].decode())
    friend.set_acls("/secret", [make_digest_acl("me", "word", read=True)])
    refused(NoAuthError, friend.set, "/secret", b"no")
    say(friend.get_acls("/secret")[1].aversion)
    close(friend)


def locks(one, two):
    say("# locks")
    first, second = one.Lock("/lock", "first"), two.Lock("/lock", "second")
    say("acquired", first.acquire(timeout=SECONDS))
    say("not at once", second.acquire(blocking=False))
    waiting = in_background(lambda: second.acquire(timeout=SECONDS))
    while len(first.contenders()) < 2:
        threading.Event().wait(0.01)
    say(first.contenders())
    first.release()
    say("handed over", waiting())
    second.release()
    with one.ReadLock("/rw"), two.ReadLock("/rw"):
        say("two readers")
    with one.Semaphore("/semaphore", max_leases=2), two.Semaphore("/semaphore", max_leases=2):
        say("two leases", one.Semaphore("/semaphore", max_leases=2).acquire(blocking=False))


def election(one, two):
    say("# election")
    leading, end = threading.Event(), threading.Event()

    def lead():
        leading.set()
        end.wait(SECONDS)

    first = in_background(lambda: one.Election("/election", "first").run(lead))
    say("leads", leading.wait(SECONDS))
    over = threading.Event()
    second = in_background(lambda: two.Election("/election", "second").run(over.set))
    other = two.Election("/election")
    while len(other.contenders()) < 2:
        threading.Event().wait(0.01)
    say(other.contenders())
    end.set()
    say("handed over", over.wait(SECONDS))
    first(), second()


def barriers(one, two):
    say("# barriers")
    barrier = one.Barrier("/barrier")
    barrier.create()
    waiting = in_background(lambda: two.Barrier("/barrier").wait(SECONDS))
    barrier.remove()
    say("lifted", waiting())
    here, there = one.DoubleBarrier("/double", 2), two.DoubleBarrier("/double", 2)
    other = in_background(lambda: (there.enter(), there.leave()))
    here.enter()
    say("entered", here.participating)
    here.leave()
    other()
    say("left", here.participating)


def queues(one, two):
    say("# queues")
    queue = one.Queue("/queue")
    for item, priority in ((b"later", 200), (b"first", 1), (b"last", 300)):
        queue.put(item, priority=priority)
    other = two.Queue("/queue")
    say(*[other.get().decode() for _ in range(3)], other.get())
    locking = one.LockingQueue("/locking")
    locking.put_all([b"a", b"b"])
    taker = two.LockingQueue("/locking")
    say(taker.get(timeout=SECONDS).decode(), taker.consume(), len(locking))


def counter_and_party(one, two):
    say("# counter and party")
    counter = one.Counter("/counter", default=5)
    counter += 3
    other = two.Counter("/counter", default=5)
    other -= 1
    say(counter.value)
    parties = [client.Party("/party", name) for client, name in ((one, "one"), (two, "two"))]
    for party in parties:
        party.join()
    say(sorted(parties[0]), len(parties[1]))
    parties[1].leave()
    say(sorted(parties[0]))


def watches(one, two):
    say("# watches")
    seen, children = [], []
    changed = threading.Condition()
    one.create("/watched", b"0")

    def note(log, value):
        with changed:
            log.append(value)
            changed.notify()

    def until(log, value):
        with changed:
            changed.wait_for(lambda: log and log[-1] == value, SECONDS)

    one.DataWatch("/watched")(lambda data, stat: note(seen, data))
    one.ChildrenWatch("/watched")(lambda names: note(children, sorted(names)))
    until(seen, b"0"), until(children, [])
    two.set("/watched", b"1")
    until(seen, b"1")
    two.create("/watched/a")
    until(children, ["a"])
    two.delete("/watched/a")
    until(children, [])
    two.delete("/watched")
    until(seen, None)
    say(seen, children)


def close(client):
    client.stop()
    client.close()


def main(hosts):
    setup = connect(hosts)
    setup.ensure_path("/kazoo")
    say("version", bool(re.match(r"\d", ".".join(map(str, setup.server_version())))))
    close(setup)
    hosts += "/kazoo"
    one, two = connect(hosts), connect(hosts)
    nodes(one)
    transaction(one)
    access(one, hosts)
    locks(one, two)
    election(one, two)
    barriers(one, two)
    queues(one, two)
    counter_and_party(one, two)
    watches(one, two)
    close(one)
    close(two)
    say("closed")


main(sys.argv[1])
