//! A DynamoDB number: up to 38 significant digits, magnitude from 1E-130 to 9.99…E+125, and zero.
//!
//! Invariants: the digits have no leading or trailing zeros, so equal numbers have equal values and bytes.
//! The encoding sorts like the numbers, byte by byte, and is self-terminating, so other parts of a key can
//! follow it.

use std::cmp::Ordering;
use std::fmt::{self, Write as _};

const MAX_DIGITS: usize = 38;
/// The exponents that DynamoDB allows, for a number written as 0.d₁d₂… × 10^exponent.
const EXPONENTS: std::ops::RangeInclusive<i32> = -129..=126;

const NEGATIVE: u8 = 1;
const ZERO: u8 = 2;
const POSITIVE: u8 = 3;
/// Terminates the digits of an encoded number. Digit pairs are stored as 2 to 101.
const END: u8 = 1;

/// The reason why a text or a result is not a valid DynamoDB number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    #[error("The parameter cannot be converted to a numeric value")]
    NotANumber,
    #[error("Attempting to store more than 38 significant digits in a Number")]
    TooManyDigits,
    #[error("Number overflow. Attempting to store a number with magnitude larger than supported range")]
    Overflow,
    #[error("Number underflow. Attempting to store a number with magnitude smaller than supported range")]
    Underflow,
}

/// A decimal number: ± 0.d₁d₂… × 10^exponent, or zero, which has no digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Number {
    negative: bool,
    exponent: i32,
    /// Digits 0 to 9. The first and the last are not zero.
    digits: Vec<u8>,
}

impl Number {
    pub const ZERO: Self = Self { negative: false, exponent: 0, digits: Vec::new() };

    /// Parses a decimal text such as `-12.5e3`.
    pub fn parse(text: &str) -> Result<Self, NumberError> {
        let (negative, rest) = match text.as_bytes() {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        let split = rest.iter().position(|byte| matches!(byte, b'e' | b'E'));
        let (mantissa, power) = match split.and_then(|at| rest.split_at_checked(at)) {
            Some((mantissa, power)) => (mantissa, parse_power(power)?),
            None => (rest, 0),
        };
        let mut digits = Vec::with_capacity(mantissa.len());
        let mut point = None;
        for byte in mantissa {
            match byte {
                b'0'..=b'9' => digits.push(byte - b'0'),
                b'.' if point.is_none() => point = Some(digits.len()),
                _ => return Err(NumberError::NotANumber),
            }
        }
        if digits.is_empty() {
            return Err(NumberError::NotANumber);
        }
        let whole = i32::try_from(point.unwrap_or(digits.len())).map_err(|_| NumberError::Overflow)?;
        Self::normalized(negative, power.saturating_add(whole), digits)
    }

    pub fn from_count(count: usize) -> Self {
        Self::parse(&count.to_string()).unwrap_or(Self::ZERO)
    }

    fn normalized(negative: bool, mut exponent: i32, mut digits: Vec<u8>) -> Result<Self, NumberError> {
        let zeros = digits.iter().take_while(|digit| **digit == 0).count();
        digits.drain(..zeros);
        exponent = exponent.saturating_sub(i32::try_from(zeros).unwrap_or(i32::MAX));
        while digits.last() == Some(&0) {
            digits.pop();
        }
        if digits.is_empty() {
            return Ok(Self::ZERO);
        }
        if exponent > *EXPONENTS.end() {
            return Err(NumberError::Overflow);
        }
        if exponent < *EXPONENTS.start() {
            return Err(NumberError::Underflow);
        }
        if digits.len() > MAX_DIGITS {
            return Err(NumberError::TooManyDigits);
        }
        Ok(Self { negative, exponent, digits })
    }

    fn negated(&self) -> Self {
        Self { negative: !self.negative && !self.digits.is_empty(), ..self.clone() }
    }

    /// Returns the exact sum.
    pub fn add(&self, other: &Self) -> Result<Self, NumberError> {
        if self.digits.is_empty() {
            return Ok(other.clone());
        }
        if other.digits.is_empty() {
            return Ok(self.clone());
        }
        let (large, small) = if self.magnitude(other).is_ge() { (self, other) } else { (other, self) };
        let (mut high, mut low) = (large.digits.clone(), small.digits.clone());
        // Aligns both numbers: the same exponent and the same number of digits.
        let gap = usize::try_from(large.exponent.saturating_sub(small.exponent)).unwrap_or(0);
        low.splice(0..0, std::iter::repeat_n(0, gap));
        let length = high.len().max(low.len());
        high.resize(length, 0);
        low.resize(length, 0);
        if large.negative == small.negative {
            let carry = add_digits(&mut high, &low);
            if carry > 0 {
                high.insert(0, carry);
            }
            return Self::normalized(large.negative, large.exponent + i32::from(carry), high);
        }
        subtract_digits(&mut high, &low);
        Self::normalized(large.negative, large.exponent, high)
    }

    /// Returns the exact difference.
    pub fn subtract(&self, other: &Self) -> Result<Self, NumberError> {
        self.add(&other.negated())
    }

    fn magnitude(&self, other: &Self) -> Ordering {
        self.exponent.cmp(&other.exponent).then_with(|| self.digits.cmp(&other.digits))
    }

    /// Appends the encoding, which sorts like the number.
    pub fn encode(&self, into: &mut Vec<u8>) {
        if self.digits.is_empty() {
            into.push(ZERO);
            return;
        }
        into.push(if self.negative { NEGATIVE } else { POSITIVE });
        // Among negative numbers, a larger magnitude is a smaller number, so the bytes are inverted.
        let flip = if self.negative { 0xFF } else { 0 };
        let exponent = u8::try_from(self.exponent - EXPONENTS.start()).unwrap_or(u8::MAX);
        into.push(exponent ^ flip);
        for pair in self.digits.chunks(2) {
            let tens = pair.first().copied().unwrap_or(0);
            let ones = pair.get(1).copied().unwrap_or(0);
            into.push((tens * 10 + ones + 2) ^ flip);
        }
        into.push(END ^ flip);
    }

    /// Decodes a number from the front and returns it with the remaining bytes. Returns `None` if the bytes
    /// are not a number.
    pub fn decode(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (sign, rest) = bytes.split_first()?;
        let negative = match *sign {
            ZERO => return Some((Self::ZERO, rest)),
            NEGATIVE => true,
            POSITIVE => false,
            _ => return None,
        };
        let flip = if negative { 0xFF } else { 0 };
        let (exponent, rest) = rest.split_first()?;
        let exponent = i32::from(exponent ^ flip) + EXPONENTS.start();
        let end = rest.iter().position(|byte| byte ^ flip == END)?;
        let (pairs, rest) = rest.split_at_checked(end)?;
        let mut digits = Vec::with_capacity(pairs.len() * 2);
        for pair in pairs {
            let pair = (pair ^ flip).checked_sub(2).filter(|pair| *pair < 100)?;
            digits.extend([pair / 10, pair % 10]);
        }
        let rest = rest.get(1..)?;
        Some((Self::normalized(negative, exponent, digits).ok()?, rest))
    }
}

/// Returns the bytes that DynamoDB counts for an encoded number in an item's size: one for each pair of
/// digits, one for the exponent, and one for a negative sign. The encoding consists of the pairs, sign,
/// exponent and terminator.
pub fn encoded_size(bytes: &[u8]) -> usize {
    match bytes.first() {
        Some(&NEGATIVE) => bytes.len().saturating_sub(1),
        Some(&POSITIVE) => bytes.len().saturating_sub(2),
        _ => 1,
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |number: &Self| match (number.digits.is_empty(), number.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        sign(self).cmp(&sign(other)).then_with(|| {
            let magnitude = self.magnitude(other);
            if self.negative { magnitude.reverse() } else { magnitude }
        })
    }
}

/// Formats the number as plain digits without an exponent, as DynamoDB returns it.
impl fmt::Display for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.digits.is_empty() {
            return formatter.write_char('0');
        }
        if self.negative {
            formatter.write_char('-')?;
        }
        let whole = usize::try_from(self.exponent).unwrap_or(0);
        if whole == 0 {
            formatter.write_str("0.")?;
            let zeros = self.exponent.unsigned_abs();
            (0..zeros).try_for_each(|_| formatter.write_char('0'))?;
        }
        for position in 0..self.digits.len().max(whole) {
            if position == whole && whole > 0 {
                formatter.write_char('.')?;
            }
            let digit = self.digits.get(position).copied().unwrap_or(0);
            formatter.write_char(char::from(b'0' + digit))?;
        }
        Ok(())
    }
}

fn parse_power(power: &[u8]) -> Result<i32, NumberError> {
    let text = power.get(1..).and_then(|digits| std::str::from_utf8(digits).ok());
    let text = text.ok_or(NumberError::NotANumber)?;
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NumberError::NotANumber);
    }
    let bound = if text.starts_with('-') { -1_000_000 } else { 1_000_000 };
    Ok(text.parse::<i32>().map_or(bound, |power| power.clamp(-1_000_000, 1_000_000)))
}

/// Adds digits of the same length in place and returns the carry.
fn add_digits(high: &mut [u8], low: &[u8]) -> u8 {
    let mut carry = 0;
    for (digit, other) in high.iter_mut().zip(low).rev() {
        let sum = *digit + other + carry;
        *digit = sum % 10;
        carry = sum / 10;
    }
    carry
}

/// Subtracts the smaller digits from the larger ones in place. Both have the same length.
fn subtract_digits(high: &mut [u8], low: &[u8]) {
    let mut borrow = 0;
    for (digit, other) in high.iter_mut().zip(low).rev() {
        let taken = other + borrow;
        borrow = u8::from(*digit < taken);
        *digit = *digit + borrow * 10 - taken;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn encoded(number: &Number) -> Vec<u8> {
        let mut bytes = Vec::new();
        number.encode(&mut bytes);
        bytes
    }

    #[test]
    fn numbers_are_written_without_an_exponent_in_their_shortest_form() {
        for (given, written) in [
            ("1.0", "1"),
            ("-0", "0"),
            ("0E200", "0"),
            ("+5", "5"),
            (".5", "0.5"),
            ("1.", "1"),
            ("00012", "12"),
            ("1e2", "100"),
            ("-12.50e-3", "-0.0125"),
            ("1e-3", "0.001"),
            ("123.456", "123.456"),
        ] {
            assert_eq!(number(given).to_string(), written, "{given}");
        }
    }

    #[test]
    fn invalid_and_out_of_range_numbers_are_rejected() {
        for text in
            ["", " 5", "5 ", "abc", "0x1", "1e", "1_0", "NaN", "Infinity", ".", "-", "1e+", "1.2.3", "１"]
        {
            assert_eq!(Number::parse(text), Err(NumberError::NotANumber), "{text}");
        }
        assert_eq!(Number::parse("1E+126"), Err(NumberError::Overflow));
        assert_eq!(Number::parse("1E999999999999"), Err(NumberError::Overflow));
        assert_eq!(Number::parse("1E-131"), Err(NumberError::Underflow));
        assert_eq!(Number::parse(&"1".repeat(39)), Err(NumberError::TooManyDigits));
        assert!(Number::parse(&format!("{}00000", "1".repeat(38))).is_ok());
        assert!(Number::parse(&format!("{}E+88", "9".repeat(38))).is_ok());
        assert!(Number::parse("1E-130").is_ok());
    }

    #[test]
    fn sums_are_exact_or_rejected() {
        let sum = |a: &str, b: &str| number(a).add(&number(b)).map(|sum| sum.to_string());
        assert_eq!(sum("0.1", "0.2").as_deref(), Ok("0.3"));
        assert_eq!(sum("5", "-7").as_deref(), Ok("-2"));
        assert_eq!(sum("1", "-1").as_deref(), Ok("0"));
        assert_eq!(sum(&"9".repeat(38), "1").as_deref(), Ok(&*format!("1{}", "0".repeat(38))));
        assert_eq!(sum(&"9".repeat(38), "2"), Err(NumberError::TooManyDigits));
        assert_eq!(sum("1E+100", "1"), Err(NumberError::TooManyDigits));
        assert_eq!(sum("1E+125", "9E+125"), Err(NumberError::Overflow));
    }

    #[test]
    fn sizes_count_pairs_of_digits() {
        for (text, size) in
            [("0", 1), ("1", 2), ("12", 2), ("123", 3), ("-123", 4), ("1e100", 2), ("-0.05", 3)]
        {
            assert_eq!(encoded_size(&encoded(&number(text))), size, "{text}");
        }
    }

    fn any_number() -> impl Strategy<Value = Number> {
        let digits = proptest::collection::vec(0..10_u8, 0..38);
        (any::<bool>(), -129..=100_i32, digits).prop_map(|(negative, exponent, digits)| {
            Number::normalized(negative, exponent, digits).unwrap_or(Number::ZERO)
        })
    }

    proptest! {
        #[test]
        fn encoded_numbers_sort_like_numbers_and_decode_unchanged(a in any_number(), b in any_number()) {
            prop_assert_eq!(encoded(&a).cmp(&encoded(&b)), a.cmp(&b));
            let mut bytes = encoded(&a);
            bytes.extend([7, 8]);
            prop_assert_eq!(Number::decode(&bytes), Some((a.clone(), &[7_u8, 8][..])));
            prop_assert_eq!(number(&a.to_string()), a);
        }

        #[test]
        fn arithmetic_matches_integers(a in -10_i128.pow(17)..10_i128.pow(17), b in -10_i128.pow(17)..10_i128.pow(17)) {
            let [x, y] = [a, b].map(|value| number(&value.to_string()));
            prop_assert_eq!(x.add(&y).unwrap().to_string(), (a + b).to_string());
            prop_assert_eq!(x.subtract(&y).unwrap().to_string(), (a - b).to_string());
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
        }

        #[test]
        fn arbitrary_bytes_and_text_do_not_panic(bytes in any::<Vec<u8>>(), text in any::<String>()) {
            let _ = Number::decode(&bytes);
            let _ = Number::parse(&text);
        }
    }
}
