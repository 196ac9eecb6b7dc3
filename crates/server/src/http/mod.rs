//! A web kit that knows no feature: request ids, bodies and parameters whose faults have the one shape of errors, pages of lists, and
//! answers that are given again.

pub mod extract;
pub mod idempotency;
pub mod page;
pub mod request_id;
