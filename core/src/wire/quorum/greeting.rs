//! The first bytes on a connection of the election port: who dials, and where to dial back (protocol §5.1).
//!
//! Write a greeting in one piece: the reference reads the addresses with a single call.

use bytes::{Buf, BytesMut};

use crate::jute::{Encode, Put};
use crate::wire::HostPort;

/// The longest text of addresses, in bytes.
pub const MAX_GREETING_ADDRESSES: usize = 2048;

const ONE_ADDRESS: i64 = -65536;
const MANY_ADDRESSES: i64 = -65535;
/// Version, id and length.
const HEAD: usize = 20;

/// Who dials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// The dialer's number, `myid`.
    pub server_id: i64,
    /// Its addresses of the election port; none from servers of 3.4.
    pub addresses: Vec<HostPort>,
    /// Whether the form for several addresses is written, which needs `multiAddress.enabled` and 3.6 on the other side.
    pub multi_address: bool,
}

/// Bytes that are no greeting: close the connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GreetingError {
    /// Neither a server's id nor a known version of the protocol.
    #[error("protocol version {0} of the election port is not known")]
    UnknownVersion(
        /// The version read.
        i64,
    ),
    /// A length outside of 1 to [`MAX_GREETING_ADDRESSES`].
    #[error("election addresses of {0} bytes")]
    BadLength(
        /// The length read.
        i32,
    ),
    /// Not `host:port`, or several of them with `|` between.
    #[error("`{0}` is no election address")]
    BadAddress(
        /// The text read.
        String,
    ),
}

impl Greeting {
    /// Takes a whole greeting off the front of `input`; `None` while it is incomplete.
    ///
    /// # Errors
    /// [`GreetingError`] when it can be none.
    pub fn take(input: &mut BytesMut) -> Result<Option<Self>, GreetingError> {
        let Some(version) = long_at(input, 0) else { return Ok(None) };
        if version >= 0 {
            input.advance(8);
            return Ok(Some(Greeting { server_id: version, addresses: Vec::new(), multi_address: false }));
        }
        if version != ONE_ADDRESS && version != MANY_ADDRESSES {
            return Err(GreetingError::UnknownVersion(version));
        }
        let (Some(server_id), Some(length)) = (long_at(input, 8), input.get(16..).and_then(<[u8]>::first_chunk::<4>))
        else {
            return Ok(None);
        };
        let length = i32::from_be_bytes(*length);
        let bytes = usize::try_from(length).unwrap_or_default();
        if bytes == 0 || bytes > MAX_GREETING_ADDRESSES {
            return Err(GreetingError::BadLength(length));
        }
        let Some(text) = input.get(HEAD..HEAD + bytes) else { return Ok(None) };
        let text = String::from_utf8_lossy(text);
        let multi_address = version == MANY_ADDRESSES;
        let parts: Vec<&str> = if multi_address { text.split('|').collect() } else { vec![&text] };
        let addresses = parts.into_iter().map(address).collect::<Result<_, _>>()?;
        input.advance(HEAD + bytes);
        Ok(Some(Greeting { server_id, addresses, multi_address }))
    }
}

impl Encode for Greeting {
    fn encode(&self, out: &mut BytesMut) {
        out.put_long(if self.multi_address { MANY_ADDRESSES } else { ONE_ADDRESS });
        out.put_long(self.server_id);
        let count = if self.multi_address { self.addresses.len() } else { 1 };
        let texts: Vec<String> = self.addresses.iter().take(count).map(HostPort::to_string).collect();
        out.put_str(&texts.join("|"));
    }
}

fn long_at(input: &[u8], at: usize) -> Option<i64> {
    input.get(at..).and_then(<[u8]>::first_chunk::<8>).map(|bytes| i64::from_be_bytes(*bytes))
}

/// `host:port`, with an IPv6 address in brackets.
fn address(text: &str) -> Result<HostPort, GreetingError> {
    let bad = || GreetingError::BadAddress(text.to_owned());
    let (host, port) = text.rsplit_once(':').ok_or_else(bad)?;
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = inner.unwrap_or(host);
    if host.is_empty() || (inner.is_none() && host.contains(':')) {
        return Err(bad());
    }
    Ok(HostPort { host: host.to_owned(), port: port.parse().map_err(|_| bad())? })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_bare_id_is_a_greeting_of_3_4() {
        let mut input = BytesMut::from(&[0, 0, 0, 0, 0, 0, 0, 3, 9][..]);
        let greeting = Greeting::take(&mut input).unwrap().unwrap();
        assert_eq!(greeting, Greeting { server_id: 3, addresses: Vec::new(), multi_address: false });
        assert_eq!(&input[..], [9]);
    }

    #[test]
    fn what_is_no_greeting_is_refused() {
        let mut head = BytesMut::new();
        head.put_long(ONE_ADDRESS);
        head.put_long(1);
        let with = |length: i32, text: &str| {
            let mut input = head.clone();
            input.put_int(length);
            input.extend_from_slice(text.as_bytes());
            Greeting::take(&mut input)
        };
        for length in [0, -1, 2049] {
            assert_eq!(with(length, ""), Err(GreetingError::BadLength(length)));
        }
        for text in ["a", ":1", "a:70000", "a:1|b:2", "fe80::1:2", "[::1:2"] {
            assert_eq!(with(text.len() as i32, text), Err(GreetingError::BadAddress(text.to_owned())));
        }
        let mut unknown = BytesMut::from(&[0xff; 20][..]);
        assert_eq!(Greeting::take(&mut unknown), Err(GreetingError::UnknownVersion(-1)));
    }

    proptest! {
        #[test]
        fn what_is_written_is_taken_back(
            server_id in 0i64..255,
            hosts in prop::collection::vec("([a-z0-9.]{1,12}|[0-9a-f]{1,4}::[0-9a-f]{1,4})", 1..4),
            multi_address: bool,
            cut in 0usize..20,
        ) {
            let mut addresses: Vec<_> = hosts.into_iter().map(|host| HostPort { host, port: 3888 }).collect();
            if !multi_address {
                addresses.truncate(1);
            }
            let greeting = Greeting { server_id, addresses, multi_address };
            let bytes = greeting.to_bytes();
            let mut input = BytesMut::from(&bytes[..cut.min(bytes.len() - 1)]);
            prop_assert_eq!(Greeting::take(&mut input), Ok(None));
            let mut input = BytesMut::from(&bytes[..]);
            prop_assert_eq!(Greeting::take(&mut input), Ok(Some(greeting)));
        }

        #[test]
        fn never_panics(bytes in prop::collection::vec(0u8.., 0..60)) {
            let _ = Greeting::take(&mut BytesMut::from(&bytes[..]));
        }
    }
}
