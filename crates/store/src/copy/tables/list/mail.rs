//! Tables of messages on their way.

use super::*;

pub(super) const MESSAGES: Table = main(
    MESSAGE,
    1,
    &[
        integer("id"),
        integer("controller"),
        integer("stream"),
        integer("credential"),
        integer("agreement"),
        integer("instruction"),
        integer("domain"),
        octets("tag"),
        integer("block"),
        integer("slot"),
        integer("accepted"),
        text("state"),
        or_none(text("rule")),
        octets("event"),
        or_none(integer("finished")),
        integer("body"),
        octets("envelope"),
        or_none(octets("head")),
        integer("purpose"),
        or_none(text("grounds")),
    ],
);

pub(super) const WAITING: Table = main(
    QUEUE,
    1,
    &[
        integer("id"),
        text("site"),
        integer("class"),
        integer("controller"),
        integer("due"),
        integer("stream"),
        text("kind"),
        octets("tag"),
        integer("block"),
        integer("slot"),
        integer("domain"),
        integer("body"),
        integer("attempts"),
        or_none(integer("started")),
        integer("accepted"),
        integer("expires"),
        integer("uncertain"),
        integer("part"),
        or_none(integer("starter")),
        integer("purpose"),
    ],
);

pub(super) const ATTEMPTS: Table = main(
    "attempt",
    2,
    &[
        integer("message"),
        integer("attempt"),
        integer("controller"),
        or_none(integer("started")),
        integer("ended"),
        text("word"),
        or_none(integer("code")),
        or_none(text("enhanced")),
        or_none(text("rule")),
        octets("event"),
        integer("uncertain"),
        octets("transcript"),
    ],
);
