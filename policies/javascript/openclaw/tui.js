/**
 * The terminal interface: it decides by which credential it authenticates, and takes the other one only
 * from the caller or a variable. Mirrors `policies/openclaw/src/tui.rs`.
 */

import { INVALID } from "../sdk/precedence.js";
import { urlFrom } from "./call.js";
import * as era from "./era.js";
import { PASSWORD, TOKEN } from "./credential.js";
import { becoming, failing } from "./reader.js";

/** @typedef {import("./credential.js").Credential} Credential */
/** @typedef {import("./reader.js").Answer} Answer */
/** @typedef {import("./reader.js").Reader} Reader */

const ALWAYS = () => true;
const NEVER = () => false;

/**
 * What the terminal interface gets of each credential.
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
    if (urlFrom(reader.snapshot) !== null) {
        return reader.answer(credential, ["call"], NEVER);
    }
    if (reader.installation.mode === "remote") {
        return remote(reader, credential);
    }
    return era.knowsReferences(reader.version)
        ? local(reader, credential)
        : reader.answer(credential, reader.order("local", credential), ALWAYS);
}

/**
 * @param {Reader} reader
 * @param {Credential} credential
 * @returns {Answer}
 */
function remote(reader, credential) {
    /** @param {Credential} credential */
    const refers = (credential) => reader.reference(credential, "remote") !== null;
    const keeps = keepsToReference(reader) && (refers(TOKEN) || refers(PASSWORD));
    /** @param {Credential} credential */
    const found = (credential) => {
        let places = reader.order("remote", credential);
        if (keeps) {
            places = isHandedAny(reader) ? ["call"] : places.filter((place) => place !== "env");
        }
        return reader.answer(credential, places, ALWAYS);
    };
    const token = found(TOKEN);
    const password = found(PASSWORD);
    if (token.standing.tag === "nothing" && password.standing.tag === "nothing") {
        // It names the first reference that should have led to one.
        const isSecond = credential === PASSWORD && refers(TOKEN);
        return failing(found(credential), isSecond ? null : reader.reference(credential, "remote"));
    }
    if (credential === TOKEN) {
        return token;
    }
    const leavesPassword = keeps && token.standing.tag !== "nothing" && !isHandedAny(reader);
    return leavesPassword ? reader.answer(PASSWORD, [], NEVER) : password;
}

/**
 * @param {Reader} reader
 * @param {Credential} credential
 * @returns {Answer}
 */
function local(reader, credential) {
    const { installation } = reader;
    let places = reader.order("local", credential);
    const used = usedBy(reader);
    if (used === null) {
        return reader.answer(credential, ["call", "env"], NEVER);
    }
    if (installation.isAmbiguous()) {
        return becoming(reader.answer(credential, places, ALWAYS), INVALID);
    }
    if (keepsToReference(reader) && isHandedAny(reader) && refersToUsable(reader)) {
        return reader.answer(credential, ["call"], NEVER);
    }
    if (credential !== used) {
        places = places.filter((place) => place !== "auth");
    }
    const keeps = keepsToReference(reader) && reader.reference(used, "auth") !== null;
    const setsUp =
        era.maySetUpFromConfig(reader.version) &&
        reader.snapshot.fact("tui-setup-auth-source") === "config";
    if (keeps || setsUp) {
        places = places.filter((place) => place !== "env");
    }
    const answer = reader.answer(credential, places, ALWAYS);
    return answer.standing.tag === "nothing" && credential === used
        ? failing(answer, reader.reference(credential, "auth"))
        : answer;
}

/**
 * The credential by which it authenticates; none where the gateway asks for neither.
 *
 * @param {Reader} reader
 * @returns {Credential | null}
 */
function usedBy(reader) {
    switch (reader.installation.statedAuthMode) {
        case "token":
            return TOKEN;
        case "password":
            return PASSWORD;
        case "trusted-proxy":
        case "other":
            return null;
    }
    const refers = keepsToReference(reader) && reader.reference(TOKEN, "auth") !== null;
    const atHand = reader.isPlain(PASSWORD, "call") || reader.isPlain(PASSWORD, "env");
    const configured = reader.isSet(PASSWORD, "auth") && !reader.isSet(TOKEN, "auth");
    return (atHand && !refers) || configured ? PASSWORD : TOKEN;
}

/**
 * Whether `gateway.auth.*` refers to a secret by which it could authenticate.
 *
 * @param {Reader} reader
 * @returns {boolean}
 */
function refersToUsable(reader) {
    /** @param {Credential} credential */
    const refers = (credential) => reader.reference(credential, "auth") !== null;
    switch (reader.installation.statedAuthMode) {
        case "token":
            return refers(TOKEN);
        case "password":
            return refers(PASSWORD);
        case null:
            return refers(TOKEN) || refers(PASSWORD);
        default:
            return false;
    }
}

/** @param {Reader} reader */
function isHandedAny(reader) {
    return reader.isPlain(TOKEN, "call") || reader.isPlain(PASSWORD, "call");
}

/** @param {Reader} reader */
function keepsToReference(reader) {
    return era.keepsToReference(reader.version);
}
