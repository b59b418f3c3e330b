-- Soft opt-ins of before were called complete without a word on their four conditions (ePrivacy Art. 13(2)). Whether
-- they had them is not known here: they carry no mail until they are recorded with all four.
UPDATE basis SET evidence = 'unverified' WHERE kind = 'soft-opt-in' AND evidence = 'complete';
