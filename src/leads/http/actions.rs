//! The forms on the page of a lead that delete it, put it back in stock, reopen it, and bring an earlier version back.

use super::detail::Refusal;
use super::parts::EntryView;
use super::target::LeadTarget;
use crate::base::values::Version;
use crate::leads::domain::{LeadId, Reason};
use crate::leads::{LeadError, Leads};
use crate::shared::forms::Field;
use crate::shared::pages::*;
use crate::store::idempotency::Done;
use crate::web::respond::with_undo_there;

pub(super) fn routes() -> Routes<Leads> {
    Routes::default()
        .post("/leads/{id}/delete", Access::Agent, delete)
        .post("/leads/{id}/restock", Access::Agent, restock)
        .post("/leads/{id}/reopen", Access::Administrator, reopen)
        .post("/leads/{id}/revert", Access::Agent, revert)
}

async fn delete(
    State(leads): State<Leads>,
    target: LeadTarget,
    Path(id): Path<LeadId>,
    submission: Submission,
) -> PageAnswer {
    let (version, by) = (submission.version()?, (&submission.who).into());
    match leads.delete(id, version, &by, Some(&submission.idempotency())).await {
        Ok(_) => {
            let (there, undo) = (target.redirect("/leads"), target.undo_deletion(id, version));
            Ok(with_undo_there(there, "Lead deleted. You can restore it for 30 days.", undo))
        }
        Err(error) => ActionForm::Delete.refused(&leads, target, id, error).await,
    }
}

async fn restock(
    State(leads): State<Leads>,
    target: LeadTarget,
    Path(id): Path<LeadId>,
    submission: Submission,
) -> PageAnswer {
    let (version, by) = (submission.version()?, submission.who.actor());
    match leads.restock(id, version, &by, Some(&submission.idempotency())).await {
        Ok(_) => Ok(target.done(&format!("/leads/{id}"), "Lead put back in stock.")),
        Err(error) => ActionForm::Restock.refused(&leads, target, id, error).await,
    }
}

async fn reopen(
    State(leads): State<Leads>,
    target: LeadTarget,
    Path(id): Path<LeadId>,
    submission: Submission,
) -> PageAnswer {
    let (version, by) = (submission.version()?, submission.who.actor());
    let typed = submission.form.get("reason").unwrap_or_default();
    let form = ActionForm::Reopen(typed);
    let reason = match typed.parse::<Reason>() {
        Ok(reason) => reason,
        Err(invalid) => return form.invalid(&leads, target, id, invalid.to_string()).await,
    };
    match leads.reopen(id, version, reason, &by, Some(&submission.idempotency())).await {
        Ok(Done::Now(lead)) => Ok(target.done_with_undo(&lead, "Lead reopened.")),
        Ok(Done::Replayed(_)) => Ok(target.done(&format!("/leads/{id}"), "Lead reopened.")),
        Err(error) => form.refused(&leads, target, id, error).await,
    }
}

async fn revert(
    State(leads): State<Leads>,
    target: LeadTarget,
    Path(id): Path<LeadId>,
    submission: Submission,
) -> PageAnswer {
    let to: Version =
        submission.form.text("to").parse().map_err(|invalid| WebError::field("to", &invalid))?;
    let (version, idempotency) = (submission.version()?, submission.idempotency());
    match leads.revert(id, version, to, &submission.who, Some(&idempotency)).await {
        Ok(Done::Now(lead)) => target.changed(&leads, lead, "Version restored.").await,
        Ok(Done::Replayed(_)) => target.lead(&leads, leads.find(id).await?).await,
        Err(error) => ActionForm::Revert.refused(&leads, target, id, error).await,
    }
}

/// A form on the page of a lead.
#[derive(Debug, Clone, Copy)]
enum ActionForm<'a> {
    Delete,
    Restock,
    /// With the reason that was typed.
    Reopen(&'a str),
    Revert,
}

impl ActionForm<'_> {
    /// Renders the current lead with the reason why the form was refused.
    async fn refused(self, leads: &Leads, target: LeadTarget, id: LeadId, error: LeadError) -> PageAnswer {
        match error {
            LeadError::Conflict(conflict) => {
                let changes = conflict.since.into_iter().map(EntryView::of).collect();
                let refusal = Refusal { changes, ..self.after_conflict() };
                target.refusal(leads, StatusCode::CONFLICT, conflict.fresh, refusal).await
            }
            LeadError::RuleViolation(rule) => self.invalid(leads, target, id, rule.words().to_owned()).await,
            LeadError::Invalid(_, invalid) => self.invalid(leads, target, id, invalid.to_string()).await,
            error => Err(error.into()),
        }
    }

    /// Renders the current lead with the reason why it or the form does not allow the change.
    async fn invalid(self, leads: &Leads, target: LeadTarget, id: LeadId, error: String) -> PageAnswer {
        let lead = leads.find(id).await?;
        target.refusal(leads, StatusCode::UNPROCESSABLE_ENTITY, lead, self.with_error(error)).await
    }

    fn after_conflict(self) -> Refusal {
        let refusal = Refusal::default();
        match self {
            Self::Delete => Refusal { what: "It wasn't deleted.", delete_anyway: true, ..refusal },
            Self::Restock => Refusal { what: "It wasn't put back in stock.", ..refusal },
            Self::Reopen(_) => {
                let error = "Check the current lead, then reopen it.".to_owned();
                Refusal { what: "It wasn't reopened.", ..self.with_error(error) }
            }
            Self::Revert => Refusal { what: "The version wasn't restored.", ..refusal },
        }
    }

    fn with_error(self, error: String) -> Refusal {
        let refusal = Refusal::default();
        match self {
            Self::Delete => Refusal { delete_error: Some(error), ..refusal },
            Self::Restock | Self::Revert => Refusal { error: Some(error), ..refusal },
            Self::Reopen(typed) => {
                let reason = Field { value: typed.to_owned(), base: String::new(), error: Some(error) };
                Refusal { reopen: Some(reason), ..refusal }
            }
        }
    }
}
