//! Spans as OTLP/HTTP has them in JSON (opentelemetry-proto, `ExportTraceServiceRequest`).

use super::layer::Ended;
use serde_json::{Value, json};

/// `SPAN_KIND_INTERNAL` and `SPAN_KIND_SERVER`.
const INTERNAL: u8 = 1;
const SERVER: u8 = 2;
/// `STATUS_CODE_ERROR`.
const ERROR: u8 = 2;

/// One document.
pub(super) fn document(node: &str, spans: &[Ended]) -> Vec<u8> {
    let version = env!("CARGO_PKG_VERSION");
    let resource = [("service.name", "keystead"), ("service.version", version), ("service.instance.id", node)];
    let resource: Vec<Value> = resource.iter().map(|(name, value)| text(name, value)).collect();
    let spans: Vec<Value> = spans.iter().map(span).collect();
    let document = json!({
        "resourceSpans": [{
            "resource": { "attributes": resource },
            "scopeSpans": [{ "scope": { "name": "keystead", "version": version }, "spans": spans }],
        }],
    });
    document.to_string().into_bytes()
}

fn span(ended: &Ended) -> Value {
    let status = ended.numbers.iter().find(|(name, _)| *name == "status").map(|(_, n)| *n);
    let texts = ended.texts.iter().map(|(name, value)| text(attribute(name), value));
    let numbers = ended.numbers.iter().map(|(name, n)| number(attribute(name), *n));
    let attributes: Vec<Value> = texts.chain(numbers).collect();
    let mut span = json!({
        "traceId": format!("{:032x}", ended.trace),
        "spanId": format!("{:016x}", ended.id),
        "name": ended.name,
        "kind": if status.is_some() { SERVER } else { INTERNAL },
        "startTimeUnixNano": ended.start.to_string(),
        "endTimeUnixNano": ended.end.to_string(),
        "attributes": attributes,
        "status": if status.is_some_and(|s| s >= 500) { json!({ "code": ERROR }) } else { json!({}) },
    });
    if let (Some(parent), Some(members)) = (ended.parent, span.as_object_mut()) {
        members.insert("parentSpanId".to_owned(), format!("{parent:016x}").into());
    }
    span
}

/// The names that OpenTelemetry's conventions have, and ours.
fn attribute(name: &str) -> &str {
    match name {
        "status" => "http.response.status_code",
        "route" => "keystead.route",
        "protocol" => "keystead.protocol",
        "operation" => "keystead.operation",
        other => other,
    }
}

fn text(name: &str, value: &str) -> Value {
    json!({ "key": name, "value": { "stringValue": value } })
}

/// Integers of 64 bits are strings in the JSON of protocol buffers.
fn number(name: &str, value: u64) -> Value {
    json!({ "key": name, "value": { "intValue": value.to_string() } })
}
