#!/usr/bin/env node
// Makes npm's `solc` (solc-js) answer like the native compiler, as far as foundry-compilers and forge ask:
//   solc --version
//   solc --standard-json [--base-path P] [--include-path P] [--allow-paths P,..] [FILE]   < input.json
// Sources must be in the input with their content; imports from the file system are not resolved.
"use strict";

const fs = require("fs");
const solc = require("solc");

const takesValue = new Set(["--base-path", "--include-path", "--allow-paths"]);
let standardJson = false;
let version = false;
let file = null;

const args = process.argv.slice(2);
for (let index = 0; index < args.length; index += 1) {
  const argument = args[index];
  if (argument === "--version") version = true;
  else if (argument === "--standard-json") standardJson = true;
  else if (takesValue.has(argument)) index += 1;
  else if (argument === "-") continue;
  else if (!argument.startsWith("-") && standardJson && file === null) file = argument;
  else {
    process.stderr.write(`solc (npm): the argument '${argument}' is not supported; only --version and --standard-json are\n`);
    process.exit(1);
  }
}

if (version) {
  process.stdout.write(`solc, the solidity compiler commandline interface\nVersion: ${solc.version()}\n`);
} else if (standardJson) {
  const input = fs.readFileSync(file === null ? 0 : file, "utf8");
  process.stdout.write(`${solc.compile(input)}\n`);
} else {
  process.stderr.write("solc (npm): nothing to do; use --version or --standard-json\n");
  process.exit(1);
}
