-- A claim is of one. `UPDATE … FROM (SELECT … LIMIT 1 FOR UPDATE SKIP LOCKED)` may run its inner query once for each row of the outer one, where
-- the planner joins them so, and each time finds another: a common table expression with row locks is run once.

CREATE OR REPLACE FUNCTION app.job_claim(the_region text, the_worker uuid, lease interval)
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
      WITH next AS MATERIALIZED (
        SELECT w.id FROM tenant.jobs w
        WHERE w.region = the_region AND w.tenant_id = turn.tenant_id AND w.state = 1 AND w.run_at <= now()
        ORDER BY w.priority DESC, w.run_at LIMIT 1 FOR UPDATE SKIP LOCKED
      )
      UPDATE tenant.jobs j SET state = 2, attempts = j.attempts + 1, progress = 0, lease_token = gen_random_uuid(),
          lease_worker = the_worker, lease_until = clock_timestamp() + lease, leased_at = clock_timestamp()
        FROM next WHERE j.tenant_id = turn.tenant_id AND j.id = next.id
        RETURNING j.tenant_id, j.id, j.call_id, j.owner_id, j.kind, j.attempts, j.lease_token;
    IF FOUND THEN
      RETURN;
    END IF;
  END LOOP;
END
$$;

-- As before; and among tenants with as few under way, who accepts what they are told goes before who does not, and an endpoint with little
-- under way before one with more, however long the others' messages wait.
CREATE OR REPLACE FUNCTION app.webhook_claim(the_time timestamptz, lease interval, each integer)
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
    ORDER BY busy.of_tenant, e.failing_since IS NOT NULL, busy.of_endpoint, due.run_at
  LOOP
    RETURN QUERY
      WITH next AS MATERIALIZED (
        SELECT w.id FROM tenant.webhook_deliveries w
        WHERE w.tenant_id = turn.tenant_id AND w.endpoint_id = turn.endpoint_id AND w.state = 1 AND w.lease_until IS NULL
          AND w.run_at <= the_moment
        ORDER BY w.run_at LIMIT 1 FOR UPDATE SKIP LOCKED
      )
      UPDATE tenant.webhook_deliveries d SET attempts = least(d.attempts + 1, 1000), lease_token = gen_random_uuid(),
          lease_until = clock_timestamp() + lease
        FROM next WHERE d.tenant_id = turn.tenant_id AND d.id = next.id
        RETURNING d.tenant_id, d.id, d.endpoint_id, d.event, d.subject_id, d.receipt_id, d.attempts, d.created_at, d.lease_token;
    IF FOUND THEN
      RETURN;
    END IF;
  END LOOP;
END
$$;

-- As before; and endpoints are locked in the order in which the deletion of their tenant locks them.
CREATE OR REPLACE FUNCTION app.webhook_tell(the_event smallint, the_subject uuid, the_receipt uuid) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  IF the_event NOT BETWEEN 1 AND 7 THEN
    RAISE EXCEPTION 'there is no such event';
  END IF;
  INSERT INTO tenant.webhook_deliveries (tenant_id, id, endpoint_id, event, subject_id, receipt_id)
    SELECT e.tenant_id, gen_random_uuid(), e.id, the_event, the_subject, the_receipt FROM tenant.webhook_endpoints e
      WHERE e.tenant_id = app.tenant() AND e.state = 1 AND e.events & (1 << (the_event - 1)) <> 0
      ORDER BY e.id FOR KEY SHARE;
  IF FOUND THEN
    NOTIFY subrosa_webhooks;
  END IF;
END
$$;

-- Members do not see endpoints, which so far only handlers said.
CREATE POLICY managed_select ON tenant.webhook_endpoints AS RESTRICTIVE FOR SELECT TO subrosa_app USING ((SELECT app.manages()));
