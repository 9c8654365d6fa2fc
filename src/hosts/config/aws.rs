//! The region and credentials of AWS from environment variables, for hosts without an SDK that finds them.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `AWS_REGION`, or `AWS_DEFAULT_REGION` | the region of the table |
//! | `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` | the keys that sign requests |
//! | `AWS_SESSION_TOKEN` | the token that belongs to temporary keys |

use aws_sdk_dynamodb::config::Credentials;

use super::{ConfigError, Reader};

const REGION: &str = "AWS_REGION";
const DEFAULT_REGION: &str = "AWS_DEFAULT_REGION";
const ACCESS_KEY: &str = "AWS_ACCESS_KEY_ID";
const SECRET_KEY: &str = "AWS_SECRET_ACCESS_KEY";
const SESSION_TOKEN: &str = "AWS_SESSION_TOKEN";

/// The standard variables of AWS. `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct AwsVariables {
    /// The table's region.
    pub region: String,
    /// The credentials that sign requests.
    pub credentials: Credentials,
}

impl AwsVariables {
    /// Reads the variables through a lookup. An empty variable counts as not set.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(&lookup);
        let region = reader.get(REGION).or_else(|| reader.get(DEFAULT_REGION));
        let region = reader.take(REGION, region.ok_or("is missing: name the table's region."));
        let key = reader.required(ACCESS_KEY, "is missing: give the ID of an access key.");
        let secret = reader.required(SECRET_KEY, "is missing: give the access key's secret.");
        match (region, key, secret) {
            (Some(region), Some(key), Some(secret)) => {
                let token = reader.get(SESSION_TOKEN);
                Ok(Self { region, credentials: Credentials::new(key, secret, token, None, "environment") })
            }
            _ => Err(ConfigError(reader.faults)),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a panic fails the test")]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<AwsVariables, ConfigError> {
        AwsVariables::from_lookup(|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_standard_variables_are_read() {
        let keys = [(ACCESS_KEY, "AKIA"), (SECRET_KEY, "hush"), (DEFAULT_REGION, "eu-central-1")];
        let aws = read(&keys).unwrap();
        assert_eq!(aws.region, "eu-central-1");
        assert_eq!((aws.credentials.access_key_id(), aws.credentials.secret_access_key()), ("AKIA", "hush"));
        assert_eq!(aws.credentials.session_token(), None);
        assert!(!format!("{aws:?}").contains("hush"));

        let aws =
            read(&[&keys[..], &[(REGION, "us-east-1"), (SESSION_TOKEN, "for an hour")]].concat()).unwrap();
        assert_eq!(aws.region, "us-east-1", "AWS_REGION takes precedence");
        assert_eq!(aws.credentials.session_token(), Some("for an hour"));
    }

    #[test]
    fn all_missing_variables_are_named() {
        let error = read(&[(ACCESS_KEY, ""), (SECRET_KEY, "hush")]).unwrap_err().to_string();
        assert!(
            error.contains("AWS_REGION is missing") && error.contains("AWS_ACCESS_KEY_ID is missing"),
            "{error}"
        );
        assert!(!error.contains("AWS_SECRET_ACCESS_KEY") && !error.contains("hush"), "{error}");
    }
}
