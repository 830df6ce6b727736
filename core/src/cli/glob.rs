//! Patterns of names as a POSIX shell has them: `*`, `?`, `[a-z]`, `[!a]`, and a backslash that protects.
//!
//! Only text: no znodes.

/// Whether the whole of `text` is like `pattern`. A bracket that is not closed stands for itself. Takes time in the order of the product of
/// the two lengths at most.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut read) = (0, 0);
    // Where the last star stands, and how much of the text it has taken.
    let mut star: Option<(usize, usize)> = None;
    loop {
        if pattern.get(at) == Some(&'*') {
            star = Some((at, read));
            at += 1;
            continue;
        }
        if read == text.len() {
            return at == pattern.len();
        }
        if let Some(width) = one(&pattern[at..], text[read]) {
            at += width;
            read += 1;
            continue;
        }
        let Some((star_at, taken)) = star else { return false };
        star = Some((star_at, taken + 1));
        at = star_at + 1;
        read = taken + 1;
    }
}

/// How much of the pattern stands for this character, if it does.
fn one(pattern: &[char], c: char) -> Option<usize> {
    match *pattern {
        ['?', ..] => Some(1),
        ['\\', protected, ..] => (protected == c).then_some(2),
        ['[', ref rest @ ..] => match bracket(rest) {
            Some((set, negated, width)) => (contains(set, c) != negated).then_some(width + 1),
            None => (c == '[').then_some(1),
        },
        [plain, ..] => (plain == c).then_some(1),
        [] => None,
    }
}

/// What stands in brackets, whether it is what must not be, and the length up to the closing one.
fn bracket(rest: &[char]) -> Option<(&[char], bool, usize)> {
    let negated = matches!(rest, ['!' | '^', ..]);
    let begin = usize::from(negated);
    // A closing bracket at the beginning is one of the set.
    let end = begin + 1 + rest.get(begin + 1..)?.iter().position(|&c| c == ']')?;
    Some((&rest[begin..end], negated, end + 1))
}

fn contains(set: &[char], c: char) -> bool {
    match *set {
        [from, '-', to, ref rest @ ..] => (from..=to).contains(&c) || contains(rest, c),
        [one, ref rest @ ..] => one == c || contains(rest, c),
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::matches;
    use proptest::prelude::*;

    #[test]
    fn patterns_mean_what_a_shell_means() {
        for (pattern, text, same) in [
            ("", "", true),
            ("", "a", false),
            ("abc", "abc", true),
            ("*", "", true),
            ("*", "any/thing", true),
            ("w-*", "w-0000000001", true),
            ("w-*", "x-0000000001", false),
            ("*-*-b", "a-b-c-b", true),
            ("?b", "äb", true),
            ("?", "", false),
            ("[a-c]x", "bx", true),
            ("[a-c]x", "dx", false),
            ("[!a-c]x", "dx", true),
            ("[]a]", "]", true),
            ("[a-]", "-", true),
            ("[a", "[a", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXcYb", false),
        ] {
            assert_eq!(matches(pattern, text), same, "{pattern} {text}");
        }
    }

    proptest! {
        #[test]
        fn a_text_is_like_itself_and_like_its_beginning(text in "[a-z/.-]{0,20}", cut in 0_usize..20) {
            prop_assert!(matches(&text, &text));
            let beginning: String = text.chars().take(cut).collect();
            let pattern = beginning + "*";
            prop_assert!(matches(&pattern, &text));
        }

        #[test]
        fn never_panics(pattern in ".{0,20}", text in ".{0,20}") {
            matches(&pattern, &text);
        }
    }
}
