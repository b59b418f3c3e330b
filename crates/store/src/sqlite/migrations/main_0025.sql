-- By which pool of egress addresses mail goes, as the operator ordered while nodes run, and how each node finds the
-- addresses that it has. class: 0 for all of a controller's mail, 1 for what a person waits for, 2 for marketing.
CREATE TABLE egress_assignment (
    controller INTEGER NOT NULL,
    class INTEGER NOT NULL,
    pool TEXT NOT NULL,
    why TEXT NOT NULL,
    who TEXT NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (controller, class)
) STRICT, WITHOUT ROWID;
CREATE TABLE egress_state (
    address TEXT NOT NULL,
    node INTEGER NOT NULL,
    pool TEXT NOT NULL,
    ip TEXT,
    ehlo TEXT NOT NULL,
    share INTEGER NOT NULL,
    connections INTEGER NOT NULL,
    barred INTEGER,
    seen INTEGER NOT NULL,
    PRIMARY KEY (address, node)
) STRICT, WITHOUT ROWID;
