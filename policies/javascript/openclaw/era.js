/**
 * Who looks where, in which order, since when: the table behind every answer. Mirrors
 * `policies/openclaw/src/era.rs`, which says how it was measured; a change there is a change here.
 */

import { KNOWS_REFERENCES, Version } from "./version.js";

/** @typedef {import("./credential.js").Credential} Credential */
/** @typedef {import("./installation.js").Mode} Mode */

/**
 * A program of OpenClaw that reads gateway credentials, by the name of its consumer.
 *
 * @typedef {"gateway" | "cli" | "tui" | "probe" | "node-host"} Program
 */

/**
 * A place that a program can look at: what the caller hands over, the variable, the variable of the
 * earlier name, `gateway.auth.*`, `gateway.remote.*`.
 *
 * @typedef {"call" | "env" | "legacy-env" | "auth" | "remote"} Place
 */

/**
 * The program by the name of its consumer, or by a consumer's attribute `program`.
 *
 * @param {string} name
 * @returns {Program | null}
 */
export function programFromName(name) {
    switch (name) {
        case "gateway":
        case "cli":
        case "tui":
        case "probe":
        case "node-host":
            return name;
        default:
            return null;
    }
}

const FIRST = new Version(0, 0, 0);
// The service kind began to matter, and the source of a URL; node hosts began to resolve as clients
// do, and the terminal interface to ask how the gateway authenticates.
const SERVICE_KIND = new Version(2026, 3, 7);
// A reference that leads nowhere stopped counting as absent.
const FAILS_CLOSED = new Version(2026, 3, 11);
// The variables of the earlier name were given up.
const ONE_NAME = new Version(2026, 3, 22);
// The server began to refuse the documentation's examples, and the probe to take a secret from its
// caller. First seen on 2026.4.24.
const SPRING = new Version(2026, 4, 0);
// The probe stopped falling back to `gateway.remote.*` in local mode, clients behind a trusted proxy
// got rules of their own, and the terminal interface began to look at the environment in remote
// mode. First seen on 2026.5.28.
const STRICT = new Version(2026, 5, 0);
// The server behind a trusted proxy began to follow a reference to a password. First seen on
// 2026.7.35.
const PROXY_PASSWORD = new Version(2026, 6, 0);
// Clients turned from environment-first to configuration-first.
const CONFIG_FIRST = new Version(2026, 8, 1);
// The server began to refuse a blank value too. First seen on 2026.9.6.
const NO_BLANKS = new Version(2026, 9, 0);

/**
 * What an order holds for; the last row that holds is the one in force. Both modes, or both
 * credentials, where none is given.
 *
 * @typedef {object} Row
 * @property {Version} since
 * @property {Program} program
 * @property {Mode} [mode]
 * @property {Place[]} order
 * @property {"token" | "password"} [only]
 * @property {boolean} [inService] Only with `OPENCLAW_SERVICE_KIND=gateway`.
 */

/** @type {Row[]} */
const ROWS = [
    row(FIRST, "gateway", undefined, ["call", "auth", "env"]),

    row(FIRST, "cli", "local", ["env", "legacy-env", "auth", "remote"]),
    inService(row(SERVICE_KIND, "cli", "local", ["auth", "remote", "env", "legacy-env"], "token")),
    row(CONFIG_FIRST, "cli", "local", ["auth", "env", "remote"]),
    row(FIRST, "cli", "remote", ["remote", "env", "legacy-env", "auth"]),
    row(FIRST, "cli", "remote", ["env", "legacy-env", "remote", "auth"], "password"),

    row(FIRST, "tui", "local", ["call", "env", "auth"], "token"),
    row(FIRST, "tui", "local", ["call", "env"], "password"),
    row(SERVICE_KIND, "tui", "local", ["call", "auth", "env"], "token"),
    row(SERVICE_KIND, "tui", "local", ["call", "env", "auth"], "password"),
    row(CONFIG_FIRST, "tui", "local", ["call", "auth", "env"]),
    row(FIRST, "tui", "remote", ["call", "remote"]),
    row(STRICT, "tui", "remote", ["call", "remote", "env"]),
    row(FIRST, "tui", "remote", ["call", "env", "remote"], "password"),

    row(FIRST, "probe", "local", ["env", "auth", "remote"]),
    row(STRICT, "probe", "local", ["env", "auth"]),
    inService(row(SERVICE_KIND, "probe", "local", ["auth", "remote", "env"], "token")),
    inService(row(STRICT, "probe", "local", ["auth", "env"], "token")),
    row(CONFIG_FIRST, "probe", "local", ["auth", "env"]),
    row(FIRST, "probe", "remote", ["remote"]),
    row(FIRST, "probe", "remote", ["env", "remote", "auth"], "password"),
    row(CONFIG_FIRST, "probe", "remote", ["env", "remote"], "password"),

    row(FIRST, "node-host", "local", ["env", "auth"]),
    row(FIRST, "node-host", "remote", ["env", "remote"]),
    row(SERVICE_KIND, "node-host", "remote", ["env", "remote", "auth"]),
];

/**
 * @param {Version} since
 * @param {Program} program
 * @param {Mode | undefined} mode
 * @param {Place[]} order
 * @param {"token" | "password"} [only]
 * @returns {Row}
 */
function row(since, program, mode, order, only) {
    return { since, program, mode, order, only };
}

/**
 * @param {Row} row
 * @returns {Row}
 */
function inService(row) {
    return { ...row, inService: true };
}

/**
 * The places that a program looks at, in its order.
 *
 * @param {Version} version
 * @param {Program} program
 * @param {Mode} mode
 * @param {Credential} credential
 * @param {boolean} inService
 * @returns {Place[]}
 */
export function order(version, program, mode, credential, inService) {
    for (let index = ROWS.length - 1; index >= 0; index -= 1) {
        const row = ROWS[index];
        if (
            row.program === program &&
            (row.mode === undefined || row.mode === mode) &&
            (row.only === undefined || row.only === credential.word) &&
            (row.inService !== true || inService) &&
            row.since <= version
        ) {
            return [...row.order];
        }
    }
    return [];
}

/**
 * Whether references serve as secrets at all.
 *
 * @param {Version} version
 */
export function knowsReferences(version) {
    return version >= KNOWS_REFERENCES;
}

/**
 * Whether clients take the variables of the earlier name. The server never did; but while clients did,
 * it followed no reference where one of them was set.
 *
 * @param {Version} version
 */
export function takesLegacyNames(version) {
    return version < ONE_NAME;
}

/**
 * Whether one secret from the caller makes a client look nowhere else, even for the other one. The
 * server and the terminal interface take each by itself; the probe took none at first.
 *
 * @param {Version} version
 * @param {Program} program
 */
export function isContentWithCall(version, program) {
    return program === "cli" || (program === "probe" && version >= SPRING);
}

/**
 * Whether a client that is sent to another URL asks who says so: one from the environment goes with
 * secrets from the environment, any other with those of the caller alone.
 *
 * @param {Version} version
 */
export function knowsSourceOfUrl(version) {
    return version >= SERVICE_KIND;
}

/**
 * Whether a reference at `gateway.auth.*` hides `gateway.remote.*` from a client in local mode, as a
 * value there does, wherever it leads.
 *
 * @param {Version} version
 */
export function keepsToAuth(version) {
    return version >= FAILS_CLOSED;
}

/**
 * Whether a client behind a trusted proxy authenticates by a password where there is one: it follows a
 * reference to it, and takes none from `gateway.remote.password`.
 *
 * @param {Version} version
 */
export function givesProxyPassword(version) {
    return version >= STRICT;
}

/**
 * Whether a client that is told by the mode which credential it needs follows a reference to it even
 * where it finds the other one. Before, either sufficed.
 *
 * @param {Version} version
 */
export function needsWhatModeStates(version) {
    return version >= STRICT;
}

/**
 * Whether the server behind a trusted proxy follows a reference to a password.
 *
 * @param {Version} version
 */
export function servesProxyPassword(version) {
    return version >= PROXY_PASSWORD;
}

/**
 * Whether callers ask for one precedence in local mode, not for one for each credential.
 *
 * @param {Version} version
 */
export function hasOneLocalPrecedence(version) {
    return version >= CONFIG_FIRST;
}

/**
 * Whether the server takes the variable before what `gateway.auth.*` refers to. Since then it takes no
 * variable where it finds a reference.
 *
 * @param {Version} version
 */
export function startsOnEnvBeforeReference(version) {
    return version < CONFIG_FIRST;
}

/**
 * Whether the server also takes `gateway.remote.*` when it starts. Live requests with it are refused
 * all the same.
 *
 * @param {Version} version
 */
export function startsOnRemote(version) {
    return version >= CONFIG_FIRST;
}

/**
 * Whether the server refuses to start on one of the documentation's examples.
 *
 * @param {Version} version
 */
export function refusesExamples(version) {
    return version >= SPRING;
}

/**
 * Whether the server refuses to start where the secret that it needs is blank.
 *
 * @param {Version} version
 */
export function refusesBlanks(version) {
    return version >= NO_BLANKS;
}

/**
 * Whether the terminal interface, where it finds a reference, leaves the variables alone, as if they
 * were not set.
 *
 * @param {Version} version
 */
export function keepsToReference(version) {
    return version >= CONFIG_FIRST;
}

/**
 * Whether the terminal interface, while it sets things up from the configuration, leaves the variables
 * alone: `OPENCLAW_TUI_SETUP_AUTH_SOURCE=config`.
 *
 * @param {Version} version
 */
export function maySetUpFromConfig(version) {
    return version >= SPRING && version < CONFIG_FIRST;
}
