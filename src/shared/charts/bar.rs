//! A bar for a part of a whole.

use askama::Template;

use super::scale::Share;

/// A bar that is filled as far as a part fills its whole. It belongs beside the numbers, so it has no name of its own.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "charts/bar.html", config = "templates/askama.toml")]
pub struct Bar {
    filled: Share,
}

impl Bar {
    /// Creates a bar. A part that is not zero is always visible.
    pub fn new(part: impl Into<u128>, whole: impl Into<u128>) -> Self {
        Self { filled: Share::visible(part, whole) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_filled_as_far_as_its_part() {
        for (part, whole, width) in
            [(0_u64, 0_u64, "0%"), (1, 1_000, "1.2%"), (20, 10, "100%"), (1, 4, "25%")]
        {
            let drawn = Bar::new(part, whole).to_string();
            assert!(drawn.contains(&format!(r#"class="fill" width="{width}""#)), "{drawn}");
        }
    }
}
