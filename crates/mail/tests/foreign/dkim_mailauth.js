// Judges DKIM signatures with mailauth.
//
// Usage: node dkim_mailauth.js DIRECTORY   (NODE_PATH names the folder that holds mailauth)
// DIRECTORY holds messages (*.eml) and keys.txt, one `name<TAB>TXT record` a line; no DNS is asked.
// Prints one line per signature: file<TAB>index<TAB>pass or fail.
'use strict';

const fs = require('fs');
const path = require('path');
const { dkimVerify } = require('mailauth/lib/dkim/verify');

const directory = process.argv[2];
const keys = new Map(
    fs.readFileSync(path.join(directory, 'keys.txt'), 'utf8').split('\n').filter(Boolean).map(line => line.split('\t'))
);

const resolver = async (name, type) => {
    const record = keys.get(name.replace(/\.$/, ''));
    if (type !== 'TXT' || record === undefined) {
        throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' });
    }
    return [[record]];
};

const main = async () => {
    for (const file of fs.readdirSync(directory).filter(name => name.endsWith('.eml')).sort()) {
        const verdict = await dkimVerify(fs.readFileSync(path.join(directory, file)), { resolver });
        const signatures = verdict.results.filter(result => result.signature);
        signatures.forEach((result, index) => {
            console.log(`${file}\t${index}\t${result.status.result === 'pass' ? 'pass' : 'fail'}`);
        });
    }
};

main().catch(error => {
    console.error(error);
    process.exit(1);
});
