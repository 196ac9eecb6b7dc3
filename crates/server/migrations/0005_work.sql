-- Work on calls, its workers, its trace, and what leaves the house.

CREATE TABLE tenant.workers (
  tenant_id uuid NOT NULL REFERENCES tenant.tenants,
  id uuid NOT NULL,
  token_hash bytea NOT NULL CHECK (octet_length(token_hash) = 32),
  region text NOT NULL CHECK (region ~ '^[a-z0-9-]{1,32}$'),
  sealed app.enc,
  created_at timestamptz NOT NULL DEFAULT now(),
  seen_at timestamptz,
  revoked_at timestamptz,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ON tenant.workers (token_hash);
COMMENT ON COLUMN tenant.workers.token_hash IS 'no-content: SHA-256 of a random token';
COMMENT ON COLUMN tenant.workers.region IS 'no-content: code of a region, checked';
CALL app.protect('tenant.workers', 'managed');

CREATE TABLE tenant.jobs (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL,
  call_id uuid NOT NULL,
  owner_id uuid NOT NULL,
  kind smallint NOT NULL CHECK (kind > 0),
  state smallint NOT NULL DEFAULT 1 CHECK (state BETWEEN 1 AND 4),
  priority smallint NOT NULL DEFAULT 0,
  region text NOT NULL CHECK (region ~ '^[a-z0-9-]{1,32}$'),
  attempts smallint NOT NULL DEFAULT 0,
  run_at timestamptz NOT NULL DEFAULT now(),
  lease_token uuid,
  lease_worker uuid,
  lease_until timestamptz,
  error_code text CHECK (error_code ~ '^[a-z0-9_]{1,64}$'),
  created_at timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, call_id, owner_id) REFERENCES tenant.calls (tenant_id, id, owner_id) ON DELETE CASCADE
);
CREATE INDEX ON tenant.jobs (tenant_id, call_id, owner_id);
CREATE INDEX ON tenant.jobs (region, priority DESC, run_at) WHERE state = 1;
CREATE INDEX ON tenant.jobs (lease_until) WHERE state = 2;
COMMENT ON COLUMN tenant.jobs.state IS '1 queued, 2 leased, 3 done, 4 failed';
COMMENT ON COLUMN tenant.jobs.region IS 'no-content: code of a region, checked';
COMMENT ON COLUMN tenant.jobs.error_code IS 'no-content: short code, checked';
CALL app.protect('tenant.jobs', 'owned');

CREATE TABLE tenant.processing_events (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL,
  call_id uuid NOT NULL,
  owner_id uuid NOT NULL,
  stage smallint NOT NULL CHECK (stage > 0),
  outcome smallint NOT NULL CHECK (outcome BETWEEN 1 AND 4),
  provider text CHECK (provider ~ '^[a-z0-9_-]{1,32}$'),
  duration_ms bigint CHECK (duration_ms >= 0),
  error_code text CHECK (error_code ~ '^[a-z0-9_]{1,64}$'),
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, call_id, owner_id) REFERENCES tenant.calls (tenant_id, id, owner_id) ON DELETE CASCADE
);
CREATE INDEX ON tenant.processing_events (tenant_id, call_id, owner_id, created_at);
CREATE INDEX ON tenant.processing_events (tenant_id, created_at);
COMMENT ON COLUMN tenant.processing_events.outcome IS '1 STARTED, 2 COMPLETED, 3 FAILED, 4 SKIPPED';
COMMENT ON COLUMN tenant.processing_events.provider IS 'no-content: code of a provider, checked';
COMMENT ON COLUMN tenant.processing_events.error_code IS 'no-content: short code, checked';
CALL app.protect('tenant.processing_events', 'owned');

CREATE TABLE tenant.idempotency_keys (
  tenant_id uuid NOT NULL,
  owner_id uuid NOT NULL,
  key_hash bytea NOT NULL CHECK (octet_length(key_hash) = 32),
  request_hash bytea NOT NULL CHECK (octet_length(request_hash) = 32),
  status_code smallint,
  sealed app.enc,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, owner_id, key_hash),
  FOREIGN KEY (tenant_id, owner_id) REFERENCES tenant.memberships ON DELETE CASCADE
);
CREATE INDEX ON tenant.idempotency_keys (tenant_id, created_at);
COMMENT ON COLUMN tenant.idempotency_keys.key_hash IS 'no-content: HMAC of what the client chose';
COMMENT ON COLUMN tenant.idempotency_keys.request_hash IS 'no-content: HMAC of the request';
CALL app.protect('tenant.idempotency_keys', 'owned');

CREATE TABLE tenant.exports (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL,
  owner_id uuid NOT NULL,
  state smallint NOT NULL DEFAULT 1 CHECK (state BETWEEN 1 AND 3),
  parts integer CHECK (parts >= 0),
  bytes bigint CHECK (bytes >= 0),
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, owner_id) REFERENCES tenant.memberships ON DELETE CASCADE
);
CREATE INDEX ON tenant.exports (tenant_id, owner_id);
COMMENT ON COLUMN tenant.exports.state IS '1 queued, 2 ready, 3 failed';
CALL app.protect('tenant.exports', 'owned');

CREATE TABLE tenant.webhook_endpoints (
  tenant_id uuid NOT NULL REFERENCES tenant.tenants,
  id uuid NOT NULL,
  sealed app.enc NOT NULL,
  events integer NOT NULL,
  enabled boolean NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, id)
);
COMMENT ON COLUMN tenant.webhook_endpoints.events IS 'bit set of the events it is sent';
CALL app.protect('tenant.webhook_endpoints', 'managed');

CREATE TABLE tenant.webhook_deliveries (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL,
  endpoint_id uuid NOT NULL,
  event smallint NOT NULL,
  subject_id uuid NOT NULL,
  state smallint NOT NULL DEFAULT 1 CHECK (state BETWEEN 1 AND 3),
  attempts smallint NOT NULL DEFAULT 0,
  run_at timestamptz NOT NULL DEFAULT now(),
  status_code smallint,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, endpoint_id) REFERENCES tenant.webhook_endpoints ON DELETE CASCADE
);
CREATE INDEX ON tenant.webhook_deliveries (tenant_id, endpoint_id);
CREATE INDEX ON tenant.webhook_deliveries (run_at) WHERE state = 1;
COMMENT ON COLUMN tenant.webhook_deliveries.state IS '1 queued, 2 delivered, 3 given up';
CALL app.protect('tenant.webhook_deliveries', 'shared');

CREATE TABLE tenant.topups (
  tenant_id uuid NOT NULL REFERENCES tenant.tenants,
  id uuid NOT NULL,
  minutes integer NOT NULL CHECK (minutes > 0),
  transcripts integer NOT NULL CHECK (transcripts > 0),
  payment_hash bytea NOT NULL CHECK (octet_length(payment_hash) = 32),
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, payment_hash)
);
COMMENT ON COLUMN tenant.topups.payment_hash IS 'no-content: SHA-256 of the payment''s id, so that it counts once';
CALL app.protect('tenant.topups', 'managed');
