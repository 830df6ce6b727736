// Two applications that coordinate through Curator: its locks, election, counters, barriers, queue, cache and groups.
// Prints one line for each result, without anything that differs between two servers (times, session ids, names with UUIDs).

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.api.transaction.CuratorTransactionResult;
import org.apache.curator.framework.recipes.atomic.AtomicValue;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;
import org.apache.curator.framework.recipes.nodes.GroupMember;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.recipes.queue.SimpleDistributedQueue;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.retry.RetryOneTime;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;

public class CuratorSession {
    private static final int SECONDS = 30;

    private static final ExecutorService background = Executors.newCachedThreadPool();

    public static void main(String[] arguments) throws Exception {
        try (CuratorFramework one = connect(arguments[0]); CuratorFramework two = connect(arguments[0])) {
            nodes(one);
            transaction(one);
            mutex(one, two);
            readWrite(one, two);
            semaphore(one, two);
            latch(one, two);
            counters(one, two);
            barrier(one, two);
            queue(one, two);
            cache(one, two);
            members(one, two);
        }
        background.shutdownNow();
        say("closed");
    }

    private static CuratorFramework connect(String hosts) throws Exception {
        CuratorFramework client = CuratorFrameworkFactory.builder()
                .connectString(hosts)
                .namespace("curator")
                .sessionTimeoutMs(20000)
                .retryPolicy(new RetryOneTime(100))
                .build();
        client.start();
        if (!client.blockUntilConnected(SECONDS, TimeUnit.SECONDS)) {
            throw new IllegalStateException("not connected");
        }
        return client;
    }

    private static void nodes(CuratorFramework client) throws Exception {
        say("# nodes");
        say(client.create().creatingParentContainersIfNeeded().forPath("/deep/er/node", "data".getBytes()));
        String made = client.create().withProtection().withMode(CreateMode.EPHEMERAL_SEQUENTIAL).forPath("/deep/p-");
        say(made.replaceAll("_c_[0-9a-f-]{36}-", "GUID-"));
        say("data " + new String(client.getData().forPath("/deep/er/node")));
        say("version " + client.setData().withVersion(0).forPath("/deep/er/node", "more".getBytes()).getVersion());
        try {
            client.setData().withVersion(0).forPath("/deep/er/node", "never".getBytes());
        } catch (KeeperException.BadVersionException expected) {
            say("bad version");
        }
        client.delete().guaranteed().deletingChildrenIfNeeded().forPath("/deep");
        say("exists " + (client.checkExists().forPath("/deep") != null));
    }

    private static void transaction(CuratorFramework client) throws Exception {
        say("# transaction");
        List<CuratorTransactionResult> results = client.transaction().forOperations(
                client.transactionOp().create().forPath("/t", "a".getBytes()),
                client.transactionOp().setData().withVersion(0).forPath("/t", "b".getBytes()),
                client.transactionOp().check().withVersion(1).forPath("/t"),
                client.transactionOp().delete().forPath("/t"));
        for (CuratorTransactionResult result : results) {
            say(result.getType() + " " + result.getForPath());
        }
    }

    private static void mutex(CuratorFramework one, CuratorFramework two) throws Exception {
        say("# mutex");
        InterProcessMutex first = new InterProcessMutex(one, "/mutex");
        InterProcessMutex second = new InterProcessMutex(two, "/mutex");
        say("acquired " + first.acquire(SECONDS, TimeUnit.SECONDS));
        say("again " + first.acquire(SECONDS, TimeUnit.SECONDS));
        Future<Boolean> waiting = background.submit(() -> {
            boolean acquired = second.acquire(SECONDS, TimeUnit.SECONDS);
            second.release();
            return acquired;
        });
        while (first.getParticipantNodes().size() < 2) {
            Thread.sleep(10);
        }
        say("waits " + !waiting.isDone());
        first.release();
        first.release();
        say("handed over " + waiting.get());
        say("left " + one.getChildren().forPath("/mutex"));
    }

    private static void readWrite(CuratorFramework one, CuratorFramework two) throws Exception {
        say("# read-write lock");
        InterProcessReadWriteLock mine = new InterProcessReadWriteLock(one, "/rw");
        InterProcessReadWriteLock yours = new InterProcessReadWriteLock(two, "/rw");
        say("read " + mine.readLock().acquire(SECONDS, TimeUnit.SECONDS));
        say("read " + yours.readLock().acquire(SECONDS, TimeUnit.SECONDS));
        Future<Boolean> writer = background.submit(() -> {
            boolean acquired = mine.writeLock().acquire(SECONDS, TimeUnit.SECONDS);
            mine.writeLock().release();
            return acquired;
        });
        while (two.getChildren().forPath("/rw").size() < 3) {
            Thread.sleep(10);
        }
        say("writer waits " + !writer.isDone());
        mine.readLock().release();
        yours.readLock().release();
        say("write " + writer.get());
    }

    private static void semaphore(CuratorFramework one, CuratorFramework two) throws Exception {
        say("# semaphore");
        InterProcessSemaphoreV2 mine = new InterProcessSemaphoreV2(one, "/semaphore", 2);
        InterProcessSemaphoreV2 yours = new InterProcessSemaphoreV2(two, "/semaphore", 2);
        Lease first = mine.acquire();
        Lease second = yours.acquire();
        Future<Lease> third = background.submit(() -> yours.acquire());
        Thread.sleep(200);
        say("third waits " + !third.isDone());
        first.close();
        third.get(SECONDS, TimeUnit.SECONDS).close();
        second.close();
        say("leases left " + one.getChildren().forPath("/semaphore/leases"));
    }

    private static void latch(CuratorFramework one, CuratorFramework two) throws Exception {
        say("# leader latch");
        LeaderLatch first = new LeaderLatch(one, "/latch", "first");
        LeaderLatch second = new LeaderLatch(two, "/latch", "second");
        first.start();
        say("first leads " + first.await(SECONDS, TimeUnit.SECONDS));
        second.start();
        while (first.getParticipants().size() < 2) {
            Thread.sleep(10);
        }
        say("leader " + second.getLeader().getId());
        first.close();
        say("second leads " + second.await(SECONDS, TimeUnit.SECONDS));
        second.close();
    }

    private static void counters(CuratorFramework one, CuratorFramework two) throws Exception {
        say("# counters");
        DistributedAtomicLong mine = new DistributedAtomicLong(one, "/long", new RetryOneTime(1));
        DistributedAtomicLong yours = new DistributedAtomicLong(two, "/long", new RetryOneTime(1));
        mine.increment();
        AtomicValue<Long> value = yours.add(41L);
        say(value.succeeded() + " " + value.preValue() + " to " + value.postValue());
        try (SharedCount here = new SharedCount(one, "/shared", 5); SharedCount there = new SharedCount(two, "/shared", 7)) {
            here.start();
            there.start();
            here.setCount(6);
            while (there.getCount() != 6) {
                Thread.sleep(10);
            }
            say("shared " + there.getCount());
        }
    }

    private static void barrier(CuratorFramework one, CuratorFramework two) throws Exception {
        say("# double barrier");
        DistributedDoubleBarrier here = new DistributedDoubleBarrier(one, "/barrier", 2);
        DistributedDoubleBarrier there = new DistributedDoubleBarrier(two, "/barrier", 2);
        Future<Boolean> other = background.submit(() -> there.enter(SECONDS, TimeUnit.SECONDS)
                && there.leave(SECONDS, TimeUnit.SECONDS));
        say("entered " + here.enter(SECONDS, TimeUnit.SECONDS));
        say("left " + here.leave(SECONDS, TimeUnit.SECONDS));
        say("other " + other.get());
    }

    private static void queue(CuratorFramework one, CuratorFramework two) throws Exception {
        say("# queue");
        SimpleDistributedQueue producer = new SimpleDistributedQueue(one, "/queue");
        SimpleDistributedQueue consumer = new SimpleDistributedQueue(two, "/queue");
        Future<byte[]> waits = background.submit(() -> consumer.poll(SECONDS, TimeUnit.SECONDS));
        producer.offer("a".getBytes());
        say("polled " + new String(waits.get()));
        producer.offer("b".getBytes());
        producer.offer("c".getBytes());
        say("taken " + new String(consumer.take()) + new String(consumer.take()));
    }

    private static void cache(CuratorFramework one, CuratorFramework two) throws Exception {
        say("# cache");
        BlockingQueue<String> events = new LinkedBlockingQueue<>();
        one.create().forPath("/cached", "root".getBytes());
        try (CuratorCache cache = CuratorCache.build(one, "/cached")) {
            cache.listenable().addListener((type, before, after) ->
                    events.add(type + " " + (after == null ? before : after).getPath()));
            cache.start();
            say(events.poll(SECONDS, TimeUnit.SECONDS));
            two.create().forPath("/cached/a", "1".getBytes());
            say(events.poll(SECONDS, TimeUnit.SECONDS));
            two.create().forPath("/cached/a/b", "2".getBytes());
            say(events.poll(SECONDS, TimeUnit.SECONDS));
            two.setData().forPath("/cached/a", "3".getBytes());
            say(events.poll(SECONDS, TimeUnit.SECONDS));
            two.delete().forPath("/cached/a/b");
            say(events.poll(SECONDS, TimeUnit.SECONDS));
        }
    }

    private static void members(CuratorFramework one, CuratorFramework two) throws Exception {
        say("# members");
        GroupMember here = new GroupMember(one, "/group", "here");
        GroupMember there = new GroupMember(two, "/group", "there");
        here.start();
        there.start();
        while (here.getCurrentMembers().size() < 2) {
            Thread.sleep(10);
        }
        List<String> names = new ArrayList<>(here.getCurrentMembers().keySet());
        Collections.sort(names);
        say("members " + names);
        there.close();
        while (here.getCurrentMembers().size() > 1) {
            Thread.sleep(10);
        }
        say("members " + here.getCurrentMembers().keySet());
        here.close();
        try (PersistentNode node = new PersistentNode(one, CreateMode.EPHEMERAL, false, "/kept", "x".getBytes())) {
            node.start();
            say("kept " + node.waitForInitialCreate(SECONDS, TimeUnit.SECONDS));
            CountDownLatch back = new CountDownLatch(1);
            node.getListenable().addListener(path -> back.countDown());
            two.delete().forPath("/kept");
            say("made again " + back.await(SECONDS, TimeUnit.SECONDS));
        }
    }

    private static void say(Object line) {
        System.out.println(line);
    }
}
