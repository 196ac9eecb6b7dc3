//! Lines of the log and spans, by the macros of `tracing` with one difference: a field is something that may be told ([`Told`]), and
//! the message is a literal that is not formatted. Everything else is refused by the compiler, and `tracing`'s own macros by `xtask tidy`.
//!
//! [`Told`]: super::told::Told

/// One line: `line!(WARN, name = value, "what happened")`.
macro_rules! line {
    ($level:ident, $($($name:ident).+ = $value:expr,)* $message:literal) => {
        ::tracing::event!(
            ::tracing::Level::$level,
            $($($name).+ = $crate::telemetry::told::told(&$value),)*
            message = $message
        )
    };
}

/// Something that an operator may want to know of.
macro_rules! info {
    ($($told:tt)*) => { $crate::telemetry::log::line!(INFO, $($told)*) };
}

/// Something that went wrong and is made good, or tried again.
macro_rules! warning {
    ($($told:tt)*) => { $crate::telemetry::log::line!(WARN, $($told)*) };
}

/// A fault of the program or its surroundings, for somebody to look at. It is reported as well ([`super::reports`]).
macro_rules! error {
    ($($told:tt)*) => { $crate::telemetry::log::line!(ERROR, $($told)*) };
}

/// A span of the level `INFO`: `span!("request", name = value, later = empty)`.
macro_rules! span {
    ($span:literal, $($($name:ident).+ = $value:tt),+) => {
        ::tracing::info_span!($span, $($($name).+ = $crate::telemetry::log::span!(@ $value)),+)
    };
    (@ empty) => { ::tracing::field::Empty };
    (@ $value:tt) => { $crate::telemetry::told::told(&$value) };
}

pub(crate) use {error, info, line, span, warning};
