//! A lock that processes on many hosts share: take it, work, and hear when it is lost.
//!
//! `cargo run -p menagerie-examples --bin distributed_lock` uses a server of its own. With `MENAGERIE_CONNECT=host:port` it takes the lock
//! there, and as many of it as you start take turns.

use std::error::Error;
use std::time::Duration;

use menagerie_core::client::{CONNECT_VARIABLE, Client};
use menagerie_core::embedded::Server;
use menagerie_recipes::lock::Lock;
use menagerie_recipes::{LostOr, ambient};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = if std::env::var_os(CONNECT_VARIABLE).is_none() {
        let server = Server::start().await?;
        ambient::init(Client::connect(server.connect_string()).await?);
        Some(server)
    } else {
        None
    };

    let me = std::process::id();
    // Three lines are all it takes: this one, the work, and `release`.
    let guard = Lock::acquire("/lock").payload(format!("process {me}")).timeout(Duration::from_mins(1)).await?;
    println!("process {me} holds /lock, with fencing token {}", guard.token());
    match guard.run(work()).await {
        Ok(()) => println!("process {me} has done its work"),
        Err(LostOr::Lost(loss)) => println!("process {me} stopped in the middle: {loss}"),
        Err(LostOr::Failed(error)) => println!("process {me} failed: {error}"),
    }
    for contender in Lock::contenders("/lock").await?.iter().skip(1) {
        println!("{} waits for it", String::from_utf8_lossy(&contender.payload));
    }
    guard.release().await?;
    println!("process {me} has released /lock");

    ambient::client().await?.close().await?;
    if let Some(server) = server {
        server.stop().await;
    }
    Ok(())
}

/// What only one process may do at a time.
async fn work() -> Result<(), std::io::Error> {
    tokio::time::sleep(Duration::from_millis(200)).await;
    Ok(())
}
