//! The English words of the draft. Numbers and lists stand in the fields of the agreement; the words point to them.

use super::MeasureLetter::{A, B, C, D};
use super::template::Template;

pub(super) const TEMPLATE: Template = Template {
    subject_matter: "The processor takes in, keeps, and sends electronic mail for the controller, and keeps for it \
        the lists, permissions and records that this mail rests on.",
    nature: "Messages and recipients' data arrive by submission (SMTP) or by programming interface (HTTP), or are \
        entered at pages the processor keeps for the controller. They are checked against the controller's \
        instructions, kept until delivery, transmitted to the mail servers of the recipients, and deleted on \
        schedule. Consents, objections and opt-outs are recorded and obeyed. Operations beyond those named in the \
        instruction in force are not carried out.",
    obligations: &[
        "The controller decides purposes and means and answers for their lawfulness: a basis under GDPR Art. 6 for \
            each purpose, consent or the exception for existing customers before electronic direct marketing, and \
            the information of the persons concerned under GDPR Art. 13 and 14.",
        "The controller gives its instructions in documented form and names who may give them.",
        "The controller tells the processor without delay when it finds errors or when persons concerned, courts or \
            authorities make demands that concern this processing.",
        "The controller hands over no special categories of data, no data on convictions and no data of children \
            unless Annex II lists them.",
    ],
    rights: &[
        "The controller may change, narrow, suspend or withdraw its instructions at any time.",
        "The controller may see at any time the records of the processing done for it and check them with tools that \
            are not the processor's.",
        "The controller may inspect the processor or have it inspected, as far as stated under audits.",
        "The controller may object to a new sub-processor within the time of notice; until then and after an \
            objection that processor receives none of its data.",
        "The controller may demand return or deletion of all data at any time, not only at the end.",
    ],
    clauses: [
        "The processor processes personal data only on documented instructions of the controller, transfers to third \
            countries and international organisations included. If the law of the Union or of a Member State to \
            which the processor is subject demands other processing, the processor tells the controller of that \
            demand beforehand, unless this law forbids it on important grounds of public interest. If an instruction \
            in its opinion infringes data protection law, the processor tells the controller at once and holds what \
            rests on it until the controller confirms or amends it. The processor does not use the data for purposes \
            of its own or of others.",
        "Persons who may process the data are bound to confidentiality in writing or by statute, are trained, and \
            have access only as far as and as long as their task needs it.",
        "The processor takes the measures of Annex III and all others that GDPR Art. 32 requires. They may be \
            improved; they may not fall below the level stated there. A measure found not to work is shown to the \
            controller.",
        "The processor engages other processors only with the authorisation stated in this agreement. It tells the \
            controller of every intended addition or replacement, with name, address, contact, service and place, \
            and keeps to the time of notice before data flow. It binds each of them by contract to the same \
            obligations, and answers to the controller for what they do as for itself.",
        "The processor helps the controller by suitable technical and organisational measures to answer requests of \
            data subjects under GDPR Chapter III: access, rectification, erasure, restriction, portability, \
            objection. A request that reaches the processor is passed on without delay and within one day, and is \
            not answered by the processor unless the controller has told it to.",
        "The processor helps the controller with its duties under GDPR Art. 32 to 36, taking into account the nature \
            of the processing and the information it has: security, notices of breaches to authority and persons, \
            impact assessment and prior consultation. It tells the controller of every personal data breach without \
            undue delay after becoming aware of it, within the hours and with the content stated under breaches; \
            what is not yet known follows in parts.",
        "At the end the processor, at the controller's choice, returns all personal data in open and documented \
            formats and deletes them, or deletes them, copies and backups included, within the days stated under the \
            end of processing, unless the law of the Union or of a Member State demands that they be kept. It \
            confirms the deletion with counts and a proof from the record of the processing. Nothing is taken in \
            from the first day after the end.",
        "The processor makes available to the controller all information needed to show that GDPR Art. 28 is obeyed, \
            and allows and supports audits, inspections included, by the controller or an auditor that it mandates. \
            Records are kept in a log that cannot be changed unseen and that the controller can check itself.",
    ],
    measures: &[
        (
            A,
            "Messages and recipients' addresses are encrypted where they lie, under keys of their own for each \
                controller and each person; persons are looked up by keyed tags. Destroying a key makes its data \
                unreadable.",
        ),
        (
            A,
            "Transmission is encrypted with TLS 1.2 or later wherever the other side offers it; the controller may \
                instruct that mail does not leave without it.",
        ),
        (
            B,
            "Before every delivery attempt agreement, instruction, lawful basis, objections and suppressions are \
                checked anew; what is not permitted does not leave.",
        ),
        (B, "Data of different controllers are kept apart by separate keys and are never joined, scored or compared."),
        (
            B,
            "Access to the interfaces is by credentials of the controller's own, bound to its streams, kept as hashes \
                and revoked at once; they never reach another controller's data.",
        ),
        (B, "Logs and measurements of operation hold no addresses, subject lines or content."),
        (
            C,
            "Data and keys are copied apart, and copies of keys are kept for a short time. After a restore erasures, \
                withdrawals and objections made since are applied before anything is sent.",
        ),
        (
            D,
            "Every event is entered in a log of the controller in which later changes show; it can be verified with \
                tools of third parties and witnessed by the controller itself.",
        ),
        (D, "The measures are checked by machine in operation and reviewed by the processor at least once a year."),
    ],
};
