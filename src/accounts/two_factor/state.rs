//! The second factor of an account, as stored.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::code::SecondFactorCode;
use super::recovery::{RANDOM, RecoveryCodes, RecoveryHash};
use super::totp::{SECRET, TotpCode, TotpSecret};
use crate::accounts::data_keys::{CipherError, DataKey, Encrypted, NONCE};
use crate::accounts::keys::KeyRing;
use crate::base::identity::AccountId;

/// Why a code is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TwoFactorError {
    /// It is not right, or it is a recovery code that was used.
    #[error("the code is not right")]
    WrongCode,
    /// It is right, but it was used, or one after it. The app shows the next one within 30 seconds.
    #[error("the code was used already")]
    UsedCode,
    /// No code can be checked, because the stored secret cannot be decrypted.
    #[error(transparent)]
    Cipher(#[from] CipherError),
}

/// Which code was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Used {
    /// A code of the authenticator app.
    Totp,
    /// A recovery code. This many are left.
    Recovery {
        /// The unused codes.
        left: usize,
    },
}

/// The second factor of an account: the encrypted secret, and what was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TwoFactor {
    secret: Encrypted,
    /// The step of the last accepted code of the app.
    last_step: u64,
    /// The hashes of the unused recovery codes.
    recovery_codes: Vec<RecoveryHash>,
    /// When the person set it up.
    created_at: Timestamp,
}

impl TwoFactor {
    pub(super) fn new(
        secret: Encrypted,
        last_step: u64,
        recovery_codes: Vec<RecoveryHash>,
        created_at: Timestamp,
    ) -> Self {
        Self { secret, last_step, recovery_codes, created_at }
    }

    /// Returns when the person set it up.
    pub fn created_at(&self) -> Timestamp {
        self.created_at
    }

    /// Returns how many recovery codes are unused.
    pub fn recovery_codes_left(&self) -> usize {
        self.recovery_codes.len()
    }

    /// Accepts a code once. Returns the second factor after it, which must replace this one in the same write that
    /// depends on the code. The nonce must be random; it is used if the secret is encrypted again with a newer key.
    ///
    /// # Errors
    /// [`TwoFactorError`].
    pub fn accept(
        &self,
        code: &SecondFactorCode,
        account: AccountId,
        keys: &KeyRing<DataKey>,
        nonce: &[u8; NONCE],
        now: Timestamp,
    ) -> Result<(Self, Used), TwoFactorError> {
        let secret = open(&self.secret, account, keys)?;
        let (next, used) = match code {
            SecondFactorCode::Totp(code) => (self.accept_totp(&secret, code, now)?, Used::Totp),
            SecondFactorCode::Recovery(code) => {
                let next = self.without(&code.hash(&secret)).ok_or(TwoFactorError::WrongCode)?;
                let left = next.recovery_codes.len();
                (next, Used::Recovery { left })
            }
        };
        if !keys.is_outdated(&self.secret, now) {
            return Ok((next, used));
        }
        Ok((Self { secret: seal(&secret, account, keys, nonce, now)?, ..next }, used))
    }

    fn accept_totp(
        &self,
        secret: &TotpSecret,
        code: &TotpCode,
        now: Timestamp,
    ) -> Result<Self, TwoFactorError> {
        match secret.verify(code, now, Some(self.last_step)) {
            Some(last_step) => Ok(Self { last_step, ..self.clone() }),
            None if secret.matches(code, now) => Err(TwoFactorError::UsedCode),
            None => Err(TwoFactorError::WrongCode),
        }
    }

    /// Returns the second factor without this recovery code, if it is an unused one.
    fn without(&self, used: &RecoveryHash) -> Option<Self> {
        let unused: Vec<_> = self.recovery_codes.iter().filter(|code| *code != used).cloned().collect();
        (unused.len() < self.recovery_codes.len()).then(|| Self { recovery_codes: unused, ..self.clone() })
    }

    /// Replaces all recovery codes by new ones, which the person sees once.
    ///
    /// # Errors
    /// [`CipherError`] if the stored secret cannot be decrypted.
    pub fn with_new_recovery_codes(
        &self,
        random: &[u8; RANDOM],
        account: AccountId,
        keys: &KeyRing<DataKey>,
    ) -> Result<(Self, RecoveryCodes), CipherError> {
        let codes = RecoveryCodes::new(random);
        let recovery_codes = codes.hashes(&open(&self.secret, account, keys)?);
        Ok((Self { recovery_codes, ..self.clone() }, codes))
    }
}

/// Encrypts the secret of an account.
pub(super) fn seal(
    secret: &TotpSecret,
    account: AccountId,
    keys: &KeyRing<DataKey>,
    nonce: &[u8; NONCE],
    now: Timestamp,
) -> Result<Encrypted, CipherError> {
    keys.encrypt(secret.bytes(), &owner(account), nonce, now)
}

/// Decrypts the secret of an account.
pub(super) fn open(
    text: &Encrypted,
    account: AccountId,
    keys: &KeyRing<DataKey>,
) -> Result<TotpSecret, CipherError> {
    let bytes = keys.decrypt(text, &owner(account))?;
    <[u8; SECRET]>::try_from(bytes).map(TotpSecret::new).map_err(|_| CipherError::Altered)
}

fn owner(account: AccountId) -> String {
    format!("two-factor {account}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::keys::{SecretKey as _, TAKES_OVER};
    use crate::accounts::two_factor::Enrollment;
    use jiff::SignedDuration;

    const STEP: SignedDuration = SignedDuration::from_secs(30);

    const SECRET_OF_ANN: TotpSecret = TotpSecret::new(*b"12345678901234567890");

    /// RFC 6238, Appendix B, has the codes of this step and of the next one: 081804 and 050471.
    const NOW: Timestamp = Timestamp::constant(1_111_111_109, 0);

    fn data_key(digit: char) -> DataKey {
        DataKey::from_secret(&String::from(digit).repeat(64)).unwrap()
    }

    fn keys() -> KeyRing<DataKey> {
        KeyRing::of(data_key('1'), None)
    }

    fn ann() -> AccountId {
        "019f0000-0000-7000-8000-000000000000".parse().unwrap()
    }

    fn code(text: &str) -> SecondFactorCode {
        text.parse().unwrap()
    }

    /// The second factor that Ann has confirmed with the code of 1111111080.
    fn enrolled() -> (TwoFactor, RecoveryCodes) {
        let random = std::array::from_fn(|index| u8::try_from((index * 5 + index / 8) % 32).unwrap());
        let enrollment = Enrollment::of(SECRET_OF_ANN);
        enrollment.confirm(&code("081804"), ann(), &keys(), (&[7; NONCE], &random), NOW).unwrap()
    }

    fn accept(state: &TwoFactor, text: &str, now: Timestamp) -> Result<(TwoFactor, Used), TwoFactorError> {
        state.accept(&code(text), ann(), &keys(), &[8; NONCE], now)
    }

    #[test]
    fn a_code_of_the_app_is_accepted_once_and_no_earlier_one_after_it() {
        let (state, _) = enrolled();
        assert_eq!(
            accept(&state, "081804", NOW),
            Err(TwoFactorError::UsedCode),
            "it confirmed the enrollment"
        );
        // 050471 is the code of the step after it: RFC 6238, Appendix B.
        let (state, used) = accept(&state, "050 471", NOW).unwrap();
        assert_eq!(used, Used::Totp);
        for again in ["050471", "081804"] {
            assert_eq!(accept(&state, again, NOW + STEP), Err(TwoFactorError::UsedCode), "{again}");
        }
        assert_eq!(accept(&state, "000000", NOW), Err(TwoFactorError::WrongCode));
        assert_eq!(accept(&state, "050471", NOW + STEP * 3), Err(TwoFactorError::WrongCode), "too late");
    }

    #[test]
    fn each_recovery_code_is_accepted_once_in_any_order() {
        let (mut state, codes) = enrolled();
        let shown: Vec<_> = codes.iter().map(|code| code.reveal()).collect();
        for (index, text) in shown.iter().rev().enumerate() {
            let (next, used) = accept(&state, &text.to_uppercase().replace('-', " "), NOW).unwrap();
            assert_eq!(used, Used::Recovery { left: 9 - index });
            assert_eq!(next.recovery_codes_left(), 9 - index);
            assert_eq!(accept(&next, text, NOW), Err(TwoFactorError::WrongCode));
            state = next;
        }
        assert_eq!(accept(&state, "k7xm-2qpd", NOW), Err(TwoFactorError::WrongCode));
        accept(&state, "050471", NOW).unwrap();
    }

    #[test]
    fn new_recovery_codes_replace_the_old_ones() {
        let (state, old) = enrolled();
        let (state, new) = state.with_new_recovery_codes(&[9; RANDOM], ann(), &keys()).unwrap();
        let old = old.iter().next().unwrap().reveal();
        assert_eq!(accept(&state, &old, NOW), Err(TwoFactorError::WrongCode));
        accept(&state, &new.iter().next().unwrap().reveal(), NOW).unwrap();
    }

    #[test]
    fn the_secret_is_bound_to_its_account_and_key() {
        let (state, codes) = enrolled();
        let bob = "019f0000-0000-7000-8000-000000000001".parse().unwrap();
        let other = KeyRing::of(data_key('2'), None);
        for text in ["050471", &codes.iter().next().unwrap().reveal()] {
            let moved = state.accept(&code(text), bob, &keys(), &[8; NONCE], NOW);
            assert_eq!(moved, Err(TwoFactorError::Cipher(CipherError::Altered)));
            let unknown = state.accept(&code(text), ann(), &other, &[8; NONCE], NOW);
            assert_eq!(unknown, Err(TwoFactorError::Cipher(CipherError::UnknownKey)));
        }
    }

    #[test]
    fn an_accepted_code_encrypts_the_secret_with_the_newer_key() {
        let (state, codes) = enrolled();
        let created = NOW - TAKES_OVER;
        let rotated = KeyRing::rotated(data_key('2'), created, Some(data_key('1')));
        let (state, _) = state.accept(&code("050471"), ann(), &rotated, &[8; NONCE], NOW).unwrap();
        // The old key is gone, and the codes still work.
        let new = KeyRing::of(data_key('2'), None);
        let recovery = code(&codes.iter().next().unwrap().reveal());
        state.accept(&recovery, ann(), &new, &[9; NONCE], NOW).unwrap();
    }

    #[test]
    fn it_is_stored_without_secrets_and_read_again() {
        let (state, codes) = enrolled();
        let stored = serde_json::to_value(&state).unwrap();
        let names: Vec<_> = stored.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, ["createdAt", "lastStep", "recoveryCodes", "secret"]);
        assert_eq!(stored["lastStep"], 37_037_036);
        let text = stored.to_string();
        for code in codes.iter() {
            assert!(!text.contains(&code.reveal()) && !text.contains(&code.reveal().replace('-', "")));
        }
        assert_eq!(serde_json::from_value::<TwoFactor>(stored).unwrap(), state);
        let shown = format!("{state:?}");
        assert!(shown.contains("Encrypted(…)") && shown.contains("RecoveryHash(…)"), "{shown}");
    }
}
