-- Who is told of what ends: a tenant's endpoints, and what is still to be told each. Nothing wrote these tables before.
--
-- Invariant: a delivery is written in the transaction that it tells of, and whoever holds its token while `lease_until` lies ahead is the only
-- one who sends it. It names its subject and does not refer to it, since it outlives what was deleted.

ALTER TABLE tenant.webhook_endpoints
  DROP enabled,
  ADD state smallint NOT NULL DEFAULT 1 CHECK (state BETWEEN 1 AND 4),
  ADD failing_since timestamptz;
COMMENT ON COLUMN tenant.webhook_endpoints.events IS 'bit set of the events it is sent: 1 << (event - 1)';
COMMENT ON COLUMN tenant.webhook_endpoints.state IS '1 enabled; disabled: 2 by a person, 3 its receiver is gone, 4 it failed for too long';
COMMENT ON COLUMN tenant.webhook_endpoints.failing_since IS 'when it first failed after it last accepted anything';

ALTER TABLE tenant.webhook_deliveries
  ADD receipt_id uuid,
  ADD outcome smallint CHECK (outcome BETWEEN 1 AND 7),
  ADD attempted_at timestamptz,
  ADD lease_token uuid,
  ADD lease_until timestamptz;
COMMENT ON COLUMN tenant.webhook_deliveries.event IS
  '1 call.completed, 2 call.failed, 3 call.deleted, 4 contact.deleted, 5 voice_profile.deleted, 6 user.deleted, 7 tenant.deleted, 8 ping';
COMMENT ON COLUMN tenant.webhook_deliveries.outcome IS
  'of the last attempt: 1 accepted, 2 refused, 3 gone, 4 unreachable, 5 too slow, 6 address not allowed, 7 endpoint disabled';

ALTER TABLE tenant.webhook_deliveries ADD CHECK (event BETWEEN 1 AND 8);

-- A step from endpoint to endpoint, and the next delivery of each, are one look into the first of these; the second holds what is under way.
DROP INDEX tenant.webhook_deliveries_run_at_idx;
DROP INDEX tenant.webhook_deliveries_tenant_id_endpoint_id_idx;
CREATE INDEX webhook_deliveries_waiting ON tenant.webhook_deliveries (tenant_id, endpoint_id, run_at) WHERE state = 1 AND lease_until IS NULL;
CREATE INDEX webhook_deliveries_leased ON tenant.webhook_deliveries (lease_until) WHERE state = 1 AND lease_until IS NOT NULL;
CREATE INDEX webhook_deliveries_listed ON tenant.webhook_deliveries (tenant_id, endpoint_id, created_at DESC, id);
CREATE INDEX webhook_deliveries_old ON tenant.webhook_deliveries (created_at);

-- Others leave word by the function below, and see nothing of it: a member does not learn of others' calls here either.
CREATE POLICY managed ON tenant.webhook_deliveries AS RESTRICTIVE TO subrosa_app
  USING ((SELECT app.manages())) WITH CHECK ((SELECT app.manages()));
CREATE POLICY jobs ON tenant.webhook_endpoints TO subrosa_jobs USING (true);
CREATE POLICY jobs ON tenant.webhook_deliveries TO subrosa_jobs USING (true);
GRANT SELECT (tenant_id, id, events, state, failing_since), UPDATE (state) ON tenant.webhook_endpoints TO subrosa_jobs;
GRANT SELECT (tenant_id, id, endpoint_id, event, subject_id, receipt_id, state, attempts, run_at, created_at, lease_token, lease_until),
  INSERT (tenant_id, id, endpoint_id, event, subject_id, receipt_id), UPDATE (attempts, lease_token, lease_until), DELETE
  ON tenant.webhook_deliveries TO subrosa_jobs;

-- Leaves word for every endpoint of the transaction's tenant that is sent such events. Who deletes a call of their own need not be
-- one who sees endpoints; and an endpoint that is being deleted is waited for, so that what is told does not fail for it.
CREATE FUNCTION app.webhook_tell(the_event smallint, the_subject uuid, the_receipt uuid) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  IF the_event NOT BETWEEN 1 AND 7 THEN
    RAISE EXCEPTION 'there is no such event';
  END IF;
  INSERT INTO tenant.webhook_deliveries (tenant_id, id, endpoint_id, event, subject_id, receipt_id)
    SELECT e.tenant_id, gen_random_uuid(), e.id, the_event, the_subject, the_receipt FROM tenant.webhook_endpoints e
      WHERE e.tenant_id = app.tenant() AND e.state = 1 AND e.events & (1 << (the_event - 1)) <> 0 FOR KEY SHARE;
  IF FOUND THEN
    NOTIFY subrosa_webhooks;
  END IF;
END
$$;

-- Reason 102, jobs. Gives out the next delivery that is due under a new lease; no row when nothing is. First come the tenants with the fewest
-- under way, and none has more than `each` of them, an endpoint not more than half, and one where the last failed: so slow receivers of one tenant
-- do not stand before another's, nor a dead one before its neighbours. Two that claim at once may both take the last place.
CREATE FUNCTION app.webhook_claim(the_time timestamptz, lease interval, each integer)
    RETURNS TABLE (tenant_id uuid, id uuid, endpoint_id uuid, event smallint, subject_id uuid, receipt_id uuid, attempts smallint,
      created_at timestamptz, lease_token uuid)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  -- A program whose clock is behind does not wait for what is left now.
  the_moment CONSTANT timestamptz := greatest(the_time, clock_timestamp());
  turn record;
BEGIN
  PERFORM app.require(102::smallint);
  -- Of those who died on the way.
  UPDATE tenant.webhook_deliveries d SET lease_token = NULL, lease_until = NULL
    FROM (
      SELECT o.tenant_id, o.id FROM tenant.webhook_deliveries o
      WHERE o.state = 1 AND o.lease_until <= clock_timestamp() LIMIT 100 FOR UPDATE SKIP LOCKED
    ) AS over
    WHERE d.tenant_id = over.tenant_id AND d.id = over.id;
  FOR turn IN
    WITH RECURSIVE waiting AS (
      (
        SELECT w.tenant_id, w.endpoint_id FROM tenant.webhook_deliveries w WHERE w.state = 1 AND w.lease_until IS NULL
        ORDER BY w.tenant_id, w.endpoint_id LIMIT 1
      )
      UNION ALL
      SELECT later.tenant_id, later.endpoint_id FROM waiting, LATERAL (
        SELECT w.tenant_id, w.endpoint_id FROM tenant.webhook_deliveries w
        WHERE w.state = 1 AND w.lease_until IS NULL AND (w.tenant_id, w.endpoint_id) > (waiting.tenant_id, waiting.endpoint_id)
        ORDER BY w.tenant_id, w.endpoint_id LIMIT 1
      ) AS later
    ), running AS (
      SELECT r.tenant_id, r.endpoint_id, count(*) AS deliveries FROM tenant.webhook_deliveries r
      WHERE r.state = 1 AND r.lease_until > clock_timestamp() GROUP BY r.tenant_id, r.endpoint_id
    )
    SELECT waiting.tenant_id, waiting.endpoint_id FROM waiting
      JOIN tenant.webhook_endpoints e ON e.tenant_id = waiting.tenant_id AND e.id = waiting.endpoint_id
      CROSS JOIN LATERAL (
        SELECT w.run_at FROM tenant.webhook_deliveries w
        WHERE w.tenant_id = waiting.tenant_id AND w.endpoint_id = waiting.endpoint_id AND w.state = 1 AND w.lease_until IS NULL
          AND w.run_at <= the_moment
        ORDER BY w.run_at LIMIT 1
      ) AS due
      CROSS JOIN LATERAL (
        SELECT coalesce(sum(r.deliveries), 0) AS of_tenant,
          coalesce(sum(r.deliveries) FILTER (WHERE r.endpoint_id = waiting.endpoint_id), 0) AS of_endpoint
        FROM running r WHERE r.tenant_id = waiting.tenant_id
      ) AS busy
    WHERE busy.of_tenant < each AND busy.of_endpoint < CASE WHEN e.failing_since IS NULL THEN greatest(each / 2, 1) ELSE 1 END
    ORDER BY busy.of_tenant, due.run_at
  LOOP
    RETURN QUERY
      UPDATE tenant.webhook_deliveries d SET attempts = least(d.attempts + 1, 1000), lease_token = gen_random_uuid(),
          lease_until = clock_timestamp() + lease
        FROM (
          SELECT w.id FROM tenant.webhook_deliveries w
          WHERE w.tenant_id = turn.tenant_id AND w.endpoint_id = turn.endpoint_id AND w.state = 1 AND w.lease_until IS NULL
            AND w.run_at <= the_moment
          ORDER BY w.run_at LIMIT 1 FOR UPDATE SKIP LOCKED
        ) AS next
        WHERE d.tenant_id = turn.tenant_id AND d.id = next.id
        RETURNING d.tenant_id, d.id, d.endpoint_id, d.event, d.subject_id, d.receipt_id, d.attempts, d.created_at, d.lease_token;
    IF FOUND THEN
      RETURN;
    END IF;
  END LOOP;
END
$$;

-- Reason 105, sweep. Removes at most so many that are 30 days old, and says how many it were.
CREATE FUNCTION app.webhook_deliveries_expire(most integer) RETURNS bigint
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  removed bigint;
BEGIN
  PERFORM app.require(105::smallint);
  DELETE FROM tenant.webhook_deliveries d
    USING (
      SELECT o.tenant_id, o.id FROM tenant.webhook_deliveries o
      WHERE o.created_at <= now() - interval '30 days' ORDER BY o.created_at LIMIT most FOR UPDATE SKIP LOCKED
    ) AS old
    WHERE d.tenant_id = old.tenant_id AND d.id = old.id;
  GET DIAGNOSTICS removed = ROW_COUNT;
  RETURN removed;
END
$$;

GRANT EXECUTE ON FUNCTION app.webhook_tell(smallint, uuid, uuid), app.webhook_claim(timestamptz, interval, integer),
  app.webhook_deliveries_expire(integer) TO subrosa_app;
GRANT CREATE ON SCHEMA app TO subrosa_jobs;
ALTER FUNCTION app.webhook_tell(smallint, uuid, uuid) OWNER TO subrosa_jobs;
ALTER FUNCTION app.webhook_claim(timestamptz, interval, integer) OWNER TO subrosa_jobs;
ALTER FUNCTION app.webhook_deliveries_expire(integer) OWNER TO subrosa_jobs;
REVOKE CREATE ON SCHEMA app FROM subrosa_jobs;
