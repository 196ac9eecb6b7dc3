-- Exports (GDPR, articles 15 and 20), and what a data subject's calls are found by.

-- The keyed hashes of whom a call was with. A call of an older program has none yet: the program writes them, because only it can read
-- what they are made from, before it looks for anybody.
ALTER TABLE tenant.calls
  ADD phone_token bytea CHECK (octet_length(phone_token) = 32),
  ADD name_token bytea CHECK (octet_length(name_token) = 32),
  ADD is_indexed boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN tenant.calls.phone_token IS 'no-content: HMAC of the other party''s number under an index key of the tenant';
COMMENT ON COLUMN tenant.calls.name_token IS 'no-content: HMAC of the other party''s name under an index key of the tenant';
COMMENT ON COLUMN tenant.calls.is_indexed IS 'whether the two tokens are those of the sealed document';
CREATE INDEX ON tenant.calls (tenant_id, phone_token) WHERE phone_token IS NOT NULL;
CREATE INDEX ON tenant.calls (tenant_id, name_token) WHERE name_token IS NOT NULL;
CREATE INDEX calls_not_indexed ON tenant.calls (tenant_id, id) WHERE NOT is_indexed;

ALTER TABLE tenant.exports
  ADD kind smallint NOT NULL DEFAULT 1 CHECK (kind BETWEEN 1 AND 2),
  ADD subject_tokens bytea[],
  ADD object_id uuid,
  ADD sealed_key bytea CHECK (octet_length(sealed_key) BETWEEN 28 AND 1024),
  ADD calls integer CHECK (calls >= 0),
  ADD error_code text CHECK (error_code ~ '^[a-z0-9_]{1,64}$'),
  ADD attempts smallint NOT NULL DEFAULT 0,
  ADD lease_token uuid,
  ADD lease_until timestamptz,
  DROP CONSTRAINT exports_state_check,
  ADD CONSTRAINT exports_state_check CHECK (state BETWEEN 1 AND 4),
  ADD CONSTRAINT exports_day_check CHECK (expires_at <= created_at + interval '24 hours'),
  ADD CONSTRAINT exports_key_check CHECK ((state = 2) = (sealed_key IS NOT NULL));
COMMENT ON COLUMN tenant.exports.kind IS '1 of the user, 2 of a data subject';
COMMENT ON COLUMN tenant.exports.state IS '1 PENDING, 2 READY, 3 FAILED, 4 EXPIRED';
COMMENT ON COLUMN tenant.exports.subject_tokens IS 'no-content: HMACs by which the data subject''s calls are found; NULL: of the user, or over';
COMMENT ON COLUMN tenant.exports.object_id IS 'the archive in the object store, in the folder of its owner';
COMMENT ON COLUMN tenant.exports.sealed_key IS 'no-content: its key but for the shares of its calls, sealed under the tenant key';
COMMENT ON COLUMN tenant.exports.calls IS 'how many calls are in it; with fewer shares than that nothing opens it';
COMMENT ON COLUMN tenant.exports.error_code IS 'no-content: short code, checked';
-- One at a time.
CREATE UNIQUE INDEX exports_pending ON tenant.exports (tenant_id, owner_id) WHERE state = 1;
CREATE INDEX exports_queue ON tenant.exports (created_at) WHERE state = 1;

-- The calls that are in an export, each with a share of its key: with the first of them that is deleted, in whatever way, the key is gone.
CREATE TABLE tenant.export_calls (
  tenant_id uuid NOT NULL,
  export_id uuid NOT NULL,
  call_id uuid NOT NULL,
  owner_id uuid NOT NULL,
  share bytea NOT NULL CHECK (octet_length(share) = 32),
  PRIMARY KEY (tenant_id, export_id, call_id),
  FOREIGN KEY (tenant_id, export_id) REFERENCES tenant.exports ON DELETE CASCADE,
  FOREIGN KEY (tenant_id, call_id, owner_id) REFERENCES tenant.calls (tenant_id, id, owner_id) ON DELETE CASCADE
);
CREATE INDEX ON tenant.export_calls (tenant_id, call_id, owner_id);
COMMENT ON COLUMN tenant.export_calls.owner_id IS 'of the call';
COMMENT ON COLUMN tenant.export_calls.share IS 'no-content: random; the key is what all of them and sealed_key make together';
CALL app.protect('tenant.export_calls', 'owned');
GRANT SELECT, INSERT, DELETE ON tenant.export_calls TO subrosa_app;

-- Reason 102, jobs: takes the oldest export that nobody builds, for as long as the lease says.
CREATE POLICY jobs ON tenant.exports TO subrosa_jobs USING (true);
GRANT SELECT (tenant_id, id, owner_id, kind, state, attempts, created_at, expires_at, lease_token, lease_until),
  UPDATE (attempts, lease_token, lease_until) ON tenant.exports TO subrosa_jobs;
CREATE FUNCTION app.export_claim(lasts interval)
    RETURNS TABLE (tenant_id uuid, id uuid, owner_id uuid, kind smallint, attempts smallint, lease_token uuid, expires_at timestamptz)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(102::smallint);
  RETURN QUERY
    WITH next AS (
      SELECT e.tenant_id, e.id FROM tenant.exports e
      WHERE e.state = 1 AND e.expires_at > now() AND (e.lease_until IS NULL OR e.lease_until <= clock_timestamp())
      ORDER BY e.created_at LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    UPDATE tenant.exports e SET attempts = e.attempts + 1, lease_token = gen_random_uuid(), lease_until = clock_timestamp() + lasts
    FROM next WHERE e.tenant_id = next.tenant_id AND e.id = next.id
    RETURNING e.tenant_id, e.id, e.owner_id, e.kind, e.attempts, e.lease_token, e.expires_at;
END
$$;

GRANT EXECUTE ON FUNCTION app.export_claim(interval) TO subrosa_app;
GRANT CREATE ON SCHEMA app TO subrosa_jobs;
ALTER FUNCTION app.export_claim(interval) OWNER TO subrosa_jobs;
REVOKE CREATE ON SCHEMA app FROM subrosa_jobs;
