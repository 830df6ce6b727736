//! Compares the digests of trees that several servers remember, one for every 128th zxid.

use std::collections::BTreeMap;

use super::survey::Survey;

/// What the comparison of two servers gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Comparison {
    /// Zxids of which both have a digest.
    pub(super) common: usize,
    /// The last of them, if the digests differ there. An earlier difference that is gone by then is none: a member that was sent
    /// a snapshot while clients wrote is ahead of the zxid in its name, and the transactions that follow bring both together.
    pub(super) differs_at: Option<u64>,
}

/// Compares two servers.
pub(super) fn compare(left: &BTreeMap<u64, u64>, right: &BTreeMap<u64, u64>) -> Comparison {
    let both = left.iter().filter_map(|(zxid, digest)| Some((*zxid, *digest, *right.get(zxid)?)));
    let (mut common, mut differs_at) = (0, None);
    for (zxid, left, right) in both {
        common += 1;
        differs_at = (left != right).then_some(zxid);
    }
    Comparison { common, differs_at }
}

/// Pairs of members whose trees differ, with the zxid.
pub(super) fn disagreements(survey: &Survey) -> Vec<(i64, i64, u64)> {
    let known = survey.members.iter().filter_map(|(id, member)| Some((*id, member.answer()?.digests.as_ref()?)));
    let known: Vec<_> = known.collect();
    let mut found = Vec::new();
    for (index, (id, digests)) in known.iter().enumerate() {
        for (other, others) in known.iter().skip(index + 1) {
            found.extend(compare(digests, others).differs_at.map(|zxid| (*id, *other, zxid)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_both_have_is_compared() {
        let tree = |pairs: &[(u64, u64)]| pairs.iter().copied().collect::<BTreeMap<_, _>>();
        let left = tree(&[(128, 1), (256, 2), (384, 3)]);
        assert_eq!(compare(&left, &tree(&[(256, 2), (512, 9)])), Comparison { common: 1, differs_at: None });
        assert_eq!(compare(&left, &tree(&[(256, 3), (384, 4)])), Comparison { common: 2, differs_at: Some(384) });
        assert_eq!(compare(&left, &tree(&[(256, 3), (384, 3)])), Comparison { common: 2, differs_at: None });
        assert_eq!(compare(&left, &tree(&[])), Comparison { common: 0, differs_at: None });
    }
}
