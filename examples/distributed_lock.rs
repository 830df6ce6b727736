//! A lock that processes on many hosts can share: take it, work, and hear when it is lost.
//!
//! `cargo run -p menagerie-examples --bin distributed_lock` uses a server of its own; with `MENAGERIE_CONNECT` set it takes
//! the lock there, and several of it take turns.

use std::error::Error;
use std::time::Duration;

use menagerie_core::client::Client;
use menagerie_core::embedded::Server;
use menagerie_recipes::lock::Lock;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = if std::env::var_os("MENAGERIE_CONNECT").is_none() { Some(Server::start().await?) } else { None };
    let hosts = match &server {
        Some(server) => server.connect_string(),
        None => std::env::var("MENAGERIE_CONNECT")?,
    };
    let client = Client::connect(&hosts).await?;
    let guard = Lock::on(&client, "/lock").acquire().await?;
    println!("this process holds /lock, with fencing token {:?}", guard.token());
    let work = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        println!("the work is done");
    };
    tokio::select! {
        () = work => {}
        loss = guard.lost() => println!("the lock was lost while working: {loss:?}"),
    }
    guard.release().await?;
    println!("/lock is free again");
    client.close().await?;
    if let Some(server) = server {
        server.stop().await;
    }
    Ok(())
}
