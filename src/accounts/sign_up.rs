//! Whether people may create their own accounts, and the invitation code that this may require. Pure.
//!
//! Invariants: a person who signs up becomes a participant, because [`Accounts::sign_up`](super::Accounts::sign_up)
//! takes no role. No page, message, log or `Debug` output contains the code. It is compared in constant time, before a
//! password is hashed.
//!
//! An attempt to guess a code counts for its email address, 10 in 15 minutes, and for its network, 100 in 15 minutes
//! ([`super::login_throttle`]). There is no limit for all networks together, because anyone could then close sign-up
//! for everyone by sending wrong codes. Only the code itself stops an attacker with many networks. At the 100 requests
//! a second that the template allows, trying all codes of 8 random letters and digits takes 36^8 / 100 seconds, or 890
//! years, but trying all words of a large dictionary takes an hour. Choose a random code. It gives access to no more
//! than a participant's account.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::base::values::Invalid;

/// Whether people may create their own accounts.
#[derive(Debug, Clone)]
pub enum SignUp {
    /// Anyone may sign up.
    Open,
    /// No one may sign up.
    Off,
    /// Anyone who knows the code may sign up.
    Invited(InvitationCode),
}

/// The errors in the sign-up settings. Each is the rest of a message that starts with the setting's name.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct SignUpFaults {
    /// The error in the mode.
    pub mode: Option<&'static str>,
    /// The error in the invitation code.
    pub code: Option<&'static str>,
}

impl SignUp {
    /// The modes in settings.
    pub const MODES: [&str; 3] = ["open", "off", "invitation"];

    /// Parses the two settings: the mode, which is `open` by default, and the invitation code.
    ///
    /// # Errors
    /// All errors in both settings. No message contains the code.
    pub fn from_settings(mode: Option<&str>, code: Option<&str>) -> Result<Self, SignUpFaults> {
        const MODE: &str = "is not open, off, or invitation.";
        const MISSING: &str = "is missing: give the code that people are invited with.";
        const USELESS: &str =
            "has no effect unless sign-up is by invitation: leave it out, or choose invitation.";
        const NO_CODE: &str =
            "is not an invitation code: use 8 to 100 visible ASCII characters, without spaces.";
        let parsed = code.map(str::parse::<InvitationCode>);
        let fault = |mode, code| Err(SignUpFaults { mode, code });
        match (mode.unwrap_or("open"), parsed) {
            ("open", None) => Ok(Self::Open),
            ("off", None) => Ok(Self::Off),
            ("invitation", Some(Ok(code))) => Ok(Self::Invited(code)),
            ("open" | "off", Some(_)) => fault(None, Some(USELESS)),
            ("invitation", None) => fault(None, Some(MISSING)),
            ("invitation", Some(Err(_))) => fault(None, Some(NO_CODE)),
            (_, Some(Err(_))) => fault(Some(MODE), Some(NO_CODE)),
            (_, None | Some(Ok(_))) => fault(Some(MODE), None),
        }
    }

    /// Returns whether sign-up is off.
    pub fn is_off(&self) -> bool {
        matches!(self, Self::Off)
    }

    /// Returns whether sign-up requires a code.
    pub fn needs_code(&self) -> bool {
        matches!(self, Self::Invited(_))
    }

    /// Returns whether a person who typed this code may sign up.
    pub fn admits(&self, typed: &str) -> bool {
        match self {
            Self::Open => true,
            Self::Off => false,
            Self::Invited(code) => code.is(typed),
        }
    }
}

/// An invitation code: 8 to 100 visible ASCII characters. Clones share the text.
#[derive(Clone)]
pub struct InvitationCode(Arc<str>);

impl InvitationCode {
    /// The fewest characters.
    pub const MIN_CHARS: usize = 8;
    /// The most characters.
    pub const MAX_CHARS: usize = 100;

    /// Returns whether the typed text is the code, ignoring surrounding white space. The timing does not reveal the
    /// code or its length.
    pub fn is(&self, typed: &str) -> bool {
        let digest = |text: &str| Sha256::digest(text);
        digest(&self.0).as_slice().ct_eq(digest(typed.trim()).as_slice()).into()
    }
}

impl FromStr for InvitationCode {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let long_enough = (Self::MIN_CHARS..=Self::MAX_CHARS).contains(&text.len());
        if long_enough && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text.into()))
        } else {
            Err(Invalid::new(
                "An invitation code must have 8 to 100 visible ASCII characters, without spaces.",
            ))
        }
    }
}

impl fmt::Debug for InvitationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InvitationCode(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "k7-Wm2!xQ";

    #[test]
    fn a_code_has_8_to_100_visible_characters() {
        for text in ["12345678", "~!@#$%^&*()", CODE, &"x".repeat(100)] {
            assert!(text.parse::<InvitationCode>().is_ok(), "{text}");
        }
        for text in ["", "1234567", " 12345678", "1234 5678", "12345678\n", "ünderground", &"x".repeat(101)]
        {
            let refused = text.parse::<InvitationCode>().expect_err(text);
            assert!(refused.to_string().ends_with('.'), "{refused}");
        }
    }

    #[test]
    fn a_code_matches_with_surrounding_white_space_but_not_in_another_case() {
        let code: InvitationCode = CODE.parse().unwrap();
        for typed in [CODE, " k7-Wm2!xQ", "k7-Wm2!xQ\r\n"] {
            assert!(code.is(typed), "{typed:?}");
        }
        for typed in ["", "k7-Wm2!x", "k7-Wm2!xQQ", "k7-wm2!xq", "k7-Wm2! xQ", &"k7-Wm2!xQ".repeat(9)] {
            assert!(!code.is(typed), "{typed:?}");
        }
    }

    #[test]
    fn a_code_is_not_printed() {
        let sign_up = SignUp::from_settings(Some("invitation"), Some(CODE)).unwrap();
        assert_eq!(format!("{sign_up:?}"), "Invited(InvitationCode(…))");
    }

    #[test]
    fn settings_decide_who_may_sign_up() {
        let read = |mode, code| SignUp::from_settings(mode, code).unwrap();
        assert!(read(None, None).admits("") && read(Some("open"), None).admits("anything"));
        assert!(read(Some("off"), None).is_off() && !read(Some("off"), None).admits(""));
        let invited = read(Some("invitation"), Some(CODE));
        assert!(invited.needs_code() && invited.admits(CODE) && !invited.admits(""));
        for mode in SignUp::MODES {
            let code = (mode == "invitation").then_some(CODE);
            assert!(SignUp::from_settings(Some(mode), code).is_ok(), "{mode}");
        }
    }

    #[test]
    fn all_invalid_settings_are_reported() {
        for (mode, code, faults) in [
            (Some("invitation"), None, (None, Some("is missing"))),
            (Some("invitation"), Some("short"), (None, Some("is not an invitation code"))),
            (Some("off"), Some(CODE), (None, Some("has no effect"))),
            (Some("open"), Some("short"), (None, Some("has no effect"))),
            (None, Some(CODE), (None, Some("has no effect"))),
            (Some("Open"), None, (Some("is not open"), None)),
            (Some("closed"), Some(CODE), (Some("is not open"), None)),
            (Some("closed"), Some("short"), (Some("is not open"), Some("is not an invitation code"))),
        ] {
            let SignUpFaults { mode: mode_error, code: code_error } =
                SignUp::from_settings(mode, code).expect_err("the settings are invalid");
            for (actual, expected) in [(mode_error, faults.0), (code_error, faults.1)] {
                let alike = match (actual, expected) {
                    (Some(actual), Some(expected)) => actual.starts_with(expected) && actual.ends_with('.'),
                    (actual, expected) => actual == expected,
                };
                assert!(alike, "{mode:?} {code:?}: {actual:?}");
            }
        }
    }
}
