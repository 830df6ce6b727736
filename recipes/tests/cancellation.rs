//! An acquisition can be dropped at every await point it has, whatever happens to the connection just then: neither znode nor watch stays
//! (issue 1, Show 6; recipes §6, scenarios 1, 2 and 4).
//!
//! The sweep polls the future n times and drops it, for n = 1, 2, 3… until it completes or has nothing more to do.
#![allow(clippy::disallowed_methods, reason = "a test starts tasks and threads as an application does")]

mod support;

use std::any::Any;
use std::pin::Pin;
use std::time::Duration;

use menagerie_core::client::Client;
use menagerie_core::wire::OpCode;
use menagerie_recipes::Error;
use menagerie_recipes::lock::{Exclusive, Lock};
use support::{Fault, LONG_SESSION, PATIENCE, Polled, Proxy, Service, TestResult, eventually, poll_times};

/// What goes wrong.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    None,
    /// The connection breaks in the moment of the drop.
    CutAtDrop,
    /// The connection breaks at the first request of this kind.
    Fault(Fault),
}

/// How an acquisition ends that is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    /// Nobody has the lock: with it.
    Free,
    /// Somebody has it: without it.
    Held,
    /// Somebody has it: never.
    Waits,
}

/// An acquisition. The guard that it gives, if it does, is dropped.
type Acquisition = Pin<Box<dyn Future<Output = Result<Option<Guard>, Error>> + Send>>;

type Guard = Box<dyn Any + Send>;

/// An acquisition that waits and has not moved for this long has nothing more to do: the holder it waits for does not go. Too short a time
/// on a slow machine would only make a sweep shorter.
const IDLE: Duration = Duration::from_secs(3);

/// More polls than any acquisition here takes.
const MOST_POLLS: usize = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_free_lock() -> TestResult {
    sweep(acquire_lock, Case::Free).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_is_held() -> TestResult {
    sweep(acquire_lock, Case::Waits).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_try_of_a_lock_that_is_held() -> TestResult {
    let try_acquire = |client: &Client, path: &str| -> Acquisition {
        let lock = Lock::on(client, path);
        Box::pin(async move { Ok(lock.try_acquire().await?.map(|guard| Box::new(guard) as Guard)) })
    };
    sweep(try_acquire, Case::Held).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_free_exclusive_lock() -> TestResult {
    sweep(acquire_exclusive, Case::Free).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exclusive_lock_that_is_held() -> TestResult {
    sweep(acquire_exclusive, Case::Waits).await
}

fn acquire_lock(client: &Client, path: &str) -> Acquisition {
    let acquire = Lock::on(client, path).acquire();
    Box::pin(async move { Ok(Some(Box::new(acquire.await?) as Guard)) })
}

fn acquire_exclusive(client: &Client, path: &str) -> Acquisition {
    // Inside a directory, as the contenders of a lock are.
    let acquire = Exclusive::on(client, format!("{path}/exclusive")).acquire();
    Box::pin(async move { Ok(Some(Box::new(acquire.await?) as Guard)) })
}

/// All troubles at the same time, each against a service of its own, because most of the time is spent waiting.
async fn sweep(acquire: fn(&Client, &str) -> Acquisition, case: Case) -> TestResult {
    let troubles = [
        Trouble::None,
        Trouble::CutAtDrop,
        Trouble::Fault(Fault::BeforeReply(OpCode::Create2)),
        Trouble::Fault(Fault::BeforeRequest(OpCode::Create2)),
        Trouble::Fault(Fault::BeforeReply(OpCode::GetData)),
        Trouble::Fault(Fault::BeforeReply(OpCode::GetChildren)),
    ];
    // Each in a task of its own: in a joined future, each would be polled whenever another one moves.
    let sweeps = troubles.map(|trouble| tokio::spawn(sweep_one(acquire, case, trouble)));
    for sweep in sweeps {
        sweep.await??;
    }
    Ok(())
}

async fn sweep_one(acquire: fn(&Client, &str) -> Acquisition, case: Case, trouble: Trouble) -> TestResult {
    let service = Service::start().await?;
    for polls in 1.. {
        assert!(polls < MOST_POLLS, "{trouble:?}: no end after {polls} polls");
        let path = service.path(&format!("lock-{polls}"));
        if drop_after(&service, acquire, &path, case, trouble, polls).await? {
            println!("{trouble:?}: {polls} polls");
            break;
        }
    }
    Ok(())
}

/// Drops an acquisition after so many polls, and holds it to what must be left: nothing. Returns whether more polls make no difference.
async fn drop_after(
    service: &Service,
    acquire: fn(&Client, &str) -> Acquisition,
    path: &str,
    case: Case,
    trouble: Trouble,
    polls: usize,
) -> TestResult<bool> {
    let holder = service.client().await?;
    let guard = if case == Case::Free { None } else { Some(acquire(&holder, path).await?) };
    if case == Case::Free && matches!(trouble, Trouble::Fault(Fault::BeforeReply(OpCode::Create2))) {
        // The reply that is lost must be that of the contender's own create, and not of one that found no directory.
        service.make(path).await?;
    }
    let (nodes, watches) = (service.children(path).await?, service.watches().await?);

    let proxy = Proxy::start(service.hosts()).await?;
    let client = Client::builder().hosts(proxy.hosts()).session_timeout(LONG_SESSION).connect().await?;
    if let Trouble::Fault(fault) = trouble {
        proxy.inject(fault);
    }
    let idle = if case == Case::Waits { IDLE } else { PATIENCE };
    let polled = poll_times(acquire(&client, path), polls, idle).await;
    if matches!(trouble, Trouble::CutAtDrop) {
        proxy.cut();
    }
    let what = format!("after {polls} polls with {trouble:?}");
    let is_end = match polled {
        Polled::Ready(outcome) => {
            let guard = outcome.map_err(|error| format!("{error} {what}"))?;
            let ended = if guard.is_some() { Case::Free } else { Case::Held };
            assert_eq!(ended, case, "{what}");
            true
        }
        Polled::Enough => false,
        Polled::Idle if case == Case::Waits => true,
        Polled::Idle => return Err(format!("it hangs {what}").into()),
    };
    let children = || service.children(path);
    eventually(&format!("znodes {what}"), children, |left| *left == nodes).await?;
    let watches_left = || service.watches();
    eventually(&format!("watches {what}"), watches_left, |left| *left == watches).await?;
    // The session lives: it was cleaned up by hand, not by its end.
    while let Err(error) = client.exists("/").await {
        assert!(error.is_connection_loss(), "{what}: {error}");
    }
    drop(guard);
    Ok(is_end)
}
