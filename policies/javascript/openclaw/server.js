/** The gateway: what it takes when it starts, and keeps. Mirrors `policies/openclaw/src/server.rs`. */

import { GENERATED, INVALID } from "../sdk/precedence.js";
import { authModeOverride } from "./call.js";
import {
    knowsReferences,
    refusesBlanks,
    refusesExamples,
    servesProxyPassword,
    startsOnEnvBeforeReference,
    startsOnRemote,
    takesLegacyNames,
} from "./era.js";
import { PASSWORD, TOKEN, other } from "./credential.js";
import { becoming, failing } from "./reader.js";

/** @typedef {import("./era.js").Place} Place */
/** @typedef {import("./credential.js").AuthMode} AuthMode */
/** @typedef {import("./credential.js").Credential} Credential */
/** @typedef {import("./reader.js").Answer} Answer */
/** @typedef {import("./reader.js").Reader} Reader */

/**
 * What the gateway gets of each credential.
 *
 * @param {Reader} reader
 * @returns {(credential: Credential) => Answer}
 */
export function resolver(reader) {
    return (credential) => resolve(reader, credential);
}

/**
 * @param {Reader} reader
 * @param {Credential} credential
 * @returns {Answer}
 */
function resolve(reader, credential) {
    const answer = found(reader, credential);
    if (!starts(reader)) {
        return answer;
    }
    const mode = startMode(reader);
    if (reader.installation.isAmbiguous() || refuses(reader, mode)) {
        return becoming(answer, INVALID);
    }
    // It makes up a token for this run, where it needs one and finds none.
    if (answer.standing.tag === "nothing" && credential === TOKEN && mode === "token") {
        return becoming(answer, GENERATED);
    }
    return answer;
}

/**
 * @param {Reader} reader
 * @param {Credential} credential
 * @returns {Answer}
 */
function found(reader, credential) {
    const { version } = reader;
    let places = reader.order("local", credential);
    const reference = reader.reference(credential, "auth");
    if (reference === null) {
        const isProxy = statedMode(reader) === "trusted-proxy" && credential === PASSWORD;
        if (starts(reader) && startsOnRemote(version) && !isProxy) {
            places.push("remote");
        }
        return reader.answer(credential, places, () => false);
    }
    const needed =
        knowsReferences(version) &&
        needsReference(reader, credential) &&
        !hasLegacyVariable(reader, credential);
    if (startsOnEnvBeforeReference(version)) {
        places = [...places.filter((place) => place !== "auth"), "auth"];
    } else if (needed || starts(reader)) {
        // Since then a reference is all that it takes notice of, even one that it does not need.
        places = places.filter((place) => place !== "env");
    }
    const answer = reader.answer(credential, places, () => needed);
    return needed && answer.standing.tag === "nothing" ? failing(answer, reference) : answer;
}

/**
 * Whether the gateway needs what `gateway.auth.*` refers to, by the way in which clients authenticate.
 * Where no mode says it, it does not while the other secret can be had.
 *
 * @param {Reader} reader
 * @param {Credential} credential
 * @returns {boolean}
 */
function needsReference(reader, credential) {
    const mode = statedMode(reader);
    switch (mode) {
        case "trusted-proxy":
            return credential === PASSWORD && servesProxyPassword(reader.version);
        case null: {
            const second = other(credential);
            /** @type {Place[]} */
            const places = ["call", "env", "auth"];
            const hasOther = places.some((place) => reader.isSet(second, place));
            return !hasOther && !hasLegacyVariable(reader, second);
        }
        default:
            return mode === credential.word;
    }
}

/**
 * @param {Reader} reader
 * @param {Credential} credential
 */
function hasLegacyVariable(reader, credential) {
    return takesLegacyNames(reader.version) && reader.isSet(credential, "legacy-env");
}

/**
 * Whether it refuses to start on what stands where its secret should.
 *
 * @param {Reader} reader
 * @param {AuthMode} mode
 * @returns {boolean}
 */
function refuses(reader, mode) {
    if (mode !== "token" && mode !== "password") {
        return false;
    }
    const credential = mode === "token" ? TOKEN : PASSWORD;
    const { standing, places } = found(reader, credential);
    const first = places.find((place) => reader.isSet(credential, place));
    const isExample = first !== undefined && reader.isExample(credential, first);
    const isBlank = standing.tag === "nothing" && reader.isBlank(credential, "auth");
    return (
        (isExample && refusesExamples(reader.version)) || (isBlank && refusesBlanks(reader.version))
    );
}

/**
 * The mode that it starts in: a password makes it password mode where none is stated.
 *
 * @param {Reader} reader
 * @returns {AuthMode}
 */
function startMode(reader) {
    const stated = statedMode(reader);
    if (stated !== null) {
        return stated;
    }
    const { standing, places } = found(reader, PASSWORD);
    const isExample = places.some((place) => reader.isExample(PASSWORD, place));
    return standing.tag !== "nothing" || isExample ? "password" : "token";
}

/**
 * @param {Reader} reader
 * @returns {AuthMode | null}
 */
function statedMode(reader) {
    return authModeOverride(reader.snapshot) ?? reader.installation.statedAuthMode;
}

/**
 * Whether it is about to read its configuration anew.
 *
 * @param {Reader} reader
 */
function starts({ snapshot: { phase } }) {
    return phase === "start" || phase === "restart";
}
