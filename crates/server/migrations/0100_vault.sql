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

-- NULL when it does not open, so that the program can say which row of many it was, and go on in the transaction.
CREATE FUNCTION app.pgp_open(outer_sealed bytea, passphrase text) RETURNS bytea
  LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  RETURN crypto.pgp_sym_decrypt_bytea(outer_sealed, passphrase);
EXCEPTION
  WHEN external_routine_invocation_exception THEN
    RETURN NULL;
END
$$;
GRANT EXECUTE ON FUNCTION app.pgp_seal(bytea, text), app.pgp_open(bytea, text) TO subrosa_app;

-- A program that was started before a retirement may still have the old key in front; what it would seal nobody could open.
CREATE FUNCTION app.refuse_retired_key() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  -- The lock makes a retirement wait for this transaction, and this one for the retirement.
  PERFORM FROM global.keyring k WHERE k.key_id = NEW.key_id AND k.retired_at IS NULL FOR KEY SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'this key-encryption key was retired' USING ERRCODE = '55006';
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER refuse_retired_key BEFORE INSERT OR UPDATE OF key_id ON tenant.tenants
  FOR EACH ROW EXECUTE FUNCTION app.refuse_retired_key();
CREATE TRIGGER refuse_retired_key BEFORE INSERT OR UPDATE OF key_id ON global.users
  FOR EACH ROW EXECUTE FUNCTION app.refuse_retired_key();
CREATE TRIGGER refuse_retired_key BEFORE INSERT OR UPDATE OF key_id ON global.system_keys
  FOR EACH ROW EXECUTE FUNCTION app.refuse_retired_key();

-- As before, but with the lock that the trigger meets.
CREATE OR REPLACE FUNCTION app.keyring_retire(old_key_id text) RETURNS boolean
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(100::smallint);
  PERFORM FROM global.keyring WHERE key_id = old_key_id FOR UPDATE;
  IF EXISTS (SELECT FROM tenant.tenants WHERE key_id = old_key_id)
    OR EXISTS (SELECT FROM global.users WHERE key_id = old_key_id)
    OR EXISTS (SELECT FROM global.system_keys WHERE key_id = old_key_id) THEN
    RAISE EXCEPTION 'something is still sealed under this key' USING ERRCODE = '55006';
  END IF;
  UPDATE global.keyring SET retired_at = now() WHERE key_id = old_key_id AND retired_at IS NULL;
  RETURN FOUND;
END
$$;

-- Part of the transaction that deletes a user's data in a tenant: the person goes when no other tenant has them. Who may delete
-- somebody else's data manages the tenant; everyone may go.
CREATE FUNCTION app.forget_user(the_user uuid) RETURNS boolean
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  IF app.tenant() IS NULL OR NOT (app.manages() OR app.owner() IS NOT DISTINCT FROM the_user) THEN
    RAISE EXCEPTION 'this transaction may not delete the user' USING ERRCODE = '42501';
  END IF;
  DELETE FROM global.users u WHERE u.id = the_user AND NOT EXISTS (SELECT FROM tenant.memberships m WHERE m.user_id = u.id);
  RETURN FOUND;
END
$$;

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

GRANT EXECUTE ON FUNCTION app.forget_user(uuid), app.has_key(uuid, smallint, uuid) TO subrosa_app;
GRANT EXECUTE ON FUNCTION app.tenant(), app.owner(), app.manages() TO subrosa_auth;
GRANT CREATE ON SCHEMA app TO subrosa_auth, subrosa_jobs;
ALTER FUNCTION app.forget_user(uuid) OWNER TO subrosa_auth;
ALTER FUNCTION app.has_key(uuid, smallint, uuid) OWNER TO subrosa_jobs;
REVOKE CREATE ON SCHEMA app FROM subrosa_auth, subrosa_jobs;
