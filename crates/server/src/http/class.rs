//! Kinds of routes: what a route may cost decides how large its bodies are, how long it takes and how often it is called.
//!
//! A route is a read or a change by its method; what is neither is listed here by its template, once.

use axum::http::Method;

use crate::config::{Config, Quota};

/// The kind of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// What anybody may ask; answered even when all other requests are too many.
    Public,
    /// Reads.
    Read,
    /// Changes.
    Write,
    /// Bodies that hold a recording.
    Upload,
    /// Where passwords and refresh tokens are tried.
    SignIn,
}

/// Routes that are what their method does not say: the beginning of a template, and its kind. Reads of uploads stay reads.
const ROUTES: [(&str, Class); 13] = [
    ("/api/health/details", Class::Read),
    ("/api/health", Class::Public),
    ("/openapi.json", Class::Public),
    ("/docs", Class::Public),
    ("/.well-known", Class::Public),
    ("/api/calls/analyze", Class::Upload),
    ("/api/uploads", Class::Upload),
    ("/v1/audio", Class::Upload),
    ("/api/users/me/voice-profile", Class::Upload),
    ("/api/auth/login", Class::SignIn),
    ("/api/auth/refresh", Class::SignIn),
    ("/api/auth/exchange", Class::SignIn),
    ("/api/auth/invitations", Class::SignIn),
];

impl Class {
    /// The kind of a route, by its template.
    #[must_use]
    pub fn of(method: &Method, template: &str) -> Self {
        let listed = ROUTES.iter().find(|(start, _)| template.starts_with(start)).map(|(_, class)| *class);
        let is_read = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        match listed {
            Some(Self::Upload) | None if is_read => Self::Read,
            Some(class) => class,
            None => Self::Write,
        }
    }

    /// Its name, in policies and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Read => "read",
            Self::Write => "write",
            Self::Upload => "upload",
            Self::SignIn => "sign-in",
        }
    }

    /// How often a caller may ask.
    #[must_use]
    pub fn quota(self, config: &Config) -> Quota {
        match self {
            Self::Public => config.rates.public,
            Self::Read => config.rates.read,
            Self::Write => config.rates.write,
            Self::Upload => config.rates.upload,
            Self::SignIn => config.rates.sign_in,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_what_its_method_says_unless_it_is_listed() {
        let of = |method, template| Class::of(&method, template);
        assert_eq!(of(Method::GET, "/api/calls/{id}"), Class::Read);
        assert_eq!(of(Method::DELETE, "/api/calls/{id}"), Class::Write);
        assert_eq!(of(Method::POST, "/api/calls/analyze"), Class::Upload);
        assert_eq!(of(Method::PATCH, "/api/uploads/{id}"), Class::Upload);
        assert_eq!(of(Method::HEAD, "/api/uploads/{id}"), Class::Read);
        assert_eq!(of(Method::POST, "/api/auth/login"), Class::SignIn);
        assert_eq!(of(Method::GET, "/api/health"), Class::Public);
        assert_eq!(of(Method::GET, "/api/health/details"), Class::Read);
    }
}
