/** The snapshot as a policy reads it. Mirrors `guest/src/snapshot.rs`. */

import { reader } from "./spans.js";

/** @typedef {import("./contract.d.ts").Attribute} Attribute */
/** @typedef {import("./contract.d.ts").Span} Span */
/** @typedef {Omit<import("./contract.d.ts").ReferenceRecord, "target"> & { target: string }} Reference */

/** A location with its position in the snapshot, by which a decision names it. */
export class Location {
    /**
     * @param {number} id
     * @param {import("./contract.d.ts").LocationRecord} record
     * @param {number} now
     * @param {(span: Span) => string} text
     */
    constructor(id, record, now, text) {
        this.id = id;
        this.name = text(record.name);
        this.credential = record.credential;
        this.label = text(record.label);
        this.presence = record.presence;
        /** @type {Reference | null} */
        this.refers =
            record.presence.tag === "reference"
                ? { ...record.presence.val, target: text(record.presence.val.target) }
                : null;
        this.writable = record.writable;
        this.expires = record.expires ?? null;
        this.now = now;
    }

    /**
     * The equality class of the secret that a reader would get here: the plain copy, or what the
     * reference leads to.
     *
     * @returns {number | null}
     */
    fingerprint() {
        switch (this.presence.tag) {
            case "plain":
                return this.presence.val;
            case "reference":
                return this.presence.val.resolved ?? null;
            default:
                return null;
        }
    }

    /**
     * The name under which the location was declared. What the host discovered for itself, such as a
     * drop-in of a unit, is called `DECLARED@FILE`.
     *
     * @returns {string}
     */
    declaredName() {
        return this.name.split("@", 1)[0];
    }

    /** Whether a secret stands here in clear. */
    isPlain() {
        return this.presence.tag === "plain";
    }

    /** Whether the secret that stands here is no longer valid; the host lets none such be copied. */
    isExpired() {
        // A time from 2^63 on, such as one that stands for never, is handed over below zero.
        return this.expires !== null && this.expires >= 0 && this.expires <= this.now;
    }

    /** Whether a reader finds nothing to use: absent, empty or a placeholder. */
    isUnset() {
        const { tag } = this.presence;
        return tag === "absent" || tag === "empty" || tag === "placeholder";
    }

    /** Whether the place could not be read. */
    isUnreadable() {
        return this.presence.tag === "unreadable";
    }

    /**
     * The reference that stands here.
     *
     * @returns {Reference | null}
     */
    reference() {
        return this.refers;
    }

    /**
     * Whether a reference stands here that the host may not follow, to a file, a command or a store:
     * a reader gets a secret, but which one is not known.
     */
    isElsewhere() {
        const reference = this.reference();
        return (
            reference !== null &&
            (reference.resolved ?? null) === null &&
            reference.kind !== "environment"
        );
    }

    /**
     * Whether both hold the same secret; false where either holds none.
     *
     * @param {Location} other
     */
    sameSecret(other) {
        const fingerprint = this.fingerprint();
        return fingerprint !== null && fingerprint === other.fingerprint();
    }
}

/** A consumer with its position in the snapshot, by which a decision names it. */
export class Consumer {
    /**
     * @param {number} id
     * @param {import("./contract.d.ts").ConsumerRecord} record
     * @param {(span: Span) => string} text
     */
    constructor(id, record, text) {
        this.id = id;
        this.name = text(record.name);
        this.credential = record.credential;
    }
}

/** All that a policy knows, with look-ups by name. */
export class Snapshot {
    /** @param {import("./contract.d.ts").SnapshotRecord} record */
    constructor(record) {
        const { now } = record;
        const text = reader(record.text);
        this.phase = record.phase;
        this.settings = text(record.settings);
        this.credentials = record.credentials.map(text);
        this.locations = record.locations.map((one, id) => new Location(id, one, now, text));
        this.consumers = record.consumers.map((one, id) => new Consumer(id, one, text));
        this.ofLocations = attributes(record.locationAttributes, text);
        this.ofConsumers = attributes(record.consumerAttributes, text);
        /** @type {Map<string, Location>} */
        this.byName = new Map();
        // From the end, so that of several with one name the first counts.
        for (let id = this.locations.length - 1; id >= 0; id -= 1) {
            this.byName.set(this.locations[id].name, this.locations[id]);
        }
        /** @type {Map<string, string>} */
        this.facts = new Map();
        for (let index = record.facts.length - 1; index >= 0; index -= 1) {
            const { key, value } = record.facts[index];
            this.facts.set(text(key), text(value));
        }
    }

    /**
     * @param {number} id
     * @returns {Location | null}
     */
    location(id) {
        return this.locations[id] ?? null;
    }

    /**
     * @param {string} name
     * @returns {Location | null}
     */
    locationNamed(name) {
        return this.byName.get(name) ?? null;
    }

    /**
     * Whether a consumer would today get another secret than the verdict wants, none where it wants one,
     * or fail. A secret that is not known is no drift. The host counts alike.
     *
     * @param {import("./contract.d.ts").Verdict} verdict
     * @returns {boolean}
     */
    drifts({ today, wanted }) {
        if (today.tag === "unresolved" || today.tag === "invalid") {
            return true;
        }
        if (wanted === null) {
            return false;
        }
        if (today.tag !== "copy") {
            return true;
        }
        /** @param {number} id */
        const secret = (id) => this.location(id)?.fingerprint() ?? null;
        const isElsewhere = this.location(today.val)?.isElsewhere() ?? false;
        return !isElsewhere && secret(today.val) !== secret(wanted);
    }

    /**
     * @param {number} id
     * @returns {string}
     */
    credentialName(id) {
        return this.credentials[id] ?? "";
    }

    /**
     * @param {string} key
     * @returns {string | null}
     */
    fact(key) {
        return this.facts.get(key) ?? null;
    }

    /**
     * @param {Consumer} consumer
     * @param {string} key
     * @returns {string | null}
     */
    consumerAttribute(consumer, key) {
        return this.ofConsumers[consumer.id]?.get(key) ?? null;
    }

    /**
     * @param {Location} location
     * @param {string} key
     * @returns {string | null}
     */
    locationAttribute(location, key) {
        return this.ofLocations[location.id]?.get(key) ?? null;
    }
}

/**
 * Attributes by the position of their owner.
 *
 * @param {Attribute[]} list
 * @param {(span: Span) => string} text
 * @returns {Map<string, string>[]}
 */
function attributes(list, text) {
    /** @type {Map<string, string>[]} */
    const byOwner = [];
    for (const { owner, key, value } of list) {
        byOwner[owner] ??= new Map();
        byOwner[owner].set(text(key), text(value));
    }
    return byOwner;
}
