//! One message to one endpoint. Its one invariant: a request ends within its time, follows nobody elsewhere, goes through no proxy and to
//! public addresses alone; of the answer there is a status, and nothing of an endpoint is in what is told of it.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use api::webhooks::{DeliveryOutcome, WebhookMessage};
use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use reqwest::{Client, StatusCode, header::CONTENT_TYPE, redirect::Policy};
use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    Document, PREFIX,
    target::{self, PublicOnly},
};
use crate::{config::Webhooks, telemetry::log};

/// Until the answer is there, and before it a connection. A lease lasts longer.
const TIME: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(5);

/// Bytes of an answer that are waited for: they are of no interest, and who still writes would take a broken connection for a failure.
const MAX_ANSWER: usize = 4096;

/// How an attempt ended: in which way, and the status that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) outcome: DeliveryOutcome,
    pub(super) status: Option<u16>,
}

impl From<DeliveryOutcome> for Ended {
    fn from(outcome: DeliveryOutcome) -> Self {
        Self { outcome, status: None }
    }
}

/// Sends messages.
pub struct Sender {
    settings: Webhooks,
    /// Made when it is first needed: it reads the certificates of authorities. `None` where it cannot be made.
    client: OnceLock<Option<Client>>,
}

impl Sender {
    /// A sender as configured.
    #[must_use]
    pub fn new(settings: Webhooks) -> Self {
        Self { settings, client: OnceLock::new() }
    }

    /// What an endpoint may be.
    pub(super) fn settings(&self) -> Webhooks {
        self.settings
    }

    fn client(&self) -> Option<&Client> {
        let make = || {
            let builder = Client::builder().redirect(Policy::none()).no_proxy().referer(false).user_agent("Subrosa");
            // No connection is kept: each message asks anew where its host is.
            let builder = builder.connect_timeout(CONNECT).timeout(TIME).pool_max_idle_per_host(0);
            let builder = builder.https_only(!self.settings.allow_http);
            let builder = match self.settings.allow_private_addresses {
                true => builder,
                false => builder.dns_resolver(Arc::new(PublicOnly)),
            };
            let client = builder.build().ok();
            if client.is_none() {
                log::error!(
                    "no HTTPS client can be made for webhooks: see whether the system has certificates of authorities"
                );
            }
            client
        };
        self.client.get_or_init(make).as_ref()
    }

    /// Sends a message once; `None` when nothing can be sent from here.
    pub(super) async fn send(
        &self,
        to: &Document,
        (id, message): (Uuid, &WebhookMessage),
        now: DateTime<Utc>,
    ) -> Option<Ended> {
        // What is allowed may have changed since the address was given.
        let Ok(url) = target::parse(&to.url, self.settings) else {
            return Some(DeliveryOutcome::AddressNotAllowed.into());
        };
        let (client, body) = (self.client()?, serde_json::to_string(message).ok()?);
        let (id, timestamp) = (id.to_string(), now.timestamp().to_string());
        let signed = format!("{id}.{timestamp}.{body}");
        let signatures: Vec<String> = to.secrets(now).filter_map(|secret| signature(secret, &signed)).collect();
        let request = client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signatures.join(" "))
            .body(body);
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) if target::is_not_public(&error) => return Some(DeliveryOutcome::AddressNotAllowed.into()),
            Err(error) if error.is_timeout() => return Some(DeliveryOutcome::TooSlow.into()),
            Err(_) => return Some(DeliveryOutcome::Unreachable.into()),
        };
        let status = response.status();
        let mut read = 0;
        while read < MAX_ANSWER {
            let Ok(Some(chunk)) = response.chunk().await else { break };
            read += chunk.len();
        }
        let outcome = match status {
            status if status.is_success() => DeliveryOutcome::Accepted,
            StatusCode::GONE => DeliveryOutcome::Gone,
            _ => DeliveryOutcome::Refused,
        };
        Some(Ended { outcome, status: Some(status.as_u16()) })
    }
}

/// A signature of Standard Webhooks, version 1.
fn signature(secret: &SecretString, signed: &str) -> Option<String> {
    let key = Zeroizing::new(STANDARD.decode(secret.expose_secret().strip_prefix(PREFIX)?).ok()?);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), signed.as_bytes());
    Some(format!("v1,{}", STANDARD.encode(tag)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's own libraries.
    #[test]
    fn a_message_is_signed_as_the_specification_has_it() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into();
        let signed = r#"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}"#;
        assert_eq!(signature(&secret, signed).unwrap(), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
