//! Products and their movements for programs.

use axum::Json;
use axum::extract::State;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use crate::accounts::domain::SignedIn;
use crate::app::App;
use crate::dynamo::ledger::{Answer, Once};
use crate::error::AppError;
use crate::fields::{Fields, FromFields, text, whole_number};
use crate::inventory::domain::{LowMark, Movement, Product, ProductName, Reference, Sku, Units};
use crate::inventory::error::InventoryError;
use crate::inventory::forms::adjustment_id;
use crate::inventory::store::{self, Adjustment, DetailsChange, MovementPage, ProductPage};
use crate::search::Query;
use crate::values::Version;
use crate::web::access::{Access, Routes};
use crate::web::extract::{InPath, InQuery, JsonRequest, WebError};
use crate::web::lists::{Listed, PageParameters, limit, parameter};
use crate::web::respond::answer;

/// The routes.
pub fn routes(app: &App) -> Routes {
    Routes::new(app)
        .get("/api/products", Access::Agent, list)
        .get("/api/products/{sku}", Access::Agent, read)
        .patch("/api/products/{sku}", Access::Agent, change)
        .get("/api/products/{sku}/movements", Access::Agent, movements)
        .post("/api/products/{sku}/adjust", Access::Agent, adjust)
}

/// Which products: those that a search finds, or all.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListParameters {
    q: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

async fn list(
    State(app): State<App>,
    InQuery(parameters): InQuery<ListParameters>,
) -> Result<Json<Listed<Product>>, AppError> {
    let ListParameters { q, limit: most, cursor } = parameters;
    let query = parameter("q", q, Query::parse)?.flatten();
    let cursor = cursor.filter(|text| !text.is_empty());
    let ProductPage { products, next } =
        store::find_some(&app, query.as_ref(), limit(most)?, cursor.as_deref()).await?;
    Ok(Json(Listed { items: products, next }))
}

fn shown(product: &Product) -> Answer {
    answer(StatusCode::OK, product, product.version.get(), None)
}

async fn read(State(app): State<App>, InPath(sku): InPath<Sku>) -> Result<Answer, AppError> {
    Ok(shown(&store::find(&app, &sku).await?))
}

async fn movements(
    State(app): State<App>,
    InPath(sku): InPath<Sku>,
    InQuery(parameters): InQuery<PageParameters>,
) -> Result<Json<Listed<Movement>>, AppError> {
    let (limit, cursor) = parameters.read()?;
    let MovementPage { movements, next } = store::movements(&app, &sku, limit, cursor.as_deref()).await?;
    Ok(Json(Listed { items: movements, next }))
}

/// A change of what is not the stock: fields that are missing stay.
#[derive(Debug)]
struct ChangeBody {
    details_version: Option<Version>,
    name: Option<ProductName>,
    low_mark: Option<LowMark>,
}

impl FromFields for ChangeBody {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            details_version: fields.optional("detailsVersion", whole_number),
            name: fields.present("name", text),
            low_mark: fields.present("lowMark", whole_number),
        })
    }
}

async fn change(
    State(app): State<App>,
    InPath(sku): InPath<Sku>,
    request: JsonRequest<ChangeBody>,
) -> Result<Answer, AppError> {
    let ChangeBody { details_version, name, low_mark } = request.body;
    let change = DetailsChange { name, low_mark };
    if change.name.is_none() && change.low_mark.is_none() {
        let message = "The change is empty; send at least one of name and lowMark.";
        return Err(WebError::Malformed(message.to_owned()).into());
    }
    // If-Match names the version of the stock, which this change does not care about.
    let version = details_version.ok_or(InventoryError::DetailsVersionMissing)?;
    let once = request.once.map(|request| Once { request, answer: &shown });
    let change = async { Ok(store::change_details(&app, &sku, version, &change, once.as_ref()).await?) };
    Ok(Once::run::<AppError>(once.as_ref(), &app.dynamo, change).await?.answer(shown))
}

/// What the stock is now, of which version, and why.
#[derive(Debug)]
struct AdjustBody {
    stock: Units,
    version: Option<Version>,
    reason: Option<Reference>,
}

impl FromFields for AdjustBody {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let (stock, version) =
            (fields.required("stock", whole_number), fields.optional("version", whole_number));
        let reason = fields.optional("reason", text);
        Some(Self { stock: stock?, version, reason })
    }
}

async fn adjust(
    State(app): State<App>,
    who: SignedIn,
    InPath(sku): InPath<Sku>,
    headers: HeaderMap,
    request: JsonRequest<AdjustBody>,
) -> Result<Answer, AppError> {
    let version = request.version(request.body.version)?;
    let AdjustBody { stock, reason, .. } = request.body;
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok());
    let message_id = adjustment_id(&app, &who, key)?;
    let adjustment = Adjustment { version, stock, reason, message_id };
    Ok(shown(&store::adjust(&app, &sku, adjustment, &who.actor()).await?))
}
