-- Search also finds what was made of a call: its analysis and its action items. Every call is indexed anew by upkeep and is found by what
-- it has until then. A change of type reaches the rows of all tenants, which no statement of one tenant does.
ALTER TABLE tenant.calls ALTER COLUMN search_words TYPE integer USING NULL::integer;
