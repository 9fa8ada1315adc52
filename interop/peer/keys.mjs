// Makes a key for each algorithm: `node keys.mjs FOLDER` writes NAME.pem for each and keys.json, which has them all.

import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [folder] = process.argv.slice(2);
const kinds = [
    ['ES256', 'ec', { namedCurve: 'P-256' }],
    ['EdDSA', 'ed25519', {}],
    ['RS256', 'rsa', { modulusLength: 2048 }],
];
const keys = kinds.map(([alg, kind, options]) => {
    const { privateKey } = generateKeyPairSync(kind, options);
    writeFileSync(join(folder, `${alg}.pem`), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    return { ...privateKey.export({ format: 'jwk' }), alg, kid: alg, use: 'sig' };
});
writeFileSync(join(folder, 'keys.json'), JSON.stringify({ keys }), { mode: 0o600 });
