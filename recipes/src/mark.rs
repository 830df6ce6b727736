//! A GUID on the last line of a znode's data, for names that cannot hold one: it tells one attempt's znode from another's.
//! It never knows what the other lines say.

use bytes::Bytes;
use uuid::Uuid;

/// The length of `\n` and a hyphenated UUID.
const LENGTH: usize = 37;

/// A mark that no other attempt has.
pub(crate) fn new() -> String {
    format!("\n{}", Uuid::new_v4())
}

/// Data with their mark.
pub(crate) fn append(data: &[u8], mark: &str) -> Bytes {
    [data, mark.as_bytes()].concat().into()
}

/// Whether the data bear this mark.
pub(crate) fn bears(data: &Bytes, mark: &str) -> bool {
    data.ends_with(mark.as_bytes())
}

/// The data without their mark, if they bear one: what people made with a shell has none.
pub(crate) fn strip(data: &Bytes) -> Bytes {
    let Some(start) = data.len().checked_sub(LENGTH) else { return data.clone() };
    let (line_end, guid) = (data[start], &data[start + 1..]);
    let is_mark = line_end == b'\n' && Uuid::try_parse_ascii(guid).is_ok();
    if is_mark { data.slice(..start) } else { data.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_comes_off_and_nothing_else_does() {
        let mark = new();
        for data in ["", "x", "two\nlines"] {
            let marked = append(data.as_bytes(), &mark);
            assert!(bears(&marked, &mark) && !bears(&marked, &new()));
            assert_eq!(strip(&marked), data);
            assert_eq!(strip(&Bytes::from(data)), data);
        }
    }
}
