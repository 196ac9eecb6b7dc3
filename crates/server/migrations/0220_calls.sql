-- Uploads that come in several requests (tus 1.0), and how far a job is.

-- An upload becomes a call of the same id: it has that call's record key from the start, and its entry in the outbox. Each request that
-- brings bytes leaves one sealed object, named in upload_pieces.
CREATE TABLE tenant.uploads (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL,
  owner_id uuid NOT NULL,
  sealed app.enc,
  length bigint NOT NULL CHECK (length >= 0),
  received bigint NOT NULL DEFAULT 0 CHECK (received BETWEEN 0 AND length),
  turn uuid,
  became uuid,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, id, owner_id),
  FOREIGN KEY (tenant_id, owner_id) REFERENCES tenant.memberships ON DELETE CASCADE
);
CREATE INDEX ON tenant.uploads (tenant_id, owner_id);
CREATE INDEX ON tenant.uploads (tenant_id, expires_at);
COMMENT ON COLUMN tenant.uploads.sealed IS 'what was said of the recording; NULL once the call has it';
COMMENT ON COLUMN tenant.uploads.turn IS 'the request that may add bytes; the latest one';
COMMENT ON COLUMN tenant.uploads.became IS 'the call: this id, or that of an earlier call with the same recording';
CALL app.protect('tenant.uploads', 'owned');

CREATE TABLE tenant.upload_pieces (
  tenant_id uuid NOT NULL,
  upload_id uuid NOT NULL,
  start bigint NOT NULL CHECK (start >= 0),
  owner_id uuid NOT NULL,
  object_id uuid NOT NULL,
  bytes bigint NOT NULL CHECK (bytes > 0),
  PRIMARY KEY (tenant_id, upload_id, start),
  FOREIGN KEY (tenant_id, upload_id, owner_id) REFERENCES tenant.uploads (tenant_id, id, owner_id) ON DELETE CASCADE
);
CREATE INDEX ON tenant.upload_pieces (tenant_id, upload_id, owner_id);
CALL app.protect('tenant.upload_pieces', 'owned');

ALTER TABLE tenant.jobs ADD COLUMN IF NOT EXISTS progress smallint NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 100);
COMMENT ON COLUMN tenant.jobs.progress IS 'percent of the work that is done';

GRANT SELECT, INSERT, UPDATE, DELETE ON tenant.uploads TO subrosa_app;
GRANT SELECT, INSERT, DELETE ON tenant.upload_pieces TO subrosa_app;
