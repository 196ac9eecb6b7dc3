//! A web kit that knows no feature: request ids, bodies and parameters whose faults have the one shape of errors.

pub mod extract;
pub mod request_id;
