-- Markets and assets: reference data, seeded for the symbols that ship and extended by imports.

CREATE TABLE assets (
    symbol text PRIMARY KEY,
    name   text NOT NULL,
    kind   text NOT NULL CHECK (kind IN ('crypto', 'fiat', 'equity')),
    active boolean NOT NULL DEFAULT true
);

CREATE TABLE markets (
    symbol          text PRIMARY KEY,
    base            text NOT NULL REFERENCES assets,
    quote           text NOT NULL REFERENCES assets,
    kind            text NOT NULL CHECK (kind IN ('crypto', 'fiat', 'equity')),
    lot             numeric NOT NULL CHECK (lot > 0),
    price_decimals  integer NOT NULL CHECK (price_decimals BETWEEN 0 AND 18),
    volume_decimals integer NOT NULL CHECK (volume_decimals BETWEEN 0 AND 18)
);
CREATE INDEX markets_base ON markets (base, quote);

INSERT INTO assets (symbol, name, kind) VALUES
    ('BTC', 'Bitcoin', 'crypto'),
    ('ETH', 'Ether', 'crypto'),
    ('USDT', 'Tether USD', 'crypto'),
    ('USD', 'US dollar', 'fiat'),
    ('EUR', 'Euro', 'fiat'),
    ('GOOG', 'Alphabet Inc.', 'equity'),
    ('SPY', 'SPDR S&P 500 ETF Trust', 'equity');

INSERT INTO markets (symbol, base, quote, kind, lot, price_decimals, volume_decimals) VALUES
    ('BTCUSDT', 'BTC', 'USDT', 'crypto', 0.00000001, 2, 6),
    ('ETHUSDT', 'ETH', 'USDT', 'crypto', 0.00000001, 2, 5),
    ('EURUSD', 'EUR', 'USD', 'fiat', 1, 5, 1),
    ('GOOG', 'GOOG', 'USD', 'equity', 1, 2, 0),
    ('SPY', 'SPY', 'USD', 'equity', 1, 4, 0);

GRANT SELECT, INSERT ON assets, markets TO backtrail_app;
