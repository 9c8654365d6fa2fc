//! Email addresses.

use email_address::{EmailAddress, Options};

use super::{Invalid, text_type};

text_type!(
    /// A person's email address as it was written. [`Email::key`] makes it unique.
    Email,
    parse_email
);

impl Email {
    /// The most parts of an address, see [`email_parts`]. Each part is an item of the search index, and one
    /// transaction has at most 100 actions.
    pub const MAX_PARTS: usize = 15;
    const MAX_BYTES: usize = 254;

    /// Returns the address in lowercase. Two addresses are the same if their keys are equal.
    pub fn key(&self) -> String {
        self.0.to_lowercase()
    }
}

fn parse_email(text: &str) -> Result<String, Invalid> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Invalid::new("Enter an email."));
    }
    if text.len() > Email::MAX_BYTES {
        return Err(Invalid::new("An email can have at most 254 characters."));
    }
    let options = Options::default().with_required_tld().without_display_text().without_domain_literal();
    let plain = !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '"');
    if !plain || EmailAddress::parse_with_options(text, options).is_err() {
        return Err(Invalid::new("This isn't a valid email. Use the form ann.lee@example.com."));
    }
    if email_parts(text).count() > Email::MAX_PARTS {
        return Err(Invalid::new(
            "An email can have at most 15 parts between dots, dashes, and other marks.",
        ));
    }
    Ok(text.to_owned())
}

/// Splits an email address at `. _ + - @`. Search treats the parts as words.
pub fn email_parts(address: &str) -> impl Iterator<Item = &str> {
    address.split(['.', '_', '+', '-', '@']).filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_email_keeps_its_spelling_and_is_unique_in_lowercase() {
        let email: Email = " Ann.Lee@Example.COM ".parse().unwrap();
        assert_eq!(email.as_str(), "Ann.Lee@Example.COM");
        assert_eq!(email.key(), "ann.lee@example.com");
    }

    #[test]
    fn an_invalid_email_is_rejected_with_a_sentence() {
        for text in [
            "",
            " ",
            "ann",
            "ann@",
            "@example.com",
            "ann@localhost",
            "a b@example.com",
            "a@b@c.com",
            "Ann <ann@example.com>",
            "a\n@example.com",
            "\"a b\"@example.com",
            "a@[127.0.0.1]",
        ] {
            let refused = text.parse::<Email>().expect_err(text);
            assert!(refused.to_string().ends_with('.'), "{refused}");
        }
        assert!(format!("{}@example.com", "a".repeat(250)).parse::<Email>().is_err());
    }
}
