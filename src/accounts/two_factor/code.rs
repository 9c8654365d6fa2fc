//! The code that a person types as the second factor.

use std::str::FromStr;

use super::recovery::RecoveryCode;
use super::totp::TotpCode;
use crate::base::values::Invalid;

/// A code as a person types it: six digits of the authenticator app, or a recovery code. Spaces, dashes and case do not
/// matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecondFactorCode {
    /// A code of the authenticator app.
    Totp(TotpCode),
    /// A recovery code.
    Recovery(RecoveryCode),
}

impl FromStr for SecondFactorCode {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        // Of a long text, only the start matters: it is no code.
        let is_separator = |letter: &char| letter.is_whitespace() || ['-', '–', '—'].contains(letter);
        let letters: String = text.chars().filter(|letter| !is_separator(letter)).take(20).collect();
        let totp = TotpCode::parse(&letters).map(Self::Totp);
        let code = totp.or_else(|| RecoveryCode::parse(&letters).map(Self::Recovery));
        let message =
            "Enter the six digits from your authenticator app, or a recovery code such as k7xm-2qpd.";
        code.ok_or_else(|| Invalid::new(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_dashes_and_case_do_not_matter() {
        let read = |text: &str| text.parse::<SecondFactorCode>().unwrap();
        let totp = read("123456");
        assert!(matches!(totp, SecondFactorCode::Totp(_)));
        for text in ["123 456", " 123456\n", "123-456", "1 2 3 4 5 6"] {
            assert_eq!(read(text), totp, "{text}");
        }
        let recovery = read("k7xm-2qpd");
        assert!(matches!(recovery, SecondFactorCode::Recovery(_)));
        for text in ["K7XM-2QPD", "k7xm2qpd", " k7xm 2qpd ", "K7-XM–2Q\u{a0}PD"] {
            assert_eq!(read(text), recovery, "{text}");
        }
        assert!(
            matches!(read("1234 5678"), SecondFactorCode::Recovery(_)),
            "a recovery code may be digits only"
        );
    }

    #[test]
    fn other_texts_are_rejected_with_an_example() {
        for text in
            ["", "  ", "12345", "1234567", "k7xm-2qp", "passwords", "123456 123456", &"1".repeat(100_000)]
        {
            let invalid = text.parse::<SecondFactorCode>().unwrap_err().to_string();
            assert!(invalid.contains("six digits") && invalid.contains("k7xm-2qpd"), "{text}: {invalid}");
        }
    }
}
