// Takes Curator's mutex some times around a read-modify-write of a file: what `lock_worker count` does with ours.
//
// CuratorCount HOSTS LOCK FILE ROUNDS

import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.retry.RetryOneTime;

public class CuratorCount {
    public static void main(String[] arguments) throws Exception {
        Path file = Path.of(arguments[2]);
        int rounds = Integer.parseInt(arguments[3]);
        try (CuratorFramework client = CuratorFrameworkFactory.newClient(arguments[0], new RetryOneTime(100))) {
            client.start();
            InterProcessMutex mutex = new InterProcessMutex(client, arguments[1]);
            for (int round = 0; round < rounds; round++) {
                mutex.acquire();
                try {
                    int number = Integer.parseInt(Files.readString(file).trim());
                    // Room for another process to come between, if the lock let it.
                    Thread.sleep(1);
                    Files.writeString(file, Integer.toString(number + 1));
                } finally {
                    mutex.release();
                }
            }
        }
    }
}
