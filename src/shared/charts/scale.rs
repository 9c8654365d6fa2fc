//! Positions in a drawing, and the round numbers on its axis.

use std::fmt::{Display, Formatter, Result};

use crate::shared::numbers::compact;

/// A part of the width or height of a drawing, in thousandths. It is displayed as a length: `12.5%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Share(u16);

impl Share {
    /// The whole width or height.
    pub(super) const WHOLE: Self = Self(1_000);
    /// The smallest part that is visible.
    const VISIBLE: Self = Self(12);

    /// Returns a part from its thousandths.
    pub(super) const fn new(thousandths: u16) -> Self {
        Self(thousandths)
    }

    /// Returns how much `part` is of `whole`, at most all of it.
    pub(super) fn of(part: impl Into<u128>, whole: impl Into<u128>) -> Self {
        let (part, whole) = (part.into(), whole.into());
        if part > 0 && part >= whole {
            return Self::WHOLE;
        }
        let thousandths = part.saturating_mul(Self::WHOLE.0.into()) / whole.max(1);
        Self(u16::try_from(thousandths).unwrap_or(Self::WHOLE.0))
    }

    /// The same, large enough to be visible unless the part is zero.
    pub(super) fn visible(part: impl Into<u128>, whole: impl Into<u128>) -> Self {
        let part = part.into();
        if part == 0 { Self(0) } else { Self::of(part, whole).max(Self::VISIBLE) }
    }

    /// Returns the rest of the whole.
    pub(super) fn rest(self) -> Self {
        Self(Self::WHOLE.0.saturating_sub(self.0))
    }

    /// Returns the part in thousandths.
    pub(super) fn thousandths(self) -> u16 {
        self.0
    }
}

impl Display for Share {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match (self.0 / 10, self.0 % 10) {
            (percent, 0) => write!(f, "{percent}%"),
            (percent, tenth) => write!(f, "{percent}.{tenth}%"),
        }
    }
}

/// An axis from zero to a round number, in equal round steps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    step: u128,
    steps: u128,
}

/// A line across the drawing with its number.
#[derive(Debug, Clone)]
pub(super) struct GridLine {
    pub(super) label: String,
    /// The distance from the top.
    pub(super) y: Share,
}

impl Scale {
    /// The most steps. More numbers would be too close to each other.
    const MOST_STEPS: u128 = 4;

    /// Returns the smallest scale that covers this number. A step is 1, 2 or 5 times a power of ten.
    pub(super) fn covering(most: u64) -> Self {
        let most = u128::from(most).max(1);
        let mut power = 1;
        loop {
            for step in [1, 2, 5].map(|factor| factor * power) {
                if step * Self::MOST_STEPS >= most {
                    return Self { step, steps: most.div_ceil(step) };
                }
            }
            power *= 10;
        }
    }

    /// Returns the number at the top.
    pub(super) fn top(self) -> u128 {
        self.step * self.steps
    }

    /// Returns the lines, from zero up.
    pub(super) fn lines(self) -> Vec<GridLine> {
        let line = |number: u128| GridLine {
            label: compact(number * self.step),
            y: Share::of(number, self.steps).rest(),
        };
        (0..=self.steps).map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labels(most: u64) -> Vec<String> {
        Scale::covering(most).lines().into_iter().map(|line| line.label).collect()
    }

    #[test]
    fn an_axis_has_a_few_round_numbers() {
        assert_eq!(labels(0), ["0", "1"]);
        assert_eq!(labels(3), ["0", "1", "2", "3"]);
        assert_eq!(labels(5), ["0", "2", "4", "6"]);
        assert_eq!(labels(10), ["0", "5", "10"]);
        assert_eq!(labels(1_400), ["0", "500", "1,000", "1,500"]);
        assert_eq!(labels(40_000), ["0", "10K", "20K", "30K", "40K"]);
        assert_eq!(labels(u64::MAX), ["0", "5,000Q", "10,000Q", "15,000Q", "20,000Q"]);
    }

    #[test]
    fn a_share_is_displayed_as_a_length() {
        assert_eq!(Share::of(1_u64, 8_u64).to_string(), "12.5%");
        assert_eq!(Share::of(1_u64, 4_u64).rest().to_string(), "75%");
        assert_eq!(Share::of(0_u64, 0_u64).to_string(), "0%");
        assert_eq!(Share::of(20_u64, 10_u64), Share::WHOLE);
        assert_eq!(Share::of(1_u64, 0_u64), Share::WHOLE, "a cap of zero is full");
        assert_eq!(Share::visible(1_u64, u64::MAX).to_string(), "1.2%");
        assert_eq!(Share::visible(0_u64, 5_u64).to_string(), "0%");
    }

    proptest! {
        #[test]
        fn a_scale_is_round_and_covers_its_number_closely(most in any::<u64>(), shift in 0_u32..64) {
            let most = most >> shift;
            let scale = Scale::covering(most);
            let lines = scale.lines();
            prop_assert!((2..=5).contains(&lines.len()));
            prop_assert!(scale.top() >= u128::from(most));
            prop_assert!(scale.top() - scale.step < u128::from(most.max(1)), "no step is empty");
            let mut digits = scale.step.to_string();
            digits.truncate(digits.trim_end_matches('0').len());
            prop_assert!(["1", "2", "5"].contains(&digits.as_str()), "{digits}");
            prop_assert_eq!(lines.first().unwrap().y, Share::WHOLE);
            prop_assert_eq!(lines.last().unwrap().y.thousandths(), 0);
            prop_assert!(lines.is_sorted_by(|lower, upper| lower.y > upper.y));
            // A label is exact, so the same label is never that of two numbers.
            prop_assert!(lines.is_sorted_by(|lower, upper| lower.label != upper.label));
        }

        #[test]
        fn a_share_is_at_most_the_whole(part in any::<u64>(), whole in any::<u64>()) {
            for share in [Share::of(part, whole), Share::visible(part, whole)] {
                prop_assert!(share <= Share::WHOLE);
                prop_assert_eq!(share.thousandths() + share.rest().thousandths(), 1_000);
            }
        }
    }
}
