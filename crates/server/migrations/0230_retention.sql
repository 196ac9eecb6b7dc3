-- How long calls are kept (H14), and what keeps one longer: a legal hold.

-- Acts by which calls were put under legal hold or released, newest last; appended to, and gone with the call.
CREATE TABLE tenant.legal_holds (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL,
  call_id uuid NOT NULL,
  owner_id uuid NOT NULL,
  actor_id uuid NOT NULL,
  is_held boolean NOT NULL,
  sealed app.enc NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, call_id, owner_id) REFERENCES tenant.calls (tenant_id, id, owner_id) ON DELETE CASCADE
);
CREATE INDEX ON tenant.legal_holds (tenant_id, call_id, owner_id);
COMMENT ON COLUMN tenant.legal_holds.sealed IS 'the reason that was given';
COMMENT ON COLUMN tenant.legal_holds.actor_id IS 'who did it; no key, because it outlives a membership';
CALL app.protect('tenant.legal_holds', 'owned');
GRANT SELECT, INSERT ON tenant.legal_holds TO subrosa_app;

-- Retention looks for old calls across tenants: their ids, ages and holds, and nothing else.
CREATE POLICY jobs ON tenant.calls TO subrosa_jobs USING (true);
GRANT SELECT (tenant_id, id, legal_hold, created_at) ON tenant.calls TO subrosa_jobs;

-- Reason 105, sweep: calls that are older than their tenant keeps them, oldest first, behind the one that was looked at last.
CREATE FUNCTION app.calls_expired(after_at timestamptz, after_id uuid, most integer)
    RETURNS TABLE (tenant_id uuid, call_id uuid, created_at timestamptz)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(105::smallint);
  -- By the index of each tenant, which ends at what is not too old.
  RETURN QUERY SELECT expired.* FROM tenant.tenants t CROSS JOIN LATERAL (
      SELECT c.tenant_id, c.id, c.created_at FROM tenant.calls c
        WHERE c.tenant_id = t.tenant_id AND NOT c.legal_hold AND (c.created_at, c.id) > (after_at, after_id)
          AND c.created_at >= after_at AND c.created_at <= now() - make_interval(days => t.retention_days::integer)
        ORDER BY c.created_at, c.id LIMIT most
    ) AS expired ORDER BY expired.created_at, expired.id LIMIT most;
END
$$;

GRANT EXECUTE ON FUNCTION app.calls_expired(timestamptz, uuid, integer) TO subrosa_app;
GRANT CREATE ON SCHEMA app TO subrosa_jobs;
ALTER FUNCTION app.calls_expired(timestamptz, uuid, integer) OWNER TO subrosa_jobs;
REVOKE CREATE ON SCHEMA app FROM subrosa_jobs;
