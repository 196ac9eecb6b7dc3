-- The analysis in the pipeline: the ends of telephone numbers that were said, and the numbers of a call as a whole.

ALTER TABLE tenant.artifacts DROP CONSTRAINT artifacts_kind_check, ADD CONSTRAINT artifacts_kind_check CHECK (kind BETWEEN 1 AND 9);
COMMENT ON COLUMN tenant.artifacts.kind IS '1 TEMP_AUDIO, 2 DIARIZATION_JSON, 3 RAW_TRANSCRIPT_JSON, 4 NORMALIZED_TRANSCRIPT_JSON,
  5 ANALYSIS_JSON, 6 the recording as it came, kept, 7 FINDINGS_JSON (kinds, places and times of what was redacted),
  8 the recording without what was redacted, kept, 9 PHONE_ENDINGS_JSON (the last four digits of numbers that were said)';

-- Row 0 of a call speaks of all its speakers together; row n of its n-th speaker.
ALTER TABLE tenant.call_metrics
  ADD role smallint CHECK (role BETWEEN 1 AND 3),
  ADD turns integer NOT NULL DEFAULT 0 CHECK (turns >= 0),
  ADD interrupted integer NOT NULL DEFAULT 0 CHECK (interrupted >= 0),
  ADD duration_ms bigint CHECK (duration_ms >= 0),
  ADD silence_ms bigint CHECK (silence_ms >= 0),
  ADD longest_silence_ms bigint CHECK (longest_silence_ms >= 0),
  ADD overlap_ms bigint CHECK (overlap_ms >= 0),
  ADD overlap_count integer CHECK (overlap_count >= 0),
  ADD formality smallint CHECK (formality BETWEEN 1 AND 3),
  ADD energy smallint CHECK (energy BETWEEN 1 AND 3),
  ADD pace smallint CHECK (pace BETWEEN 1 AND 3),
  ADD CONSTRAINT call_metrics_sentiment CHECK (sentiment BETWEEN 1 AND 5 AND sentiment_score BETWEEN -1 AND 1),
  ADD CONSTRAINT call_metrics_tone CHECK (tone BETWEEN 1 AND 5),
  ADD CONSTRAINT call_metrics_of_call CHECK (speaker = 0 OR num_nonnulls(duration_ms, silence_ms, longest_silence_ms, overlap_ms,
    overlap_count, tone, formality, energy, pace) = 0),
  ADD CONSTRAINT call_metrics_of_speaker CHECK ((speaker = 0) = (role IS NULL));
COMMENT ON COLUMN tenant.call_metrics.speaker IS '0 the call, from 1 its speakers in the order of the transcript';
COMMENT ON COLUMN tenant.call_metrics.role IS '1 USER, 2 CONTACT, 3 UNKNOWN';
COMMENT ON COLUMN tenant.call_metrics.talk_ms IS 'of the call: in which anybody speaks';
COMMENT ON COLUMN tenant.call_metrics.latency_ms IS 'median wait before the speaker answers';
COMMENT ON COLUMN tenant.call_metrics.sentiment IS '1 positive, 2 neutral, 3 negative, 4 mixed, 5 unclear; NULL: not measured';
COMMENT ON COLUMN tenant.call_metrics.tone IS 'as sentiment';
COMMENT ON COLUMN tenant.call_metrics.formality IS '1 formal, 2 semi-formal, 3 informal';
COMMENT ON COLUMN tenant.call_metrics.energy IS '1 low, 2 medium, 3 high';
COMMENT ON COLUMN tenant.call_metrics.pace IS '1 slow, 2 normal, 3 fast';
