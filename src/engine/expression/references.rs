//! The names and values that a request's expressions refer to.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;

use super::super::codec;
use super::super::error::EngineError;

type Names = HashMap<String, String>;
type Values = HashMap<String, AttributeValue>;

/// `ExpressionAttributeNames` and `ExpressionAttributeValues`, and which of them the expressions have used.
pub struct References<'a> {
    names: Option<&'a Names>,
    values: Option<&'a Values>,
    encoded: HashMap<&'a str, Vec<u8>>,
    used: BTreeSet<String>,
    expressions: usize,
}

impl<'a> References<'a> {
    /// Checks the names and values of a request.
    pub fn new(names: Option<&'a Names>, values: Option<&'a Values>) -> Result<Self, EngineError> {
        check_keys("ExpressionAttributeNames", '#', names.map(|names| names.keys()))?;
        check_keys("ExpressionAttributeValues", ':', values.map(|values| values.keys()))?;
        if let Some((alias, _)) = names.into_iter().flatten().find(|(_, name)| name.is_empty()) {
            let message = "ExpressionAttributeNames contains invalid value: Empty attribute name for key";
            return Err(EngineError::invalid(format!("{message} {alias}")));
        }
        let mut encoded = HashMap::new();
        for (alias, value) in values.into_iter().flatten() {
            let bytes = codec::encode_value(value).map_err(|error| {
                let message =
                    format!("ExpressionAttributeValues contains invalid value: {error} for key {alias}");
                EngineError::invalid(message)
            })?;
            encoded.insert(alias.as_str(), bytes);
        }
        Ok(Self { names, values, encoded, used: BTreeSet::new(), expressions: 0 })
    }

    pub(super) fn begin_expression(&mut self) {
        self.expressions += 1;
    }

    /// Returns the attribute name for an alias.
    pub(super) fn name(&mut self, alias: &str) -> Option<String> {
        let name = self.names?.get(alias)?.clone();
        self.used.insert(alias.to_owned());
        Some(name)
    }

    /// Returns the encoded value for an alias.
    pub(super) fn value(&mut self, alias: &str) -> Option<Vec<u8>> {
        let value = self.encoded.get(alias)?.clone();
        self.used.insert(alias.to_owned());
        Some(value)
    }

    /// Checks that the expressions use every name and value.
    pub fn finish(self) -> Result<(), EngineError> {
        let names = self.names.into_iter().flat_map(|names| names.keys());
        let values = self.values.into_iter().flat_map(|values| values.keys());
        check_used("ExpressionAttributeNames", names, &self.used, self.expressions)?;
        check_used("ExpressionAttributeValues", values, &self.used, self.expressions)
    }
}

fn check_keys<'a>(
    what: &str,
    sigil: char,
    keys: Option<impl ExactSizeIterator<Item = &'a String>>,
) -> Result<(), EngineError> {
    let Some(mut keys) = keys else { return Ok(()) };
    if keys.len() == 0 {
        return Err(EngineError::invalid(format!("{what} must not be empty")));
    }
    let is_alias = |key: &str| {
        let rest = key.strip_prefix(sigil).unwrap_or_default();
        !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    match keys.find(|key| !is_alias(key)) {
        Some(key) => {
            Err(EngineError::invalid(format!("{what} contains invalid key: Syntax error; key: \"{key}\"")))
        }
        None => Ok(()),
    }
}

fn check_used<'a>(
    what: &str,
    keys: impl Iterator<Item = &'a String>,
    used: &BTreeSet<String>,
    expressions: usize,
) -> Result<(), EngineError> {
    let unused: BTreeSet<&str> = keys.filter(|key| !used.contains(*key)).map(String::as_str).collect();
    if unused.is_empty() {
        return Ok(());
    }
    if expressions == 0 {
        return Err(EngineError::invalid(format!("{what} can only be specified when using expressions")));
    }
    let keys = unused.into_iter().collect::<Vec<_>>().join(", ");
    Err(EngineError::invalid(format!("Value provided in {what} unused in expressions: keys: {{{keys}}}")))
}
