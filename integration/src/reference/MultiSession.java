// Transactions through the reference's own Java client: every kind of operation, a failure in the middle, multiRead.
// Prints one line for each result, without anything that differs between two servers (times, session ids).

import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;

public class MultiSession {
    public static void main(String[] arguments) throws Exception {
        CountDownLatch connected = new CountDownLatch(1);
        ZooKeeper client = new ZooKeeper(arguments[0], 20000, event -> {
            if (event.getState() == Watcher.Event.KeeperState.SyncConnected) {
                connected.countDown();
            }
        });
        connected.await();

        run(client, "four kinds",
                create("/multi", CreateMode.PERSISTENT),
                create("/multi/e", CreateMode.EPHEMERAL),
                create("/multi/s-", CreateMode.PERSISTENT_SEQUENTIAL),
                create("/multi/es-", CreateMode.EPHEMERAL_SEQUENTIAL));
        run(client, "check, set, delete",
                Op.check("/multi", 0),
                Op.setData("/multi", "one".getBytes(), 0),
                Op.setData("/multi", "two".getBytes(), 1),
                Op.delete("/multi/e", 0));
        run(client, "node of the same transaction",
                create("/multi/parent", CreateMode.PERSISTENT),
                create("/multi/parent/child", CreateMode.PERSISTENT),
                Op.delete("/multi/parent/child", -1));
        run(client, "bad version in the middle",
                Op.setData("/multi", "never".getBytes(), -1),
                Op.check("/multi", 77),
                create("/multi/never", CreateMode.PERSISTENT));
        run(client, "no node first",
                Op.delete("/multi/absent", -1),
                create("/multi/never", CreateMode.PERSISTENT));
        run(client, "node exists last",
                create("/multi/never", CreateMode.PERSISTENT),
                create("/multi", CreateMode.PERSISTENT));
        run(client, "not empty", Op.delete("/multi", -1));
        run(client, "children of an ephemeral",
                create("/multi/e2", CreateMode.EPHEMERAL),
                create("/multi/e2/child", CreateMode.PERSISTENT));
        run(client, "nothing");

        System.out.println("data " + new String(client.getData("/multi", false, null)));
        List<String> children = client.getChildren("/multi", false);
        children.sort(null);
        System.out.println("children " + children);
        run(client, "reads",
                Op.getData("/multi"),
                Op.getChildren("/multi/parent"),
                Op.getData("/multi/absent"));
        client.close();
        System.out.println("closed");
    }

    private static Op create(String path, CreateMode mode) {
        return Op.create(path, path.getBytes(), ZooDefs.Ids.OPEN_ACL_UNSAFE, mode);
    }

    private static void run(ZooKeeper client, String title, Op... operations) throws Exception {
        System.out.println("# " + title);
        try {
            for (OpResult result : client.multi(Arrays.asList(operations))) {
                System.out.println(describe(result));
            }
        } catch (KeeperException failure) {
            System.out.println("failed " + failure.code());
            if (failure.getResults() != null) {
                for (OpResult result : failure.getResults()) {
                    System.out.println(describe(result));
                }
            }
        }
    }

    private static String describe(OpResult result) {
        if (result instanceof OpResult.ErrorResult) {
            return "error " + ((OpResult.ErrorResult) result).getErr();
        } else if (result instanceof OpResult.CreateResult) {
            return "created " + ((OpResult.CreateResult) result).getPath();
        } else if (result instanceof OpResult.SetDataResult) {
            return "set, version " + ((OpResult.SetDataResult) result).getStat().getVersion();
        } else if (result instanceof OpResult.GetDataResult) {
            OpResult.GetDataResult read = (OpResult.GetDataResult) result;
            return "data " + new String(read.getData()) + ", version " + read.getStat().getVersion();
        } else if (result instanceof OpResult.GetChildrenResult) {
            return "children " + ((OpResult.GetChildrenResult) result).getChildren();
        }
        return result.getClass().getSimpleName();
    }
}
