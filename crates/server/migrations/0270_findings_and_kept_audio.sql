-- What was taken out of a transcript, and the recordings of tenants that keep them: two more kinds of artifacts.

ALTER TABLE tenant.artifacts DROP CONSTRAINT artifacts_kind_check, ADD CONSTRAINT artifacts_kind_check CHECK (kind BETWEEN 1 AND 8);
COMMENT ON COLUMN tenant.artifacts.kind IS '1 TEMP_AUDIO, 2 DIARIZATION_JSON, 3 RAW_TRANSCRIPT_JSON, 4 NORMALIZED_TRANSCRIPT_JSON,
  5 ANALYSIS_JSON, 6 the recording as it came, kept, 7 FINDINGS_JSON (kinds, places and times of what was redacted),
  8 the recording without what was redacted, kept';
