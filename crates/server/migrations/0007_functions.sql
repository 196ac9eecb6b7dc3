-- The few acts across tenants. Each function belongs to a role that cannot log in and that may touch just the columns the
-- function needs, and each but the two of the start asks for the reason of the transaction that calls it.

-- Columns of tenant tables, by role; policies without a condition, since these roles have no tenant.
CREATE POLICY auth ON tenant.memberships TO subrosa_auth USING (true);
GRANT SELECT ON tenant.memberships TO subrosa_auth;
CREATE POLICY auth ON tenant.tenants TO subrosa_auth USING (true);
GRANT SELECT (tenant_id, status, region, shares_calls) ON tenant.tenants TO subrosa_auth;
CREATE POLICY auth ON tenant.api_keys TO subrosa_auth USING (true);
GRANT SELECT (tenant_id, id, owner_id, token_hash, scopes, expires_at, revoked_at) ON tenant.api_keys TO subrosa_auth;
GRANT SELECT (id, address_hmac, credential, key_id, sealed_key, sealed, status), INSERT, DELETE ON global.users TO subrosa_auth;

CREATE POLICY jobs ON tenant.tenants TO subrosa_jobs USING (true);
GRANT SELECT (tenant_id, key_id, sealed_key, region, status, retention_days), UPDATE (key_id, sealed_key)
  ON tenant.tenants TO subrosa_jobs;
CREATE POLICY jobs ON tenant.blob_deletions TO subrosa_jobs USING (true);
GRANT SELECT, UPDATE (attempts, run_at), DELETE ON tenant.blob_deletions TO subrosa_jobs;
CREATE POLICY jobs ON tenant.deletion_receipts TO subrosa_jobs USING (true);
GRANT SELECT ON tenant.deletion_receipts TO subrosa_jobs;
CREATE POLICY jobs ON tenant.audit_events TO subrosa_jobs USING (true);
GRANT SELECT ON tenant.audit_events TO subrosa_jobs;
CREATE POLICY jobs ON tenant.chain_heads TO subrosa_jobs USING (true);
GRANT SELECT, UPDATE (mirrored_sequence) ON tenant.chain_heads TO subrosa_jobs;
GRANT SELECT, INSERT, DELETE ON global.keyring TO subrosa_jobs;
GRANT SELECT, INSERT ON global.retired_keys TO subrosa_jobs;
GRANT SELECT, INSERT, UPDATE (key_id, sealed, retired_at) ON global.system_keys TO subrosa_jobs;
GRANT SELECT (id, key_id, sealed_key), UPDATE (key_id, sealed_key) ON global.users TO subrosa_jobs;

-- A function can be given only to a role that may create in its schema; taken back below.
GRANT CREATE ON SCHEMA app TO subrosa_auth, subrosa_jobs;

-- At the start, before the key that signs contexts is open. Nothing here opens anything without a key-encryption key.
CREATE FUNCTION app.keyring() RETURNS SETOF global.keyring
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$ SELECT * FROM global.keyring UNION ALL SELECT * FROM global.retired_keys ORDER BY created_at, key_id $$;

CREATE FUNCTION app.system_keys() RETURNS SETOF global.system_keys
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$ SELECT * FROM global.system_keys ORDER BY purpose, version $$;

-- Reason 100, keys.
CREATE FUNCTION app.keyring_add(new_key_id text, new_check_value bytea) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(100::smallint);
  IF EXISTS (SELECT FROM global.retired_keys WHERE key_id = new_key_id) THEN
    RAISE EXCEPTION 'a key of this id was retired' USING ERRCODE = '23505';
  END IF;
  INSERT INTO global.keyring (key_id, check_value) VALUES (new_key_id, new_check_value);
END
$$;

-- The reference from what is sealed raises while anything is sealed under the key.
CREATE FUNCTION app.keyring_retire(old_key_id text) RETURNS boolean
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(100::smallint);
  PERFORM app.require_event(8::smallint);
  WITH gone AS (DELETE FROM global.keyring WHERE key_id = old_key_id RETURNING *)
    INSERT INTO global.retired_keys (key_id, check_value, created_at, retired_at)
      SELECT key_id, check_value, created_at, now() FROM gone;
  RETURN FOUND;
END
$$;

CREATE FUNCTION app.system_key_add(new_purpose smallint, new_version integer, new_key_id text, new_sealed bytea,
    new_public_key bytea) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(100::smallint);
  INSERT INTO global.system_keys (purpose, version, key_id, sealed, public_key)
    VALUES (new_purpose, new_version, new_key_id, new_sealed, new_public_key);
END
$$;

-- Seals a system key again; false if somebody else was faster.
CREATE FUNCTION app.system_key_reseal(the_purpose smallint, the_version integer, old_sealed bytea, new_key_id text,
    new_sealed bytea) RETURNS boolean
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(100::smallint);
  PERFORM app.require_event(7::smallint);
  UPDATE global.system_keys SET key_id = new_key_id, sealed = new_sealed
    WHERE purpose = the_purpose AND version = the_version AND sealed = old_sealed;
  RETURN FOUND;
END
$$;

-- How much is sealed under each key-encryption key.
CREATE FUNCTION app.key_uses() RETURNS TABLE (key_id text, tenants bigint, users bigint, system_keys bigint)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(100::smallint);
  RETURN QUERY SELECT k.key_id,
    (SELECT count(*) FROM tenant.tenants t WHERE t.key_id = k.key_id),
    (SELECT count(*) FROM global.users u WHERE u.key_id = k.key_id),
    (SELECT count(*) FROM global.system_keys s WHERE s.key_id = k.key_id)
  FROM global.keyring k ORDER BY k.created_at, k.key_id;
END
$$;

-- Keys of tenants, or of users, that are not sealed under this key, locked; what another rotation holds is passed over.
CREATE FUNCTION app.tenant_keys_not_under(newest_key_id text, most integer)
    RETURNS TABLE (id uuid, key_id text, sealed_key bytea)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(100::smallint);
  RETURN QUERY SELECT t.tenant_id, t.key_id, t.sealed_key FROM tenant.tenants t
    WHERE t.key_id < newest_key_id OR t.key_id > newest_key_id LIMIT most FOR UPDATE SKIP LOCKED;
END
$$;

CREATE FUNCTION app.user_keys_not_under(newest_key_id text, most integer)
    RETURNS TABLE (id uuid, key_id text, sealed_key bytea)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(100::smallint);
  RETURN QUERY SELECT u.id, u.key_id, u.sealed_key FROM global.users u
    WHERE u.key_id < newest_key_id OR u.key_id > newest_key_id LIMIT most FOR UPDATE SKIP LOCKED;
END
$$;

CREATE FUNCTION app.tenant_keys_reseal(ids uuid[], new_key_id text, new_sealed bytea[]) RETURNS bigint
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  changed bigint;
BEGIN
  PERFORM app.require(100::smallint);
  PERFORM app.require_event(7::smallint);
  UPDATE tenant.tenants t SET key_id = new_key_id, sealed_key = n.sealed
    FROM unnest(ids, new_sealed) AS n (id, sealed) WHERE t.tenant_id = n.id;
  GET DIAGNOSTICS changed = ROW_COUNT;
  RETURN changed;
END
$$;

CREATE FUNCTION app.user_keys_reseal(ids uuid[], new_key_id text, new_sealed bytea[]) RETURNS bigint
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  changed bigint;
BEGIN
  PERFORM app.require(100::smallint);
  PERFORM app.require_event(7::smallint);
  UPDATE global.users u SET key_id = new_key_id, sealed_key = n.sealed
    FROM unnest(ids, new_sealed) AS n (id, sealed) WHERE u.id = n.id;
  GET DIAGNOSTICS changed = ROW_COUNT;
  RETURN changed;
END
$$;

-- Reason 101, sign-in.
CREATE FUNCTION app.user_add(new_id uuid, new_address_hmac bytea, new_credential bytea, new_key_id text,
    new_sealed_key bytea, new_sealed bytea) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(101::smallint);
  INSERT INTO global.users (id, address_hmac, credential, key_id, sealed_key, sealed)
    VALUES (new_id, new_address_hmac, new_credential, new_key_id, new_sealed_key, new_sealed);
END
$$;

CREATE FUNCTION app.user_by_address(hmac bytea)
    RETURNS TABLE (id uuid, credential bytea, key_id text, sealed_key bytea, sealed bytea, status smallint)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(101::smallint);
  RETURN QUERY SELECT u.id, u.credential, u.key_id, u.sealed_key, u.sealed::bytea, u.status
    FROM global.users u WHERE u.address_hmac = hmac;
END
$$;

CREATE FUNCTION app.memberships_of(the_user uuid)
    RETURNS TABLE (tenant_id uuid, role smallint, status smallint, region text, shares_calls boolean)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(101::smallint);
  RETURN QUERY SELECT m.tenant_id, m.role, t.status, t.region, t.shares_calls
    FROM tenant.memberships m JOIN tenant.tenants t ON t.tenant_id = m.tenant_id WHERE m.user_id = the_user;
END
$$;

CREATE FUNCTION app.api_key(hash bytea)
    RETURNS TABLE (tenant_id uuid, id uuid, owner_id uuid, scopes integer, expires_at timestamptz, revoked_at timestamptz)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(101::smallint);
  RETURN QUERY SELECT k.tenant_id, k.id, k.owner_id, k.scopes, k.expires_at, k.revoked_at
    FROM tenant.api_keys k WHERE k.token_hash = hash;
END
$$;

-- The person, with credential, key and sessions; raises while a tenant still has them as a member.
CREATE FUNCTION app.user_remove(the_user uuid) RETURNS boolean
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(101::smallint);
  DELETE FROM global.users u WHERE u.id = the_user;
  RETURN FOUND;
END
$$;

-- Reason 103, blobs: takes the deletions that are due and puts them off, so that two workers do not share one.
CREATE FUNCTION app.blob_deletions_due(most integer, put_off interval)
    RETURNS TABLE (tenant_id uuid, id uuid, class smallint, subject_id uuid, object_id uuid)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(103::smallint);
  RETURN QUERY
    WITH due AS (
      SELECT b.tenant_id, b.id FROM tenant.blob_deletions b WHERE b.run_at <= now()
      ORDER BY b.run_at LIMIT most FOR UPDATE SKIP LOCKED
    )
    UPDATE tenant.blob_deletions b SET attempts = b.attempts + 1, run_at = now() + put_off
    FROM due WHERE b.tenant_id = due.tenant_id AND b.id = due.id
    RETURNING b.tenant_id, b.id, b.class, b.subject_id, b.object_id;
END
$$;

CREATE FUNCTION app.blob_deletion_done(the_tenant uuid, the_id uuid) RETURNS boolean
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(103::smallint);
  DELETE FROM tenant.blob_deletions b WHERE b.tenant_id = the_tenant AND b.id = the_id;
  RETURN FOUND;
END
$$;

-- Reason 104, receipts and the audit log of tenants that may be gone. Pages by (tenant, sequence).
CREATE FUNCTION app.receipt(the_id uuid) RETURNS SETOF tenant.deletion_receipts
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(104::smallint);
  RETURN QUERY SELECT * FROM tenant.deletion_receipts r WHERE r.id = the_id;
END
$$;

CREATE FUNCTION app.receipts(after_tenant uuid, after_sequence bigint, most integer) RETURNS SETOF tenant.deletion_receipts
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(104::smallint);
  RETURN QUERY SELECT * FROM tenant.deletion_receipts r WHERE (r.tenant_id, r.sequence) > (after_tenant, after_sequence)
    ORDER BY r.tenant_id, r.sequence LIMIT most;
END
$$;

CREATE FUNCTION app.audit_events(after_tenant uuid, after_sequence bigint, most integer) RETURNS SETOF tenant.audit_events
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(104::smallint);
  RETURN QUERY SELECT * FROM tenant.audit_events e WHERE (e.tenant_id, e.sequence) > (after_tenant, after_sequence)
    ORDER BY e.tenant_id, e.sequence LIMIT most;
END
$$;

CREATE FUNCTION app.chain_heads(after_tenant uuid, after_chain smallint, most integer) RETURNS SETOF tenant.chain_heads
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(104::smallint);
  RETURN QUERY SELECT * FROM tenant.chain_heads h WHERE (h.tenant_id, h.chain) > (after_tenant, after_chain)
    ORDER BY h.tenant_id, h.chain LIMIT most;
END
$$;

CREATE FUNCTION app.chain_mirrored(the_tenant uuid, the_chain smallint, up_to bigint) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(104::smallint);
  UPDATE tenant.chain_heads h SET mirrored_sequence = up_to
    WHERE h.tenant_id = the_tenant AND h.chain = the_chain AND h.mirrored_sequence < up_to;
END
$$;

-- Reason 105, sweep: the tenants, page by page, so that a worker can open each one's transaction.
CREATE FUNCTION app.tenants(after_tenant uuid, most integer)
    RETURNS TABLE (tenant_id uuid, region text, status smallint, retention_days smallint)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(105::smallint);
  RETURN QUERY SELECT t.tenant_id, t.region, t.status, t.retention_days FROM tenant.tenants t
    WHERE t.tenant_id > after_tenant ORDER BY t.tenant_id LIMIT most;
END
$$;

-- Every function made above belongs to one of the two roles and may be called by subrosa_app.
DO $$
DECLARE
  f regprocedure;
  sign_in constant text[] := ARRAY['user_add', 'user_by_address', 'memberships_of', 'api_key', 'user_remove'];
BEGIN
  FOR f IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = 'app'::regnamespace AND p.prosecdef AND p.proname <> ALL (ARRAY[
      'enter', 'tenant', 'owner', 'sees_all', 'manages', 'audits', 'require', 'applied_migrations'])
  LOOP
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO subrosa_app', f);
    EXECUTE format('ALTER FUNCTION %s OWNER TO %I', f, CASE
      WHEN (SELECT p.proname FROM pg_proc p WHERE p.oid = f) = ANY (sign_in) THEN 'subrosa_auth' ELSE 'subrosa_jobs' END);
  END LOOP;
END
$$;
REVOKE CREATE ON SCHEMA app FROM subrosa_auth, subrosa_jobs;
