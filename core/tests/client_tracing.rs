//! The spans of requests, seen by a subscriber that writes them down.
#![cfg(feature = "client")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod scripted;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use menagerie_core::client::Version;
use menagerie_core::wire::OpCode;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use scripted::{Server, data};

const TARGET: &str = "menagerie_core::client::request";

/// What was seen of one span.
#[derive(Debug, Clone, Default)]
struct Seen {
    fields: BTreeMap<&'static str, String>,
    /// Whether it is below the span that was current at the call.
    contextual: bool,
    events: Vec<String>,
    closed: bool,
}

/// Keeps the request spans, numbered from 1 on.
#[derive(Debug, Clone, Default)]
struct Recorder(Arc<Mutex<Vec<Seen>>>);

struct Fields<'a>(&'a mut BTreeMap<&'static str, String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

impl Recorder {
    fn on(&self, id: &Id, change: impl FnOnce(&mut Seen)) {
        let mut seen = self.0.lock().unwrap();
        if let Some(seen) = usize::try_from(id.into_u64() - 1).ok().and_then(|index| seen.get_mut(index)) {
            change(seen);
        }
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == TARGET
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        assert_eq!((attributes.metadata().name(), *attributes.metadata().level()), ("request", Level::DEBUG));
        let mut seen = Seen { contextual: attributes.is_contextual(), ..Seen::default() };
        attributes.record(&mut Fields(&mut seen.fields));
        let mut all = self.0.lock().unwrap();
        all.push(seen);
        Id::from_u64(all.len() as u64)
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        self.on(id, |seen| values.record(&mut Fields(&mut seen.fields)));
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = BTreeMap::new();
        event.record(&mut Fields(&mut fields));
        let message = fields.remove("message").unwrap_or_default();
        self.on(event.parent().unwrap(), |seen| seen.events.push(message));
    }

    fn try_close(&self, id: Id) -> bool {
        self.on(&id, |seen| seen.closed = true);
        true
    }

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}
    fn enter(&self, _span: &Id) {}
    fn exit(&self, _span: &Id) {}
}

#[tokio::test]
async fn a_request_has_a_span_from_its_call_to_its_answer() {
    let recorder = Recorder::default();
    let _default = tracing::subscriber::set_default(recorder.clone());
    let server = Server::start().await;
    let (client, mut connection) = server.connect().await;
    let app = client.chroot("/app").unwrap();
    let read = app.get_data("/a");
    let write = app.set_data("/b", "x", Version::Any);
    let never_sent = app.get_data("/c");
    let lost = app.set_data("/d", "x", Version::Any);
    drop(never_sent);
    let request = connection.expect(OpCode::GetData).await;
    connection.answer(&request, 0x15, &data("x")).await;
    let request = connection.expect(OpCode::SetData).await;
    connection.reply(request.xid, 0x16, -103, &[]).await;
    read.await.unwrap();
    write.await.unwrap_err();
    connection.expect(OpCode::SetData).await;
    drop(connection);
    lost.await.unwrap_err();

    let seen = recorder.0.lock().unwrap().clone();
    assert_eq!(seen.len(), 4);
    assert!(seen.iter().all(|seen| seen.closed && seen.contextual));
    let without_latency = |index: usize| {
        let mut seen: Seen = seen[index].clone();
        let latency = seen.fields.remove("latency_us").map(|latency| latency.parse::<u64>());
        assert!(latency.is_none_or(|latency| latency.is_ok()));
        seen.fields.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(without_latency(0), "op=GetData path=/app/a session=0x7 xid=1 zxid=0x15");
    assert_eq!(without_latency(1), "error=BADVERSION op=SetData path=/app/b session=0x7 xid=2 zxid=0x16");
    assert_eq!(without_latency(2), "op=GetData path=/app/c session=0x7");
    let error = "connection lost before the reply; the write may have been applied";
    assert_eq!(without_latency(3), format!("error={error} op=SetData path=/app/d session=0x7 xid=3"));
    assert!([0, 1, 3].iter().all(|index| seen[*index].fields.contains_key("latency_us")));
    let events: Vec<_> = seen.iter().map(|seen| seen.events.concat()).collect();
    assert_eq!(events, ["answered", "failed", "", "failed"]);
}
