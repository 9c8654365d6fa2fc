//! Two-factor authentication: a code of an authenticator app (TOTP), or one of ten recovery codes. Pure.
//!
//! Invariants:
//! - A code of an app is accepted once, and no code of an earlier step after it.
//! - A recovery code is accepted once.
//! - The app's secret is stored encrypted and bound to its account. A recovery code is stored as a hash that is keyed
//!   with this secret, so that the table alone does not suffice to guess it.
//!
//! A person scans the secret of an [`Enrollment`] and confirms it with a code, which gives a [`TwoFactor`]. Each
//! accepted code gives the next [`TwoFactor`], to be stored in a write that requires the one before.

mod code;
mod enrollment;
mod qr;
mod recovery;
mod state;
mod totp;

pub use code::SecondFactorCode;
pub use enrollment::Enrollment;
pub use qr::qr_svg;
pub use recovery::{RANDOM as RECOVERY_RANDOM, RecoveryCode, RecoveryCodes};
pub use state::{TwoFactor, TwoFactorError, Used};
pub use totp::{SECRET as TOTP_RANDOM, TotpCode, TotpSecret};
