-- What ended, by when it ended: evidence of consent and bounces go by the days that an instruction names.
CREATE INDEX basis_withdrawn ON basis (controller, purpose, withdrawn) WHERE withdrawn IS NOT NULL;
CREATE INDEX basis_expires ON basis (controller, purpose, expires) WHERE expires IS NOT NULL;
CREATE INDEX suppression_ends ON suppression (ends) WHERE ends IS NOT NULL;
