-- Decimals and warnings belong to a revision of candles: a finer file must not change what was resampled from an older one.
-- Revisions so far have their market's decimals, so that the hashes of their runs stay as they are. A revision without decimals
-- is of an older binary, which runs on beside this schema; its market's hold for it, too.

ALTER TABLE candle_revisions
    ADD COLUMN price_decimals  integer CHECK (price_decimals BETWEEN 0 AND 18),
    ADD COLUMN volume_decimals integer CHECK (volume_decimals BETWEEN 0 AND 18),
    -- What a run on these candles warns of: a list of {code, message}.
    ADD COLUMN warnings        jsonb NOT NULL DEFAULT '[]';

UPDATE candle_revisions r
SET price_decimals = m.price_decimals, volume_decimals = m.volume_decimals
FROM markets m
WHERE m.symbol = r.symbol;
