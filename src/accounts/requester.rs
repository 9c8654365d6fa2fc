//! The origin of an attempt to sign in or sign up.

use std::convert::Infallible;
use std::net::IpAddr;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, header};

use super::device::Device;
use super::device_name::device_name;
use super::domain::Account;
use super::hashing::Queue;
use super::login_throttle::Budget;
use super::session_cookie::{SessionCookie, open};
use crate::accounts::Accounts;
use crate::base::identity::{AccountId, Actor};
use crate::base::values::Email;
use crate::shared::audit_log::AuditActor;
use crate::web::client::{ClientAddress, Network};

/// The address, the network and the device of a request, if they are known.
#[derive(Debug, Clone, Default)]
pub struct Requester {
    /// The network, if the host knows it.
    pub network: Option<Network>,
    /// The address, if the host knows it.
    pub address: Option<IpAddr>,
    /// The device, if it signed in before.
    pub device: Option<Device>,
    /// The browser and the system in words.
    pub device_name: String,
    /// The session of the browser's cookie, whether or not it has ended. A new session replaces it.
    pub(super) session: Option<SessionCookie>,
}

impl Requester {
    /// Returns the browser and the system in words, and the address, for a session.
    pub(super) fn device_and_address(&self) -> (String, Option<IpAddr>) {
        (self.device_name.clone(), self.address)
    }

    /// Returns the person of an account as audit entries name them, for a request that has no session yet.
    pub(super) fn actor(&self, account: &Account) -> AuditActor {
        let by = Actor::new(account.name.as_str());
        AuditActor { by, account: Some(account.id), address: self.address }
    }

    /// Returns the queue for its passwords.
    pub fn queue(&self) -> Queue {
        if self.device.is_some() { Queue::Known } else { Queue::Strangers }
    }

    /// Returns the budgets that an attempt to sign in uses: the device's budget if it signed in to this account before,
    /// otherwise the budgets of the email address and the network.
    pub fn budgets(&self, email: &Email, account: Option<AccountId>) -> Vec<Budget> {
        let known = account.and_then(|account| {
            let device = self.device.as_ref()?.id_for(account)?;
            Some(Budget::Device(account, device))
        });
        match known {
            Some(own) => vec![own],
            None => {
                let network = self.network.map(Budget::Network);
                std::iter::once(Budget::Email(email.clone())).chain(network).collect()
            }
        }
    }
}

impl FromRequestParts<Accounts> for Requester {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, accounts: &Accounts) -> Result<Self, Infallible> {
        Ok(Self::of(accounts, &parts.headers, parts.extensions.get().copied()).await)
    }
}

impl Requester {
    /// Returns the origin of a request with these headers and this address.
    pub(super) async fn of(accounts: &Accounts, headers: &HeaderMap, address: Option<ClientAddress>) -> Self {
        let (now, address) = (accounts.clock.now(), address.map(|address| address.0));
        let keys = accounts.cookies.keys.at(now).await;
        let user_agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        Self {
            network: address.map(Network::from),
            address,
            device: Device::open(&accounts.cookies, &keys, headers, now),
            device_name: device_name(user_agent.unwrap_or_default()),
            session: open(&accounts.cookies, &keys, headers, now).map(|opened| opened.content.session()),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::accounts::device::DeviceId;

    #[test]
    fn a_device_has_a_separate_budget_for_its_own_accounts() {
        let now = Timestamp::UNIX_EPOCH;
        let [own, other] = [1, 2].map(|number| AccountId::new(now, &[number; 10]));
        let email: Email = "ann@example.com".parse().unwrap();
        let network: Network = "203.0.113.1".parse::<std::net::IpAddr>().unwrap().into();
        let device = Device::signed_in(None, DeviceId::new([7; 16]), own, now);
        let known = Requester { network: Some(network), device: Some(device), ..Requester::default() };
        assert_eq!(known.budgets(&email, Some(own)), [Budget::Device(own, DeviceId::new([7; 16]))]);
        let common = [Budget::Email(email.clone()), Budget::Network(network)];
        assert_eq!(known.budgets(&email, Some(other)), common);
        assert_eq!(known.budgets(&email, None), common);
        assert_eq!(Requester::default().budgets(&email, Some(own)), [Budget::Email(email.clone())]);
    }
}
