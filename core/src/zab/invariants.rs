//! What must hold of a member after every input. Checked in builds with debug assertions, and so in every simulated run.

use super::core::Core;

pub(super) fn check(core: &Core) {
    let (epochs, log) = (core.epochs, &core.log);
    debug_assert!(
        epochs.current() <= epochs.accepted(),
        "a history is taken over after its epoch is promised: {epochs:?}"
    );
    debug_assert!(log.delivered() <= log.last(), "only what is in the log is delivered");
    debug_assert!(log.committed() <= log.delivered(), "what is committed is delivered at once");
    debug_assert!(log.base() <= log.last(), "the window is the end of the log");
}
