//! The value types of `zoo.cfg`: each either reads a value or says what would have been allowed.

use std::fmt::Display;
use std::str::FromStr;

use crate::server::config::ConfigError;

/// The largest number that the reference, which holds them in a Java `int`, can read.
pub(super) const MAX_INT: u32 = i32::MAX as u32;

/// The longest tick of which twenty still fit in a Java `int`, so that the default session timeouts do.
pub(super) const MAX_TICK_MS: u32 = MAX_INT / 20;

/// A value is not allowed; holds what would be.
#[derive(Debug)]
pub(super) struct Bad(String);

impl Bad {
    pub(super) fn new(allowed: impl Into<String>) -> Self {
        Self(allowed.into())
    }

    /// Adds where the value stands.
    pub(super) fn at(self, origin: &str, key: &str, value: &str) -> ConfigError {
        let (origin, key, value) = (origin.to_owned(), key.to_owned(), value.to_owned());
        ConfigError::BadValue { origin, key, value, allowed: self.0 }
    }
}

/// The text to the right of a key.
#[derive(Clone, Copy)]
pub(super) struct Value<'a>(pub(super) &'a str);

impl Value<'_> {
    /// `true` or `false`, in any case.
    pub(super) fn boolean(self) -> Result<bool, Bad> {
        self.word(&[("true", true), ("false", false)])
    }

    /// `yes` or `no`, in any case.
    pub(super) fn yes_no(self) -> Result<bool, Bad> {
        self.word(&[("yes", true), ("no", false)])
    }

    /// A number from `min` to `max`, decimal or with `0x` in front.
    pub(super) fn int<T>(self, min: T, max: T) -> Result<T, Bad>
    where
        T: TryFrom<i64> + PartialOrd + Display + Copy,
    {
        let number = self.long().ok().and_then(|number| T::try_from(number).ok());
        let inside = number.filter(|number| (min..=max).contains(number));
        inside.ok_or_else(|| Bad(format!("a number from {min} to {max}")))
    }

    /// A port: 0 to 65535.
    pub(super) fn port(self) -> Result<u16, Bad> {
        self.int(0, u16::MAX)
    }

    /// A number of at least `min`; -1 is `None`, which stands for the default.
    pub(super) fn int_or_default(self, min: u32) -> Result<Option<u32>, Bad> {
        if self.0 == "-1" {
            return Ok(None);
        }
        let number = self.int(min, MAX_INT);
        number.map(Some).map_err(|Bad(allowed)| Bad(format!("{allowed}, or -1 for the default")))
    }

    /// Any whole number of 64 bits, decimal or with `0x` in front.
    pub(super) fn long(self) -> Result<i64, Bad> {
        let hexadecimal = self.0.strip_prefix("0x").or_else(|| self.0.strip_prefix("0X"));
        let number = match hexadecimal {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => i64::from_str_radix(digits, 16),
            _ => i64::from_str(self.0),
        };
        number.map_err(|_| Bad::new("a whole number"))
    }

    /// A decimal fraction.
    pub(super) fn decimal(self) -> Result<f64, Bad> {
        let number = f64::from_str(self.0).ok().filter(|number| number.is_finite());
        number.ok_or_else(|| Bad::new("a decimal number such as 0.33"))
    }

    /// A duration in milliseconds: a number of hours, or one with a unit (ms, s, m, h, d). Zero and less is `None`, off.
    pub(super) fn hours_ms(self) -> Result<Option<u64>, Bad> {
        let digits = self.0.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit_ms = match self.0[digits.len()..].trim() {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "" | "h" => 3_600_000,
            "d" => 86_400_000,
            _ => 0,
        };
        let number = Value(digits.trim()).long().ok().filter(|_| unit_ms > 0);
        let ms = number.and_then(|number| number.checked_mul(unit_ms));
        let ms =
            ms.ok_or_else(|| Bad::new("a number of hours, or one with a unit (ms, s, m, h, d), such as 24 or 30m"))?;
        Ok(u64::try_from(ms).ok().filter(|&ms| ms > 0))
    }

    /// One of some words, in any case.
    pub(super) fn word<T: Copy>(self, words: &[(&str, T)]) -> Result<T, Bad> {
        let found = words.iter().find(|(word, _)| self.0.eq_ignore_ascii_case(word));
        found.map(|&(_, meaning)| meaning).ok_or_else(|| {
            let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            Bad(words.join(" or "))
        })
    }

    /// Text that is not empty.
    pub(super) fn text(self) -> Result<String, Bad> {
        if self.0.is_empty() { Err(Bad::new("a value after the key")) } else { Ok(self.0.to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn numbers() {
        let table = [
            ("0", Some(0)),
            ("100", Some(100)),
            ("0x64", Some(100)),
            ("101", None),
            ("-1", None),
            ("1.5", None),
            ("", None),
            ("0x-1", None),
            ("99999999999999999999", None),
        ];
        for (text, expected) in table {
            assert_eq!(Value(text).int(0u32, 100).ok(), expected, "{text}");
        }
    }

    #[test]
    fn purge_intervals_are_hours_unless_they_have_a_unit() {
        let table = [
            ("0", Some(None)),
            ("-1", Some(None)),
            ("24", Some(Some(86_400_000))),
            ("30m", Some(Some(1_800_000))),
            ("5s", Some(Some(5000))),
            ("7 d", Some(Some(604_800_000))),
            ("250ms", Some(Some(250))),
            ("1w", None),
            ("h", None),
            ("9223372036854775807", None),
        ];
        for (text, expected) in table {
            assert_eq!(Value(text).hours_ms().ok(), expected, "{text}");
        }
    }

    #[test]
    fn words_may_be_in_any_case_and_nothing_else() {
        assert!(Value("TRUE").boolean().unwrap());
        assert!(!Value("No").yes_no().unwrap());
        for bad in ["yes", "1", ""] {
            assert!(Value(bad).boolean().is_err(), "{bad}");
        }
    }
}
