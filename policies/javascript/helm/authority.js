/** Whether the variable may say what the others must be. Mirrors a part of `policies/helm/src/lib.rs`. */

import { PASSWORD, TOKEN } from "../openclaw/credential.js";
import { keepReference } from "./follow.js";

/** @typedef {import("../openclaw/installation.js").Installation} Installation */
/** @typedef {import("../sdk/decision.js").Decision} Decision */
/** @typedef {import("../sdk/snapshot.js").Location} Location */

/**
 * The variable, where it is for this policy to say what the others must be. Where it is not, a finding
 * says why, and nothing is touched.
 *
 * @param {Installation} installation
 * @param {Decision} decision
 * @returns {Location | null}
 */
export function authority(installation, decision) {
    const source = installation.location(TOKEN.at.env);
    if (source === null || !isGiven(source, decision) || !isWanted(installation, decision)) {
        return null;
    }
    // The server takes what its configuration refers to. Where that is another token, or one that is
    // not known here, clients must not be given the variable's.
    const server = installation.location(TOKEN.at.auth);
    if (server !== null && server.reference() !== null && !server.sameSecret(source)) {
        keepReference(source, server, decision);
        return null;
    }
    return source;
}

/**
 * Whether a token stands in the variable.
 *
 * @param {Location} source
 * @param {Decision} decision
 * @returns {boolean}
 */
function isGiven(source, decision) {
    const { label } = source;
    switch (source.presence.tag) {
        case "plain":
            return true;
        case "placeholder":
            decision
                .finding(
                    "error",
                    "token-is-placeholder",
                    `${label} holds the documentation's example, which everybody knows; nothing is touched`,
                )
                .at(source)
                .remedy(
                    "put a token of your own into the Secret, such as the output of `openssl rand -hex 32`",
                );
            return false;
        case "unreadable":
            return false;
        case "absent":
        case "empty":
        case "reference":
            decision
                .finding(
                    "info",
                    "token-not-set",
                    `${label} is not set here, so this policy has nothing to go by; nothing is touched`,
                )
                .at(source)
                .remedy(
                    `if it should be: is the Secret's key named ${label}, and does this container get it?`,
                );
            return false;
    }
}

/**
 * Whether this is an installation whose programs use the token.
 *
 * @param {Installation} installation
 * @param {Decision} decision
 * @returns {boolean}
 */
function isWanted(installation, decision) {
    if (installation.isAmbiguous()) {
        const message =
            "gateway.auth.token and gateway.auth.password are both set and gateway.auth.mode is not: OpenClaw does not start like that";
        decision
            .finding("error", "auth-ambiguous", message)
            .at(installation.location(TOKEN.at.auth))
            .remedy("set gateway.auth.mode to token or password");
        return false;
    }
    if (installation.mode === "remote") {
        const message =
            "gateway.mode is remote: gateway.remote.token belongs to the other gateway and is not touched";
        decision
            .finding("info", "remote-mode", message)
            .at(installation.location(TOKEN.at.remote));
        return false;
    }
    switch (installation.authMode()) {
        case "token":
            return true;
        case "password": {
            const message =
                "clients authenticate with a password here; a token beside it is not written, for OpenClaw refuses to start with both and no mode";
            decision
                .finding("info", "password-mode", message)
                .at(installation.location(PASSWORD.at.auth));
            return false;
        }
        default: {
            const mode = installation.snapshot.fact("gateway.auth.mode");
            const message = `gateway.auth.mode is ${mode}: no token is used, and none is written`;
            decision.finding("info", "no-token-mode", message);
            return false;
        }
    }
}
