//! A web kit that knows no feature. From the outside in: [`request_id`], [`access`], [`headers`], [`limits`], [`idempotency`]; then the
//! handler with what [`extract`] or a [`form`] gives it and a [place](places) where it lasts, and faults in the one shape of errors.

pub mod access;
pub mod class;
pub mod docs;
pub mod extract;
pub mod form;
pub mod headers;
pub mod idempotency;
pub(crate) mod lasting;
pub mod limits;
pub mod page;
pub mod places;
pub mod proxy;
pub mod request_id;
pub mod security_txt;
