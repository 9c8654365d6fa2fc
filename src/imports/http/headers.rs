//! The list of known headers, and a sample file.

use crate::imports::Imports;
use crate::imports::mapping::{Field, Role, header_words, known_headers};
use crate::shared::pages::*;
use crate::web::respond::csv_part;

pub(super) fn routes() -> Routes<Imports> {
    Routes::default().get("/leads/imports/headers", Access::Agent, headers).get(
        "/leads/imports/sample.csv",
        Access::Agent,
        sample,
    )
}

/// A file that can be imported as it is. Its people are made up.
const SAMPLE: &str = "\u{feff}First name,Last name,Email,Phone,Company,State,Lead score,Status,Source,Notes\r
Ann,Lee,ann.lee@example.com,(212) 555-0100,Acme Roofing,NY,85,Qualified,Web form,\"Wants a quote, call in the morning\"\r
Bo,Roe,bo.roe@example.com,303-555-0101,,Colorado,40,Prospect,Trade show,\r
";

async fn sample() -> Response {
    csv_part("leads-sample.csv", SAMPLE.to_owned(), None)
}

async fn headers(context: PageContext) -> PageAnswer {
    let fields = Field::ALL.into_iter().map(|field| {
        let headers = known_headers().iter().filter(|known| known.field == field);
        (field.label(), headers.map(|known| (known.header.as_str(), known.from.as_str())).collect::<Vec<_>>())
    });
    let fields = fields.filter(|(_, headers)| !headers.is_empty()).collect();
    let around = [Role::Record, Role::Kind, Role::Purpose, Role::Organization];
    let words = header_words().iter().filter(|word| around.contains(&word.role));
    let words = words.map(|word| (word.word.as_str(), word.from.as_str())).collect();
    html(StatusCode::OK, &HeadersPage { context, fields, words })
}

/// `GET /leads/imports/headers`
#[derive(Template)]
#[template(path = "leads/import_headers.html", config = "templates/askama.toml")]
struct HeadersPage {
    context: PageContext,
    /// The headers of each field, each with the product that writes it.
    fields: Vec<(&'static str, Vec<(&'static str, &'static str)>)>,
    /// The words that may be around a header, each with its language.
    words: Vec<(&'static str, &'static str)>,
}
