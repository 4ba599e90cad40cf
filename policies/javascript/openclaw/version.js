/** OpenClaw's dates as versions. Mirrors `policies/openclaw/src/version.rs`. */

import { WHITE_SPACE, trim } from "../sdk/text.js";

const SEPARATOR = new RegExp(`[${WHITE_SPACE}(),]`);
const NUMBER = /^[0-9]+$/;
const U16_MAX = 65535;

/** A release of OpenClaw: year, month, number in the month. Compares with `<`. */
export class Version {
    /**
     * @param {number} year
     * @param {number} month
     * @param {number} number
     */
    constructor(year, month, number) {
        this.year = year;
        this.month = month;
        this.number = number;
        /** Each part has 16 bits at most, so three of them are an exact number. */
        this.rank = (year * 0x10000 + month) * 0x10000 + number;
    }

    valueOf() {
        return this.rank;
    }

    toString() {
        return `${this.year}.${this.month}.${this.number}`;
    }
}

/** The newest release whose behaviour was measured; stands in where the version is unknown. */
export const NEWEST = new Version(2026, 9, 6);
/** The first release on which a SecretRef to a variable was seen to serve as `gateway.auth.token`. */
export const KNOWS_REFERENCES = new Version(2026, 3, 8);

/**
 * The first release that a text speaks of, such as `OpenClaw Gateway (v2026.3.8)`.
 *
 * @param {string} text
 * @returns {Version | null}
 */
export function versionInText(text) {
    for (const word of text.split(SEPARATOR)) {
        const version = parse(word);
        if (version !== null) {
            return version;
        }
    }
    return null;
}

/**
 * Reads `2026.9.6`, also with a leading `v` or a suffix such as `-beta.1`.
 *
 * @param {string} text
 * @returns {Version | null}
 */
export function parse(text) {
    const release = trim(text).replace(/^v+/, "").split(/[-+]/, 1)[0];
    const parts = release.split(".");
    if (parts.length !== 3 || !parts.every((part) => NUMBER.test(part))) {
        return null;
    }
    const [year, month, number] = parts.map(Number);
    const isDate = year >= 2024 && month >= 1 && month <= 12;
    return isDate && year <= U16_MAX && number <= U16_MAX
        ? new Version(year, month, number)
        : null;
}
