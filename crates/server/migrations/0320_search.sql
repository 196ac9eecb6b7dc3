-- Search: one row for each word of a call, where 0004 had one for each word of a segment, in which nothing was written yet. It is the
-- largest table there is, so its columns stand as their alignment asks.
DROP TABLE tenant.search_postings;
CREATE TABLE tenant.search_postings (
  tenant_id uuid NOT NULL,
  call_id uuid NOT NULL,
  owner_id uuid NOT NULL,
  call_words integer NOT NULL CHECK (call_words > 0),
  term_frequency smallint NOT NULL CHECK (term_frequency > 0),
  token bytea NOT NULL CHECK (octet_length(token) = 16),
  positions bytea NOT NULL CHECK (octet_length(positions) BETWEEN 1 AND 1048576),
  PRIMARY KEY (tenant_id, token, call_id),
  FOREIGN KEY (tenant_id, call_id, owner_id) REFERENCES tenant.calls (tenant_id, id, owner_id) ON DELETE CASCADE
);
CREATE INDEX ON tenant.search_postings (tenant_id, call_id, owner_id);
COMMENT ON COLUMN tenant.search_postings.token IS 'no-content: HMAC of a stemmed word under an index key of the tenant';
COMMENT ON COLUMN tenant.search_postings.positions IS
  'no-content: where in the call the word is, encrypted: the order of tokens would give away what was said';
COMMENT ON COLUMN tenant.search_postings.call_words IS 'words of the whole call, for ranking';
CALL app.protect('tenant.search_postings', 'owned');
GRANT SELECT, INSERT, DELETE ON tenant.search_postings TO subrosa_app;

ALTER TABLE tenant.artifacts DROP CONSTRAINT artifacts_kind_check, ADD CONSTRAINT artifacts_kind_check CHECK (kind BETWEEN 1 AND 10);
COMMENT ON COLUMN tenant.artifacts.kind IS '1 TEMP_AUDIO, 2 DIARIZATION_JSON, 3 RAW_TRANSCRIPT_JSON, 4 NORMALIZED_TRANSCRIPT_JSON,
  5 ANALYSIS_JSON, 6 the recording as it came, kept, 7 FINDINGS_JSON (kinds, places and times of what was redacted),
  8 the recording without what was redacted, kept, 9 PHONE_ENDINGS_JSON (the last four digits of numbers that were said),
  10 SEARCH_TEXTS_JSON (the texts of the transcript, for what a search shows)';

ALTER TABLE tenant.calls
  ADD search_words integer CHECK (search_words >= 0),
  ADD search_salt bytea CHECK (octet_length(search_salt) = 32);
COMMENT ON COLUMN tenant.calls.search_words IS 'words by which it is found; NULL: its postings are still to be made';
COMMENT ON COLUMN tenant.calls.search_salt IS 'no-content: random; what the key of its positions was derived with';
CREATE INDEX calls_searched ON tenant.calls (tenant_id, owner_id, search_words) WHERE search_words IS NOT NULL;
CREATE INDEX calls_not_searched ON tenant.calls (tenant_id, id) WHERE status = 4 AND search_words IS NULL;
