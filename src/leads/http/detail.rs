//! The page of a lead with its notes and history, its section, and its row in the list.

use futures_util::future::try_join;

use super::parts::{EntryView, LeadView};
use super::target::{LeadTarget, Part};
use super::timeline::{BESIDE_LEAD, ItemView, TimelineQuery, TimelineView};
use super::trash::deleted_page;
use crate::leads::custom_field_items::LeadWithFields;
use crate::leads::domain::{CustomFields, Lead, LeadId, Status};
use crate::leads::timeline::Timeline;
use crate::leads::{LeadError, Leads};
use crate::shared::forms::Field;
use crate::shared::pages::*;
use crate::web::respond::{instead_of_page, with_fragment_toast, with_undo};

pub(super) fn routes() -> Routes<Leads> {
    Routes::default().get("/leads/{id}", Access::Viewer, show)
}

async fn show(
    State(leads): State<Leads>,
    target: LeadTarget,
    Path(id): Path<LeadId>,
    Query(query): Query<TimelineQuery>,
) -> PageAnswer {
    if target.in_row() {
        return target.lead(&leads, leads.find(id).await?).await;
    }
    let found = match read(&leads, id, query.history.as_deref()).await {
        Err(LeadError::Deleted(deleted)) => return deleted_page(&leads, target, *deleted, None).await,
        Err(LeadError::Merged(into)) => {
            let words = "This lead was merged into the one shown here.";
            return Ok(target.done(&format!("/leads/{into}"), words));
        }
        found => found?,
    };
    match target.part {
        Part::Page => html(StatusCode::OK, &DetailPage::new(&leads, target.context, found)),
        Part::Section if query.history.is_some() => {
            html(StatusCode::OK, &DetailPage::new(&leads, target.context, found).as_entries())
        }
        Part::Row | Part::Section | Part::OwnPage => target.found(&leads, found),
    }
}

/// A lead with a page of its timeline.
type Found = (LeadWithFields, Timeline);

/// Reads a lead, and the page of its timeline after a cursor.
async fn read(leads: &Leads, id: LeadId, cursor: Option<&str>) -> Result<Found, LeadError> {
    try_join(leads.find_with_fields(id), leads.timeline(id, BESIDE_LEAD, cursor)).await
}

impl LeadTarget {
    /// Renders the current lead after a form: its row, its section, or its page.
    pub(super) async fn lead(self, leads: &Leads, lead: Lead) -> PageAnswer {
        match self.part {
            Part::Row => {
                html(StatusCode::OK, &LeadRow { context: self.context, lead: LeadView::focused(lead) })
            }
            Part::Section | Part::OwnPage => {
                let found = read(leads, lead.id, None).await?;
                self.found(leads, found)
            }
            Part::Page => Ok(self.redirect(&format!("/leads/{}", lead.id))),
        }
    }

    /// Renders a lead that was just changed, and offers to undo the change.
    pub(super) async fn changed(self, leads: &Leads, lead: Lead, words: &'static str) -> PageAnswer {
        let undo = self.undo(&lead);
        Ok(with_undo(self.lead(leads, lead).await?, words, undo))
    }

    /// Renders the lead's section, or its page if that takes the place of the page of a form.
    fn found(self, leads: &Leads, found: Found) -> PageAnswer {
        if self.part == Part::OwnPage {
            return self.lead_page(leads, found);
        }
        let page = DetailPage::new(leads, self.context, found).focused().for_fragment();
        html(StatusCode::OK, &page.as_lead())
    }

    /// Renders the lead's page, which takes the place of the page of a form.
    fn lead_page(self, leads: &Leads, found: Found) -> PageAnswer {
        let page = DetailPage::new(leads, self.context, found).focused();
        let address = page.context.url(&format!("/leads/{}", page.lead.id));
        Ok(instead_of_page(html(StatusCode::OK, &page)?, &address))
    }

    /// Renders the timeline after a form of a note, or returns to the lead's page.
    pub(super) async fn timeline(self, leads: &Leads, id: LeadId, words: &'static str) -> PageAnswer {
        if self.part == Part::Page {
            return Ok(self.done(&format!("/leads/{id}"), words));
        }
        let found = read(leads, id, None).await?;
        let answer = match self.part {
            Part::OwnPage => self.lead_page(leads, found)?,
            _ => html(StatusCode::OK, &DetailPage::new(leads, self.context, found).as_timeline())?,
        };
        Ok(with_toast(answer, Tone::Success, words))
    }

    /// Renders the current lead with the reason why a form was refused.
    pub(super) async fn refusal(
        self,
        leads: &Leads,
        status: StatusCode,
        lead: Lead,
        refusal: Refusal,
    ) -> PageAnswer {
        if self.in_row() {
            return Ok(with_fragment_toast(self.lead(leads, lead).await?, Tone::Error, &refusal.toast()));
        }
        let found = read(leads, lead.id, None).await?;
        let is_fragment = self.part != Part::Page;
        let page = DetailPage::new(leads, self.context, found).refused(refusal);
        if is_fragment { html(status, &page.for_fragment().as_lead()) } else { html(status, &page) }
    }
}

/// A lead's row in the list.
#[derive(Template)]
#[template(path = "leads/_row.html", config = "templates/askama.toml")]
struct LeadRow {
    context: PageContext,
    lead: LeadView,
}

/// Why a form on the lead's page was refused.
#[derive(Debug, Clone, Default)]
pub(super) struct Refusal {
    /// After a conflict: what did not happen, for example `It wasn't deleted.` Otherwise empty.
    pub(super) what: &'static str,
    /// Why the lead was not put back in stock, or its earlier version was not restored.
    pub(super) error: Option<String>,
    /// Why the lead was not deleted.
    pub(super) delete_error: Option<String>,
    /// The changes that caused the conflict, if there was one.
    pub(super) changes: Vec<EntryView>,
    /// Whether the page offers to delete the lead despite the changes.
    pub(super) delete_anyway: bool,
    /// The reason for reopening, with its error.
    pub(super) reopen: Option<Field>,
}

impl Refusal {
    /// Returns the refusal as the text of a toast, for a row. A row has no place for the errors of its forms.
    fn toast(&self) -> String {
        let form_error = match self.what {
            "" => self.delete_error.as_ref().or_else(|| self.reopen.as_ref()?.error.as_ref()),
            _ => None,
        };
        match self.error.as_ref().or(form_error) {
            Some(error) => error.clone(),
            None => format!("{} Check the current lead.", self.what),
        }
    }
}

/// `GET /leads/{id}`
#[derive(Template)]
#[template(path = "leads/detail.html", config = "templates/askama.toml", blocks = ["lead", "timeline", "entries"])]
struct DetailPage {
    context: PageContext,
    lead: LeadView,
    fields: CustomFields,
    /// The history and the notes.
    timeline: TimelineView,
    /// The field for the reason, if the person may reopen the lead.
    reopen: Option<Field>,
    /// Why a form was refused, if one was.
    refusal: Refusal,
    /// Whether the answer replaces a part of a page that is already shown.
    fragment: bool,
    /// The idempotency key of the form of a new note.
    key: uuid::Uuid,
}

impl DetailPage {
    /// Creates the page of a lead with a page of its timeline.
    fn new(leads: &Leads, context: PageContext, (found, timeline): Found) -> Self {
        let LeadWithFields { lead, fields } = found;
        let may_reopen = context.is_administrator() && lead.status == Status::Converted;
        let path = format!("/leads/{}", lead.id);
        let timeline = TimelineView::of(timeline, &path, context.can_edit(), context.account.as_ref());
        Self {
            reopen: may_reopen.then(Field::default),
            refusal: Refusal::default(),
            fragment: false,
            context,
            lead: LeadView::of(lead),
            fields,
            timeline,
            key: leads.rng.uuid(),
        }
    }

    /// Gives the button of the lead the keyboard focus, because the page returns from an edit.
    fn focused(self) -> Self {
        Self { lead: LeadView { focus: true, ..self.lead }, ..self }
    }

    /// Adds why a form was refused.
    fn refused(self, refusal: Refusal) -> Self {
        Self { reopen: refusal.reopen.clone().or(self.reopen), refusal, ..self }
    }

    /// Marks the answer as a part of a page that is already shown.
    fn for_fragment(self) -> Self {
        Self { fragment: true, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_toast_always_says_why_a_form_was_refused() {
        let rule = || Some("The lead is in an open order.".to_owned());
        let reopen = Some(Field { error: rule(), ..Field::default() });
        let conflict = Refusal { what: "It wasn't reopened.", reopen: reopen.clone(), ..Refusal::default() };
        assert_eq!(conflict.toast(), "It wasn't reopened. Check the current lead.");
        for refusal in [
            Refusal { error: rule(), ..Refusal::default() },
            Refusal { delete_error: rule(), ..Refusal::default() },
            Refusal { reopen, ..Refusal::default() },
        ] {
            assert_eq!(Some(refusal.toast()), rule());
        }
    }
}
