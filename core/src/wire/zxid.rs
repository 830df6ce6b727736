//! The transaction id: an epoch in the high 32 bits, a counter in the low 32.

use bytes::BytesMut;

use crate::jute::{Decode, DecodeError, Encode, Put, Reader};

/// A transaction id. Ids order all changes of an ensemble; the derived order is the order of the signed value, as in the
/// reference.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Zxid(pub i64);

impl Zxid {
    /// Before every transaction.
    pub const ZERO: Zxid = Zxid(0);

    /// The first id of an epoch's counter, `epoch << 32 | counter`.
    pub const fn new(epoch: u32, counter: u32) -> Self {
        Zxid(((epoch as i64) << 32) | counter as i64)
    }

    /// Which leader's reign the transaction belongs to.
    pub const fn epoch(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The transaction's place within its epoch.
    pub const fn counter(self) -> u32 {
        self.0 as u32
    }

    /// The id after this one. At the end of an epoch's counter it runs into the next epoch; leaders step down before that.
    #[must_use]
    pub const fn next(self) -> Self {
        Zxid(self.0.wrapping_add(1))
    }
}

/// `0x` and lower-case hexadecimal, as logs, file names and four-letter words print it.
impl std::fmt::Display for Zxid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "0x{:x}", self.0)
    }
}

impl std::fmt::Debug for Zxid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Zxid({self})")
    }
}

impl Encode for Zxid {
    fn encode(&self, out: &mut BytesMut) {
        out.put_long(self.0);
    }
}

impl Decode for Zxid {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.long().map(Zxid)
    }
}

#[cfg(test)]
mod tests {
    use super::Zxid;

    #[test]
    fn an_epoch_and_a_counter_make_a_zxid() {
        let zxid = Zxid::new(3, 7);
        assert_eq!((zxid.epoch(), zxid.counter(), zxid.to_string().as_str()), (3, 7, "0x300000007"));
        assert_eq!(Zxid::new(1, u32::MAX).next(), Zxid::new(2, 0));
    }
}
