//! The statistics as JSON.

use super::StatisticsApi;
use crate::base::values::UsState;
use crate::orders::domain::{Cap, StateCap};
use crate::shared::api::*;
use crate::stats::Stats;

pub(super) fn routes() -> Routes<StatisticsApi> {
    Routes::default().get("/api/leads/stats", Access::Viewer, statistics)
}

/// The statistics counted from the stream, and the exact number of leads in open orders per state.
#[derive(Debug, Serialize)]
struct StatsAnswer {
    #[serde(flatten)]
    stats: Stats,
    out: Vec<OutAnswer>,
}

#[derive(Debug, Serialize)]
struct OutAnswer {
    state: UsState,
    out: u32,
    cap: Cap,
}

async fn statistics(State(api): State<StatisticsApi>) -> Result<Json<StatsAnswer>, Problem> {
    let (caps, stats) = api.statistics.read_with_caps(&api.orders).await?;
    let out = caps.states.into_iter().map(|StateCap { state, out, cap, .. }| OutAnswer { state, out, cap });
    Ok(Json(StatsAnswer { stats, out: out.collect() }))
}
