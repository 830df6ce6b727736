//! The differential suite notices what it is there to notice: a server that lies in one field of one answer is found out,
//! by the scripts and by the random steps. The liar is a proxy in front of our own server.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use menagerie_core::wire::ErrorCode;
use menagerie_integration::TestResult;
use menagerie_integration::differential::duel::{self, Transcript};
use menagerie_integration::differential::step::Script;
use menagerie_integration::differential::{hunt, parse};
use menagerie_integration::liar::{self, Lie};
use menagerie_integration::server::Server;
use menagerie_integration::software::Software;

/// Where fields stand in the content of a frame.
const XID: usize = 0;
const ZXID: usize = 4;
const ERR: usize = 12;
const BODY: usize = 16;

const SCRIPT: &str = "
a connect
b connect
a create /x \"data\" open persistent
b getData /x watch
a create /x \"data\" open persistent
a setData /x \"more\" any
a getData /x -
a create /x/c null open ephemeral
b exists /x/c -
b getChildren2 /x watch
a delete /x/c any
a delete /x any
b getACL /x
a closeSession
";

/// A lie: what it is called, when it is told, and the step at which it must be noticed.
struct Planted {
    name: &'static str,
    step: &'static str,
    /// Changes the frame, and says whether it passes at all.
    lie: fn(&mut Vec<u8>) -> bool,
}

const PLANTED: &[Planted] = &[
    Planted {
        name: "another error code",
        step: "a create /x \"data\" open persistent",
        lie: |frame| replace_int(frame, ERR, ErrorCode::NodeExists.code(), ErrorCode::NoNode.code()),
    },
    Planted {
        name: "no error",
        step: "b getACL /x",
        lie: |frame| replace_int(frame, ERR, ErrorCode::NoNode.code(), 0),
    },
    Planted {
        name: "a zxid that is one too high",
        step: "a setData /x \"more\" any",
        lie: |frame| replace_int(frame, ZXID + 4, 5, 6),
    },
    Planted {
        name: "one bit of the data",
        step: "a getData /x -",
        lie: |frame| {
            if frame.get(BODY + 4..BODY + 8) == Some(b"more") && is_reply(frame) {
                frame[BODY + 4] ^= 1;
            }
            true
        },
    },
    Planted {
        name: "a version in a Stat",
        step: "a setData /x \"more\" any",
        lie: |frame| {
            // The version stands behind two zxids and two times.
            if frame.len() == BODY + 68 { replace_int(frame, BODY + 32, 1, 2) } else { true }
        },
    },
    Planted {
        name: "an owner in a Stat",
        step: "b exists /x/c -",
        lie: |frame| {
            // Behind the version stand those of the children and of the ACL.
            if frame.len() == BODY + 68 && frame[BODY + 44] != 0 {
                frame[BODY + 51] ^= 1;
            }
            true
        },
    },
    Planted {
        name: "a time in a Stat",
        step: "b getData /x watch",
        lie: |frame| {
            // Null or four bytes of data, two zxids.
            if frame.len() == BODY + 8 + 68 {
                frame[BODY + 8 + 16 + 7] ^= 1;
            }
            true
        },
    },
    Planted {
        name: "a child",
        step: "b getChildren2 /x watch",
        lie: |frame| {
            if frame.get(BODY..BODY + 8) == Some(&[0, 0, 0, 1, 0, 0, 0, 1]) && is_reply(frame) {
                frame[BODY + 8] ^= 1;
            }
            true
        },
    },
    Planted {
        name: "the kind of an event",
        step: "a setData /x \"more\" any",
        lie: |frame| {
            if is_reply(frame) { true } else { replace_int(frame, BODY, 3, 2) }
        },
    },
    Planted { name: "no event", step: "a delete /x/c any", lie: |frame| is_reply(frame) || frame[BODY + 3] != 4 },
];

#[test]
fn a_lie_is_noticed_at_the_step_in_which_it_is_told() -> TestResult {
    let script = parse::script(SCRIPT)?;
    let honest = Server::start_with(Software::menagerie()?, duel::SETTINGS)?;
    let truth = duel::play_on(&script, &[honest.port()])?.swap_remove(0);
    for planted in PLANTED {
        let said = heard_through(&script, changing(planted.lie))?;
        let mismatches = duel::mismatches(&script, &truth, &said);
        let steps: Vec<String> = mismatches
            .iter()
            .filter_map(|mismatch| script.steps.get(mismatch.index))
            .map(ToString::to_string)
            .collect();
        assert_eq!(steps.first().map(String::as_str), Some(planted.step), "{}: noticed at {steps:?}", planted.name);
    }
    Ok(())
}

#[test]
fn the_truth_is_no_lie() -> TestResult {
    let script = parse::script(SCRIPT)?;
    let truth = heard_through(&script, changing(|_| true))?;
    let again = heard_through(&script, changing(|_| true))?;
    assert_eq!(duel::mismatches(&script, &truth, &again), []);
    Ok(())
}

#[test]
fn a_reply_that_comes_before_its_event_is_noticed() -> TestResult {
    let script =
        parse::script("a connect\na create /x null open persistent\na getData /x watch\na setData /x null any\n")?;
    let truth = heard_through(&script, changing(|_| true))?;
    let kept: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());
    let late = move |frame: Vec<u8>| match kept.lock() {
        Ok(mut kept) if is_reply(&frame) => [vec![frame], std::mem::take(&mut *kept)].concat(),
        Ok(mut kept) => {
            kept.push(frame);
            Vec::new()
        }
        Err(_) => vec![frame],
    };
    let said = heard_through(&script, Arc::new(late))?;
    let steps: Vec<usize> = duel::mismatches(&script, &truth, &said).iter().map(|mismatch| mismatch.index).collect();
    assert_eq!(steps, [3]);
    Ok(())
}

/// An error code that is wrong in one of many answers is found by random steps, and shown by a few.
#[test]
fn a_lie_is_found_by_random_steps_and_shown_by_a_few() -> TestResult {
    let software = Software::menagerie()?;
    let servers = hunt::servers(&[software.clone(), software.clone()])?;
    let lies = Arc::new(AtomicUsize::new(0));
    let told = Arc::clone(&lies);
    let liar = liar::in_front_of(
        servers[1].port(),
        changing(move |frame| {
            let before = frame.clone();
            let passes = replace_int(frame, ERR, ErrorCode::NotEmpty.code(), ErrorCode::BadVersion.code());
            told.fetch_add(usize::from(before != *frame), Ordering::Relaxed);
            passes
        }),
    )?;
    let no_fresh_servers = || Err(std::io::Error::other("the lie needs no fresh servers to be seen again"));
    let bag = hunt::hunt([servers[0].port(), liar], 5_000, 1, no_fresh_servers)?;
    let found = bag.found.ok_or("the lie was not found")?;
    assert!(lies.load(Ordering::Relaxed) > 0);
    let text = found.script.to_string();
    let last = found.script.steps.last().map(ToString::to_string).unwrap_or_default();
    assert!(last.contains("delete"), "{text}");
    // A client for each znode at most, a parent, a child, and the deletion that is refused.
    assert!(found.script.steps.len() <= 8, "{text}");
    assert_eq!(found.mismatch.index, found.script.steps.len() - 1, "{text}");
    // What is printed is a script: whoever reads it can play it.
    assert_eq!(parse::script(&text)?.to_string(), text);
    Ok(())
}

#[test]
fn two_of_ours_never_differ() -> TestResult {
    let software = Software::menagerie()?;
    let servers = hunt::servers(&[software.clone(), software.clone()])?;
    let softwares = [software.clone(), software];
    let bag = hunt::hunt(servers.each_ref().map(Server::port), 2_000, 7, || hunt::servers(&softwares))?;
    if let Some(found) = bag.found {
        let names = ["menagerie", "menagerie"];
        let text = duel::describe("found", &found.script, &found.mismatch, names);
        return Err(format!("{text}\n{}", found.script).into());
    }
    assert_eq!(bag.steps, 2_000);
    Ok(())
}

/// A lie that changes frames in place.
fn changing(lie: impl Fn(&mut Vec<u8>) -> bool + Send + Sync + 'static) -> Arc<Lie> {
    Arc::new(move |mut frame| if lie(&mut frame) { vec![frame] } else { Vec::new() })
}

/// What is heard of a fresh server of ours through a liar.
fn heard_through(script: &Script, lie: Arc<Lie>) -> std::io::Result<Transcript> {
    let server = Server::start_with(Software::menagerie()?, duel::SETTINGS)?;
    let port = liar::in_front_of(server.port(), lie)?;
    Ok(duel::play_on(script, &[port])?.swap_remove(0))
}

/// Whether a frame answers a request: it has a header, and is no event. The answer to a connect request has no header, but
/// begins with zero.
fn is_reply(frame: &[u8]) -> bool {
    frame.get(XID..XID + 4) != Some(&(-1_i32).to_be_bytes()[..])
}

/// Replaces a number at a place of a frame, if it stands there.
fn replace_int(frame: &mut [u8], at: usize, from: i32, to: i32) -> bool {
    if let Some(place) = frame.get_mut(at..at + 4)
        && *place == from.to_be_bytes()
    {
        place.copy_from_slice(&to.to_be_bytes());
    }
    true
}
