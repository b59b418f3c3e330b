-- Permission: purposes beside streams, evidence of consent, documents, and what people decide on the public pages.
-- A stream of before becomes a purpose with the same id, so that what was recorded for the stream stands for it.

CREATE TABLE purpose (
    id INTEGER PRIMARY KEY,
    controller INTEGER NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    parent INTEGER,
    bases TEXT NOT NULL,
    reference TEXT NOT NULL,
    texts TEXT NOT NULL,
    made INTEGER NOT NULL,
    ended INTEGER,
    UNIQUE (controller, name)
) STRICT;
INSERT INTO purpose (id, controller, name, kind, bases, reference, texts, made, ended)
    SELECT id, controller, name, kind,
        CASE kind WHEN 'marketing' THEN 'consent,soft-opt-in' WHEN 'legal' THEN 'legal-obligation' ELSE 'contract' END,
        CASE kind WHEN 'marketing' THEN '' ELSE purpose END,
        json_object('en', json_object('title', name, 'description', purpose)), 0, NULL
    FROM stream;

ALTER TABLE stream ADD COLUMN purposes TEXT NOT NULL DEFAULT '';
UPDATE stream SET purposes = CAST(id AS TEXT);
-- Consent was recorded without the words that were shown; who relied on it may go on, and every report says so.
ALTER TABLE stream ADD COLUMN terms TEXT NOT NULL DEFAULT '{"unverified":"allowed"}';

ALTER TABLE basis RENAME COLUMN stream TO purpose;
ALTER TABLE basis ADD COLUMN evidence TEXT NOT NULL DEFAULT 'unverified';
ALTER TABLE basis ADD COLUMN notice INTEGER;
ALTER TABLE basis ADD COLUMN batch INTEGER;

UPDATE suppression SET scope = 'purpose:' || substr(scope, 8) WHERE substr(scope, 1, 7) = 'stream:';
ALTER TABLE suppression ADD COLUMN address BLOB;

ALTER TABLE queue ADD COLUMN purpose INTEGER NOT NULL DEFAULT 0;
UPDATE queue SET purpose = stream;
ALTER TABLE message ADD COLUMN purpose INTEGER NOT NULL DEFAULT 0;
UPDATE message SET purpose = stream;

-- The address of a person who is on a list, under his own secret; it goes with him.
ALTER TABLE subject ADD COLUMN address BLOB;
ALTER TABLE subject ADD COLUMN batch INTEGER;

-- Agreements, instructions, notices: exact octets, written once.
CREATE TABLE document (
    id INTEGER PRIMARY KEY,
    controller INTEGER NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    language TEXT NOT NULL,
    hash BLOB NOT NULL,
    made INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    UNIQUE (controller, kind, name, version, language)
) STRICT;

CREATE TABLE signature (
    id INTEGER PRIMARY KEY,
    controller INTEGER NOT NULL,
    document INTEGER NOT NULL,
    side TEXT NOT NULL,
    at INTEGER NOT NULL,
    method TEXT NOT NULL,
    sealed BLOB NOT NULL,
    UNIQUE (document, side)
) STRICT;

ALTER TABLE agreement ADD COLUMN paper INTEGER;
ALTER TABLE agreement ADD COLUMN review INTEGER;
ALTER TABLE instruction ADD COLUMN paper INTEGER;
ALTER TABLE instruction ADD COLUMN review INTEGER;

-- What the controller is told: an instruction that looks infringing, a wish that is for him to answer.
CREATE TABLE controller_notice (
    id INTEGER PRIMARY KEY,
    controller INTEGER NOT NULL,
    kind TEXT NOT NULL,
    about INTEGER NOT NULL,
    at INTEGER NOT NULL,
    seen INTEGER,
    sealed BLOB NOT NULL
) STRICT;
CREATE INDEX controller_notice_of ON controller_notice (controller, id);

-- Every step of a consent, as evidence: what, when, how, with which words. Never changed.
CREATE TABLE consent_event (
    id INTEGER PRIMARY KEY,
    controller INTEGER NOT NULL,
    tag BLOB NOT NULL,
    purpose INTEGER NOT NULL,
    what TEXT NOT NULL,
    at INTEGER NOT NULL,
    method TEXT NOT NULL,
    notice INTEGER,
    form INTEGER,
    batch INTEGER,
    event BLOB NOT NULL,
    sealed BLOB NOT NULL
) STRICT;
CREATE INDEX consent_event_of ON consent_event (controller, tag);

CREATE TABLE form (
    id INTEGER PRIMARY KEY,
    controller INTEGER NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    state TEXT NOT NULL,
    made INTEGER NOT NULL,
    purposes TEXT NOT NULL,
    notices TEXT NOT NULL,
    terms TEXT NOT NULL,
    UNIQUE (controller, name, version)
) STRICT;

-- A request to confirm that was sent. It may be answered once.
CREATE TABLE confirmation (
    id INTEGER PRIMARY KEY,
    controller INTEGER NOT NULL,
    tag BLOB NOT NULL,
    form INTEGER NOT NULL,
    purposes TEXT NOT NULL,
    notice INTEGER NOT NULL,
    asked INTEGER NOT NULL,
    ends INTEGER NOT NULL,
    done INTEGER
) STRICT;
CREATE INDEX confirmation_of ON confirmation (controller, tag);

CREATE TABLE preference (
    controller INTEGER NOT NULL,
    tag BLOB NOT NULL,
    language TEXT NOT NULL,
    frequency TEXT NOT NULL,
    tracking TEXT NOT NULL,
    paused INTEGER,
    since INTEGER NOT NULL,
    PRIMARY KEY (controller, tag)
) STRICT, WITHOUT ROWID;

-- A right that a person exercised on a page; forwarded to the controller.
CREATE TABLE wish (
    id INTEGER PRIMARY KEY,
    controller INTEGER NOT NULL,
    tag BLOB NOT NULL,
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    forwarded INTEGER,
    event BLOB NOT NULL,
    sealed BLOB NOT NULL
) STRICT;
CREATE INDEX wish_of ON wish (controller, id);
