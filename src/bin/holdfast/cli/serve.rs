//! Options of `serve`.

use std::fmt;
#[cfg(feature = "aws")]
use std::net::Ipv4Addr;
use std::net::SocketAddr;

use clap::builder::RangedI64ValueParser;
use clap::{Args, value_parser};
use holdfast::accounts::sign_up::{SignUp, SignUpFaults};
use holdfast::base::values::Invalid;
use holdfast::web::client::TrustedProxies;

use super::table::DataOptions;
use crate::failure::Failure;

fn port(text: &str) -> Result<u16, Invalid> {
    let words = "A port is a whole number from 0 to 65535; 0 takes any that is free.";
    text.parse().map_err(|_| Invalid::new(words))
}

fn address(text: &str) -> Result<SocketAddr, Invalid> {
    text.parse().map_err(|_| Invalid::new("Give an IP address and a port, for example 0.0.0.0:3000."))
}

#[derive(Debug, Args)]
pub struct ServeOptions {
    /// Table on AWS to serve instead of the local data; the environment variables listed in the README configure the
    /// rest, and credentials come from the standard AWS credential chain
    #[arg(long, env = "HOLDFAST_TABLE", value_name = "NAME")]
    pub table: Option<String>,
    /// Region of the table on AWS; from the environment or the AWS profile if omitted
    #[arg(long, requires = "table")]
    pub region: Option<String>,
    /// Address and port to serve a table on AWS on, for example 0.0.0.0:3000; 127.0.0.1 and --port if omitted
    #[arg(long, env = "HOLDFAST_LISTEN", requires = "table", value_name = "ADDRESS", value_parser = address)]
    pub listen: Option<SocketAddr>,
    /// Create the table on AWS if it does not exist, with its indexes, stream, backups, and deletion protection
    #[arg(long, requires = "table")]
    pub create_table: bool,
    /// Do not read the table's stream and do not sweep, because something else does, such as the Lambda functions
    #[arg(long, env = "HOLDFAST_NO_WORKERS", requires = "table")]
    pub no_workers: bool,
    /// Port on 127.0.0.1 to serve on; 0 picks any free port
    #[arg(long, env = "HOLDFAST_PORT", default_value_t = 3000, value_parser = port)]
    pub port: u16,
    /// Additional host name for local data, besides 127.0.0.1, localhost, and [::1]; can be repeated. A table on AWS
    /// is served under these names only, so it needs at least one
    #[arg(long = "host", env = "HOLDFAST_HOSTS", value_delimiter = ',', value_name = "NAME")]
    pub hosts: Vec<String>,
    /// Number of reverse proxies in front of the server that append to X-Forwarded-For, 0 to 10; sign-in attempts are
    /// limited by the address that the outermost proxy appended
    #[arg(long, env = "HOLDFAST_TRUSTED_PROXIES", default_value = "0", value_name = "NUMBER")]
    pub trusted_proxies: TrustedProxies,
    /// Who can sign up as a participant: anyone, no one, or people with the invitation code
    #[arg(long, env = "HOLDFAST_SIGN_UP", default_value = "open", value_parser = SignUp::MODES, value_name = "WHO")]
    pub sign_up: String,
    /// Invitation code for --sign-up invitation: 8 to 100 visible characters, preferably random; prefer the variable,
    /// because other users of this computer can see command-line arguments
    #[arg(long, env = "HOLDFAST_INVITATION_CODE", hide_env_values = true, value_name = "CODE")]
    pub invitation_code: Option<Unchecked>,
    #[command(flatten)]
    pub limits: LimitOptions,
    #[command(flatten)]
    pub data: DataOptions,
}

/// Limits for clients of the server.
#[derive(Debug, Clone, Args)]
pub struct LimitOptions {
    /// Maximum number of concurrent requests, from 1 to 100,000; further requests get 503 immediately; 64 per
    /// processor if omitted
    #[arg(long, env = "HOLDFAST_MAX_REQUESTS", value_name = "N", value_parser = value_parser!(u32).range(1..=100_000))]
    pub max_requests: Option<u32>,
    /// Maximum number of open connections, from 1 to 1,000,000; a new connection replaces the one that has waited
    /// longest for its client; 4,096 if omitted, and never more than the system allows
    #[arg(long, env = "HOLDFAST_MAX_CONNECTIONS", value_name = "N", value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub max_connections: Option<u32>,
    /// Seconds to receive the headers of a request, from its first byte
    #[arg(long, env = "HOLDFAST_HEADER_TIMEOUT", default_value_t = 10, value_name = "SECONDS", value_parser = seconds(), hide = true)]
    pub header_timeout: u16,
    /// Seconds between two pieces of a request body, or between two reads of a response by the client
    #[arg(long, env = "HOLDFAST_BODY_TIMEOUT", default_value_t = 15, value_name = "SECONDS", value_parser = seconds(), hide = true)]
    pub body_timeout: u16,
    /// Seconds between a response and the next request on the same connection
    #[arg(long, env = "HOLDFAST_IDLE_TIMEOUT", default_value_t = 75, value_name = "SECONDS", value_parser = seconds(), hide = true)]
    pub idle_timeout: u16,
    /// Seconds from the headers of a request to its response
    #[arg(long, env = "HOLDFAST_REQUEST_TIMEOUT", default_value_t = 60, value_name = "SECONDS", value_parser = seconds(), hide = true)]
    pub request_timeout: u16,
}

/// Parses a time limit from one second to one hour.
fn seconds() -> RangedI64ValueParser<u16> {
    value_parser!(u16).range(1..=3_600)
}

impl ServeOptions {
    /// Returns the address to serve a table on AWS on.
    #[cfg(feature = "aws")]
    pub fn address(&self) -> SocketAddr {
        self.listen.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)))
    }

    /// Returns the invitation code. An empty one counts as missing.
    pub fn code(&self) -> Option<&str> {
        self.invitation_code.as_ref().map(|code| code.0.as_str()).filter(|code| !code.is_empty())
    }

    /// Returns the sign-up policy.
    pub fn sign_up(&self) -> Result<SignUp, Failure> {
        SignUp::from_settings(Some(&self.sign_up), self.code()).map_err(|SignUpFaults { mode, code }| {
            let mode = mode.map(|fault| format!("--sign-up {fault}"));
            let code = code.map(|fault| format!("--invitation-code {fault}"));
            Failure::SignUp(mode.into_iter().chain(code).collect::<Vec<_>>().join(" "))
        })
    }
}

/// A secret as given. It is checked later, because clap shows a value that it refuses in its message.
#[derive(Clone)]
pub struct Unchecked(String);

impl From<String> for Unchecked {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Unchecked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unchecked(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::Parser as _;

    fn sign_up(words: &[&str]) -> Result<SignUp, String> {
        let cli = Cli::try_parse_from([&["holdfast"], words].concat()).map_err(|error| error.to_string())?;
        cli.serve.sign_up().map_err(|failure| failure.to_string())
    }

    #[test]
    fn two_flags_set_the_sign_up_policy() {
        assert!(matches!(sign_up(&[]), Ok(SignUp::Open)));
        assert!(matches!(sign_up(&["--sign-up", "off"]), Ok(SignUp::Off)));
        let invited = sign_up(&["--sign-up", "invitation", "--invitation-code", "k7-Wm2!xQ"]);
        assert!(matches!(invited, Ok(SignUp::Invited(code)) if code.is("k7-Wm2!xQ")));
    }

    #[test]
    fn invalid_sign_up_flags_are_named_without_the_code() {
        for (words, fault) in [
            (&["--sign-up", "closed"][..], "--sign-up"),
            (&["--sign-up", "invitation"], "--invitation-code is missing"),
            (&["--sign-up", "invitation", "--invitation-code", "k7-Wm"], "is not an invitation code"),
            (&["--invitation-code", "k7-Wm2!xQ"], "--invitation-code has no effect"),
        ] {
            let message = sign_up(words).err().unwrap_or_default();
            assert!(message.contains(fault) && !message.contains("k7-Wm"), "{words:?}: {message}");
        }
    }
}
