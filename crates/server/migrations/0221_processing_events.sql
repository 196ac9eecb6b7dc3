-- Processing events are kept for 30 days (H14): what is older is removed across tenants, by the database's clock.

CREATE INDEX processing_events_age ON tenant.processing_events (created_at);
CREATE POLICY jobs ON tenant.processing_events TO subrosa_jobs USING (true);
GRANT SELECT (tenant_id, id, created_at), DELETE ON tenant.processing_events TO subrosa_jobs;

-- Reason 105, sweep. Removes at most so many, oldest first, and says how many it were.
CREATE FUNCTION app.processing_events_expire(most integer) RETURNS bigint
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  removed bigint;
BEGIN
  PERFORM app.require(105::smallint);
  DELETE FROM tenant.processing_events e
    USING (
      SELECT o.tenant_id, o.id FROM tenant.processing_events o
      WHERE o.created_at <= now() - interval '30 days' ORDER BY o.created_at LIMIT most
    ) AS old
    WHERE e.tenant_id = old.tenant_id AND e.id = old.id;
  GET DIAGNOSTICS removed = ROW_COUNT;
  RETURN removed;
END
$$;

GRANT EXECUTE ON FUNCTION app.processing_events_expire(integer) TO subrosa_app;
GRANT CREATE ON SCHEMA app TO subrosa_jobs;
ALTER FUNCTION app.processing_events_expire(integer) OWNER TO subrosa_jobs;
REVOKE CREATE ON SCHEMA app FROM subrosa_jobs;
