//! What `Lock` promises, one test per promise (recipes §4.1 and §6).
#![allow(clippy::disallowed_methods, reason = "a test starts tasks and threads as an application does")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use menagerie_core::client::{Client, Version};
use menagerie_core::wire::{CreateMode, ErrorCode, OpCode};
use menagerie_recipes::lock::{Lock, LockGuard};
use menagerie_recipes::{Error, Loss, LossPolicy, LostOr, Naming, Parents, with_client};
use support::{Fault, LONG_SESSION, PATIENCE, Proxy, Service, TestResult, eventually, soon};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_holder_at_a_time_in_the_order_of_asking() -> TestResult {
    const CONTENDERS: usize = 8;
    let service = Service::start().await?;
    let client = service.client().await?;
    let lock = Lock::on(&client, service.path("lock"));
    let first = lock.acquire().await?;
    let inside = Arc::new(AtomicUsize::new(0));
    let (order, mut served) = tokio::sync::mpsc::unbounded_channel();
    for number in 0..CONTENDERS {
        // One after the other, so that their order is known.
        let ticket = lock.enqueue().await?;
        assert_eq!(ticket.position().await?, number + 1);
        let (inside, order) = (Arc::clone(&inside), order.clone());
        tokio::spawn(async move {
            let guard = ticket.wait().await?;
            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two holders");
            tokio::task::yield_now().await;
            inside.fetch_sub(1, Ordering::SeqCst);
            order.send((number, guard.token())).map_err(|_| Error::Invalid("the test is over".into()))?;
            guard.release().await
        });
    }
    let mut last = first.token();
    first.release().await?;
    for expected in 0..CONTENDERS {
        let (number, token) = soon("the next holder", served.recv()).await?.ok_or("no more holders")?;
        assert_eq!(number, expected);
        assert!(token > last, "tokens rise");
        last = token;
    }
    Ok(())
}

#[tokio::test]
async fn a_release_wakes_one() -> TestResult {
    const WAITERS: usize = 5;
    let service = Service::start().await?;
    let proxy = Proxy::start(service.hosts()).await?;
    let client = Client::builder().hosts(proxy.hosts()).session_timeout(LONG_SESSION).connect().await?;
    let lock = Lock::on(&client, service.path("lock"));
    let mut guard = lock.acquire().await?;
    let mut waiters = Vec::new();
    for _ in 0..WAITERS {
        waiters.push(tokio::spawn(lock.enqueue().await?.wait()));
    }
    // Each contender watches its own znode and the one before it; the client shares those on one path.
    let watches = || service.watches();
    eventually("each watches the one before it", watches, |count| *count == 1 + WAITERS).await?;
    // Whoever is woken looks at the queue. All have had their turn in the end, and so whatever woke them before that has been counted.
    let looks = proxy.seen(OpCode::GetChildren);
    for waiter in waiters {
        guard.release().await?;
        guard = soon("the next holds", waiter).await???;
    }
    assert_eq!(proxy.seen(OpCode::GetChildren) - looks, WAITERS, "each is woken once, when its turn has come");
    Ok(())
}

#[tokio::test]
async fn a_try_does_not_wait_and_leaves_nothing() -> TestResult {
    let service = Service::start().await?;
    let client = service.client().await?;
    let path = service.path("lock");
    let lock = Lock::on(&client, &path);
    let guard = lock.try_acquire().await?.ok_or("a free lock is taken")?;
    assert!(lock.try_acquire().await?.is_none());
    assert_eq!(service.children(&path).await?.len(), 1);
    guard.release().await?;
    assert!(lock.try_acquire().await?.is_some());
    Ok(())
}

#[tokio::test]
async fn a_timeout_is_a_bound_whatever_wakes_the_waiter_meanwhile() -> TestResult {
    let service = Service::start().await?;
    let client = service.client().await?;
    let path = service.path("lock");
    let lock = Lock::on(&client, &path);
    let guard = lock.acquire().await?;
    let timeout = Duration::from_millis(700);
    let waiter = tokio::spawn(lock.acquire().timeout(timeout).into_future());
    let start = tokio::time::Instant::now();
    // Wakes in vain, as long as it waits: were each of them the beginning of a new time, that would be for ever.
    let wakes = async {
        for wake in 0.. {
            tokio::time::sleep(timeout / 7).await;
            client.set_data(guard.path(), format!("wake {wake}"), Version::Any).await?;
        }
        TestResult::Ok(())
    };
    let ended = soon("the timeout", async {
        tokio::select! {
            ended = waiter => Ok(ended?),
            failed = wakes => Err(failed.err().unwrap_or_else(|| "no more wakes".into())),
        }
    });
    let error = ended.await??.err().ok_or("acquired a lock that is held")?;
    assert!(error.is_timeout(), "{error}");
    assert!(start.elapsed() >= timeout);
    // Nothing of it is left.
    let children = || service.children(&path);
    eventually("the waiter's znode is gone", children, |names| names.len() == 1).await?;
    Ok(())
}

#[test]
fn a_guard_can_be_dropped_outside_any_runtime() -> TestResult {
    let runtime = tokio::runtime::Runtime::new()?;
    let service = runtime.block_on(Service::start())?;
    let path = service.path("lock");
    let (client, guard) = runtime.block_on(async {
        let client = service.client().await?;
        let guard = Lock::on(&client, &path).acquire().await?;
        TestResult::Ok((client, guard))
    })?;
    std::thread::spawn(move || drop(guard)).join().map_err(|_| "dropping a guard panicked")?;
    let children = || service.children(&path);
    runtime.block_on(eventually("the guard's znode is gone", children, Vec::is_empty))?;
    drop(client);
    Ok(())
}

/// An application may acquire in a runtime that it drops soon, such as a test's or a request's, with a client that lives longer. What
/// watches over the guard, and what removes its znode, went with that runtime.
#[test]
fn a_guard_outlives_the_runtime_it_was_acquired_in() -> TestResult {
    let runtime = tokio::runtime::Runtime::new()?;
    let service = runtime.block_on(Service::start())?;
    let client = runtime.block_on(service.client())?;
    let (taken, given) = (service.path("taken"), service.path("given"));
    let brief = tokio::runtime::Runtime::new()?;
    let guards = brief.block_on(async {
        let taken = Lock::on(&client, &taken).acquire().await?;
        TestResult::Ok((taken, Lock::on(&client, &given).acquire().await?))
    })?;
    drop(brief);
    let (taken, given_guard) = guards;
    runtime.block_on(async {
        client.delete(taken.path(), Version::Any).await?;
        assert_eq!(soon("the holder is told", taken.lost()).await?, Loss::NodeDeleted);
        drop(given_guard);
        eventually("the guard's znode is gone", || service.children(&given), Vec::is_empty).await?;
        Ok(())
    })
}

#[tokio::test]
async fn a_release_that_is_dropped_is_finished_all_the_same() -> TestResult {
    let service = Service::start().await?;
    let client = service.client().await?;
    let path = service.path("lock");
    let lock = Lock::on(&client, &path);
    for polled in [false, true] {
        let mut release = Box::pin(lock.acquire().await?.release());
        if polled {
            let _ = futures_util::poll!(&mut release);
        }
        drop(release);
        let children = || service.children(&path);
        eventually("the guard's znode is gone", children, Vec::is_empty).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_reply_makes_no_second_node_and_no_second_release() -> TestResult {
    let service = Service::start().await?;
    let path = service.path("lock");
    let proxy = Proxy::start(service.hosts()).await?;
    let client = Client::builder().hosts(proxy.hosts()).session_timeout(LONG_SESSION).connect().await?;
    let lock = Lock::on(&client, &path).acquire().loss_policy(LossPolicy::Expired);
    // Makes the directory, so that the fault meets the contender's own create.
    lock.clone().await?.release().await?;

    for op in [OpCode::Create2, OpCode::GetChildren, OpCode::GetData] {
        proxy.inject(Fault::BeforeReply(op));
        let guard = soon("acquire over a lost reply", lock.clone().into_future()).await??;
        assert!(!proxy.is_armed(), "{op:?} was not lost");
        assert_eq!(service.children(&path).await?.len(), 1);

        proxy.inject(Fault::BeforeReply(OpCode::Delete));
        soon("release over a lost reply", guard.release()).await??;
        assert!(!proxy.is_armed());
        assert!(service.children(&path).await?.is_empty());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_holder_that_is_cut_off_has_lost_at_once_unless_told_otherwise() -> TestResult {
    let service = Service::start().await?;
    let proxy = Proxy::start(service.hosts()).await?;
    let path = service.path("lock");
    let client = Client::builder().hosts(proxy.hosts()).session_timeout(LONG_SESSION).connect().await?;
    let guard = Lock::on(&client, &path).acquire().await?;
    let steady = Lock::on(&client, service.path("steady")).acquire().loss_policy(LossPolicy::Expired).await?;
    assert!(guard.is_valid() && steady.is_valid());
    proxy.part().await;
    assert_eq!(soon("the holder learns of the loss", guard.lost()).await?, Loss::Suspended);
    assert!(!guard.is_valid());
    assert!(steady.is_valid() && steady.lost().loss().is_none());
    proxy.heal();
    // Lost stays lost, also when the session lives on and the znode with it.
    assert_eq!(service.children(&path).await?.len(), 1);
    soon("the client is back", client.exists("/")).await??;
    assert_eq!(guard.lost().await, Loss::Suspended);
    assert!(!guard.is_valid() && steady.is_valid());
    soon("the release", guard.release()).await??;
    assert!(service.children(&path).await?.is_empty());
    Ok(())
}

/// Long enough to be held for a while, and short enough to be waited for.
const SHORT_SESSION: Duration = Duration::from_millis(1200);

/// Holds the lock in a session that is to expire soon, and cuts it off. `None` when the machine has stalled for so long that it was lost
/// before.
async fn hold_and_part(proxy: &Proxy, path: &str) -> TestResult<Option<(Client, LockGuard)>> {
    proxy.heal();
    let client = Client::builder().hosts(proxy.hosts()).session_timeout(SHORT_SESSION).connect_timeout(PATIENCE);
    let client = client.connect().await?;
    let guard = match Lock::on(&client, path).acquire().loss_policy(LossPolicy::Expired).await {
        Err(error) if error.is_session_over() => return Ok(None),
        guard => guard?,
    };
    proxy.part().await;
    Ok(guard.is_valid().then_some((client, guard)))
}

/// Compares what the holder would say of itself in the moment in which another holds: that takes no task that is scheduled in time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_holder_that_is_cut_off_learns_of_it_before_anybody_else_can_hold() -> TestResult {
    let service = Service::start().await?;
    let other = service.client().await?;
    let proxy = Proxy::start(service.hosts()).await?;
    let path = service.path("lock");
    let held = async {
        loop {
            if let Some(held) = hold_and_part(&proxy, &path).await? {
                return TestResult::Ok(held);
            }
        }
    };
    let (cut_off, guard) = soon("a machine that does not stall", held).await??;
    let deadline = guard.valid_until().ok_or("no deadline, though there is a session")?;
    let guard = Arc::new(guard);
    let (next, old) = (Lock::on(&other, &path).acquire().into_future(), Arc::clone(&guard));
    let next = tokio::spawn(async move { next.await.map(|next| (next, old.is_valid())) });

    assert_eq!(soon("the holder learns of the loss", guard.lost()).await?, Loss::DeadlinePassed);
    assert!(tokio::time::Instant::now() >= deadline && !guard.is_valid());
    let (next, was_valid) = soon("the next holder", next).await???;
    assert!(!was_valid, "two holders");
    assert!(next.token() > guard.token());
    proxy.heal();
    let guard = Arc::into_inner(guard).ok_or("the guard is still shared")?;
    let released = soon("release after the end", guard.release()).await?;
    assert!(matches!(released, Err(Error::SessionExpired)), "{released:?}");
    // A session that is over acquires nothing.
    let again = soon("acquire after the end", Lock::on(&cut_off, &path).try_acquire()).await?;
    assert!(matches!(again, Err(Error::SessionExpired)), "{again:?}");
    next.release().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiter_whose_session_expires_stops_at_once() -> TestResult {
    let service = Service::start().await?;
    let path = service.path("lock");
    let holder = service.client().await?;
    let _guard = Lock::on(&holder, &path).acquire().await?;
    let proxy = Proxy::start(service.hosts()).await?;
    let client = Client::builder().hosts(proxy.hosts()).session_timeout(LONG_SESSION).connect().await?;
    let waiter = tokio::spawn(Lock::on(&client, &path).enqueue().await?.wait());
    proxy.part().await;
    service.expire(client.session()).await?;
    assert_eq!(service.children(&path).await?.len(), 1);
    proxy.heal();
    let outcome = soon("the waiter stops", waiter).await??;
    assert!(matches!(outcome, Err(Error::SessionExpired)), "{outcome:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_session_waits_for_its_old_one_to_go() -> TestResult {
    let service = Service::start().await?;
    let path = service.path("lock");
    let proxy = Proxy::start(service.hosts()).await?;
    let old = Client::builder().hosts(proxy.hosts()).session_timeout(LONG_SESSION).connect().await?;
    let old_guard = Lock::on(&old, &path).acquire().await?;
    proxy.part().await;
    let new = service.client().await?;
    let ticket = Lock::on(&new, &path).enqueue().await?;
    assert_eq!(ticket.position().await?, 1);
    service.expire(old.session()).await?;
    let guard = soon("the new session holds", ticket.wait()).await??;
    assert!(guard.token() > old_guard.token());
    assert_eq!(service.children(&path).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_holder_is_told_when_somebody_deletes_its_node() -> TestResult {
    let service = Service::start().await?;
    let client = service.client().await?;
    let other = service.client().await?;
    let path = service.path("lock");
    let lock = Lock::on(&client, &path);
    let guard = lock.acquire().await?;
    let ticket = lock.enqueue().await?;
    let waiter = tokio::spawn(lock.acquire().into_future());
    let work = guard.run(async { std::future::pending::<Result<(), Error>>().await });
    let removal = async {
        other.delete(ticket.path(), Version::Any).await?;
        let waited = soon("the ticket is lost", ticket.wait()).await?;
        assert!(matches!(waited, Err(Error::Lost(Loss::NodeDeleted))), "{waited:?}");
        other.delete(guard.path(), Version::Any).await?;
        TestResult::Ok(())
    };
    let (outcome, removed) = soon("the work is dropped", async { tokio::join!(work, removal) }).await?;
    removed?;
    assert_eq!(outcome.err().map(|error| matches!(error, LostOr::Lost(Loss::NodeDeleted))), Some(true));
    let refused = guard.fenced().create(&service.path("late"), "", CreateMode::Persistent).commit().await;
    assert_eq!(refused.err().and_then(|error| error.multi_failure()), Some((0, ErrorCode::NoNode)));
    let released = guard.release().await;
    assert!(matches!(released, Err(Error::Lost(Loss::NodeDeleted))), "{released:?}");
    drop(soon("the next holds", waiter).await???);
    Ok(())
}

/// Who may create in the lock's directory but not delete there waited for ever for its own znode to go; and what watches over a guard
/// went on to watch a znode that nobody held any more.
#[tokio::test]
async fn a_removal_that_is_refused_is_an_error_and_leaves_no_watch() -> TestResult {
    let service = Service::start().await?;
    let client = service.client().await?;
    let path = service.path("lock");
    let lock = Lock::on(&client, &path);
    let guard = lock.acquire().await?;
    let ticket = lock.enqueue().await?;
    let dropped = Lock::on(&client, service.path("other")).acquire().await?;
    for path in [&path, &service.path("other")] {
        service.permit(path, "cra").await?;
    }
    drop(dropped);
    let tried = soon("the try ends", lock.try_acquire()).await?.map(drop);
    let left = soon("leaving ends", ticket.leave()).await?;
    let released = soon("the release ends", guard.release()).await?;
    for outcome in [tried, left, released] {
        let refused = matches!(&outcome, Err(Error::Client(error)) if error.code() == Some(ErrorCode::NoAuth));
        assert!(refused, "{outcome:?}");
    }
    eventually("nobody watches any more", || service.watches(), |watches| *watches == 0).await?;
    // What cannot be removed stays as long as its session.
    assert_eq!(service.children(&path).await?.len(), 3);
    client.close().await?;
    assert!(service.children(&path).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn fenced_writes_apply_only_while_held() -> TestResult {
    let service = Service::start().await?;
    let client = service.client().await?;
    let guard = Lock::on(&client, service.path("lock")).acquire().await?;
    let state = service.path("state");
    guard.fenced().create(&state, "1", CreateMode::Persistent).commit().await?;
    let fenced = guard.fenced().set_data(&state, "2", Version::Any);
    guard.release().await?;
    assert!(fenced.commit().await.is_err());
    assert_eq!(client.get_data(&state).await?.0, "1");
    Ok(())
}

#[tokio::test]
async fn contenders_are_listed_in_order_with_what_they_say_of_themselves() -> TestResult {
    let service = Service::start().await?;
    let (first, second) = (service.client().await?, service.client().await?);
    let path = service.path("lock");
    assert!(Lock::on(&first, &path).contenders().await?.is_empty());
    let guard = Lock::on(&first, &path).acquire().payload("host-1").await?;
    let ticket = Lock::on(&second, &path).acquire().payload("host-2").enqueue().await?;
    let queue = Lock::on(&second, &path).contenders().await?;
    let said: Vec<_> = queue.iter().map(|contender| (contender.session, &contender.payload[..])).collect();
    assert_eq!(said, [(first.session_id(), &b"host-1"[..]), (second.session_id(), &b"host-2"[..])]);
    assert_eq!((queue[0].path.as_str(), queue[1].path.as_str()), (guard.path(), ticket.path()));
    assert_eq!(queue[0].token, guard.token());
    Ok(())
}

#[tokio::test]
async fn names_are_curators_and_profiles_do_not_mix() -> TestResult {
    let service = Service::start().await?;
    let client = service.client().await?;
    let path = service.path("lock");
    let lock = Lock::on(&client, &path);
    let guard = lock.acquire().await?;
    let names = service.children(&path).await?;
    assert!(names[0].starts_with("_c_") && names[0].ends_with("-lock-0000000000"), "{names:?}");
    // Something that takes no part does not disturb.
    client.create(&format!("{path}/config"), "", CreateMode::Persistent).await?;
    assert_eq!(lock.contenders().await?.len(), 1);
    let refused = lock.acquire().naming(Naming::Kazoo).await;
    assert!(matches!(&refused, Err(Error::ForeignNames { names: foreign, .. }) if *foreign == names), "{refused:?}");
    let children = || service.children(&path);
    eventually("the refused one is gone", children, |names| names.len() == 2).await?;
    drop(guard);
    Ok(())
}

#[tokio::test]
async fn missing_directories_are_made_or_required() -> TestResult {
    let service = Service::start().await?;
    let client = service.client().await?;
    let path = service.path("deep/down/lock");
    let refused = Lock::on(&client, &path).acquire().parents(Parents::Require).await;
    assert!(matches!(&refused, Err(Error::Client(error)) if error.is_no_node()), "{refused:?}");
    drop(Lock::on(&client, &path).acquire().await?);
    drop(Lock::on(&client, service.path("plain/lock")).acquire().parents(Parents::Persistent).await?);
    let invalid = Lock::on(&client, "no-slash").acquire().await;
    assert!(matches!(invalid, Err(Error::Path { .. })), "{invalid:?}");
    Ok(())
}

#[tokio::test]
async fn the_ambient_client_is_the_scopes() -> TestResult {
    let service = Service::start().await?;
    let client = service.client().await?;
    let path = service.path("lock");
    let guard = with_client(client.clone(), async {
        let guard = Lock::acquire(&path).timeout(PATIENCE).await?;
        assert!(Lock::try_acquire(&path).await?.is_none());
        assert_eq!(Lock::contenders(&path).await?[0].session, client.session_id());
        Ok::<_, Error>(guard)
    })
    .await?;
    guard.release().await?;
    Ok(())
}
