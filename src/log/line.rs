//! One event as one line of JSON. The fields of the spans around it stand beside its own, so that every line about a job
//! names the job, its record and its trace, whoever wrote it.

use jiff::Timestamp;
use serde_json::{Map, Value};
use std::fmt::{self, Debug};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// Writes events as lines; the fields of spans must be formatted as JSON.
pub struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let meta = event.metadata();
        let mut line = Fields::default();
        line.put("timestamp", Value::from(Timestamp::now().to_string()));
        line.put("level", Value::from(meta.level().as_str()));
        event.record(&mut line);
        for span in context
            .event_scope()
            .into_iter()
            .flat_map(|scope| scope.from_root())
        {
            let extensions = span.extensions();
            let Some(fields) = extensions.get::<FormattedFields<N>>() else {
                continue;
            };
            if let Ok(Value::Object(fields)) = serde_json::from_str(&fields.fields) {
                for (name, value) in fields {
                    line.put(&name, value);
                }
            }
        }
        line.put("target", Value::from(meta.target()));
        let text = serde_json::to_string(&line.0).map_err(|_| fmt::Error)?;
        writeln!(writer, "{text}")
    }
}

/// The fields of a line, without secrets.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    /// Adds a field; one that the event has itself stays as it is.
    fn put(&mut self, name: &str, value: Value) {
        if self.0.contains_key(name) {
            return;
        }
        let value = match value {
            Value::String(text) => Value::from(crate::secret::hide(&text).into_owned()),
            other => other,
        };
        self.0.insert(name.to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field.name(), Value::from(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field.name(), Value::from(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field.name(), Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), Value::from(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SecretRef;
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::fmt::format::JsonFields;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(write: impl FnOnce()) -> Vec<Value> {
        let kept = Kept::default();
        let writer = kept.clone();
        let subscriber = tracing_subscriber::fmt()
            .fmt_fields(JsonFields::new())
            .event_format(Line)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, write);
        let bytes = kept.0.lock().unwrap().clone();
        String::from_utf8(bytes)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn the_ids_of_the_spans_around_stand_on_each_line() {
        let lines = logged(|| {
            let outer = tracing::info_span!("job", job = "j1", record = "r1");
            let _outer = outer.enter();
            let inner = tracing::info_span!("call", trace = "t1", record = "r2");
            let _inner = inner.enter();
            tracing::info!(status = 422, record = %"r3", "refused\nwith \"quotes\"");
            tracing::info!(ok = true, "fine");
        });
        assert_eq!(lines.len(), 2);
        for line in &lines {
            assert_eq!((&line["job"], &line["trace"]), (&"j1".into(), &"t1".into()));
            assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
        }
        // What an event says itself goes before what is said around it.
        assert_eq!(lines[0]["record"], "r3");
        assert_eq!(lines[0]["message"], "refused\nwith \"quotes\"");
        assert_eq!(
            (&lines[0]["status"], &lines[1]["ok"]),
            (&422.into(), &true.into())
        );
    }

    #[tokio::test]
    async fn a_secret_that_was_read_is_in_no_line() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("t"), "log-canary-8842\n").unwrap();
        SecretRef::File("t".into())
            .read(folder.path())
            .await
            .unwrap();
        let lines = logged(|| {
            let span = tracing::info_span!("job", job = "at log-canary-8842");
            let _inside = span.enter();
            tracing::error!(error = %"https://x/?key=log-canary-8842", "log-canary-8842 was refused");
        });
        let text = format!("{lines:?}");
        assert!(!text.contains("canary"), "{text}");
        assert_eq!(lines[0]["message"], "[redacted] was refused");
    }
}
