-- What the runtime login may do with each tenant table; the catalogue test holds the same list. Nothing else anywhere.

GRANT SELECT, INSERT, UPDATE, DELETE ON
  tenant.tenants, tenant.memberships, tenant.api_keys, tenant.contacts, tenant.calls, tenant.artifacts, tenant.action_items,
  tenant.call_metrics, tenant.consents, tenant.jobs, tenant.workers, tenant.idempotency_keys, tenant.exports,
  tenant.webhook_endpoints, tenant.webhook_deliveries
  TO subrosa_app;

-- Replaced, never changed: keys, profiles, postings, events, bought minutes.
GRANT SELECT, INSERT, DELETE ON
  tenant.record_keys, tenant.run_keys, tenant.voice_profiles, tenant.search_postings, tenant.processing_events, tenant.topups
  TO subrosa_app;

-- Appended to, never changed or removed.
GRANT SELECT, INSERT ON tenant.audit_events, tenant.deletion_receipts TO subrosa_app;
GRANT SELECT, INSERT, UPDATE (sequence, hash) ON tenant.chain_heads TO subrosa_app;

-- An outbox: what goes in is taken out by the worker's functions.
GRANT SELECT, INSERT ON tenant.blob_deletions TO subrosa_app;
