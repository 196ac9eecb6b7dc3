-- Search by meaning, and by words that were typed wrong: what is remembered of a call is one more sealed document of it.
ALTER TABLE tenant.artifacts DROP CONSTRAINT artifacts_kind_check, ADD CONSTRAINT artifacts_kind_check CHECK (kind BETWEEN 1 AND 11);
COMMENT ON COLUMN tenant.artifacts.kind IS '1 TEMP_AUDIO, 2 DIARIZATION_JSON, 3 RAW_TRANSCRIPT_JSON, 4 NORMALIZED_TRANSCRIPT_JSON,
  5 ANALYSIS_JSON, 6 the recording as it came, kept, 7 FINDINGS_JSON (kinds, places and times of what was redacted),
  8 the recording without what was redacted, kept, 9 PHONE_ENDINGS_JSON (the last four digits of numbers that were said),
  10 SEARCH_TEXTS_JSON (the texts of the transcript, for what a search shows), 11 SEARCH_MEMORY (its distinct words, and a vector for
  each passage)';
-- A search asks which memories there are, and which of them are new to it: of all calls, or of one owner's.
CREATE INDEX artifacts_memories ON tenant.artifacts (tenant_id, call_id) INCLUDE (owner_id, updated_at) WHERE kind = 11;
CREATE INDEX artifacts_memories_own ON tenant.artifacts (tenant_id, owner_id, call_id) INCLUDE (updated_at) WHERE kind = 11;

ALTER TABLE tenant.calls ADD search_memory smallint NOT NULL DEFAULT 0 CHECK (search_memory >= 0);
COMMENT ON COLUMN tenant.calls.search_memory IS
  '0 nothing is remembered, 1 words are, n + 1 all passages by the n-th model; 32767: it cannot be';
CREATE INDEX calls_remembered ON tenant.calls (tenant_id, search_memory, id) WHERE status = 4;
