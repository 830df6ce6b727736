//! The future every operation returns. It decodes the reply in the caller's task, so that the session's task only moves bytes.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::jute::{Decode, DecodeError};
use crate::wire::{ErrorCode, OpCode, Zxid};

use super::Error;
use super::chroot::Chroot;
use super::error::Cause;
use super::request::{Answer, Ticket};
use super::trace::Trace;
use super::watch::Registration;

/// An operation under way: await it for its result.
///
/// The request was queued when the call was made, whether this is polled or not, and calls are sent in the order in which they are
/// made. Dropping a `Call` whose request was not yet written takes it out of the queue; afterwards the reply is ignored, and a write
/// may well be applied.
#[must_use = "a call that is dropped may not be sent"]
pub struct Call<T> {
    stage: Stage,
    finish: Finish<T>,
}

/// Turns the answer into the call's result.
pub(super) type Finish<T> = fn(&mut Meta, Answer) -> Result<T, Error>;

enum Stage {
    Waiting(Meta, oneshot::Receiver<Answer>),
    Failed(Error),
    Done,
}

/// What is known of a call beside its answer.
#[derive(Debug)]
pub(super) struct Meta {
    pub(super) op: OpCode,
    /// The path as the application named it, for messages.
    pub(super) path: Box<str>,
    pub(super) write: bool,
    pub(super) chroot: Chroot,
    /// The watch the call sets, if any.
    pub(super) registration: Option<Registration>,
}

impl Meta {
    pub(super) fn error(&self, cause: Cause) -> Error {
        Error::of_call(cause, self.op, &self.path)
    }

    /// Decodes the reply's record.
    pub(super) fn decode<R: Decode>(&self, answer: Answer) -> Result<R, Error> {
        R::from_bytes(&answer.map_err(|cause| self.error(cause))?).map_err(|error| self.unreadable(error))
    }

    /// The watch the call has set.
    pub(super) fn take_registration(&mut self) -> Result<Registration, Error> {
        self.registration.take().ok_or_else(|| self.error(Cause::Closed))
    }

    fn unreadable(&self, error: DecodeError) -> Error {
        self.error(Cause::Reply { error, write: self.write })
    }
}

impl<T> Call<T> {
    pub(super) fn waiting(meta: Meta, answer: oneshot::Receiver<Answer>, finish: Finish<T>) -> Self {
        Call { stage: Stage::Waiting(meta, answer), finish }
    }

    /// A call that fails without having been sent.
    pub(super) fn failed(error: Error) -> Self {
        Call { stage: Stage::Failed(error), finish: |meta, _| Err(meta.error(Cause::Closed)) }
    }
}

impl<T> Future for Call<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = match &mut self.stage {
            Stage::Waiting(meta, answer) => {
                let answer = std::task::ready!(Pin::new(answer).poll(context));
                // The session answers every request it was given; only a panic of its task can drop one.
                Some(answer.unwrap_or(Err(Cause::ConnectionLoss { may_have_applied: meta.write })))
            }
            Stage::Failed(_) | Stage::Done => None,
        };
        match (std::mem::replace(&mut self.stage, Stage::Done), answer) {
            (Stage::Waiting(mut meta, _), Some(answer)) => Poll::Ready((self.finish)(&mut meta, answer)),
            (Stage::Failed(error), _) => Poll::Ready(Err(error)),
            // A future that was ready must not be polled again; staying pending is the mildest answer to a caller that does.
            _ => Poll::Pending,
        }
    }
}

impl<T> fmt::Debug for Call<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Call");
        match &self.stage {
            Stage::Waiting(meta, _) => out.field("op", &meta.op).field("path", &meta.path),
            Stage::Failed(error) => out.field("error", error),
            Stage::Done => &mut out,
        }
        .finish_non_exhaustive()
    }
}

/// A call's end of its answer.
#[derive(Debug)]
pub(super) struct Completion {
    sender: oneshot::Sender<Answer>,
    trace: Option<Box<Trace>>,
}

impl Completion {
    /// Both ends of an answer.
    pub(super) fn channel(trace: Option<Box<Trace>>) -> (Self, oneshot::Receiver<Answer>) {
        let (sender, receiver) = oneshot::channel();
        (Completion { sender, trace }, receiver)
    }
}

impl Ticket for Completion {
    fn is_abandoned(&self) -> bool {
        self.sender.is_closed()
    }

    fn sent(&self, xid: i32) {
        if let Some(trace) = &self.trace {
            trace.sent(xid);
        }
    }

    fn replied(&self, zxid: Zxid) {
        if let Some(trace) = &self.trace {
            trace.replied(zxid);
        }
    }

    fn complete(self, answer: Answer) {
        if let Some(trace) = self.trace {
            trace.end(&answer);
        }
        // A call that was dropped meanwhile ignores its answer.
        let _ignored = self.sender.send(answer);
    }
}

/// `None` for a missing znode, which for some operations is an answer and not a failure.
pub(super) fn missing_is_none(answer: Answer) -> Result<Option<Bytes>, Cause> {
    match answer {
        Ok(record) => Ok(Some(record)),
        Err(Cause::Code { code: ErrorCode::NoNode, .. }) => Ok(None),
        Err(cause) => Err(cause),
    }
}
