-- Calls and what is derived from them. Content is in `sealed`; every other column is a number, a time, an id or a code.
-- A child names its call together with the call's owner, so that it cannot hang on another user's call.

CREATE TABLE tenant.contacts (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL,
  owner_id uuid NOT NULL,
  sealed app.enc NOT NULL,
  phone_token bytea CHECK (octet_length(phone_token) = 32),
  email_token bytea CHECK (octet_length(email_token) = 32),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, id, owner_id),
  FOREIGN KEY (tenant_id, owner_id) REFERENCES tenant.memberships
);
CREATE INDEX ON tenant.contacts (tenant_id, owner_id, phone_token);
CREATE INDEX ON tenant.contacts (tenant_id, owner_id, email_token);
COMMENT ON COLUMN tenant.contacts.phone_token IS 'no-content: HMAC under an index key of the tenant';
COMMENT ON COLUMN tenant.contacts.email_token IS 'no-content: HMAC under an index key of the tenant';
CALL app.protect('tenant.contacts', 'owned');

CREATE TABLE tenant.calls (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL,
  owner_id uuid NOT NULL,
  contact_id uuid,
  sealed app.enc,
  status smallint NOT NULL DEFAULT 1 CHECK (status BETWEEN 1 AND 5),
  direction smallint NOT NULL DEFAULT 3 CHECK (direction BETWEEN 1 AND 3),
  error_code text CHECK (error_code ~ '^[a-z0-9_]{1,64}$'),
  language text CHECK (language ~ '^[a-z]{2,3}$'),
  channels smallint CHECK (channels > 0),
  duration_ms bigint CHECK (duration_ms >= 0),
  recording_token bytea CHECK (octet_length(recording_token) = 32),
  legal_hold boolean NOT NULL DEFAULT false,
  recorded_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, id, owner_id),
  FOREIGN KEY (tenant_id, owner_id) REFERENCES tenant.memberships,
  FOREIGN KEY (tenant_id, contact_id, owner_id) REFERENCES tenant.contacts (tenant_id, id, owner_id)
    ON DELETE SET NULL (contact_id)
);
CREATE INDEX ON tenant.calls (tenant_id, owner_id, created_at DESC, id);
CREATE INDEX ON tenant.calls (tenant_id, created_at DESC, id);
CREATE INDEX ON tenant.calls (tenant_id, owner_id, recording_token);
CREATE INDEX ON tenant.calls (tenant_id, contact_id, owner_id);
COMMENT ON COLUMN tenant.calls.status IS '1 QUEUED, 2 TRANSCRIBING, 3 ANALYZING, 4 COMPLETED, 5 FAILED';
COMMENT ON COLUMN tenant.calls.direction IS '1 INCOMING, 2 OUTGOING, 3 UNKNOWN';
COMMENT ON COLUMN tenant.calls.error_code IS 'no-content: short code, checked';
COMMENT ON COLUMN tenant.calls.language IS 'no-content: ISO 639 code, checked';
COMMENT ON COLUMN tenant.calls.recording_token IS 'no-content: HMAC of the recording, by which a re-sent upload is known';
CALL app.protect('tenant.calls', 'owned');

-- What exists before redaction is sealed under the key of its run, which dies when redaction commits.
CREATE TABLE tenant.run_keys (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL,
  call_id uuid NOT NULL,
  owner_id uuid NOT NULL,
  sealed bytea NOT NULL CHECK (octet_length(sealed) BETWEEN 28 AND 1024),
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, call_id, owner_id) REFERENCES tenant.calls (tenant_id, id, owner_id) ON DELETE CASCADE
);
CREATE INDEX ON tenant.run_keys (tenant_id, call_id, owner_id);
COMMENT ON COLUMN tenant.run_keys.sealed IS 'no-content: run key, sealed under the tenant key';
CALL app.protect('tenant.run_keys', 'owned');

CREATE TABLE tenant.artifacts (
  tenant_id uuid NOT NULL,
  call_id uuid NOT NULL,
  kind smallint NOT NULL CHECK (kind BETWEEN 1 AND 6),
  owner_id uuid NOT NULL,
  run_id uuid,
  sealed app.enc,
  parts integer CHECK (parts >= 0),
  bytes bigint CHECK (bytes >= 0),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, call_id, kind),
  FOREIGN KEY (tenant_id, call_id, owner_id) REFERENCES tenant.calls (tenant_id, id, owner_id) ON DELETE CASCADE,
  CHECK ((sealed IS NULL) <> (parts IS NULL))
);
CREATE INDEX ON tenant.artifacts (tenant_id, call_id, owner_id);
COMMENT ON COLUMN tenant.artifacts.kind IS
  '1 TEMP_AUDIO, 2 DIARIZATION_JSON, 3 RAW_TRANSCRIPT_JSON, 4 NORMALIZED_TRANSCRIPT_JSON, 5 ANALYSIS_JSON, 6 retained audio';
COMMENT ON COLUMN tenant.artifacts.run_id IS 'the run key that seals it; NULL: the call''s record key';
COMMENT ON COLUMN tenant.artifacts.parts IS 'parts in the object store; NULL: the artifact is in sealed';
CALL app.protect('tenant.artifacts', 'owned');

CREATE TABLE tenant.action_items (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL,
  call_id uuid NOT NULL,
  owner_id uuid NOT NULL,
  sealed app.enc NOT NULL,
  status smallint NOT NULL DEFAULT 1 CHECK (status BETWEEN 1 AND 4),
  source smallint NOT NULL CHECK (source BETWEEN 1 AND 2),
  touched boolean NOT NULL DEFAULT false,
  position integer NOT NULL DEFAULT 0,
  due_date date,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, call_id, owner_id) REFERENCES tenant.calls (tenant_id, id, owner_id) ON DELETE CASCADE
);
CREATE INDEX ON tenant.action_items (tenant_id, call_id, owner_id);
CREATE INDEX ON tenant.action_items (tenant_id, owner_id, created_at DESC);
COMMENT ON COLUMN tenant.action_items.status IS '1 OPEN, 2 IN_PROGRESS, 3 DONE, 4 DISMISSED';
COMMENT ON COLUMN tenant.action_items.source IS '1 AI, 2 MANUAL';
COMMENT ON COLUMN tenant.action_items.touched IS 'a person changed it; analysing again leaves it alone';
CALL app.protect('tenant.action_items', 'owned');

-- Talk analytics: numbers and codes only.
CREATE TABLE tenant.call_metrics (
  tenant_id uuid NOT NULL,
  call_id uuid NOT NULL,
  speaker smallint NOT NULL CHECK (speaker >= 0),
  owner_id uuid NOT NULL,
  talk_ms bigint NOT NULL,
  words integer NOT NULL,
  longest_monologue_ms bigint NOT NULL,
  interruptions integer NOT NULL,
  questions integer NOT NULL,
  latency_ms integer,
  sentiment smallint,
  sentiment_score real,
  tone smallint,
  PRIMARY KEY (tenant_id, call_id, speaker),
  FOREIGN KEY (tenant_id, call_id, owner_id) REFERENCES tenant.calls (tenant_id, id, owner_id) ON DELETE CASCADE
);
CREATE INDEX ON tenant.call_metrics (tenant_id, call_id, owner_id);
CALL app.protect('tenant.call_metrics', 'owned');

CREATE TABLE tenant.search_postings (
  tenant_id uuid NOT NULL,
  token bytea NOT NULL CHECK (octet_length(token) BETWEEN 8 AND 32),
  call_id uuid NOT NULL,
  segment integer NOT NULL CHECK (segment >= 0),
  owner_id uuid NOT NULL,
  term_frequency smallint NOT NULL CHECK (term_frequency > 0),
  positions integer[] NOT NULL,
  PRIMARY KEY (tenant_id, token, call_id, segment),
  FOREIGN KEY (tenant_id, call_id, owner_id) REFERENCES tenant.calls (tenant_id, id, owner_id) ON DELETE CASCADE
);
CREATE INDEX ON tenant.search_postings (tenant_id, call_id, owner_id);
COMMENT ON COLUMN tenant.search_postings.token IS 'no-content: HMAC of a stemmed word under an index key of the tenant';
CALL app.protect('tenant.search_postings', 'owned');

CREATE TABLE tenant.voice_profiles (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL,
  owner_id uuid NOT NULL,
  provider text NOT NULL CHECK (provider ~ '^[a-z0-9_-]{1,32}$'),
  sealed app.enc NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, owner_id, provider),
  FOREIGN KEY (tenant_id, owner_id) REFERENCES tenant.memberships
);
COMMENT ON COLUMN tenant.voice_profiles.provider IS 'no-content: code of a provider, checked';
CALL app.protect('tenant.voice_profiles', 'owned');

CREATE TABLE tenant.consents (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL,
  owner_id uuid NOT NULL,
  kind smallint NOT NULL CHECK (kind BETWEEN 1 AND 4),
  version integer NOT NULL CHECK (version > 0),
  given_at timestamptz NOT NULL DEFAULT now(),
  withdrawn_at timestamptz,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, owner_id) REFERENCES tenant.memberships
);
CREATE INDEX ON tenant.consents (tenant_id, owner_id);
COMMENT ON COLUMN tenant.consents.kind IS '1 privacy policy, 2 terms, 3 recording disclaimer, 4 voice profile';
CALL app.protect('tenant.consents', 'owned');
