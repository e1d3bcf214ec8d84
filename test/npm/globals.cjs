// What later Node.js has and 18 has not, and a client relies on.
globalThis.crypto ??= require("node:crypto").webcrypto;
