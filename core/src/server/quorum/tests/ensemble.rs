//! Three members over real sockets: they elect, agree, and lose nothing when the leader goes.

use bytes::Bytes;

use super::member::{Member, View};
use super::*;
use crate::zab::Role;

const PAYLOADS: usize = 1000;

/// Waits until `holds` is true of what the members show, and returns it.
async fn wait_for(members: &[Member], what: &str, holds: impl Fn(&[View]) -> bool) -> Vec<View> {
    let wait = async {
        loop {
            let views: Vec<View> = members.iter().map(Member::view).collect();
            if holds(&views) {
                return views;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let Ok(views) = tokio::time::timeout(PATIENCE, wait).await else {
        panic!("waited in vain: {what}; {:?}", members.iter().map(|member| member.view().role).collect::<Vec<_>>());
    };
    views
}

fn all_serve(views: &[View]) -> bool {
    leader(views).is_some() && views.iter().all(|view| view.role != Role::Looking)
}

fn leader(views: &[View]) -> Option<usize> {
    views.iter().position(|view| matches!(view.role, Role::Leading { .. }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_committed_is_lost_when_the_leader_goes() {
    let network = network();
    let configuration = ensemble(&network, 3);
    let mut members = Vec::new();
    for id in 1..=3 {
        members.push(Member::start(id, &configuration).await);
    }
    let views = wait_for(&members, "all serve", all_serve).await;
    let first = leader(&views).unwrap();
    for number in 0..PAYLOADS {
        members[first].propose(Bytes::from(number.to_string()));
    }
    wait_for(&members, "everything is committed everywhere", |views| {
        views.iter().all(|view| view.committed.len() >= PAYLOADS)
    })
    .await;

    let lost = members.remove(first);
    let acknowledged = lost.view().committed;
    drop(lost);
    // First they notice that it is gone, and then there is another.
    let views = wait_for(&members, "a new leader", all_serve).await;
    members[leader(&views).unwrap()].propose(Bytes::from_static(b"after"));
    let views = wait_for(&members, "the new leader's proposal is committed", |views| {
        views.iter().all(|view| view.committed.last().is_some_and(|(_, payload)| payload[..] == b"after"[..]))
    })
    .await;
    for view in &views {
        assert_eq!(view.committed[..acknowledged.len()], acknowledged[..]);
        assert_eq!(view.committed, views[0].committed);
        let numbers: Vec<String> =
            view.committed.iter().map(|(_, payload)| String::from_utf8(payload.to_vec()).unwrap()).collect();
        assert_eq!(numbers[..PAYLOADS], (0..PAYLOADS).map(|number| number.to_string()).collect::<Vec<_>>()[..]);
    }
}
