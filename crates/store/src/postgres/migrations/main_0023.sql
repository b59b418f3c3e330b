-- By which pool of egress addresses mail goes, as the operator ordered while nodes run, and how each node finds the
-- addresses that it has. class: 0 for all of a controller's mail, 1 for what a person waits for, 2 for marketing.
CREATE TABLE egress_assignment (
    controller BIGINT NOT NULL,
    class BIGINT NOT NULL,
    pool TEXT COLLATE "C" NOT NULL,
    why TEXT COLLATE "C" NOT NULL,
    who TEXT COLLATE "C" NOT NULL,
    since BIGINT NOT NULL,
    PRIMARY KEY (controller, class)
);
CREATE TABLE egress_state (
    address TEXT COLLATE "C" NOT NULL,
    node BIGINT NOT NULL,
    pool TEXT COLLATE "C" NOT NULL,
    ip TEXT COLLATE "C",
    ehlo TEXT COLLATE "C" NOT NULL,
    share BIGINT NOT NULL,
    connections BIGINT NOT NULL,
    barred BIGINT,
    seen BIGINT NOT NULL,
    PRIMARY KEY (address, node)
);
