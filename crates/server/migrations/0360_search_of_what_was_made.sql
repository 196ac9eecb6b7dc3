-- Search also finds what was made of a call: its analysis and its action items. Every call is indexed anew by upkeep and is found, and
-- counted for the ranking, by what it has until then.
ALTER TABLE tenant.calls ADD search_version smallint;
COMMENT ON COLUMN tenant.calls.search_version IS
  'no-content: by which rules its postings were made; upkeep makes those of others anew (search/store.rs says which are in force)';
DROP INDEX tenant.calls_not_searched;
CREATE INDEX calls_not_searched ON tenant.calls (tenant_id, id)
  WHERE status = 4 AND (search_words IS NULL OR search_version IS DISTINCT FROM 1);
