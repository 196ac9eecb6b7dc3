-- Who accepts an invitation proves the password of its address: failures count against that address as those of sign-in do, so the
-- look-up has to say which it is. The hash is what the address is stored as.

DROP FUNCTION app.invitation(bytea);
CREATE FUNCTION app.invitation(hash bytea)
    RETURNS TABLE (tenant_id uuid, id uuid, role smallint, address_hmac bytea, user_id uuid, credential bytea)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(101::smallint);
  RETURN QUERY SELECT i.tenant_id, i.id, i.role, i.address_hmac, u.id, u.credential
    FROM tenant.invitations i LEFT JOIN global.users u ON u.address_hmac = i.address_hmac
    WHERE i.token_hash = hash AND i.expires_at > now();
END
$$;
REVOKE ALL ON FUNCTION app.invitation(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.invitation(bytea) TO subrosa_app;
GRANT CREATE ON SCHEMA app TO subrosa_auth;
ALTER FUNCTION app.invitation(bytea) OWNER TO subrosa_auth;
REVOKE CREATE ON SCHEMA app FROM subrosa_auth;
