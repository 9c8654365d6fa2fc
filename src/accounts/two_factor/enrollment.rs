//! Setting up a second factor: a secret that the person adds to an authenticator app and confirms with a code.

use jiff::Timestamp;

use super::code::SecondFactorCode;
use super::recovery::{RANDOM, RecoveryCodes};
use super::state::{TwoFactor, TwoFactorError, open, seal};
use super::totp::{SECRET, TotpSecret};
use crate::accounts::data_keys::{CipherError, DataKey, Encrypted, NONCE};
use crate::accounts::keys::KeyRing;
use crate::base::identity::AccountId;
use crate::base::values::Email;

/// The issuer that authenticator apps show.
const ISSUER: &str = "Holdfast";

/// A secret that the person has not confirmed yet. Nothing of it is stored: between the page that shows it and the form
/// that confirms it, the form carries it encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrollment(TotpSecret);

impl Enrollment {
    /// Creates a secret from random bytes.
    pub const fn new(random: [u8; SECRET]) -> Self {
        Self(TotpSecret::new(random))
    }

    #[cfg(test)]
    pub(super) const fn of(secret: TotpSecret) -> Self {
        Self(secret)
    }

    /// Returns the secret for people who type it into their app.
    pub fn grouped_secret(&self) -> String {
        self.0.grouped()
    }

    /// Returns the address for the QR code.
    pub fn uri(&self, email: &Email) -> String {
        self.0.uri(ISSUER, email)
    }

    /// Encrypts the secret for the form that confirms it.
    ///
    /// # Errors
    /// [`CipherError`].
    pub fn seal(
        &self,
        account: AccountId,
        keys: &KeyRing<DataKey>,
        nonce: &[u8; NONCE],
        now: Timestamp,
    ) -> Result<Encrypted, CipherError> {
        seal(&self.0, account, keys, nonce, now)
    }

    /// Reads the secret from the form that confirms it.
    ///
    /// # Errors
    /// [`CipherError`] if the form is another account's, was changed, or is older than two keys.
    pub fn open(
        sealed: &Encrypted,
        account: AccountId,
        keys: &KeyRing<DataKey>,
    ) -> Result<Self, CipherError> {
        open(sealed, account, keys).map(Self)
    }

    /// Confirms the secret with a code of the app. Returns the second factor with its recovery codes, which the person
    /// sees once. The code cannot be used again for signing in. `random` is a nonce and the bytes of the recovery codes.
    ///
    /// # Errors
    /// [`TwoFactorError::WrongCode`], also for a recovery code, or a [`CipherError`].
    pub fn confirm(
        &self,
        code: &SecondFactorCode,
        account: AccountId,
        keys: &KeyRing<DataKey>,
        random: (&[u8; NONCE], &[u8; RANDOM]),
        now: Timestamp,
    ) -> Result<(TwoFactor, RecoveryCodes), TwoFactorError> {
        let SecondFactorCode::Totp(code) = code else { return Err(TwoFactorError::WrongCode) };
        let step = self.0.verify(code, now, None).ok_or(TwoFactorError::WrongCode)?;
        let (nonce, random) = random;
        let codes = RecoveryCodes::new(random);
        let secret = self.seal(account, keys, nonce, now)?;
        Ok((TwoFactor::new(secret, step, codes.hashes(&self.0), now), codes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::keys::SecretKey as _;

    const NOW: Timestamp = Timestamp::constant(1_111_111_109, 0);

    fn keys() -> KeyRing<DataKey> {
        KeyRing::of(DataKey::from_secret(&"1".repeat(64)).unwrap(), None)
    }

    fn ann() -> AccountId {
        "019f0000-0000-7000-8000-000000000000".parse().unwrap()
    }

    #[test]
    fn a_form_carries_the_secret_encrypted_for_one_account() {
        let enrollment = Enrollment::new(*b"12345678901234567890");
        let sealed = enrollment.seal(ann(), &keys(), &[7; NONCE], NOW).unwrap();
        assert!(!sealed.as_str().contains(&enrollment.grouped_secret().replace(' ', "")));
        let returned = Encrypted::new(sealed.as_str().to_owned());
        assert_eq!(Enrollment::open(&returned, ann(), &keys()), Ok(enrollment));
        let bob = "019f0000-0000-7000-8000-000000000001".parse().unwrap();
        assert_eq!(Enrollment::open(&returned, bob, &keys()), Err(CipherError::Altered));
        assert_eq!(Enrollment::open(&Encrypted::new("typed"), ann(), &keys()), Err(CipherError::UnknownKey));
    }

    #[test]
    fn only_a_current_code_of_the_app_confirms_it() {
        let enrollment = Enrollment::new(*b"12345678901234567890");
        let confirm = |text: &str| {
            let random = (&[7; NONCE], &[9; RANDOM]);
            enrollment.confirm(&text.parse().unwrap(), ann(), &keys(), random, NOW)
        };
        for wrong in ["000000", "287082", "k7xm-2qpd"] {
            assert_eq!(confirm(wrong).unwrap_err(), TwoFactorError::WrongCode, "{wrong}");
        }
        let (state, codes) = confirm("081804").unwrap();
        assert_eq!((state.created_at(), state.recovery_codes_left()), (NOW, codes.iter().count()));
    }

    #[test]
    fn the_qr_code_and_the_typed_secret_are_the_same() {
        let enrollment = Enrollment::new(*b"12345678901234567890");
        let uri = enrollment.uri(&"ann@example.com".parse().unwrap());
        assert!(uri.starts_with("otpauth://totp/Holdfast:ann%40example%2Ecom?"), "{uri}");
        assert!(uri.contains(&enrollment.grouped_secret().replace(' ', "")));
    }
}
