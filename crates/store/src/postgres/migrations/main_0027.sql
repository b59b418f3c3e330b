-- Addresses that are warmed up, and how their days stand at each provider: day and used count from 1970 (UTC).
CREATE TABLE warm_plan (
    address TEXT COLLATE "C" PRIMARY KEY,
    base BIGINT NOT NULL,
    why TEXT COLLATE "C" NOT NULL,
    who TEXT COLLATE "C" NOT NULL,
    since BIGINT NOT NULL
);
CREATE TABLE warm_day (
    address TEXT COLLATE "C" NOT NULL,
    provider TEXT COLLATE "C" NOT NULL,
    day BIGINT NOT NULL,
    step BIGINT NOT NULL,
    cap BIGINT NOT NULL,
    granted BIGINT NOT NULL,
    delivered BIGINT NOT NULL,
    deferred BIGINT NOT NULL,
    bounced BIGINT NOT NULL,
    used BIGINT NOT NULL,
    PRIMARY KEY (address, provider)
);
