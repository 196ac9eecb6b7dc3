-- What was taken out of a transcript, and the recordings of tenants that keep them: two more kinds of artifacts.

ALTER TABLE tenant.artifacts DROP CONSTRAINT artifacts_kind_check, ADD CONSTRAINT artifacts_kind_check CHECK (kind BETWEEN 1 AND 8);
COMMENT ON COLUMN tenant.artifacts.kind IS '1 TEMP_AUDIO, 2 DIARIZATION_JSON, 3 RAW_TRANSCRIPT_JSON, 4 NORMALIZED_TRANSCRIPT_JSON,
  5 ANALYSIS_JSON, 6 the recording as it came, kept, 7 FINDINGS_JSON (kinds, places and times of what was redacted),
  8 the recording without what was redacted, kept';

-- A tenant that keeps recordings keeps two objects of a call: what came, and what is played by default, in which what was redacted is
-- silent. Both go with their call.
ALTER TABLE tenant.artifacts ADD media smallint CHECK (media BETWEEN 1 AND 10),
  ADD CONSTRAINT artifacts_media_of_audio CHECK (media IS NULL OR kind IN (6, 8));
COMMENT ON COLUMN tenant.artifacts.media IS 'of recordings that are kept: 1 WAVE, 2 AIFF, 3 FLAC, 4 Ogg, 5 Matroska, 6 MP4, 7 ADTS, 8 MPEG,
  9 AMR, 10 samples of 16 bits at 16 kHz';
CREATE INDEX artifacts_audio ON tenant.artifacts (tenant_id, call_id, kind) WHERE kind IN (1, 6, 8);

-- Reason 105, sweep: calls whose recording is kept although their tenant keeps none any more, behind the one that was looked at last. A
-- call under legal hold keeps what it has.
GRANT SELECT (audio_retention) ON tenant.tenants TO subrosa_jobs;
CREATE FUNCTION app.kept_audio_unwanted(after_tenant uuid, after_call uuid, most integer)
    RETURNS TABLE (tenant_id uuid, call_id uuid)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  PERFORM app.require(105::smallint);
  -- By the index of each tenant.
  RETURN QUERY SELECT DISTINCT kept.* FROM tenant.tenants t CROSS JOIN LATERAL (
      SELECT a.tenant_id, a.call_id FROM tenant.artifacts a
        WHERE a.tenant_id = t.tenant_id AND a.kind IN (6, 8) AND (a.tenant_id, a.call_id) > (after_tenant, after_call)
          AND NOT EXISTS (SELECT FROM tenant.calls c WHERE c.tenant_id = a.tenant_id AND c.id = a.call_id AND c.legal_hold)
        ORDER BY a.tenant_id, a.call_id LIMIT most
    ) AS kept WHERE NOT t.audio_retention AND t.tenant_id >= after_tenant
    ORDER BY 1, 2 LIMIT most;
END
$$;

-- Whether the audit log has it already that the transaction's user plays the recording of a call: a play is many requests. Nobody but
-- owners and auditors reads the log itself.
CREATE INDEX audit_events_plays ON tenant.audit_events (tenant_id, subject_id, at) WHERE action IN (43, 44);
CREATE FUNCTION app.plays_already(the_call uuid, the_action smallint, lately interval) RETURNS boolean
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$
BEGIN
  RETURN EXISTS (
    SELECT FROM tenant.audit_events e WHERE e.tenant_id = app.tenant() AND e.actor_id = app.owner() AND e.action IN (43, 44)
      AND e.action = the_action AND e.subject_id = the_call AND e.at > clock_timestamp() - lately);
END
$$;

GRANT EXECUTE ON FUNCTION app.kept_audio_unwanted(uuid, uuid, integer), app.plays_already(uuid, smallint, interval) TO subrosa_app;
GRANT EXECUTE ON FUNCTION app.owner() TO subrosa_jobs;
GRANT CREATE ON SCHEMA app TO subrosa_jobs;
ALTER FUNCTION app.kept_audio_unwanted(uuid, uuid, integer) OWNER TO subrosa_jobs;
ALTER FUNCTION app.plays_already(uuid, smallint, interval) OWNER TO subrosa_jobs;
REVOKE CREATE ON SCHEMA app FROM subrosa_jobs;
