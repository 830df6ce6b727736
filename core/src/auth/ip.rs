//! The `ip` scheme: an address, or an address and how many of its bits count (protocol §2.10).

use std::net::{IpAddr, Ipv4Addr};

/// Whether the text is `address` or `address/bits`.
pub(super) fn is_valid(id: &str) -> bool {
    parse(id).is_some()
}

/// Whether the caller's address lies in what the entry names.
pub(super) fn matches(entry: &str, caller: &str) -> bool {
    let (Some((network, bits)), Ok(address)) = (parse(entry), caller.parse::<IpAddr>()) else { return false };
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let differ = u32::from(network) ^ u32::from(address);
            differ.checked_shr(32 - bits).unwrap_or(0) == 0
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let differ = u128::from(network) ^ u128::from(address);
            differ.checked_shr(128 - bits).unwrap_or(0) == 0
        }
        _ => false,
    }
}

fn parse(id: &str) -> Option<(IpAddr, u32)> {
    let (address, bits) = match id.split_once('/') {
        Some((address, bits)) => (address, Some(bits.parse::<u32>().ok()?)),
        None => (id, None),
    };
    let address = v4(address).map(IpAddr::V4).or_else(|| address.parse().ok())?;
    let width = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.unwrap_or(width);
    (bits <= width).then_some((address, bits))
}

/// Four numbers, as the reference reads them: `010` is ten, and lists that say so are in its data.
fn v4(address: &str) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut parts = address.split('.');
    for octet in &mut octets {
        *octet = parts.next()?.parse().ok()?;
    }
    parts.next().is_none().then(|| octets.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_addresses() {
        assert!(matches("10.0.0.0/8", "10.9.9.9") && !matches("10.0.0.0/8", "11.0.0.1"));
        assert!(matches("127.0.0.1", "127.0.0.1") && !matches("127.0.0.1", "127.0.0.2"));
        assert!(matches("0.0.0.0/0", "8.8.8.8") && matches("::/0", "::1") && !matches("::/0", "1.1.1.1"));
        assert!(matches("127.000.0.001", "127.0.0.1") && matches("010.0.0.0/8", "10.1.1.1"));
        for bad in ["1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.-4", "1.2..4", "1.2.3.4/", "/8", ""] {
            assert!(!is_valid(bad), "{bad}");
        }
        assert!(!is_valid("10.0.0.0/33") && !is_valid("ten") && is_valid("fe80::/10"));
    }
}
