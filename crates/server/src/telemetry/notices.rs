//! What PostgreSQL remarks and the log leaves out.
//!
//! A transaction that is given up is rolled back, whether or not the server has ended it by then: nobody knows, and outside of one it
//! does nothing. PostgreSQL warns of that, and an operator would look for a fault where there is none.

use std::fmt::{Debug, Write as _};

use tracing::{
    Event, Metadata,
    field::{Field, Visit},
    subscriber::Interest,
};
use tracing_subscriber::{
    filter::LevelFilter,
    layer::{Context, Filter},
};

const TARGET: &str = "sqlx::postgres::notice";
const NOTHING_TO_END: &str = "there is no transaction in progress";

/// Leaves out the one warning; everything else that PostgreSQL says goes on to the log.
pub(super) struct Notices;

impl<S> Filter<S> for Notices {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    // Without these two, every line that the log's level leaves out would be asked about.
    fn callsite_enabled(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::always()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::TRACE)
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        if event.metadata().target() != TARGET {
            return true;
        }
        let mut said = Said(String::new());
        event.record(&mut said);
        said.0 != NOTHING_TO_END
    }
}

/// The message of an event.
struct Said(String);

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.0);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            // A string takes whatever is written to it.
            let _ = write!(self.0, "{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::Subscriber;
    use tracing_subscriber::{EnvFilter, Layer, filter::FilterExt as _, layer::SubscriberExt as _};

    use super::*;

    /// Names of the events that came through.
    #[derive(Clone, Default)]
    struct Heard(Arc<Mutex<Vec<&'static str>>>);

    impl<S: Subscriber> Layer<S> for Heard {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            self.0.lock().unwrap().push(event.metadata().name());
        }
    }

    #[test]
    fn only_the_end_of_what_has_ended_is_left_out() {
        let heard = Heard::default();
        let subscriber =
            tracing_subscriber::registry().with(heard.clone().with_filter(EnvFilter::new("info").and(Notices)));
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(name: "as sqlx", target: TARGET, message = NOTHING_TO_END);
            tracing::warn!(name: "formatted", target: TARGET, "{NOTHING_TO_END}");
            tracing::warn!(name: "another notice", target: TARGET, message = "a collation has changed");
            tracing::warn!(name: "ours", message = NOTHING_TO_END);
        });
        assert_eq!(*heard.0.lock().unwrap(), ["another notice", "ours"]);
    }
}
