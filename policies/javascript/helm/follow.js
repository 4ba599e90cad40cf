/** What becomes of one copy. Mirrors a part of `policies/helm/src/lib.rs`. */

import { TOKEN } from "../openclaw/credential.js";
import { knowsReferences } from "../openclaw/era.js";
import { KNOWS_REFERENCES } from "../openclaw/version.js";

/** @typedef {import("../openclaw/installation.js").Installation} Installation */
/** @typedef {import("../sdk/decision.js").Decision} Decision */
/** @typedef {import("../sdk/snapshot.js").Location} Location */
/** @typedef {import("./settings.js").Persist} Persist */

/**
 * Makes one copy follow the source, or go.
 *
 * @param {Installation} installation
 * @param {Persist} persist
 * @param {Location} source
 * @param {Location} copy
 * @param {Decision} decision
 */
export function follow(installation, persist, source, copy, decision) {
    if (copy.reference() !== null) {
        keepReference(source, copy, decision);
        return;
    }
    const { label } = copy;
    const truth = source.label;
    const stale = copy.isPlain() && !copy.sameSecret(source);
    const wanted = wantedOf(installation, persist, copy, stale, decision);
    if (!isNeeded(wanted, source, copy)) {
        return;
    }
    if (!copy.writable) {
        if (copy.isPlain()) {
            const message = `${label} should change, but the configuration cannot be written here`;
            decision
                .finding(stale ? "error" : "warning", "target-read-only", message)
                .at(copy)
                .remedy(
                    "make the file and its folder writable for this user, or change the copy where it is made",
                );
        }
        return;
    }
    if (stale) {
        const message = `${label} holds another token than ${truth}: clients that still present the old one are refused from this start on`;
        decision
            .finding("warning", "token-rotated", message)
            .at(copy)
            .remedy("give the new token to clients outside this pod");
    }
    switch (wanted) {
        case "equal":
            decision.writeUnlessEqual(source, copy, `${label} follows ${truth}`);
            break;
        case "reference":
            decision.refer(
                source,
                copy,
                `${label} refers to ${truth}, so no token is kept in the file`,
            );
            break;
        case "gone":
            decision.remove(copy, `${truth} is the only copy that is kept`);
    }
}

/**
 * Says why a reference is left alone, and whether it leads where it should.
 *
 * @param {Location} source
 * @param {Location} copy
 * @param {Decision} decision
 */
export function keepReference(source, copy, decision) {
    const truth = source.label;
    const target = copy.reference()?.target ?? "";
    /**
     * @param {import("../sdk/contract.d.ts").Severity} severity
     * @param {string} code
     * @param {string} leads
     */
    const found = (severity, code, leads) => {
        const message = `${copy.label} refers to ${target}, ${leads}; a reference is not replaced`;
        const finding = decision.finding(severity, code, message).at(copy);
        if (severity !== "info") {
            finding.remedy(
                `let it refer to ${truth}, or see to it that ${target} leads to that token`,
            );
        }
    };
    if (copy.sameSecret(source)) {
        found("info", "reference-kept", "which leads to the same token");
    } else if (copy.fingerprint() !== null) {
        found("error", "reference-differs", `which leads to another token than ${truth}`);
    } else if (copy.isElsewhere()) {
        found("warning", "reference-kept", "which is not followed from here");
    } else {
        found("error", "reference-unresolved", "which leads nowhere");
    }
}

/**
 * What should become of a copy.
 *
 * @typedef {"equal" | "reference" | "gone" | "as-it-is"} Wanted
 */

/**
 * @param {Wanted} wanted
 * @param {Location} source
 * @param {Location} copy
 * @returns {boolean}
 */
function isNeeded(wanted, source, copy) {
    switch (wanted) {
        case "equal":
            return !copy.sameSecret(source);
        case "reference":
            return true;
        case "gone":
            return copy.isPlain();
        case "as-it-is":
            return false;
    }
}

/**
 * @param {Installation} installation
 * @param {Persist} persist
 * @param {Location} copy
 * @param {boolean} stale
 * @param {Decision} decision
 * @returns {Wanted}
 */
function wantedOf({ version, versionKnown }, persist, copy, stale, decision) {
    const isServers = copy.name === TOKEN.at.auth;
    switch (persist) {
        case "both":
            return "equal";
        case "remote-only":
            if (!isServers) {
                return "equal";
            }
            // A stale copy would make the server switch to it; an equal one does no harm.
            return stale ? "gone" : "as-it-is";
        case "none":
            return "gone";
        case "reference":
            break;
    }
    if (versionKnown && knowsReferences(version)) {
        return "reference";
    }
    if (isServers) {
        const message = versionKnown
            ? `OpenClaw ${version} does not take a SecretRef as gateway.auth.token; plain copies are removed instead`
            : "whether this OpenClaw takes a SecretRef as gateway.auth.token is not known; plain copies are removed instead";
        decision
            .finding("warning", "reference-unsupported", message)
            .at(copy)
            .remedy(
                `with ${KNOWS_REFERENCES} or later, say the version; else set persist to both`,
            );
    }
    return "gone";
}
