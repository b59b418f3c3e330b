//! The German words of the draft. Numbers and lists stand in the fields of the agreement; the words point to them.

use super::MeasureLetter::{A, B, C, D};
use super::template::Template;

pub(super) const TEMPLATE: Template = Template {
    subject_matter: "Der Auftragsverarbeiter nimmt für den Verantwortlichen elektronische Post an, bewahrt sie auf \
        und versendet sie, und führt für ihn die Listen, Erlaubnisse und Nachweise, auf denen diese Post beruht.",
    nature: "Nachrichten und Empfängerdaten werden per SMTP oder über eine HTTP-Schnittstelle eingeliefert oder auf \
        Seiten eingegeben, die der Auftragsverarbeiter für den Verantwortlichen vorhält. Sie werden an den Weisungen \
        geprüft, bis zur Zustellung aufbewahrt, an die Mailserver der Empfänger übermittelt und nach Plan gelöscht. \
        Einwilligungen, Widersprüche und Abmeldungen werden festgehalten und befolgt. Andere als die in der \
        geltenden Weisung genannten Vorgänge finden nicht statt.",
    obligations: &[
        "Der Verantwortliche bestimmt Zwecke und Mittel und steht für ihre Rechtmäßigkeit ein: Rechtsgrundlage nach \
            Art. 6 DSGVO für jeden Zweck, Einwilligung oder Bestandskundenausnahme vor elektronischer Direktwerbung, \
            Information der Betroffenen nach Art. 13 und 14 DSGVO.",
        "Der Verantwortliche erteilt Weisungen in dokumentierter Form und benennt, wer sie erteilen darf.",
        "Der Verantwortliche unterrichtet den Auftragsverarbeiter unverzüglich, wenn er Fehler feststellt oder wenn \
            Betroffene, Gerichte oder Behörden Forderungen zu dieser Verarbeitung stellen.",
        "Der Verantwortliche übergibt keine besonderen Kategorien von Daten, keine Daten über Verurteilungen und \
            keine Daten von Kindern, sofern Anhang II sie nicht aufführt.",
    ],
    rights: &[
        "Der Verantwortliche kann seine Weisungen jederzeit ändern, einschränken, aussetzen oder zurücknehmen.",
        "Der Verantwortliche kann die Aufzeichnungen über die für ihn erfolgte Verarbeitung jederzeit einsehen und \
            mit Werkzeugen prüfen, die nicht vom Auftragsverarbeiter stammen.",
        "Der Verantwortliche kann den Auftragsverarbeiter prüfen oder prüfen lassen, wie unter Prüfungen angegeben.",
        "Der Verantwortliche kann einem neuen Unterauftragsverarbeiter innerhalb der Mitteilungsfrist widersprechen; \
            bis dahin und nach einem Widerspruch erhält dieser keine seiner Daten.",
        "Der Verantwortliche kann Rückgabe oder Löschung aller Daten jederzeit verlangen, nicht erst am Ende.",
    ],
    clauses: [
        "Der Auftragsverarbeiter verarbeitet personenbezogene Daten nur auf dokumentierte Weisung des \
            Verantwortlichen, auch bei Übermittlungen an Drittländer und internationale Organisationen. Verlangt das \
            Recht der Union oder eines Mitgliedstaats, dem er unterliegt, eine andere Verarbeitung, teilt er dies \
            dem Verantwortlichen vorher mit, sofern dieses Recht es nicht wegen eines wichtigen öffentlichen \
            Interesses verbietet. Verstößt eine Weisung nach seiner Auffassung gegen Datenschutzrecht, unterrichtet \
            er den Verantwortlichen sofort und hält an, was auf ihr beruht, bis der Verantwortliche sie bestätigt \
            oder ändert. Zu eigenen Zwecken oder Zwecken anderer verwendet er die Daten nicht.",
        "Zur Verarbeitung befugte Personen sind schriftlich oder kraft Gesetzes zur Vertraulichkeit verpflichtet, \
            geschult und haben Zugang nur soweit und solange ihre Aufgabe es erfordert.",
        "Der Auftragsverarbeiter trifft die Maßnahmen des Anhangs III und alle weiteren, die Art. 32 DSGVO verlangt. \
            Sie dürfen verbessert werden, das dort genannte Niveau aber nicht unterschreiten. Eine Maßnahme, die \
            nicht wirkt, wird dem Verantwortlichen gezeigt.",
        "Weitere Auftragsverarbeiter nimmt der Auftragsverarbeiter nur mit der hier angegebenen Genehmigung in \
            Anspruch. Jede beabsichtigte Hinzuziehung oder Ersetzung teilt er mit Name, Anschrift, Kontakt, Leistung \
            und Ort mit und hält die Mitteilungsfrist ein, bevor Daten fließen. Er verpflichtet sie vertraglich auf \
            dieselben Pflichten und haftet für sie wie für sich selbst.",
        "Der Auftragsverarbeiter unterstützt den Verantwortlichen mit geeigneten technischen und organisatorischen \
            Maßnahmen bei Anträgen Betroffener nach Kapitel III DSGVO: Auskunft, Berichtigung, Löschung, \
            Einschränkung, Übertragbarkeit, Widerspruch. Anträge, die bei ihm eingehen, leitet er unverzüglich und \
            binnen eines Tages weiter und beantwortet sie nur auf Weisung.",
        "Der Auftragsverarbeiter unterstützt den Verantwortlichen unter Berücksichtigung der Art der Verarbeitung \
            und der ihm verfügbaren Informationen bei den Pflichten aus Art. 32 bis 36 DSGVO: Sicherheit, Meldung \
            und Benachrichtigung bei Verletzungen, Folgenabschätzung, vorherige Konsultation. Jede Verletzung des \
            Schutzes personenbezogener Daten meldet er unverzüglich nach Bekanntwerden, in den angegebenen Stunden \
            und mit dem angegebenen Inhalt; was noch nicht bekannt ist, folgt in Teilen.",
        "Am Ende gibt der Auftragsverarbeiter nach Wahl des Verantwortlichen alle personenbezogenen Daten in \
            offenen, dokumentierten Formaten zurück und löscht sie, oder löscht sie, einschließlich Kopien und \
            Sicherungen, innerhalb der angegebenen Tage, sofern nicht das Recht der Union oder eines Mitgliedstaats \
            die Speicherung verlangt. Er bestätigt die Löschung mit Anzahlen und einem Nachweis aus der \
            Aufzeichnung. Ab dem ersten Tag nach dem Ende wird nichts mehr angenommen.",
        "Der Auftragsverarbeiter stellt alle Informationen bereit, die zum Nachweis der Pflichten aus Art. 28 DSGVO \
            nötig sind, und ermöglicht und unterstützt Prüfungen einschließlich Inspektionen durch den \
            Verantwortlichen oder einen von ihm beauftragten Prüfer. Aufzeichnungen stehen in einem Protokoll, das \
            nicht unbemerkt geändert werden kann und das der Verantwortliche selbst prüfen kann.",
    ],
    measures: &[
        (
            A,
            "Nachrichten und Empfängeradressen sind am Speicherort verschlüsselt, mit eigenen Schlüsseln je \
            Verantwortlichem und Person; Personen werden über geschlüsselte Kennungen gefunden. Mit der Vernichtung \
            eines Schlüssels sind seine Daten unlesbar.",
        ),
        (
            A,
            "Die Übertragung ist mit TLS ab Version 1.2 verschlüsselt, wo die Gegenseite es anbietet; der \
            Verantwortliche kann anweisen, dass Post nicht ohne Verschlüsselung hinausgeht.",
        ),
        (
            B,
            "Vor jedem Zustellversuch werden Vertrag, Weisung, Rechtsgrundlage, Widersprüche und Sperren erneut \
            geprüft; was nicht erlaubt ist, geht nicht hinaus.",
        ),
        (
            B,
            "Daten verschiedener Verantwortlicher sind durch getrennte Schlüssel geschieden und werden nie \
            zusammengeführt, bewertet oder verglichen.",
        ),
        (
            B,
            "Zugang zu den Schnittstellen haben eigene Zugangsdaten des Verantwortlichen, an seine Ströme gebunden, \
            als Prüfwert gespeichert und sofort widerrufbar; sie reichen nie zu den Daten anderer.",
        ),
        (B, "Betriebsprotokolle und Messwerte enthalten keine Adressen, Betreffzeilen oder Inhalte."),
        (
            C,
            "Daten und Schlüssel werden getrennt gesichert, Schlüssel nur kurz. Nach einer Wiederherstellung werden \
            seither erfolgte Löschungen, Widerrufe und Widersprüche angewandt, bevor etwas gesendet wird.",
        ),
        (
            D,
            "Jedes Ereignis steht in einem Protokoll des Verantwortlichen, in dem spätere Änderungen sichtbar sind; \
            es ist mit Werkzeugen Dritter prüfbar und vom Verantwortlichen selbst bezeugbar.",
        ),
        (
            D,
            "Die Maßnahmen werden im Betrieb maschinell geprüft und vom Auftragsverarbeiter mindestens jährlich \
            überprüft.",
        ),
    ],
};
