// Reads an AsyncAPI document with the reference parser and prints what it holds, one line for each message:
// ACTION TOPIC MESSAGE PAYLOAD-ID HEADERS-ID, with - for what is not there.
//
//   node check.js DOCUMENT      Exit codes: 0 it is valid, without a warning; 1 it is not.
'use strict';

const path = require('path');
const { createRequire } = require('module');
// Where the packages were installed; this file stays in its own folder.
const load = createRequire(path.join(process.env.PACKAGES, 'package.json'));
const { Parser, fromFile } = load('@asyncapi/parser');

// Advice to move to the next minor version says nothing about validity of this one.
const TASTE = ['asyncapi-latest-version'];

async function main(document) {
  const { document: parsed, diagnostics } = await fromFile(new Parser(), document).parse();
  const findings = diagnostics.filter((finding) => !TASTE.includes(finding.code));
  for (const { code, message, path: where } of findings) {
    console.error(`${code} at ${where.join('.')}: ${message}`);
  }
  if (!parsed || findings.length > 0) {
    return 1;
  }
  const id = (schema) => (schema && schema.$id ? schema.$id() : undefined) || '-';
  for (const operation of parsed.operations().all()) {
    for (const channel of operation.channels().all()) {
      for (const message of channel.messages().all()) {
        const parts = [operation.action(), channel.address(), message.name(), id(message.payload()), id(message.headers())];
        console.log(parts.join(' '));
      }
    }
  }
  return 0;
}

main(process.argv[2]).then((code) => process.exit(code));
