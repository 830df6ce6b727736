//! Writes jute values to the end of a buffer. It never fails: lengths are bounded by what callers could hold.

use bytes::{BufMut, BytesMut};

use super::Encode;

/// Jute's primitives as methods of a growing buffer.
pub trait Put {
    /// One byte, 0 or 1.
    fn put_bool(&mut self, value: bool);
    /// Four bytes, big-endian.
    fn put_int(&mut self, value: i32);
    /// Eight bytes, big-endian.
    fn put_long(&mut self, value: i64);
    /// A string that is there.
    fn put_str(&mut self, value: &str);
    /// A string or null.
    fn put_opt_str(&mut self, value: Option<&str>);
    /// A buffer or null.
    fn put_buffer(&mut self, value: Option<&[u8]>);
    /// A counted vector.
    fn put_vector<T: Encode>(&mut self, values: &[T]);
}

impl Put for BytesMut {
    fn put_bool(&mut self, value: bool) {
        self.put_u8(u8::from(value));
    }

    fn put_int(&mut self, value: i32) {
        self.put_i32(value);
    }

    fn put_long(&mut self, value: i64) {
        self.put_i64(value);
    }

    fn put_str(&mut self, value: &str) {
        self.put_buffer(Some(value.as_bytes()));
    }

    fn put_opt_str(&mut self, value: Option<&str>) {
        self.put_buffer(value.map(str::as_bytes));
    }

    fn put_buffer(&mut self, value: Option<&[u8]>) {
        match value {
            None => self.put_i32(-1),
            Some(bytes) => {
                self.put_i32(bytes.len() as i32);
                self.put_slice(bytes);
            }
        }
    }

    fn put_vector<T: Encode>(&mut self, values: &[T]) {
        self.put_i32(values.len() as i32);
        for value in values {
            value.encode(self);
        }
    }
}
