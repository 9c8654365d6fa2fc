//! Long texts, shortened to their place on a page.

/// A text that may be too long for its place on a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shortened {
    /// The text, or its beginning with an ellipsis.
    pub short: String,
    /// The whole text, if `short` is only its beginning.
    pub whole: Option<String>,
}

impl Shortened {
    /// Shortens a text to this many characters.
    pub fn of(text: impl Into<String>, most: usize) -> Self {
        let text = text.into();
        match text.char_indices().nth(most) {
            Some((at, _)) => {
                Self { short: format!("{}…", text.get(..at).unwrap_or_default()), whole: Some(text) }
            }
            None => Self { short: text, whole: None },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_long_text_is_shortened_and_between_characters() {
        let whole = Shortened { short: "é".repeat(80), whole: None };
        assert_eq!(Shortened::of("é".repeat(80), 80), whole);
        let long = "é".repeat(81);
        let cut = Shortened { short: format!("{}…", "é".repeat(80)), whole: Some(long.clone()) };
        assert_eq!(Shortened::of(long, 80), cut);
        assert_eq!(Shortened::of("", 80), Shortened::default());
    }
}
