//! Sent to a collector of OpenTelemetry: OTLP over HTTP, as JSON.

use anyhow::{Context, Result, anyhow};
use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
    metrics::v1::{
        Gauge, Metric as Told, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric::Data,
        number_data_point::Value as Number,
    },
    resource::v1::Resource,
};
use percent_encoding::percent_decode_str;
use precedent::{
    Impact, Proposal,
    observe::{Machine, World},
};
use zeroize::Zeroizing;

use super::{Labels, Metric, found};
use crate::cli::alert::http::{self, Request};

/// The standard's own variable for what a collector wants to be shown: `name=value,name=value`, in
/// percent-encoding, such as `Authorization=Basic%20...`.
const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";

/// Sends what was found to a collector, such as `http://localhost:4318`.
///
/// # Errors
///
/// Where it could not be delivered; no message names the address or a header.
pub(crate) fn send(endpoint: &str, proposal: &Proposal, impact: Option<&Impact>) -> Result<()> {
    let request = request(found(proposal, impact), proposal.snapshot.now);
    let body = serde_json::to_string(&request).context("cannot write the metrics as JSON")?;
    let url = format!("{}/v1/metrics", endpoint.trim_end_matches('/'));
    let mut headers = vec![("Content-Type".to_owned(), text("application/json"))];
    headers.extend(given_headers()?);
    http::send(&Request { url: &url, headers, body: Some(&body) })
        .map_err(|failure| anyhow!("the metrics are not delivered: {}", failure.reason))
}

fn given_headers() -> Result<Vec<(String, Zeroizing<String>)>> {
    let given = Machine::default().raw_variable(HEADERS).flatten().unwrap_or_default();
    let pairs = given.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair
                .split_once('=')
                .with_context(|| format!("{HEADERS} is not `name=value,name=value`"))?;
            let value = percent_decode_str(value.trim())
                .decode_utf8()
                .with_context(|| format!("{HEADERS} is not UTF-8 once it is decoded"))?;
            Ok((name.trim().to_owned(), Zeroizing::new(value.into_owned())))
        })
        .collect()
}

fn text(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.to_owned())
}

fn request(metrics: Vec<Metric>, now: u64) -> ExportMetricsServiceRequest {
    let at = now.saturating_mul(1_000_000_000);
    let told = |metric: Metric| Told {
        name: format!("precedent.{}", metric.name),
        description: metric.help.to_owned(),
        data: Some(Data::Gauge(Gauge {
            data_points: metric
                .numbers
                .into_iter()
                .map(|(labels, number)| NumberDataPoint {
                    attributes: attributes(labels),
                    time_unix_nano: at,
                    value: Some(Number::AsInt(number)),
                    ..NumberDataPoint::default()
                })
                .collect(),
        })),
        ..Told::default()
    };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(Resource {
                attributes: attributes(vec![("service.name", "precedent".to_owned())]),
                ..Resource::default()
            }),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(InstrumentationScope {
                    name: "precedent".to_owned(),
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                    ..InstrumentationScope::default()
                }),
                metrics: metrics.into_iter().map(told).collect(),
                ..ScopeMetrics::default()
            }],
            ..ResourceMetrics::default()
        }],
    }
}

fn attributes(labels: Labels) -> Vec<KeyValue> {
    let pair = |(name, value): (&'static str, String)| KeyValue {
        key: name.to_owned(),
        value: Some(AnyValue { value: Some(Value::StringValue(value)) }),
        ..KeyValue::default()
    };
    labels.into_iter().map(pair).collect()
}
