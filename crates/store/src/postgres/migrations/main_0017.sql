-- A key of before could do all of this over HTTP; those that are made from now on do what they are made for.
UPDATE credential SET scopes = scopes || ',people,authority' WHERE ',' || scopes || ',' LIKE '%,api,%';
