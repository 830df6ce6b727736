//! The walk through a subtree, against a scripted server that holds a tree of names.
#![cfg(feature = "client")]
#![allow(clippy::disallowed_methods, reason = "a test starts tasks as an application does")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod scripted;

use std::collections::BTreeMap;
use std::task::{Context, Waker};

use menagerie_core::client::Walk;
use menagerie_core::jute::Decode;
use menagerie_core::wire::proto::{GetChildren2Response, PathRequest};
use menagerie_core::wire::{OpCode, Stat};

use scripted::{Connection, PATIENCE, Server};

/// Which names are below which path; what is not in it does not exist.
type Tree = BTreeMap<String, Vec<String>>;

fn tree(nodes: &[(&str, &[&str])]) -> Tree {
    nodes.iter().map(|(path, names)| ((*path).into(), names.iter().map(|name| (*name).into()).collect())).collect()
}

/// Answers one request; the path it was for.
async fn answer_one(connection: &mut Connection, tree: &Tree) -> String {
    let request = connection.expect(OpCode::GetChildren2).await;
    let path = PathRequest::from_bytes(&request.record).unwrap().path;
    match tree.get(&path) {
        Some(children) => {
            let stat = Stat { num_children: children.len() as i32, ..Stat::default() };
            connection.answer(&request, 1, &GetChildren2Response { children: children.clone(), stat }).await;
        }
        None => connection.reply(request.xid, 1, -101, &[]).await,
    }
    path
}

/// Answers until the connection ends.
fn serve(mut connection: Connection, tree: Tree) {
    tokio::spawn(async move {
        loop {
            answer_one(&mut connection, &tree).await;
        }
    });
}

/// Walks to the end: the lines of what was visited, and of the errors.
async fn lines_of(mut walk: Walk) -> Vec<String> {
    let mut lines = Vec::new();
    while let Some(item) = tokio::time::timeout(PATIENCE, walk.next()).await.unwrap() {
        lines.push(match item {
            Ok(node) => format!("{} {} {}", node.depth, node.path, node.stat.num_children),
            Err(error) => error.to_string(),
        });
    }
    lines
}

#[tokio::test]
async fn parents_come_before_their_children_and_names_in_order() {
    let server = Server::start().await;
    let (client, connection) = server.connect().await;
    let tree =
        tree(&[("/", &["b", "a"]), ("/a", &["y", "x"]), ("/a/x", &[]), ("/a/y", &[]), ("/b", &["z"]), ("/b/z", &[])]);
    serve(connection, tree);
    let lines = lines_of(client.walk("/")).await;
    assert_eq!(lines, ["0 / 2", "1 /a 2", "2 /a/x 0", "2 /a/y 0", "1 /b 1", "2 /b/z 0"]);
    let lines = lines_of(client.chroot("/a").unwrap().walk("/")).await;
    assert_eq!(lines, ["0 / 2", "1 /x 0", "1 /y 0"]);
}

#[tokio::test]
async fn a_znode_that_goes_is_left_out_but_the_root_must_exist() {
    let server = Server::start().await;
    let (client, connection) = server.connect().await;
    serve(connection, tree(&[("/", &["a", "gone"]), ("/a", &["gone"])]));
    assert_eq!(lines_of(client.walk("/")).await, ["0 / 2", "1 /a 1"]);
    assert_eq!(lines_of(client.walk("/none")).await, ["GetChildren2 /none: NONODE"]);
    assert!(client.walk("relative").next().await.unwrap().is_err());
}

#[tokio::test]
async fn a_bounded_number_of_requests_is_under_way() {
    let server = Server::start().await;
    let (client, mut connection) = server.connect().await;
    let names: Vec<String> = (0..1000).map(|n| format!("{n:04}")).collect();
    let mut tree: Tree = names.iter().map(|name| (format!("/{name}"), Vec::new())).collect();
    tree.insert("/".into(), names);
    let mut walk = client.walk("/");
    let (root, _) = tokio::join!(walk.next(), answer_one(&mut connection, &tree));
    root.unwrap().unwrap();
    // The first look asks ahead. What the client sends next stands right behind.
    assert!(is_waiting(&mut walk));
    let _sync = client.sync("/");
    let mut asked = 0;
    while connection.request().await.op == OpCode::GetChildren2 {
        asked += 1;
    }
    assert_eq!(asked, 64);
    drop(walk);
    drop(connection);
    serve(server.serve().await.0, tree);
    let lines = lines_of(client.walk("/")).await;
    assert_eq!(lines.len(), 1001);
}

/// Looks once; whether there is nothing yet.
fn is_waiting(walk: &mut Walk) -> bool {
    let next = std::pin::pin!(walk.next());
    next.poll(&mut Context::from_waker(Waker::noop())).is_pending()
}

#[tokio::test]
async fn an_error_is_an_item_and_the_walk_goes_on() {
    let server = Server::start().await;
    let (client, mut connection) = server.connect().await;
    let tree = tree(&[("/", &["a", "b"]), ("/a", &["x"]), ("/a/x", &[]), ("/b", &[])]);
    let mut walk = client.walk("/");
    let (root, _) = tokio::join!(walk.next(), answer_one(&mut connection, &tree));
    assert_eq!(root.unwrap().unwrap().path, "/");
    // Not permitted to list /a; then the connection goes before /b is answered.
    let refused = async {
        tokio::select! {
            item = walk.next() => item.unwrap().unwrap_err(),
            () = async {
                let request = connection.expect(OpCode::GetChildren2).await;
                connection.reply(request.xid, 1, -102, &[]).await;
                std::future::pending::<()>().await;
            } => unreachable!(),
        }
    };
    assert_eq!(refused.await.to_string(), "GetChildren2 /a: NOAUTH");
    drop(connection);
    assert!(walk.next().await.unwrap().unwrap_err().is_connection_loss());
    serve(server.serve().await.0, tree);
    assert_eq!(lines_of(walk).await, ["1 /b 0"]);
}

#[tokio::test]
async fn a_walk_can_stop_at_a_depth_and_tells_the_last_of_siblings() {
    let server = Server::start().await;
    let (client, connection) = server.connect().await;
    serve(connection, tree(&[("/", &["b", "a"]), ("/a", &["deep"]), ("/a/deep", &[]), ("/b", &[])]));
    let mut walk = client.walk("/").max_depth(1);
    let mut seen = Vec::new();
    while let Some(node) = tokio::time::timeout(PATIENCE, walk.next()).await.unwrap() {
        let node = node.unwrap();
        seen.push((node.path, node.is_last, node.stat.num_children));
    }
    let expected = [("/", true, 2), ("/a", false, 1), ("/b", true, 0)];
    assert_eq!(seen, expected.map(|(path, is_last, children)| (path.to_owned(), is_last, children)));
}
