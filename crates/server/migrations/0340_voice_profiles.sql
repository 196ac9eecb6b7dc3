-- Voice profiles, which a user turns on for themselves. Nothing wrote the table before.

ALTER TABLE tenant.voice_profiles
  ADD model text NOT NULL CHECK (model ~ '^[a-z0-9._-]{1,64}$'),
  ADD consent_version integer NOT NULL CHECK (consent_version > 0);
COMMENT ON COLUMN tenant.voice_profiles.model IS 'no-content: name of a model, checked';
COMMENT ON COLUMN tenant.voice_profiles.consent_version IS 'of the consent that the sample came with; the profile lasts as long as that';

-- A voice is its owner's alone: who manages the tenant neither reads it nor puts one in its place.
DROP POLICY owned ON tenant.voice_profiles;
CREATE POLICY own ON tenant.voice_profiles AS RESTRICTIVE TO subrosa_app
  USING (owner_id = (SELECT app.owner())) WITH CHECK (owner_id = (SELECT app.owner()));

-- Who manages the tenant removes members with all that is theirs, and need not see it for that. One profile, those of a user, or all.
CREATE POLICY erase ON tenant.voice_profiles TO subrosa_auth USING (true);
GRANT SELECT (tenant_id, id, owner_id), DELETE ON tenant.voice_profiles TO subrosa_auth;
CREATE FUNCTION app.erase_voice_profiles(the_profile uuid, the_user uuid) RETURNS bigint
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
DECLARE
  erased bigint;
BEGIN
  DELETE FROM tenant.voice_profiles p
    WHERE p.tenant_id = app.tenant() AND (app.manages() OR p.owner_id = app.owner())
      AND (the_profile IS NULL OR p.id = the_profile) AND (the_user IS NULL OR p.owner_id = the_user);
  GET DIAGNOSTICS erased = ROW_COUNT;
  RETURN erased;
END
$$;

GRANT EXECUTE ON FUNCTION app.erase_voice_profiles(uuid, uuid) TO subrosa_app;
GRANT CREATE ON SCHEMA app TO subrosa_auth;
ALTER FUNCTION app.erase_voice_profiles(uuid, uuid) OWNER TO subrosa_auth;
REVOKE CREATE ON SCHEMA app FROM subrosa_auth;
