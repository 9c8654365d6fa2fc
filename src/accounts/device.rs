//! Recognizes devices that signed in before, by a separate cookie.
//!
//! The cookie is signed like a session cookie and lasts much longer. It does not sign anyone in: it lists the accounts
//! that the device signed in to. A device has a separate budget for their passwords
//! ([`login_throttle`](super::login_throttle)). A cookie that is too old or signed with an unknown key is ignored.

use std::fmt;
use std::str::FromStr;

use axum_extra::extract::cookie::Cookie;
use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::cookies;
use super::keys::KeyRing;
use crate::accounts::cookies::CookiePolicy;
use crate::base::identity::AccountId;
use crate::base::values::Invalid;

/// How long a device is recognized after it last signed in.
pub const LIFETIME: SignedDuration = SignedDuration::from_hours(365 * 24);

/// The most accounts in a device's cookie: those that it signed in to last.
const ACCOUNTS: usize = 4;

/// A device's random id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceId(Uuid);

impl DeviceId {
    /// Creates an id from these random bytes.
    pub fn new(random: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(random))
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

/// A device. Its cookie contains `<id>.<last sign-in in seconds>.<account>…`, with the account of that sign-in first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    id: DeviceId,
    last: Timestamp,
    accounts: Vec<AccountId>,
}

impl Device {
    /// Returns the device after it signed in to an account: the known one, or a new one with this id.
    pub fn signed_in(known: Option<Self>, new: DeviceId, account: AccountId, now: Timestamp) -> Self {
        let (id, others) = known.map_or_else(|| (new, Vec::new()), |device| (device.id, device.accounts));
        let others = others.into_iter().filter(|other| *other != account);
        Self { id, last: now, accounts: std::iter::once(account).chain(others).take(ACCOUNTS).collect() }
    }

    /// Returns the id if the device signed in to this account before.
    pub fn id_for(&self, account: AccountId) -> Option<DeviceId> {
        self.accounts.contains(&account).then_some(self.id)
    }

    /// Returns the device of a request if its cookie is signed with one of these keys and not too old.
    pub(super) fn open(
        policy: &CookiePolicy,
        keys: &KeyRing,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Option<Self> {
        let (name, signed) = (cookies::with_port(policy, signed_name(policy)), signed_name(policy));
        let device = cookies::cookies_named(headers, &name).find_map(|value| {
            let verified = [Some(keys.current()), keys.previous()];
            let value = verified.into_iter().flatten().find_map(|key| key.verify(signed, value))?;
            value.parse::<Self>().ok()
        })?;
        (now.duration_since(device.last) < LIFETIME).then_some(device)
    }

    /// Returns the device's cookie, signed with the key that signs now.
    pub(super) fn cookie(&self, policy: &CookiePolicy, keys: &KeyRing, now: Timestamp) -> Cookie<'static> {
        let name = signed_name(policy);
        let max_age = (LIFETIME - now.duration_since(self.last)).max(SignedDuration::ZERO);
        let value = keys.signing(now).sign(name, &self.to_string());
        cookies::cookie_named(cookies::with_port(policy, name), policy, value, max_age)
    }
}

/// Returns the cookie name that is part of the signature. The `__Host-` prefix binds a `Secure` cookie to this host,
/// its path and HTTPS.
fn signed_name(policy: &CookiePolicy) -> &'static str {
    if policy.secure { "__Host-holdfast-device" } else { "holdfast-device" }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.id, self.last.as_second())?;
        self.accounts.iter().try_for_each(|account| write!(f, ".{account}"))
    }
}

impl FromStr for Device {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let read = || {
            let mut parts = text.split('.');
            let id = DeviceId(Uuid::try_parse(parts.next()?).ok()?);
            let last = Timestamp::from_second(parts.next()?.parse().ok()?).ok()?;
            let accounts: Vec<AccountId> = parts.map(|part| part.parse().ok()).collect::<Option<_>>()?;
            (1..=ACCOUNTS).contains(&accounts.len()).then_some(Self { id, last, accounts })
        };
        read().ok_or_else(|| Invalid::new("This isn't a device."))
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header};

    use super::*;
    use crate::accounts::keys::{CookieKey, CookieKeys};

    const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

    fn account(number: u8) -> AccountId {
        AccountId::new(NOW, &[number; 10])
    }

    fn ring(current: u8, previous: Option<u8>) -> KeyRing {
        let key = |byte| CookieKey::new([byte; 64]);
        KeyRing::of(key(current), previous.map(key))
    }

    fn policy(secure: bool) -> CookiePolicy {
        CookiePolicy { keys: CookieKeys::fixed(ring(1, None)), secure, port: None }
    }

    fn device() -> Device {
        Device::signed_in(None, DeviceId::new([7; 16]), account(1), NOW)
    }

    fn sent_back(cookie: &Cookie<'_>) -> HeaderMap {
        let pair = format!("{}={}", cookie.name(), cookie.value());
        HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(&pair).unwrap())])
    }

    #[test]
    fn a_device_is_recognized_for_a_year() {
        for secure in [false, true] {
            let policy = policy(secure);
            let cookie = device().cookie(&policy, &ring(1, None), NOW);
            assert_eq!((cookie.http_only(), cookie.secure()), (Some(true), Some(secure)));
            assert_eq!(cookie.max_age().map(|age| age.whole_days()), Some(365));
            let headers = sent_back(&cookie);
            let second = SignedDuration::from_secs(1);
            assert_eq!(Device::open(&policy, &ring(1, None), &headers, NOW), Some(device()));
            assert!(Device::open(&policy, &ring(1, None), &headers, NOW + LIFETIME - second).is_some());
            assert_eq!(Device::open(&policy, &ring(1, None), &headers, NOW + LIFETIME), None);
            // The previous key still verifies it, and an unknown key never does.
            assert_eq!(Device::open(&policy, &ring(2, Some(1)), &headers, NOW), Some(device()));
            assert_eq!(Device::open(&policy, &ring(2, None), &headers, NOW), None);
        }
    }

    #[test]
    fn a_device_keeps_the_last_four_accounts() {
        let mut known = device();
        for number in 2..=6 {
            known = Device::signed_in(Some(known), DeviceId::new([9; 16]), account(number), NOW);
        }
        let knows = |number| known.id_for(account(number)) == Some(DeviceId::new([7; 16]));
        assert_eq!((1..=6).filter(|number| knows(*number)).collect::<Vec<_>>(), [3, 4, 5, 6]);
        let again = Device::signed_in(Some(known), DeviceId::new([9; 16]), account(4), NOW);
        assert_eq!(again.accounts, [4, 6, 5, 3].map(account));
        assert_eq!(again.id_for(AccountId::NONE), None);
    }

    #[test]
    fn malformed_devices_are_rejected() {
        let right = device().to_string();
        assert_eq!(right.parse(), Ok(device()));
        for text in ["", "a.b.c", &right[..30], &format!("{right}."), &right.replace('.', ","), "7.1"] {
            assert!(text.parse::<Device>().is_err(), "{text}");
        }
        let id = device().id;
        assert!(format!("{id}.1800000000").parse::<Device>().is_err(), "a device needs an account");
    }

    #[test]
    fn session_cookies_and_device_cookies_are_not_interchangeable() {
        let policy = policy(false);
        let cookie = device().cookie(&policy, &ring(1, None), NOW);
        let renamed = HeaderValue::from_str(&format!("holdfast={}", cookie.value())).unwrap();
        let headers = HeaderMap::from_iter([(header::COOKIE, renamed)]);
        assert_eq!(Device::open(&policy, &ring(1, None), &headers, NOW), None);
        assert!(ring(1, None).current().verify("holdfast", cookie.value()).is_none());
    }
}
