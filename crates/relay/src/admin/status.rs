//! `/api/v1/status` and `/api/v1/series`: how this replica is.

use super::api::Api;
use crate::operate::series::{self, SeriesDocument};
use crate::operate::status::{Status, Told};
use axum::Json;
use axum::extract::State;
use prometheus::Registry;
use publisher::KafkaSettings;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Always answers: what a part does not tell in time is left out, and health says why.
pub(super) async fn status(State(api): State<Arc<Api>>) -> Json<Status> {
    let (overview, members) = tokio::join!(api.ask(reconciler::inquiry::Inquiry::overview), api.members());
    let now = api.clock.now();
    let sample = series::sample(&api.registry);
    let flow = api.series(|series| series.flow(now, &sample));
    let lags = api.means.kafka.as_ref().map(|settings| lags(&api.registry, settings)).unwrap_or_default();
    let watch = api.means.watch.as_ref().and_then(|watch| watch.get());
    Json(Status::of(Told {
        instance: &api.config.kafka.instance_id,
        role: api.role,
        now,
        started_at: api.started_at,
        health: [api.health.started(), api.health.ready()],
        overview,
        ledger: watch.map(publisher::LedgerWatch::status),
        lags: &lags,
        members,
        flow,
        totals: sample.totals(),
    }))
}

/// What waits in Kafka, by lane and partition, as the client last told the metric.
fn lags(registry: &Registry, settings: &KafkaSettings) -> BTreeMap<(usize, i32), f64> {
    let names = settings.names();
    let families = registry.gather();
    let family = families.iter().find(|family| family.name() == "argos_relay_kafka_consumer_lag");
    let mut lags = BTreeMap::new();
    for metric in family.map(prometheus::proto::MetricFamily::get_metric).unwrap_or_default() {
        let label = |name: &str| {
            metric.get_label().iter().find(|pair| pair.name() == name).map(prometheus::proto::LabelPair::value)
        };
        let lane = [&names.hints, &names.bulk].iter().position(|topic| label("topic") == Some(topic.as_str()));
        let partition = label("partition").and_then(|number| number.parse().ok());
        if let (Some(lane), Some(partition)) = (lane, partition) {
            lags.insert((lane, partition), metric.get_gauge().get_value());
        }
    }
    lags
}

/// The last hour.
pub(super) async fn series(State(api): State<Arc<Api>>) -> Json<SeriesDocument> {
    Json(api.series(|series| series.document()))
}
