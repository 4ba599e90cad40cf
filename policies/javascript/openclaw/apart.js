/**
 * Programs that read one credential and get different secrets, where nothing is done about it. Mirrors
 * `policies/openclaw/src/apart.rs`.
 */

/** @typedef {import("../sdk/decision.js").Decision} Decision */
/** @typedef {import("../sdk/snapshot.js").Location} Location */
/** @typedef {import("../sdk/snapshot.js").Snapshot} Snapshot */

/**
 * Says which copies they get, unless the decision changes a copy of the credential, for then the next
 * run sees what came of it, or another finding names one.
 *
 * @param {import("./installation.js").Installation} installation
 * @param {Decision} decision
 */
export function find({ snapshot, isReadable }, decision) {
    // OpenClaw refuses the configuration whole, and the host says where it cannot be read.
    if (!isReadable) {
        return;
    }
    for (const [credential, name] of snapshot.credentials.entries()) {
        if (!isDealtWith(snapshot, credential, decision)) {
            compare(snapshot, credential, name, decision);
        }
    }
}

/**
 * @param {Snapshot} snapshot
 * @param {number} credential
 * @param {Decision} decision
 * @returns {boolean}
 */
function isDealtWith(snapshot, credential, decision) {
    /** @param {number} id */
    const isOfIt = (id) => snapshot.location(id)?.credential === credential;
    /** @param {import("../sdk/contract.d.ts").Deed} deed */
    const changes = (deed) => {
        switch (deed.tag) {
            case "write":
            case "refer":
                return isOfIt(deed.val.to);
            case "remove":
            case "refresh":
                return isOfIt(deed.val);
            case "mint":
                return deed.val.credential === credential;
            default:
                return false;
        }
    };
    return (
        decision.actions.some(({ deed }) => changes(deed)) ||
        decision.findings.some(({ locations }) => locations.some(isOfIt))
    );
}

/**
 * @param {Snapshot} snapshot
 * @param {number} credential
 * @param {string} name
 * @param {Decision} decision
 */
function compare(snapshot, credential, name, decision) {
    /**
     * By secret: the first copy that holds it, and who gets it.
     *
     * @type {Map<number, { copy: Location, names: string[] }>}
     */
    const copies = new Map();
    /** @type {string[]} */
    const without = [];
    /** @type {Location | null} */
    let wanted = null;
    for (const verdict of decision.verdicts) {
        const consumer = snapshot.consumers[verdict.consumer];
        const should = verdict.wanted === null ? null : snapshot.location(verdict.wanted);
        if (consumer.credential !== credential || should === null) {
            continue;
        }
        wanted ??= should;
        const { today } = verdict;
        const copy = today.tag === "copy" ? snapshot.location(today.val) : null;
        const secret = copy === null ? null : copy.fingerprint();
        if (copy !== null && secret !== null) {
            const side = copies.get(secret);
            if (side === undefined) {
                copies.set(secret, { copy, names: [consumer.name] });
            } else {
                side.names.push(consumer.name);
            }
        } else if (snapshot.drifts(verdict)) {
            without.push(consumer.name);
        }
    }
    // In the order of the secrets' numbers, not in that in which they were met.
    const inOrder = [...copies].sort(([a], [b]) => a - b).map(([, side]) => side);
    const sides = inOrder.map(({ copy, names }) => `${gets(names)} what ${copy.label} holds`);
    if (without.length > 0) {
        sides.push(`${gets(without)} none`);
    }
    if (sides.length < 2 && without.length === 0) {
        return;
    }
    const finding = decision.finding(
        "warning",
        "programs-disagree",
        `programs disagree on ${name}: ${sides.join(", ")}`,
    );
    const named = new Set(inOrder.map(({ copy }) => copy));
    if (wanted !== null) {
        named.add(wanted);
    }
    for (const copy of named) {
        finding.at(copy);
    }
    finding.remedy(
        "put the same secret into these places, or remove those that should not count; precedent explain --shadows shows what then comes next",
    );
}

/** @param {string[]} names */
function gets(names) {
    return names.length === 1 ? `${names[0]} gets` : `${names.join(", ")} get`;
}
