//! Products and their movements in the API.

use http::HeaderMap;

use crate::base::fields::{Fields, FromFields, text, whole_number};
use crate::base::values::Version;
use crate::inventory::Inventory;
use crate::inventory::domain::{Movement, Product, Reference, Sku, Units};
use crate::inventory::error::InventoryError;
use crate::inventory::http::form::adjustment_id;
use crate::inventory::store::{Adjustment, DetailsChange};
use crate::shared::api::*;
use crate::shared::search::SearchQuery;

pub fn routes() -> Routes<Inventory> {
    Routes::default()
        .get("/api/products", Access::Viewer, list)
        .get("/api/products/{sku}", Access::Viewer, read)
        .patch("/api/products/{sku}", Access::Agent, change)
        .get("/api/products/{sku}/movements", Access::Viewer, movements)
        .post("/api/products/{sku}/adjust", Access::Agent, adjust)
}

/// The products to list: those that match a search, or all.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListParameters {
    q: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

async fn list(
    State(inventory): State<Inventory>,
    Query(parameters): Query<ListParameters>,
) -> Result<Json<Listed<Product>>, Problem> {
    let ListParameters { q, limit, cursor } = parameters;
    let query = parameter("q", q, SearchQuery::parse)?.flatten();
    let (limit, cursor) = PageParameters { limit, cursor }.read()?;
    Ok(Json(inventory.find_some(query.as_ref(), limit, cursor.as_deref()).await?))
}

fn shown(product: &Product) -> Answer {
    answer(StatusCode::OK, product, product.version.get(), None)
}

async fn read(State(inventory): State<Inventory>, Path(sku): Path<Sku>) -> Result<Answer, Problem> {
    Ok(shown(&inventory.find(&sku).await?))
}

async fn movements(
    State(inventory): State<Inventory>,
    Path(sku): Path<Sku>,
    Query(parameters): Query<PageParameters>,
) -> Result<Json<Listed<Movement>>, Problem> {
    let (limit, cursor) = parameters.read()?;
    Ok(Json(inventory.movements(&sku, limit, cursor.as_deref()).await?))
}

/// A change of a product's details. Missing fields stay as they are.
#[derive(Debug)]
struct ChangeBody {
    details_version: Option<Version>,
    change: DetailsChange,
}

impl FromFields for ChangeBody {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let details_version = fields.optional("detailsVersion", whole_number);
        let (name, low_mark) =
            (fields.optional_not_null("name", text), fields.optional_not_null("lowMark", whole_number));
        Some(Self { details_version, change: DetailsChange { name, low_mark } })
    }
}

async fn change(
    State(inventory): State<Inventory>,
    Path(sku): Path<Sku>,
    request: JsonRequest<ChangeBody>,
) -> Result<Answer, Problem> {
    let ChangeBody { details_version, change } = request.body;
    if change.is_empty() {
        let message = "Nothing to change. Send at least one of name and lowMark.";
        return Err(WebError::Malformed(message.to_owned()).into());
    }
    // If-Match names the version of the stock, which does not matter for this change.
    let version = details_version.ok_or(InventoryError::DetailsVersionMissing)?;
    let idempotency = request.idempotency.map(|request| Idempotency { request, answer: &shown });
    Ok(inventory.change_details(&sku, version, &change, idempotency.as_ref()).await?.answer(shown))
}

/// The counted stock, the version it is based on, and the reason.
#[derive(Debug)]
struct AdjustBody {
    stock: Units,
    reason: Option<Reference>,
}

impl FromFields for AdjustBody {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (stock, reason) = (fields.required("stock", whole_number), fields.optional("reason", text));
        Some(Self { stock: stock?, reason })
    }
}

async fn adjust(
    State(inventory): State<Inventory>,
    headers: HeaderMap,
    change: Change<Sku, AdjustBody>,
) -> Result<Answer, Problem> {
    let Change { id: sku, version, body: AdjustBody { stock, reason }, who, .. } = change;
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok());
    let message_id = adjustment_id(&inventory, &who, key)?;
    let adjustment = Adjustment { version, stock, reason, message_id };
    Ok(shown(&inventory.adjust(&sku, adjustment, &who.actor()).await?))
}
