//! Delta debugging: leaves out of a list of steps what is not needed to see a difference. It never knows a server.

use std::io;

use super::duel::Mismatch;
use super::step::{Action, Arg, Step};

/// Leaves out steps, from large pieces to single ones and operations of multis, as long as `differs` finds a difference
/// in the rest. Returns the steps up to the difference, and the difference.
pub fn shrink(
    mut steps: Vec<Step>,
    mut last: Mismatch,
    differs: &mut impl FnMut(&[Step]) -> io::Result<Option<Mismatch>>,
) -> io::Result<(Vec<Step>, Mismatch)> {
    steps.truncate(last.index + 1);
    let mut piece = steps.len().div_ceil(2);
    while piece > 0 {
        let before = steps.len();
        let mut from = 0;
        while from < steps.len() {
            let to = (from + piece).min(steps.len());
            let rest = [&steps[..from], &steps[to..]].concat();
            match differs(&rest)? {
                Some(mismatch) => {
                    steps = rest;
                    steps.truncate(mismatch.index + 1);
                    last = mismatch;
                }
                None => from = to,
            }
        }
        // Single steps are tried until none can be left out: one may have needed another that is gone.
        piece = if piece == 1 && steps.len() < before { 1 } else { piece / 2 };
    }
    let mut index = 0;
    while index < steps.len() {
        // What still differs is made simpler again, until nothing simpler differs.
        match simplified(&steps, index, differs)? {
            Some(found) => (steps, last) = found,
            None => index += 1,
        }
    }
    Ok((steps, last))
}

/// The steps with that at `index` made simpler, when they still differ at their end.
fn simplified(
    steps: &[Step],
    index: usize,
    differs: &mut impl FnMut(&[Step]) -> io::Result<Option<Mismatch>>,
) -> io::Result<Option<(Vec<Step>, Mismatch)>> {
    for simpler in simpler(&steps[index]) {
        let mut candidate = steps.to_vec();
        candidate[index] = simpler;
        if let Some(mismatch) = differs(&candidate)?.filter(|mismatch| mismatch.index + 1 == candidate.len()) {
            return Ok(Some((candidate, mismatch)));
        }
    }
    Ok(None)
}

/// The step without waiting for nothing, and with one operation of its multi less.
fn simpler(step: &Step) -> Vec<Step> {
    let mut simpler = Vec::new();
    if step.more {
        simpler.push(Step { more: false, ..step.clone() });
    }
    if let Action::Request(request) = &step.action
        && let [Arg::Ops(ops)] = request.op.args.as_slice()
    {
        for left_out in 0..ops.len() {
            let mut fewer = ops.clone();
            fewer.remove(left_out);
            let mut request = request.clone();
            request.op.args = vec![Arg::Ops(fewer)];
            simpler.push(Step { action: Action::Request(request), ..step.clone() });
        }
    }
    simpler
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::super::parse;
    use super::*;

    /// A difference that needs two steps, and one operation of the second.
    fn differs(steps: &[Step]) -> Option<Mismatch> {
        let made = steps.iter().position(|step| step.to_string() == "a delete /x any")?;
        let seen =
            steps.iter().skip(made).position(|step| step.ops().iter().any(|op| op.to_string() == "check /y 1"))?;
        Some(Mismatch { index: made + seen, heard: [Vec::new(), Vec::new()] })
    }

    #[test]
    fn what_is_not_needed_is_left_out() {
        let mut steps: Vec<Step> =
            (0..40).map(|number| parse::step(&format!("a getData /{number} -"), 0).unwrap()).collect();
        steps.insert(7, parse::step("a delete /x any", 0).unwrap());
        steps.insert(31, parse::step("b multi (check /z 2) (check /y 1) (check /z 3)", 0).unwrap());
        let first = differs(&steps).unwrap();
        let mut tries = 0;
        let (small, mismatch) = shrink(steps, first, &mut |steps| {
            tries += 1;
            Ok(differs(steps))
        })
        .unwrap();
        let small: Vec<String> = small.iter().map(ToString::to_string).collect();
        assert_eq!(small, ["a delete /x any", "b multi (check /y 1)"]);
        assert_eq!(mismatch.index, 1);
        assert!(tries < 100, "{tries} tries");
    }
}
