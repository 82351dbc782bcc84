-- Apart from the file before, so that appends continue while the rows that are there already are checked.

ALTER TABLE events
    VALIDATE CONSTRAINT events_texts_are_short,
    VALIDATE CONSTRAINT events_recorded_at_has_microseconds;
