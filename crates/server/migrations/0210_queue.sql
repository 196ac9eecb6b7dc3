-- The queue across tenants: who gets the next job. Everything else about a job happens in its tenant's transaction.
--
-- Invariant: whoever holds a job's token while `lease_until` lies ahead is the only one who writes for its call.

ALTER TABLE tenant.jobs
  ADD progress smallint NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 100),
  ADD leased_at timestamptz;
COMMENT ON COLUMN tenant.jobs.progress IS 'percent of the recording that was listened to';
COMMENT ON COLUMN tenant.jobs.leased_at IS 'when it was last given out: turns between tenants go by it';

-- A step from tenant to tenant, and each tenant's next job, are one look into this index; so ten thousand jobs of one tenant cost as
-- much as one.
DROP INDEX tenant.jobs_region_priority_run_at_idx;
CREATE INDEX jobs_waiting ON tenant.jobs (region, tenant_id, priority DESC, run_at) WHERE state = 1;
CREATE INDEX jobs_running ON tenant.jobs (tenant_id) WHERE state = 2;
CREATE INDEX jobs_turn ON tenant.jobs (tenant_id, leased_at);

CREATE POLICY jobs ON tenant.jobs TO subrosa_jobs USING (true);
GRANT SELECT (tenant_id, id, call_id, owner_id, kind, state, priority, region, attempts, run_at, lease_token, lease_worker,
    lease_until, leased_at, progress),
  UPDATE (state, attempts, progress, lease_token, lease_worker, lease_until, leased_at)
  ON tenant.jobs TO subrosa_jobs;

-- Reason 102, jobs. Gives out the next job of a region under a new lease; no row when nothing is due. First come the tenants with
-- the fewest jobs under way, among them the one that waited longest for its turn: a tenant's ten thousand jobs do not
-- stand before another's one. Jobs whose lease ended are due again, their attempt counted.
CREATE FUNCTION app.job_claim(the_region text, the_worker uuid, lease interval)
    RETURNS TABLE (tenant_id uuid, id uuid, call_id uuid, owner_id uuid, kind smallint, attempts smallint, lease_token uuid)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  turn record;
BEGIN
  PERFORM app.require(102::smallint);
  UPDATE tenant.jobs j SET state = 1, lease_token = NULL, lease_worker = NULL, lease_until = NULL
    FROM (
      SELECT e.tenant_id, e.id FROM tenant.jobs e WHERE e.state = 2 AND e.lease_until <= now()
      ORDER BY e.lease_until LIMIT 100 FOR UPDATE SKIP LOCKED
    ) AS ended
    WHERE j.tenant_id = ended.tenant_id AND j.id = ended.id;
  FOR turn IN
    WITH RECURSIVE waiting AS (
      (SELECT w.tenant_id FROM tenant.jobs w WHERE w.region = the_region AND w.state = 1 ORDER BY w.tenant_id LIMIT 1)
      UNION ALL
      SELECT later.tenant_id FROM waiting, LATERAL (
        SELECT w.tenant_id FROM tenant.jobs w
        WHERE w.region = the_region AND w.state = 1 AND w.tenant_id > waiting.tenant_id
        ORDER BY w.tenant_id LIMIT 1
      ) AS later
    )
    SELECT waiting.tenant_id FROM waiting
      CROSS JOIN LATERAL (
        SELECT w.run_at FROM tenant.jobs w
        WHERE w.region = the_region AND w.tenant_id = waiting.tenant_id AND w.state = 1 AND w.run_at <= now()
        ORDER BY w.priority DESC, w.run_at LIMIT 1
      ) AS due
      CROSS JOIN LATERAL (
        SELECT count(*) AS jobs FROM tenant.jobs r WHERE r.tenant_id = waiting.tenant_id AND r.state = 2
      ) AS running
      CROSS JOIN LATERAL (
        SELECT max(t.leased_at) AS at FROM tenant.jobs t WHERE t.tenant_id = waiting.tenant_id
      ) AS served
    ORDER BY running.jobs, served.at NULLS FIRST, due.run_at
  LOOP
    RETURN QUERY
      UPDATE tenant.jobs j SET state = 2, attempts = j.attempts + 1, progress = 0, lease_token = gen_random_uuid(),
          lease_worker = the_worker, lease_until = clock_timestamp() + lease, leased_at = clock_timestamp()
        FROM (
          SELECT w.id FROM tenant.jobs w
          WHERE w.region = the_region AND w.tenant_id = turn.tenant_id AND w.state = 1 AND w.run_at <= now()
          ORDER BY w.priority DESC, w.run_at LIMIT 1 FOR UPDATE SKIP LOCKED
        ) AS next
        WHERE j.tenant_id = turn.tenant_id AND j.id = next.id
        RETURNING j.tenant_id, j.id, j.call_id, j.owner_id, j.kind, j.attempts, j.lease_token;
    IF FOUND THEN
      RETURN;
    END IF;
  END LOOP;
END
$$;

-- Numbers for metrics.
CREATE FUNCTION app.job_counts() RETURNS TABLE (waiting bigint, running bigint, oldest_seconds double precision)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(102::smallint);
  RETURN QUERY SELECT count(*) FILTER (WHERE j.state = 1), count(*) FILTER (WHERE j.state = 2),
      coalesce(extract(epoch FROM now() - min(j.run_at) FILTER (WHERE j.state = 1 AND j.run_at <= now())), 0)::double precision
    FROM tenant.jobs j WHERE j.state IN (1, 2);
END
$$;

GRANT EXECUTE ON FUNCTION app.job_claim(text, uuid, interval), app.job_counts() TO subrosa_app;
GRANT CREATE ON SCHEMA app TO subrosa_jobs;
ALTER FUNCTION app.job_claim(text, uuid, interval) OWNER TO subrosa_jobs;
ALTER FUNCTION app.job_counts() OWNER TO subrosa_jobs;
REVOKE CREATE ON SCHEMA app FROM subrosa_jobs;
