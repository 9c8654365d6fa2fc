//! What is known about a lead besides its name and email address: phone, company, source and owner.

use serde::{Deserialize, Serialize};

use crate::base::identity::AccountId;
use crate::base::text::one_line;
use crate::base::values::{Invalid, Name, text_type};

text_type!(
    /// A phone number as it was written. [`Phone::digits`] makes two spellings comparable.
    Phone,
    parse_phone
);

impl Phone {
    const MAX_CHARS: usize = 40;
    const FEWEST_DIGITS: usize = 3;

    /// Returns the number as the address of a telephone link takes it: its digits, and a leading `+`.
    ///
    /// Source: RFC 3966.
    pub fn dialable(&self) -> String {
        self.0
            .chars()
            .enumerate()
            .filter(|(at, c)| c.is_ascii_digit() || (*at == 0 && *c == '+'))
            .map(|(_, c)| c)
            .collect()
    }

    /// Returns the digits of the number without its extension and without the country code 1 of North America, so
    /// that `+1 (212) 555-0100` and `212.555.0100 ext. 7` are the same.
    ///
    /// Source: the North American Numbering Plan, <https://www.nanpa.com/numbering>.
    pub fn digits(&self) -> String {
        let number = self.0.find(['x', 'X', 'e', 'E', '#', ';', ',']);
        let number = number.map_or(self.0.as_str(), |at| &self.0[..at]);
        let digits: String =
            number.chars().filter_map(|c| c.to_digit(10)).map(|digit| digit.to_string()).collect();
        match digits.strip_prefix('1') {
            Some(national) if national.len() == 10 => national.to_owned(),
            _ => digits,
        }
    }
}

fn parse_phone(text: &str) -> Result<String, Invalid> {
    let text = one_line("A phone number", text)?;
    if text.is_empty() {
        return Err(Invalid::new("Enter a phone number."));
    }
    if text.chars().count() > Phone::MAX_CHARS {
        return Err(Invalid::new("A phone number can have at most 40 characters."));
    }
    let phone = Phone(text);
    if phone.digits().len() < Phone::FEWEST_DIGITS {
        return Err(Invalid::new(
            "A phone number must have at least three digits, for example 212-555-0100.",
        ));
    }
    Ok(phone.0)
}

text_type!(
    /// The organization that a lead belongs to, on one line with single spaces between words.
    Company,
    |text| short_text("A company name", "Enter a company name.", text, 160)
);
text_type!(
    /// Where a lead comes from, for example `Trade show` or `Web form`, on one line with single spaces between words.
    LeadSource,
    |text| short_text("A source", "Enter a source.", text, 100)
);

fn short_text(what: &str, missing: &'static str, text: &str, most: usize) -> Result<String, Invalid> {
    let text = one_line(what, text)?;
    if text.is_empty() {
        Err(Invalid::new(missing))
    } else if text.chars().count() > most {
        Err(Invalid::new(format!("{what} can have at most {most} characters.")))
    } else {
        Ok(text)
    }
}

/// The agent who looks after a lead. The name is the account's name when the lead was given to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    /// The account.
    pub id: AccountId,
    /// The name of the account.
    pub name: Name,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_phone_number_have_the_same_digits() {
        for text in [
            "+1 (212) 555-0100",
            "212.555.0100",
            "1-212-555-0100 x12",
            "2125550100 ext. 7",
            "212 555 0100;ext=3",
        ] {
            assert_eq!(text.parse::<Phone>().unwrap().digits(), "2125550100", "{text}");
        }
        assert_eq!("+44 20 7946 0000".parse::<Phone>().unwrap().digits(), "442079460000");
    }

    #[test]
    fn a_phone_number_needs_digits_and_stays_short() {
        for text in ["", "call me", "12", &"1".repeat(41), "212\u{0}555"] {
            assert!(text.parse::<Phone>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_company_and_a_source_are_one_line() {
        assert_eq!("  Acme \t Roofing  Co. ".parse::<Company>().unwrap().as_str(), "Acme Roofing Co.");
        assert_eq!("\u{200e}Web form\u{202c}".parse::<LeadSource>().unwrap().as_str(), "Web form");
        for text in ["", " ", "a\nb", &"x".repeat(161)] {
            assert!(text.parse::<Company>().is_err(), "{text:?}");
            assert!(text.parse::<LeadSource>().is_err(), "{text:?}");
        }
    }
}
