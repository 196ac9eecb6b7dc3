-- What the vault needs of the database: pgcrypto with the options of the contract in one place, and a key that was retired
-- stays retired.

-- The outer layer of sealed content; the inner one is already there. A uniform passphrase needs no stretching (44 µs a value
-- against 450 µs), hence s2k-mode=1; nothing encrypted gets smaller, hence compress-algo=0.
CREATE FUNCTION app.pgp_seal(inner_sealed bytea, passphrase text) RETURNS bytea
  LANGUAGE sql VOLATILE STRICT
  AS $$
    SELECT crypto.pgp_sym_encrypt_bytea(
      inner_sealed, passphrase, 'cipher-algo=aes256, s2k-mode=1, s2k-digest-algo=sha256, compress-algo=0')
  $$;

GRANT EXECUTE ON FUNCTION app.pgp_seal(bytea, text) TO subrosa_app;

-- Retiring a key takes it out of the keyring, to which everything that is sealed refers: the reference refuses while anything is
-- sealed under it, and from then on nothing can be, even by a program that still has the old key in front. What is kept of it says
-- that its id is taken for ever.
CREATE TABLE global.retired_keys (LIKE global.keyring INCLUDING CONSTRAINTS INCLUDING DEFAULTS);
ALTER TABLE global.retired_keys ADD PRIMARY KEY (key_id), ALTER COLUMN retired_at SET NOT NULL;
COMMENT ON COLUMN global.retired_keys.key_id IS 'no-content: id of a key, checked';
COMMENT ON COLUMN global.retired_keys.check_value IS 'no-content: proves that a given key is this one';
GRANT SELECT, INSERT ON global.retired_keys TO subrosa_jobs;
GRANT DELETE ON global.keyring TO subrosa_jobs;

CREATE OR REPLACE FUNCTION app.keyring() RETURNS SETOF global.keyring
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$ SELECT * FROM global.keyring UNION ALL SELECT * FROM global.retired_keys ORDER BY created_at, key_id $$;

CREATE OR REPLACE FUNCTION app.keyring_add(new_key_id text, new_check_value bytea) RETURNS void
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

CREATE OR REPLACE FUNCTION app.keyring_retire(old_key_id text) RETURNS boolean
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

-- Part of the transaction that deletes a user's data in a tenant: the membership goes, and the person when no other tenant has
-- them. Who may delete somebody else's data manages the tenant; everyone may go. Returns how many of the two went.
CREATE FUNCTION app.forget_member(the_user uuid) RETURNS integer
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  IF NOT coalesce(app.manages() OR app.owner() = the_user, false) THEN
    RAISE EXCEPTION 'this transaction may not delete the user' USING ERRCODE = '42501';
  END IF;
  DELETE FROM tenant.memberships m WHERE m.tenant_id = app.tenant() AND m.user_id = the_user;
  IF NOT FOUND THEN
    RETURN 0;
  END IF;
  DELETE FROM global.users u WHERE u.id = the_user AND NOT EXISTS (SELECT FROM tenant.memberships m WHERE m.user_id = u.id);
  RETURN CASE WHEN FOUND THEN 2 ELSE 1 END;
END
$$;
GRANT DELETE ON tenant.memberships TO subrosa_auth;

-- Whether what a blob belongs to still has its key: then the blob stays. An upload writes its entry in the outbox before its
-- first part, so that one which never ended is removed, and one that did is not.
CREATE POLICY jobs ON tenant.record_keys TO subrosa_jobs USING (true);
GRANT SELECT (tenant_id, kind, record_id) ON tenant.record_keys TO subrosa_jobs;
CREATE FUNCTION app.has_key(the_tenant uuid, the_class smallint, the_subject uuid) RETURNS boolean
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(103::smallint);
  IF the_class = 5 THEN
    RETURN EXISTS (SELECT FROM tenant.tenants t WHERE t.tenant_id = the_tenant);
  END IF;
  RETURN EXISTS (
    SELECT FROM tenant.record_keys k WHERE k.tenant_id = the_tenant AND k.kind = the_class AND k.record_id = the_subject);
END
$$;

GRANT EXECUTE ON FUNCTION app.forget_member(uuid), app.has_key(uuid, smallint, uuid) TO subrosa_app;
GRANT EXECUTE ON FUNCTION app.tenant(), app.owner(), app.manages() TO subrosa_auth;
GRANT CREATE ON SCHEMA app TO subrosa_auth, subrosa_jobs;
ALTER FUNCTION app.forget_member(uuid) OWNER TO subrosa_auth;
ALTER FUNCTION app.has_key(uuid, smallint, uuid) OWNER TO subrosa_jobs;
REVOKE CREATE ON SCHEMA app FROM subrosa_auth, subrosa_jobs;
