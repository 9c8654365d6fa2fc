//! Where an answer about a lead is shown: in its row of the list, in its section, or on a page.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::response::Response;
use http::request::Parts;

use crate::base::values::Version;
use crate::leads::domain::{Lead, LeadId};
use crate::web::pages::PageContext;
use crate::web::request::Form;
use crate::web::respond::{Tone, Undo, see_other, with_toast_there, with_undo_there};

/// The part of a page that an answer contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The lead's row in the list.
    Row,
    /// The lead's section on its own page.
    Section,
    /// A form on a page of its own, which htmx sends. What follows the form takes the place of that page.
    OwnPage,
    /// The whole page.
    Page,
}

impl Part {
    /// Returns the query with which a form of this part is sent by htmx, so that its answer is for the same part.
    pub(super) fn view(self) -> &'static str {
        match self {
            Self::Row => "?view=row",
            Self::Section => "",
            Self::OwnPage | Self::Page => "?view=page",
        }
    }

    /// Returns whether this is a row of the list.
    pub(super) fn is_row(self) -> bool {
        self == Self::Row
    }
}

/// Where an answer is shown: the page context and the part of the page.
#[derive(Debug)]
pub(super) struct LeadTarget {
    pub(super) context: PageContext,
    pub(super) part: Part,
}

impl<S: Sync> FromRequestParts<S> for LeadTarget {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let query = parts.uri.query().unwrap_or_default();
        let views = |view: &str| query.split('&').any(|pair| pair == view);
        let part = match Form::of(&parts.uri, &parts.headers) {
            Form::Fragment if views("view=row") => Part::Row,
            Form::Fragment if views("view=page") => Part::OwnPage,
            Form::Fragment => Part::Section,
            Form::Page | Form::Json => Part::Page,
        };
        Ok(Self { context: PageContext::of(parts), part })
    }
}

impl LeadTarget {
    /// Redirects to another page.
    pub(super) fn redirect(&self, path: &str) -> Response {
        see_other(&self.context, path, self.part != Part::Page)
    }

    /// Redirects to another page, which shows that the change succeeded.
    pub(super) fn done(&self, path: &str, words: &'static str) -> Response {
        with_toast_there(self.redirect(path), Tone::Success, words)
    }

    /// Redirects to the page of a changed lead, which offers to undo the change.
    pub(super) fn done_with_undo(&self, lead: &Lead, words: &'static str) -> Response {
        let there = self.redirect(&format!("/leads/{}", lead.id));
        with_undo_there(there, words, self.undo(lead))
    }

    /// Returns the form that undoes the change that made this version.
    pub(super) fn undo(&self, lead: &Lead) -> Undo {
        let (view, target) = match self.part {
            Part::Row => ("?view=row", format!("#lead-{}", lead.id)),
            Part::Section | Part::OwnPage | Part::Page => ("", "#lead".to_owned()),
        };
        Undo {
            action: self.context.url(&format!("/leads/{}/revert{view}", lead.id)),
            target: Some(target),
            fields: vec![
                ("version".into(), lead.version.to_string()),
                ("to".into(), lead.version.previous().to_string()),
            ],
        }
    }

    /// Returns the form that restores a lead that was deleted at this version.
    pub(super) fn undo_deletion(&self, id: LeadId, version: Version) -> Undo {
        Undo {
            action: self.context.url(&format!("/leads/{id}/restore")),
            target: None,
            fields: vec![("version".into(), version.next().to_string())],
        }
    }

    pub(super) fn in_row(&self) -> bool {
        self.part.is_row()
    }
}
