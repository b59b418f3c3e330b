-- Permission: purposes beside streams, evidence of consent, documents, and what people decide on the public pages.
-- A stream of before becomes a purpose with the same id, so that what was recorded for the stream stands for it.

CREATE TABLE purpose (
    id BIGINT PRIMARY KEY,
    controller BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    parent BIGINT,
    bases TEXT COLLATE "C" NOT NULL,
    reference TEXT COLLATE "C" NOT NULL,
    texts TEXT COLLATE "C" NOT NULL,
    made BIGINT NOT NULL,
    ended BIGINT,
    UNIQUE (controller, name)
);
INSERT INTO purpose (id, controller, name, kind, bases, reference, texts, made, ended)
    SELECT id, controller, name, kind,
        CASE kind WHEN 'marketing' THEN 'consent,soft-opt-in' WHEN 'legal' THEN 'legal-obligation' ELSE 'contract' END,
        CASE kind WHEN 'marketing' THEN '' ELSE purpose END,
        CAST(jsonb_build_object('en', jsonb_build_object('title', name, 'description', purpose)) AS TEXT), 0, NULL
    FROM stream;

ALTER TABLE stream ADD COLUMN purposes TEXT COLLATE "C" NOT NULL DEFAULT '';
UPDATE stream SET purposes = CAST(id AS TEXT);
-- Consent was recorded without the words that were shown; who relied on it may go on, and every report says so.
ALTER TABLE stream ADD COLUMN terms TEXT COLLATE "C" NOT NULL DEFAULT '{"unverified":"allowed"}';

ALTER TABLE basis RENAME COLUMN stream TO purpose;
ALTER TABLE basis ADD COLUMN evidence TEXT COLLATE "C" NOT NULL DEFAULT 'unverified';
ALTER TABLE basis ADD COLUMN notice BIGINT;
ALTER TABLE basis ADD COLUMN batch BIGINT;

UPDATE suppression SET scope = 'purpose:' || substr(scope, 8) WHERE substr(scope, 1, 7) = 'stream:';
ALTER TABLE suppression ADD COLUMN address BYTEA;

ALTER TABLE queue ADD COLUMN purpose BIGINT NOT NULL DEFAULT 0;
UPDATE queue SET purpose = stream;
ALTER TABLE message ADD COLUMN purpose BIGINT NOT NULL DEFAULT 0;
UPDATE message SET purpose = stream;

-- The address of a person who is on a list, under his own secret; it goes with him.
ALTER TABLE subject ADD COLUMN address BYTEA;
ALTER TABLE subject ADD COLUMN batch BIGINT;

-- Agreements, instructions, notices: exact octets, written once.
CREATE TABLE document (
    id BIGINT PRIMARY KEY,
    controller BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    language TEXT COLLATE "C" NOT NULL,
    hash BYTEA NOT NULL,
    made BIGINT NOT NULL,
    sealed BYTEA NOT NULL,
    UNIQUE (controller, kind, name, version, language)
);

CREATE TABLE signature (
    id BIGINT PRIMARY KEY,
    controller BIGINT NOT NULL,
    document BIGINT NOT NULL,
    side TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    method TEXT COLLATE "C" NOT NULL,
    sealed BYTEA NOT NULL,
    UNIQUE (document, side)
);

ALTER TABLE agreement ADD COLUMN paper BIGINT;
ALTER TABLE agreement ADD COLUMN review BIGINT;
ALTER TABLE instruction ADD COLUMN paper BIGINT;
ALTER TABLE instruction ADD COLUMN review BIGINT;

-- What the controller is told: an instruction that looks infringing, a wish that is for him to answer.
CREATE TABLE controller_notice (
    id BIGINT PRIMARY KEY,
    controller BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    about BIGINT NOT NULL,
    at BIGINT NOT NULL,
    seen BIGINT,
    sealed BYTEA NOT NULL
);
CREATE INDEX controller_notice_of ON controller_notice (controller, id);

-- Every step of a consent, as evidence: what, when, how, with which words. Never changed.
CREATE TABLE consent_event (
    id BIGINT PRIMARY KEY,
    controller BIGINT NOT NULL,
    tag BYTEA NOT NULL,
    purpose BIGINT NOT NULL,
    what TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    method TEXT COLLATE "C" NOT NULL,
    notice BIGINT,
    form BIGINT,
    batch BIGINT,
    event BYTEA NOT NULL,
    sealed BYTEA NOT NULL
);
CREATE INDEX consent_event_of ON consent_event (controller, tag);

CREATE TABLE form (
    id BIGINT PRIMARY KEY,
    controller BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    made BIGINT NOT NULL,
    purposes TEXT COLLATE "C" NOT NULL,
    notices TEXT COLLATE "C" NOT NULL,
    terms TEXT COLLATE "C" NOT NULL,
    UNIQUE (controller, name, version)
);

-- A request to confirm that was sent. It may be answered once.
CREATE TABLE confirmation (
    id BIGINT PRIMARY KEY,
    controller BIGINT NOT NULL,
    tag BYTEA NOT NULL,
    form BIGINT NOT NULL,
    purposes TEXT COLLATE "C" NOT NULL,
    notice BIGINT NOT NULL,
    asked BIGINT NOT NULL,
    ends BIGINT NOT NULL,
    done BIGINT
);
CREATE INDEX confirmation_of ON confirmation (controller, tag);

CREATE TABLE preference (
    controller BIGINT NOT NULL,
    tag BYTEA NOT NULL,
    language TEXT COLLATE "C" NOT NULL,
    frequency TEXT COLLATE "C" NOT NULL,
    tracking TEXT COLLATE "C" NOT NULL,
    paused BIGINT,
    since BIGINT NOT NULL,
    PRIMARY KEY (controller, tag)
);

-- A right that a person exercised on a page; forwarded to the controller.
CREATE TABLE wish (
    id BIGINT PRIMARY KEY,
    controller BIGINT NOT NULL,
    tag BYTEA NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    forwarded BIGINT,
    event BYTEA NOT NULL,
    sealed BYTEA NOT NULL
);
CREATE INDEX wish_of ON wish (controller, id);
