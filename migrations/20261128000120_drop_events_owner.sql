-- The read model of streams says whose each stream is. An older binary beside this one only takes longer to list events.

DROP INDEX events_owner;
