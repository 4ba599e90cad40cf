/** The deployment's parameters. Mirrors `policies/helm/src/settings.rs`. */

import { trim } from "../sdk/text.js";

/**
 * What is kept on the volume: the token in both copies; in `gateway.remote.token` only; a reference to
 * the variable in both; no plain copy at all.
 *
 * @typedef {"both" | "remote-only" | "reference" | "none"} Persist
 */

/** @typedef {{ persist: Persist }} Settings */
/** @typedef {{ settings: Settings } | { faults: string[] }} Read */

/** @type {Persist[]} */
const PERSIST = ["both", "remote-only", "reference", "none"];
const EXPECTED = `expected one of ${PERSIST.map((name) => `\`${name}\``).join(", ")}`;

/**
 * Reads the settings, with the same verdict as serde on every text.
 *
 * @param {string} text
 * @returns {Read}
 */
export function readSettings(text) {
    /** @type {unknown} */
    let json;
    try {
        json = trim(text) === "" ? {} : JSON.parse(text);
    } catch (error) {
        return fault(`the settings are not JSON: ${/** @type {Error} */ (error).message}`);
    }
    const read = fromJson(json);
    // `JSON.parse` keeps the last of two equal keys. No name or value that is accepted has a colon
    // in it, so one colon too many is a key that stands twice.
    if ("settings" in read && text.split(":").length - 1 !== members(json)) {
        return fault("duplicate field `persist`");
    }
    return read;
}

/**
 * @param {unknown} json
 * @returns {Read}
 */
function fromJson(json) {
    // serde also takes a list of the fields' values.
    if (Array.isArray(json)) {
        const [persist, ...rest] = json;
        return rest.length === 0
            ? fromFields(json.length === 0 ? {} : { persist })
            : fault("the settings have one field at most, `persist`");
    }
    if (typeof json !== "object" || json === null) {
        return fault("the settings must be an object, with the field `persist` at most");
    }
    return fromFields(/** @type {Record<string, unknown>} */ (json));
}

/**
 * @param {Record<string, unknown>} fields
 * @returns {Read}
 */
function fromFields(fields) {
    const unknown = Object.keys(fields).find((name) => name !== "persist");
    if (unknown !== undefined) {
        return fault(`unknown field \`${unknown}\`, expected \`persist\``);
    }
    if (!("persist" in fields)) {
        return { settings: { persist: "both" } };
    }
    const name = variant(fields.persist);
    if (name === null) {
        return fault(`invalid type of \`persist\`, ${EXPECTED}`);
    }
    const persist = PERSIST.find((known) => known === name);
    return persist === undefined
        ? fault(`unknown variant \`${name}\` of \`persist\`, ${EXPECTED}`)
        : { settings: { persist } };
}

/**
 * The name of a variant: a text or, as serde has it, an object that gives null to that name.
 *
 * @param {unknown} json
 * @returns {string | null}
 */
function variant(json) {
    if (typeof json === "string") {
        return json;
    }
    if (typeof json !== "object" || json === null || Array.isArray(json)) {
        return null;
    }
    const entries = Object.entries(json);
    return entries.length === 1 && entries[0][1] === null ? entries[0][0] : null;
}

/**
 * How many members all objects in it have.
 *
 * @param {unknown} json
 * @returns {number}
 */
function members(json) {
    if (typeof json !== "object" || json === null) {
        return 0;
    }
    const own = Array.isArray(json) ? 0 : Object.keys(json).length;
    return Object.values(json).reduce((sum, value) => sum + members(value), own);
}

/**
 * @param {string} message
 * @returns {{ faults: string[] }}
 */
function fault(message) {
    // JSON can escape half a character, which no text of the contract can hold.
    return { faults: [message.toWellFormed()] };
}
