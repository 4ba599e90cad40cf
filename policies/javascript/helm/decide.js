/**
 * A gateway in a pod: what each of its programs should use, and what becomes of the copies. Mirrors
 * `policies/helm/src/lib.rs`.
 *
 * The server reads `gateway.auth.token` before the variable, so a stale copy there makes the *server*
 * switch; and a program without the variable falls back to the copies. Both are why the copies matter
 * although the variable is set.
 */

import { Decision } from "../sdk/decision.js";
import { TOKEN } from "../openclaw/credential.js";
import * as holes from "../openclaw/holes.js";
import { Installation } from "../openclaw/installation.js";
import { judge } from "../openclaw/resolve.js";
import { authority } from "./authority.js";
import { follow } from "./follow.js";

/** @typedef {import("../sdk/snapshot.js").Location} Location */
/** @typedef {import("../sdk/snapshot.js").Snapshot} Snapshot */

/**
 * @param {Snapshot} snapshot
 * @param {import("./settings.js").Settings} settings
 * @returns {Decision}
 */
export function decide(snapshot, { persist }) {
    const installation = new Installation(snapshot);
    const decision = new Decision();
    const source = authority(installation, decision);
    if (source !== null) {
        // A configuration of which a part cannot be read is not touched at all; the host's own
        // finding names file, line and column.
        if (installation.isReadable) {
            for (const name of [TOKEN.at.auth, TOKEN.at.remote]) {
                const copy = installation.location(name);
                if (copy !== null) {
                    follow(installation, persist, source, copy, decision);
                }
            }
        }
        holes.version(installation, decision);
    }
    judge(installation, decision, (consumer, resolved) => {
        const isToken = snapshot.credentialName(consumer.credential) === TOKEN.name;
        return source !== null && isToken
            ? [source, `${source.label} is the source of truth`]
            : [today(snapshot, resolved), "left as it is"];
    });
    return decision;
}

/**
 * @param {Snapshot} snapshot
 * @param {import("../openclaw/resolve.js").Resolved} resolved
 * @returns {Location | null}
 */
function today(snapshot, { standing }) {
    return standing.tag === "copy" ? snapshot.location(standing.val) : null;
}
