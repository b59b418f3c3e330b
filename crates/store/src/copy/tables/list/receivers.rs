//! Tables of connections to receivers: how TLS went, by which addresses of ours mail leaves.

use super::*;

pub(super) const TLS_SESSION: Table = main(
    "tls_session",
    6,
    &[
        integer("day"),
        text("domain"),
        text("policy"),
        text("failure"),
        text("host"),
        text("local"),
        text("stated"),
        integer("sessions"),
    ],
);

pub(super) const TLS_REPORT: Table =
    main("tls_report", 2, &[integer("day"), text("domain"), integer("claimed"), integer("done")]);

pub(super) const EGRESS_ASSIGNMENT: Table = main(
    "egress_assignment",
    2,
    &[integer("controller"), integer("class"), text("pool"), text("why"), text("who"), integer("since")],
);

pub(super) const EGRESS_STATE: Table = main(
    "egress_state",
    2,
    &[
        text("address"),
        integer("node"),
        text("pool"),
        or_none(text("ip")),
        text("ehlo"),
        integer("share"),
        integer("connections"),
        or_none(integer("barred")),
        integer("seen"),
    ],
);

pub(super) const WARM_PLAN: Table =
    main("warm_plan", 1, &[text("address"), integer("base"), text("why"), text("who"), integer("since")]);

pub(super) const WARM_DAY: Table = main(
    "warm_day",
    2,
    &[
        text("address"),
        text("provider"),
        integer("day"),
        integer("step"),
        integer("cap"),
        integer("granted"),
        integer("delivered"),
        integer("deferred"),
        integer("bounced"),
        integer("used"),
    ],
);

pub(super) const TLS_REPORTED: Table = main(
    "tls_reported",
    5,
    &[
        integer("controller"),
        octets("report"),
        text("domain"),
        text("policy"),
        text("failure"),
        integer("day"),
        text("submitter"),
        integer("sessions"),
    ],
);
