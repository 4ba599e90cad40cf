/**
 * What a caller may ask of the client's resolver beside its usual order, each a fact `option.NAME`.
 * Mirrors `policies/openclaw/src/call.rs`.
 */

import { trim } from "../sdk/text.js";
import { hasOneLocalPrecedence } from "./era.js";
import { TOKEN, authModeFromName } from "./credential.js";

/** @typedef {import("../sdk/snapshot.js").Snapshot} Snapshot */
/** @typedef {import("./era.js").Place} Place */
/** @typedef {import("./credential.js").Credential} Credential */
/** @typedef {import("./installation.js").Mode} Mode */

/**
 * The mode that a client takes instead of the configuration's.
 *
 * @param {Snapshot} snapshot
 * @returns {Mode | null}
 */
export function modeOverride(snapshot) {
    const asked = snapshot.fact("option.modeOverride") ?? snapshot.fact("option.mode");
    if (asked === null) {
        return null;
    }
    return asked === "remote" ? "remote" : "local";
}

/**
 * The mode of authentication that the server takes instead of the configuration's.
 *
 * @param {Snapshot} snapshot
 */
export function authModeOverride(snapshot) {
    const asked = snapshot.fact("option.authOverride.mode");
    return asked === null ? null : authModeFromName(asked);
}

/**
 * Who sends the client to another URL than the configuration's, if anybody does.
 *
 * @param {Snapshot} snapshot
 * @returns {"environment" | "caller" | null}
 */
export function urlFrom(snapshot) {
    /** @param {string} name */
    const isGiven = (name) => trim(snapshot.fact(name) ?? "") !== "";
    if (isGiven("option.url")) {
        return "caller";
    }
    if (!isGiven("option.urlOverride")) {
        return null;
    }
    return snapshot.fact("option.urlOverrideSource") === "env" ? "environment" : "caller";
}

/**
 * Whether the client shall not look at the variables of the earlier name.
 *
 * @param {Snapshot} snapshot
 */
export function forgoesLegacyNames(snapshot) {
    return snapshot.fact("option.includeLegacyEnv") === "false";
}

/**
 * The order that the caller asks for; none where it leaves the usual one.
 *
 * @param {Snapshot} snapshot
 * @param {import("./version.js").Version} version
 * @param {Mode} mode
 * @param {Credential} credential
 * @returns {Place[] | null}
 */
export function orderAsked(snapshot, version, mode, credential) {
    if (mode === "remote") {
        return remote(snapshot, credential);
    }
    const asked = local(snapshot, version, credential);
    if (asked === null) {
        return null;
    }
    if (asked === "env-first") {
        return ["env", "legacy-env", "auth", "remote"];
    }
    return hasOneLocalPrecedence(version)
        ? ["auth", "env", "remote"]
        : ["auth", "remote", "env", "legacy-env"];
}

/**
 * @param {Snapshot} snapshot
 * @param {import("./version.js").Version} version
 * @param {Credential} credential
 */
function local(snapshot, version, credential) {
    if (hasOneLocalPrecedence(version)) {
        return snapshot.fact("option.localPrecedence");
    }
    const isToken = credential === TOKEN;
    return snapshot.fact(isToken ? "option.localTokenPrecedence" : "option.localPasswordPrecedence");
}

/**
 * @param {Snapshot} snapshot
 * @param {Credential} credential
 * @returns {Place[] | null}
 */
function remote(snapshot, credential) {
    const name = credential === TOKEN ? "option.remoteToken" : "option.remotePassword";
    if (snapshot.fact(`${name}Fallback`) === "remote-only") {
        return ["remote"];
    }
    const asked = snapshot.fact(`${name}Precedence`);
    if (asked === null) {
        return null;
    }
    return asked === "env-first"
        ? ["env", "legacy-env", "remote", "auth"]
        : ["remote", "env", "legacy-env", "auth"];
}
