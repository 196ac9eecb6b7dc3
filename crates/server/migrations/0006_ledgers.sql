-- What outlives its subject: the audit log, deletion receipts, and blobs that are still to be removed. No foreign key: a
-- deleted tenant leaves its rows here. Ids, codes, counts, times and hashes only.

CREATE TABLE tenant.audit_events (
  tenant_id uuid NOT NULL,
  sequence bigint NOT NULL CHECK (sequence > 0),
  id uuid NOT NULL,
  actor_id uuid NOT NULL,
  actor_role smallint NOT NULL,
  action smallint NOT NULL CHECK (action > 0),
  subject_kind smallint NOT NULL,
  subject_id uuid NOT NULL,
  at timestamptz NOT NULL,
  previous bytea NOT NULL CHECK (octet_length(previous) = 32),
  hash bytea NOT NULL CHECK (octet_length(hash) = 32),
  PRIMARY KEY (tenant_id, sequence)
);
COMMENT ON COLUMN tenant.audit_events.previous IS 'no-content: hash of the event before';
COMMENT ON COLUMN tenant.audit_events.hash IS 'no-content: SHA-256 of this event and the hash before';
CALL app.protect('tenant.audit_events', 'audited');

CREATE TABLE tenant.deletion_receipts (
  tenant_id uuid NOT NULL,
  sequence bigint NOT NULL CHECK (sequence > 0),
  id uuid NOT NULL,
  class smallint NOT NULL CHECK (class BETWEEN 1 AND 5),
  subject_id uuid NOT NULL,
  rows_removed bigint NOT NULL CHECK (rows_removed >= 0),
  blobs_removed bigint NOT NULL CHECK (blobs_removed >= 0),
  keys_destroyed bigint NOT NULL CHECK (keys_destroyed >= 0),
  at timestamptz NOT NULL,
  previous bytea NOT NULL CHECK (octet_length(previous) = 32),
  hash bytea NOT NULL CHECK (octet_length(hash) = 32),
  signing_key integer NOT NULL,
  signature bytea NOT NULL CHECK (octet_length(signature) = 64),
  PRIMARY KEY (tenant_id, sequence),
  UNIQUE (tenant_id, id)
);
CREATE INDEX ON tenant.deletion_receipts (id);
COMMENT ON COLUMN tenant.deletion_receipts.class IS '1 call, 2 contact, 3 voice profile, 4 user, 5 tenant';
COMMENT ON COLUMN tenant.deletion_receipts.previous IS 'no-content: hash of the receipt before';
COMMENT ON COLUMN tenant.deletion_receipts.hash IS 'no-content: SHA-256 of this receipt and the hash before';
COMMENT ON COLUMN tenant.deletion_receipts.signing_key IS 'version of the system key that signed it';
COMMENT ON COLUMN tenant.deletion_receipts.signature IS 'no-content: Ed25519 over hash';
CALL app.protect('tenant.deletion_receipts', 'audited');

-- The end of each chain, locked by who appends: anyone in a tenant appends, but not everyone reads.
CREATE TABLE tenant.chain_heads (
  tenant_id uuid NOT NULL,
  chain smallint NOT NULL CHECK (chain BETWEEN 1 AND 2),
  sequence bigint NOT NULL CHECK (sequence >= 0),
  hash bytea NOT NULL CHECK (octet_length(hash) = 32),
  mirrored_sequence bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant_id, chain)
);
COMMENT ON COLUMN tenant.chain_heads.chain IS '1 audit events, 2 deletion receipts';
COMMENT ON COLUMN tenant.chain_heads.hash IS 'no-content: hash of the last link';
COMMENT ON COLUMN tenant.chain_heads.mirrored_sequence IS 'the last link whose signed head is in the object store';
CALL app.protect('tenant.chain_heads', 'shared');

-- Blobs whose key is gone and whose bytes are still to go; and, with an object, uploads that may never end.
CREATE TABLE tenant.blob_deletions (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL,
  class smallint NOT NULL CHECK (class BETWEEN 1 AND 5),
  subject_id uuid NOT NULL,
  object_id uuid,
  attempts integer NOT NULL DEFAULT 0,
  run_at timestamptz NOT NULL DEFAULT now(),
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ON tenant.blob_deletions (run_at);
CREATE INDEX ON tenant.blob_deletions (tenant_id, object_id) WHERE object_id IS NOT NULL;
COMMENT ON COLUMN tenant.blob_deletions.class IS 'as of deletion_receipts: with subject_id the prefix under which every object goes';
COMMENT ON COLUMN tenant.blob_deletions.object_id IS
  'the one object that goes, of an upload that has not ended or whose time is over; NULL: all of the subject, once its key is gone';
CALL app.protect('tenant.blob_deletions', 'shared');
