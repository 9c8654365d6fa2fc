//! Time-based codes (TOTP, RFC 6238) as all authenticator apps make them: SHA-1, six digits, 30 seconds.

use std::fmt;

use data_encoding::BASE32_NOPAD;
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use totp_rs::{Builder, Secret, Totp};

use crate::base::values::Email;

/// The length of a secret in bytes, which RFC 4226 recommends.
pub const SECRET: usize = 20;

/// The seconds of a step.
const STEP: u64 = 30;

/// How many steps a clock may be slow or fast.
const TOLERANCE: u64 = 1;

/// The secret that an authenticator app and Holdfast share.
#[derive(Clone, PartialEq, Eq)]
pub struct TotpSecret([u8; SECRET]);

/// A code of six digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TotpCode(String);

impl TotpCode {
    /// Parses exactly six digits.
    pub(super) fn parse(digits: &str) -> Option<Self> {
        (digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| Self(digits.to_owned()))
    }
}

impl TotpSecret {
    /// Creates a secret from random bytes.
    pub const fn new(random: [u8; SECRET]) -> Self {
        Self(random)
    }

    /// Returns the bytes.
    pub(super) fn bytes(&self) -> &[u8; SECRET] {
        &self.0
    }

    /// Returns the step in which the code is right, if it is later than the last step of which a code was accepted. A
    /// clock may be one step slow or fast.
    pub fn verify(&self, code: &TotpCode, now: Timestamp, last_step: Option<u64>) -> Option<u64> {
        self.steps(code, now).find(|step| last_step.is_none_or(|last| *step > last))
    }

    /// Returns whether the code is right in any step that is tolerated now, used or not.
    pub fn matches(&self, code: &TotpCode, now: Timestamp) -> bool {
        self.steps(code, now).next().is_some()
    }

    fn steps(&self, code: &TotpCode, now: Timestamp) -> impl Iterator<Item = u64> {
        let totp = self.totp();
        let current = u64::try_from(now.as_second()).unwrap_or_default() / STEP;
        let tolerated = current.saturating_sub(TOLERANCE)..=current + TOLERANCE;
        tolerated.filter(move |step| totp.check(&code.0, step * STEP).is_some())
    }

    fn totp(&self) -> Totp {
        // The defaults are SHA-1 and six digits. `check` itself must not tolerate other steps.
        let builder = Builder::new().with_step_duration(STEP).with_skew(0);
        // The checks of `build` concern only the lengths of secrets and codes, which are right.
        builder.with_secret(Secret::new_stack(self.0)).build_noncompliant()
    }

    /// Returns the secret for people who type it into an app: base32 in groups of four.
    pub fn grouped(&self) -> String {
        let text = BASE32_NOPAD.encode(&self.0);
        let mut grouped = String::with_capacity(text.len() + text.len() / 4);
        for (position, letter) in text.chars().enumerate() {
            if position > 0 && position.is_multiple_of(4) {
                grouped.push(' ');
            }
            grouped.push(letter);
        }
        grouped
    }

    /// Returns the address that an app reads from a QR code (Key Uri Format). Apps show the issuer and the email
    /// address.
    pub fn uri(&self, issuer: &str, email: &Email) -> String {
        let (issuer, secret) = (encode(issuer), BASE32_NOPAD.encode(&self.0));
        let email = encode(email.as_str());
        format!(
            "otpauth://totp/{issuer}:{email}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits=6&period={STEP}"
        )
    }
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secret of RFC 6238, Appendix B.
    const RFC: TotpSecret = TotpSecret::new(*b"12345678901234567890");

    fn code(digits: &str) -> TotpCode {
        TotpCode::parse(digits).unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn codes_are_those_of_rfc_6238() {
        // Appendix B has eight digits. With six digits, a code has the last six.
        for (second, eight, step) in [
            (59, "94287082", 0x1),
            (1_111_111_109, "07081804", 0x0235_23EC),
            (1_111_111_111, "14050471", 0x0235_23ED),
            (1_234_567_890, "89005924", 0x0273_EF07),
            (2_000_000_000, "69279037", 0x03F9_40AA),
            (20_000_000_000, "65353130", 0x27BC_86AA),
        ] {
            assert_eq!(RFC.verify(&code(&eight[2..]), at(second), None), Some(step), "{second}");
        }
    }

    #[test]
    fn a_clock_may_be_one_step_slow_or_fast() {
        // The code of the step 37037036, from 1111111080 to 1111111109.
        let right = code("081804");
        for (second, accepted) in [
            (1_111_111_049, false),
            (1_111_111_050, true),
            (1_111_111_079, true),
            (1_111_111_080, true),
            (1_111_111_109, true),
            (1_111_111_110, true),
            (1_111_111_139, true),
            (1_111_111_140, false),
        ] {
            let step = RFC.verify(&right, at(second), None);
            assert_eq!(step, accepted.then_some(37_037_036), "{second}");
            assert_eq!(RFC.matches(&right, at(second)), accepted, "{second}");
        }
    }

    #[test]
    fn a_code_is_accepted_only_after_the_last_step() {
        let (right, now) = (code("081804"), at(1_111_111_109));
        for (last, accepted) in [(0, true), (37_037_035, true), (37_037_036, false), (37_037_037, false)] {
            assert_eq!(RFC.verify(&right, now, Some(last)).is_some(), accepted, "{last}");
        }
        assert!(RFC.matches(&right, now), "a used code is still a right one");
    }

    #[test]
    fn another_secret_and_other_codes_do_not_match() {
        let now = at(1_111_111_109);
        assert_eq!(TotpSecret::new([7; SECRET]).verify(&code("081804"), now, None), None);
        assert_eq!(RFC.verify(&code("081805"), now, None), None);
        for text in ["", "08180", "0818040", "+81804", "08180x", "０８１８０４"] {
            assert_eq!(TotpCode::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_first_time_step_and_earlier_times_work() {
        let now = at(0);
        let digits = RFC.totp().generate(0);
        assert_eq!(RFC.verify(&code(&format!("{digits}")), now, None), Some(0));
        assert_eq!(RFC.verify(&code("000000"), at(-100), Some(5)), None);
    }

    #[test]
    fn people_type_the_secret_and_apps_read_it() {
        assert_eq!(RFC.grouped(), "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
        let email: Email = "ann+desk@example.com".parse().unwrap();
        assert_eq!(
            RFC.uri("Holdfast", &email),
            "otpauth://totp/Holdfast:ann%2Bdesk%40example%2Ecom?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
             &issuer=Holdfast&algorithm=SHA1&digits=6&period=30"
        );
        assert_eq!(format!("{RFC:?}"), "TotpSecret(…)");
    }
}
