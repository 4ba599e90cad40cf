/** The decision as a policy builds it. Mirrors `guest/src/decision.rs`. */

/** @typedef {import("./snapshot.js").Location} Location */
/** @typedef {import("./contract.d.ts").Severity} Severity */

/** Something that the operator should know. */
class Finding {
    /**
     * @param {Severity} severity
     * @param {string} code
     * @param {string} message
     */
    constructor(severity, code, message) {
        this.code = code;
        this.severity = severity;
        this.message = message;
        /** @type {string | null} */
        this.fix = null;
        /** @type {number[]} */
        this.locations = [];
    }

    /**
     * Names a location that it speaks of; one that the deployment does not have is left out.
     *
     * @param {Location | null} location
     */
    at(location) {
        if (location !== null) {
            this.locations.push(location.id);
        }
        return this;
    }

    /**
     * Says what mends it.
     *
     * @param {string} remedy
     */
    remedy(remedy) {
        this.fix = remedy;
        return this;
    }
}

/** A decision under construction. */
export class Decision {
    constructor() {
        /** @type {import("./contract.d.ts").Verdict[]} */
        this.verdicts = [];
        /** @type {import("./contract.d.ts").Action[]} */
        this.actions = [];
        /** @type {Finding[]} */
        this.findings = [];
    }

    /**
     * Writes the secret at `from` into `to`, unless that secret is there already. A reference is left
     * alone, and so are a place that could not be read and one that cannot be written; and a secret that
     * has expired goes nowhere.
     *
     * @param {Location} from
     * @param {Location} to
     * @param {string} reason
     */
    writeUnlessEqual(from, to, reason) {
        const wanted =
            from.isPlain() &&
            !from.isExpired() &&
            from.id !== to.id &&
            to.writable &&
            !to.isUnreadable() &&
            to.reference() === null &&
            !to.sameSecret(from);
        if (wanted) {
            this.act({ tag: "write", val: { from: from.id, to: to.id } }, reason);
        }
    }

    /**
     * Writes into `to` a reference to `from`.
     *
     * @param {Location} from
     * @param {Location} to
     * @param {string} reason
     */
    refer(from, to, reason) {
        this.act({ tag: "refer", val: { from: from.id, to: to.id } }, reason);
    }

    /**
     * Removes a copy.
     *
     * @param {Location} location
     * @param {string} reason
     */
    remove(location, reason) {
        this.act({ tag: "remove", val: location.id }, reason);
    }

    /**
     * @param {import("./contract.d.ts").Deed} deed
     * @param {string} reason
     */
    act(deed, reason) {
        this.actions.push({ deed, reason });
    }

    /**
     * Adds a finding; give it locations and a remedy on what is returned.
     *
     * @param {Severity} severity
     * @param {string} code
     * @param {string} message
     */
    finding(severity, code, message) {
        const finding = new Finding(severity, code, message);
        this.findings.push(finding);
        return finding;
    }

    /**
     * The contract's record.
     *
     * @returns {import("./contract.d.ts").DecisionRecord}
     */
    intoContract() {
        const findings = this.findings.map(({ code, severity, message, fix, locations }) => {
            return { code, severity, message, remedy: fix, locations };
        });
        return { verdicts: this.verdicts, actions: this.actions, findings };
    }
}
