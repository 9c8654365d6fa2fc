//! Finds the agents whom the texts of an owner column name: by their email address, their id, or their name.

use std::collections::HashMap;

use super::ImportError;
use super::mapping::text::fold;
use super::rows::ParsedRow;
use crate::accounts::agents::AccountReference;
use crate::accounts::domain::Account;
use crate::imports::Imports;
use crate::leads::LeadError;
use crate::leads::domain::Owner;

const NONE: &str = "No agent has this name or email.";
const SEVERAL: &str = "Several agents have this name. Use an email instead.";

/// The agents whom the texts of an owner column name, as far as they were looked up.
#[derive(Default)]
pub(super) struct Owners {
    found: HashMap<String, Result<Owner, &'static str>>,
    /// All agents, once a text may be a name.
    agents: Option<Vec<Account>>,
}

/// The most texts that are remembered.
const MOST_TEXTS: usize = 1_000;

impl Imports {
    /// Looks up the agent whom the row's owner names, and gives the lead to them.
    pub(super) async fn with_owner(
        &self,
        parsed: ParsedRow,
        owners: &mut Owners,
    ) -> Result<ParsedRow, ImportError> {
        let Some(text) = parsed.owner.clone() else { return Ok(parsed) };
        if let Some(known) = owners.found.get(&text) {
            return Ok(parsed.with_owner(known.clone()));
        }
        let owner = match text.parse::<AccountReference>() {
            Ok(reference) => match self.leads.owner(&reference).await {
                Ok(owner) => Ok(owner),
                Err(LeadError::Invalid(..)) => Err(NONE),
                Err(error) => return Err(error.into()),
            },
            Err(_) => {
                let agents = match owners.agents.take() {
                    Some(agents) => agents,
                    None => self.leads.all_agents().await?,
                };
                named(owners.agents.insert(agents), &text)
            }
        };
        if owners.found.len() < MOST_TEXTS {
            owners.found.insert(text, owner.clone());
        }
        Ok(parsed.with_owner(owner))
    }
}

/// Returns the only agent with this name.
fn named(agents: &[Account], text: &str) -> Result<Owner, &'static str> {
    let name = fold(text);
    let mut same = agents.iter().filter(|agent| !name.is_empty() && fold(agent.name.as_str()) == name);
    match (same.next(), same.next()) {
        (None, _) => Err(NONE),
        (Some(agent), None) => Ok(Owner { id: agent.id, name: agent.name.clone() }),
        (Some(_), Some(_)) => Err(SEVERAL),
    }
}
