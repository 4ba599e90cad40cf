/** Makes the contract's three functions of a policy. Mirrors `guest/src/policy.rs`. */

import { Snapshot } from "./snapshot.js";

/**
 * @template S
 * @typedef {object} Policy
 * @property {string} name
 * @property {string} version
 * @property {string} settingsSchema JSON Schema of the settings, as JSON text.
 * @property {(settings: string) => { settings: S } | { faults: string[] }} readSettings
 * @property {(snapshot: Snapshot, settings: S) => import("./decision.js").Decision} decide
 */

/**
 * What a component exports as `policy`. The error of a `result` is what is thrown: the faults, or the
 * refusal, as they are and not within an `Error`.
 *
 * @template S
 * @param {Policy<S>} policy
 */
export function component({ name, version, settingsSchema, readSettings, decide }) {
    return {
        describe() {
            return { name, version, settingsSchema };
        },

        /** @param {string} settings */
        validateSettings(settings) {
            const read = readSettings(settings);
            if ("faults" in read) {
                throw read.faults;
            }
        },

        /** @param {import("./contract.d.ts").SnapshotRecord} record */
        decide(record) {
            const snapshot = new Snapshot(record);
            const read = readSettings(snapshot.settings);
            if ("faults" in read) {
                // The host validates settings first, so this is seen only where that is skipped.
                throw { code: "settings", reason: read.faults.join("; "), remedy: null, locations: [] };
            }
            return decide(snapshot, read.settings).intoContract();
        },
    };
}
