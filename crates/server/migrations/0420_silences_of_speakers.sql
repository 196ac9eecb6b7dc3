-- What a speaker's row has too: the silences that the speaker ends, and what is spoken over; and words that cannot be counted.

ALTER TABLE tenant.call_metrics
  ALTER words DROP NOT NULL,
  DROP CONSTRAINT call_metrics_of_call,
  ADD CONSTRAINT call_metrics_of_call CHECK (speaker = 0 OR num_nonnulls(duration_ms, tone, formality, energy, pace) = 0);
COMMENT ON COLUMN tenant.call_metrics.words IS 'NULL: said in a script without spaces between words';
COMMENT ON COLUMN tenant.call_metrics.silence_ms IS 'of the call, or of its silences those that the speaker ends';
COMMENT ON COLUMN tenant.call_metrics.overlap_ms IS 'in which others speak too; of a speaker, while the speaker does';
